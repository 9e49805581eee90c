"""Secrets, certificates and federated credentials: what they send, when they are judged, and what they never show."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tokenward.databricks.on_behalf_of.client_auth import ClientCertificate, ClientCredential, ClientSecret, FederatedCredential
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.errors import ExchangeUnavailable, PolicyError
from tokenward.testing import HandClock, LocalIssuer, OidcIssuer
from tokenward.testing.entra_clients import FederatedTrust
from tokenward.testing.entra_token_endpoint import EntraTokenEndpoint

Grants = Callable[..., OnBehalfOf]
Carry = Callable[..., object]
PASSWORD = "correct horse"
ENDPOINT, CLIENT, NOW = "https://login.example/t/oauth2/v2.0/token", "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60", 1_700_000_000.9
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
POD = "system:serviceaccount:jobs:gateway"


class PemPair(Protocol):
    """What the fixtures give: a key and its certificate."""

    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes: ...

    def key_pem(self, password: str | None = None) -> bytes: ...

    def write(self, path: Path) -> Path: ...


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_a_secret_is_sent_in_the_form() -> None:
    assert ClientSecret("s3cret~").fields(ENDPOINT, CLIENT, NOW) == {"client_secret": "s3cret~"}


def test_a_secret_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SECRET", "from~env")
    assert ClientSecret.from_env("MY_SECRET").fields(ENDPOINT, CLIENT, NOW) == {"client_secret": "from~env"}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param(None, id="none"),
        pytest.param(b"canary", id="bytes"),
        pytest.param("canary\n", id="with the line break of its file"),
        pytest.param("0F2A7C1E-3d54-4b6f-9a0c-5e1d2b3c4f60", id="the secret's ID in place of its value"),
    ],
)
def test_a_secret_that_can_be_none_is_refused_and_not_quoted(value: object) -> None:
    with pytest.raises(PolicyError) as refused:
        ClientSecret(value)  # type: ignore[arg-type]
    assert refused.value.field == "credential"
    assert "canary" not in str(refused.value)
    assert "0F2A" not in str(refused.value)


def test_an_environment_variable_that_is_not_set_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_SECRET", raising=False)
    with pytest.raises(PolicyError, match="MY_SECRET"):
        ClientSecret.from_env("MY_SECRET")


# -- certificates ------------------------------------------------------------------------------------------------------


def thumbprint(pair: PemPair, algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(pair.certificate.fingerprint(algorithm)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("kind", "algorithm", "name", "digest"),
    [
        pytest.param("sha256", "PS256", "x5t#S256", hashes.SHA256(), id="as Entra documents today"),
        pytest.param("sha1", "RS256", "x5t", hashes.SHA1(), id="as it did before"),
    ],
)
def test_a_certificate_signs_what_entra_documents(
    kind: str, algorithm: str, name: str, digest: hashes.HashAlgorithm, pair: PemPair, tmp_path: Path
) -> None:
    credential = ClientCertificate(pair.write(tmp_path / "both.pem"), thumbprint=kind)  # type: ignore[arg-type]
    fields = credential.fields(ENDPOINT, CLIENT, NOW)
    assert fields["client_assertion_type"] == ASSERTION_TYPE
    assertion = fields["client_assertion"]
    assert jwt.get_unverified_header(assertion) == {"alg": algorithm, "typ": "JWT", name: thumbprint(pair, digest)}
    options = {"verify_exp": False, "verify_aud": False}
    claims = jwt.decode(assertion, pair.certificate.public_key(), [algorithm], options=options)  # type: ignore[arg-type]
    assert len(claims.pop("jti")) == 36
    assert claims == {"aud": ENDPOINT, "iss": CLIENT, "sub": CLIENT, "nbf": int(NOW), "iat": int(NOW), "exp": int(NOW) + 300}
    assert credential.fields(ENDPOINT, CLIENT, NOW)["client_assertion"] != assertion


def test_certificate_and_key_may_lie_in_two_files_and_the_key_be_encrypted(pair: PemPair, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_bytes(pair.certificate_pem)
    (tmp_path / "key.pem").write_bytes(pair.key_pem(PASSWORD))
    credential = ClientCertificate(tmp_path / "cert.pem", key=str(tmp_path / "key.pem"), password=PASSWORD)
    assert "client_assertion" in credential.fields(ENDPOINT, CLIENT, NOW)


def curve_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("certificate", "key", "options", "field"),
    [
        pytest.param(None, None, {}, "certificate", id="no file"),
        pytest.param(lambda p, o: p.key_pem(), lambda p, o: p.key_pem(), {}, "certificate", id="a file without a certificate"),
        pytest.param(lambda p, o: b"\xff\x00", lambda p, o: p.key_pem(), {}, "certificate", id="a file that is no PEM"),
        pytest.param(lambda p, o: p.certificate_pem, lambda p, o: b"", {}, "key", id="an empty key file"),
        pytest.param(lambda p, o: p.certificate_pem, lambda p, o: p.certificate_pem, {}, "key", id="no key in the file"),
        pytest.param(lambda p, o: p.certificate_pem, lambda p, o: o.key_pem(), {}, "key", id="another certificate's key"),
        pytest.param(lambda p, o: p.certificate_pem, lambda p, o: curve_key(), {}, "key", id="an elliptic curve"),
        pytest.param(lambda p, o: p.certificate_pem, lambda p, o: p.key_pem(PASSWORD), {}, "key", id="no password"),
        pytest.param(
            lambda p, o: p.certificate_pem, lambda p, o: p.key_pem(PASSWORD), {"password": "canary"}, "key", id="a wrong password"
        ),
        pytest.param(
            lambda p, o: p.certificate_pem, lambda p, o: p.key_pem(), {"password": "canary"}, "key", id="a password too many"
        ),
        pytest.param(
            lambda p, o: p.certificate_pem, lambda p, o: p.key_pem(), {"thumbprint": "md5"}, "thumbprint", id="another thumbprint"
        ),
    ],
)
def test_a_certificate_that_cannot_sign_is_refused_at_construction(
    certificate: Callable[[PemPair, PemPair], bytes] | None,
    key: Callable[[PemPair, PemPair], bytes] | None,
    options: dict[str, str],
    field: str,
    pair: PemPair,
    other_pair: PemPair,
    tmp_path: Path,
) -> None:
    for name, maker in (("cert.pem", certificate), ("key.pem", key)):
        if maker is not None:
            (tmp_path / name).write_bytes(maker(pair, other_pair))
    with pytest.raises(PolicyError) as refused:
        ClientCertificate(tmp_path / "cert.pem", key=tmp_path / "key.pem", **options)  # type: ignore[arg-type]
    assert refused.value.field == field
    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_an_rsa_key_of_1024_bits_is_refused(small_pair: PemPair, tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="2048 bits"):
        ClientCertificate(small_pair.write(tmp_path / "both.pem"))


def test_a_renewed_certificate_is_taken_up_and_a_broken_file_keeps_the_last_one(
    pair: PemPair, other_pair: PemPair, tmp_path: Path
) -> None:
    path = pair.write(tmp_path / "both.pem")
    credential = ClientCertificate(path)

    def used(seconds: int) -> str:
        if path.exists():
            os.utime(path, (seconds, seconds))
        header = jwt.get_unverified_header(credential.fields(ENDPOINT, CLIENT, NOW)["client_assertion"])
        return str(header["x5t#S256"])

    assert used(1) == thumbprint(pair, hashes.SHA256())
    path.write_bytes(b"half a fi")
    assert used(2) == thumbprint(pair, hashes.SHA256())
    path.unlink()
    assert used(3) == thumbprint(pair, hashes.SHA256())
    other_pair.write(path)
    assert used(4) == thumbprint(other_pair, hashes.SHA256())


# -- federated credentials ---------------------------------------------------------------------------------------------


def test_a_federated_token_is_read_anew_at_every_use(tmp_path: Path) -> None:
    path = tmp_path / "token"
    credential = FederatedCredential(path)
    for token in ("one.two.three", "four.five.six"):
        path.write_text(f"{token}\n")
        assert credential.fields(ENDPOINT, CLIENT, NOW) == {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}


def test_a_federated_token_may_come_from_a_function_or_from_the_platforms_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = iter(["a.b.c", "d.e.f"])
    credential = FederatedCredential(lambda: next(tokens))
    assert [credential.fields(ENDPOINT, CLIENT, NOW)["client_assertion"] for _ in range(2)] == ["a.b.c", "d.e.f"]
    (tmp_path / "token").write_text("g.h.i")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    assert FederatedCredential.from_env().fields(ENDPOINT, CLIENT, NOW)["client_assertion"] == "g.h.i"


def failing() -> str:
    raise RuntimeError("canary")


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(failing, id="a function that raises"),
        pytest.param(lambda: "", id="nothing"),
        pytest.param(lambda: None, id="None"),
        pytest.param(lambda: b"a.b.c", id="bytes"),
        pytest.param(lambda: "canary", id="no JWT"),
        pytest.param(lambda: "canary.b.c.d.e", id="an encrypted token"),
        pytest.param(lambda: "a.b.c\r\nX-Canary: canary", id="more than a token"),
        pytest.param(lambda: "a.b." + "c" * 20_000, id="too long"),
        pytest.param("no/such/file", id="a file that is not there"),
    ],
)
def test_a_federated_token_that_cannot_be_had_is_our_own_inability(source: object) -> None:
    with pytest.raises(ExchangeUnavailable) as unavailable:
        FederatedCredential(source).fields(ENDPOINT, CLIENT, NOW)  # type: ignore[arg-type]
    assert (unavailable.value.code, unavailable.value.status) == ("exchange_unavailable", 503)
    assert "canary" not in f"{unavailable.value!r}{unavailable.value.__dict__}"
    assert unavailable.value.__cause__ is None
    assert unavailable.value.__suppress_context__ or unavailable.value.__context__ is None


async def coming() -> str:
    return "a.b.c"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(coming, id="an async function"),
        pytest.param(lambda needed: "a.b.c", id="a function that needs an argument"),
        pytest.param(7, id="a number"),
        pytest.param("", id="an empty path"),
    ],
)
def test_a_source_that_can_give_no_token_is_refused(source: object) -> None:
    with pytest.raises(PolicyError) as refused:
        FederatedCredential(source)  # type: ignore[arg-type]
    assert refused.value.field == "credential"


# -- all, against the stand-in -----------------------------------------------------------------------------------------


@pytest.fixture
def pod(wall: HandClock) -> OidcIssuer:
    """A cluster that issues tokens about its pods."""
    return LocalIssuer.oidc("https://cluster.example/", clock=wall)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("kind", ["secret", "certificate", "older certificate", "federated"])
def test_entra_takes_each_kind_of_credential_at_each_endpoint(
    kind: str,
    version: str,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Carry,
    pair: PemPair,
    pod: OidcIssuer,
    tmp_path: Path,
    wall: HandClock,
) -> None:
    endpoint.add_certificate(pair.certificate_pem)
    endpoint.trust(FederatedTrust("https://cluster.example/", POD, pod))
    path = pair.write(tmp_path / "both.pem")
    credentials: dict[str, ClientCredential | None] = {
        "secret": None,
        "certificate": ClientCertificate(path),
        "older certificate": ClientCertificate(path, thumbprint="sha1"),
        "federated": FederatedCredential(lambda: pod_token(pod, wall())),
    }
    carry_out(grant(credentials[kind], version=version), issuer.user_token())
    assert [(asked.client, asked.version) for asked in endpoint.asked] == [(kind.split()[-1], version)]


def pod_token(pod: OidcIssuer, now: float, **claims: object) -> str:
    usual = {"iss": "https://cluster.example/", "sub": POD, "aud": ["api://AzureADTokenExchange"], "iat": int(now)}
    return pod.mint({**usual, "exp": int(now) + 3600, **claims})


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"iss": "https://cluster.example"}, 700211, id="another issuer, by a slash"),
        pytest.param({"aud": "api://other"}, 700212, id="another audience"),
        pytest.param({"sub": POD.upper()}, 700213, id="another subject, by case"),
        pytest.param({"exp": 1}, 700024, id="expired"),
    ],
)
def test_a_federated_token_that_entra_does_not_know_is_our_own_inability_and_named(
    claims: dict[str, object],
    code: int,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Carry,
    pod: OidcIssuer,
    wall: HandClock,
) -> None:
    endpoint.trust(FederatedTrust("https://cluster.example/", POD, pod))
    with pytest.raises(ExchangeUnavailable) as unavailable:
        carry_out(grant(FederatedCredential(lambda: pod_token(pod, wall(), **claims))), issuer.user_token())
    assert unavailable.value.code == "exchange_unavailable"
    assert endpoint.asked[0].refused == code
    assert f"AADSTS{code}" in unavailable.value.actual  # type: ignore[operator]


def test_a_certificate_that_was_not_uploaded_is_our_own_inability(
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Carry,
    pair: PemPair,
    other_pair: PemPair,
    tmp_path: Path,
) -> None:
    endpoint.add_certificate(other_pair.certificate_pem)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        carry_out(grant(ClientCertificate(pair.write(tmp_path / "both.pem"))), issuer.user_token())
    assert "AADSTS700027" in unavailable.value.actual  # type: ignore[operator]
    assert "certificate" in unavailable.value.hint


@pytest.mark.parametrize(
    ("claims", "header", "code"),
    [
        pytest.param({"aud": "https://login.example/token"}, {}, 50027, id="for another endpoint"),
        pytest.param({"jti": ""}, {}, 50027, id="without an id"),
        pytest.param({"iss": "somebody"}, {}, 700021, id="by another application"),
        pytest.param({"sub": "somebody"}, {}, 700021, id="about another application"),
        pytest.param({"exp": 1}, {}, 700024, id="expired"),
        pytest.param({"nbf": 10**10}, {}, 700024, id="of tomorrow"),
        pytest.param({}, {"x5t#S256": "AAAA"}, 700027, id="of an unknown certificate"),
    ],
)
def test_the_stand_in_refuses_what_a_certificate_signed_amiss(
    claims: dict[str, object],
    header: dict[str, str],
    code: int,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Carry,
    pair: PemPair,
    wall: HandClock,
) -> None:
    endpoint.add_certificate(pair.certificate_pem)
    good = {"aud": endpoint.endpoint(), "iss": issuer.client_id, "sub": issuer.client_id, "jti": "1", "exp": int(wall()) + 300}
    headers = {"x5t#S256": thumbprint(pair, hashes.SHA256()), **header}
    signed = jwt.encode({**good, **claims}, pair.key_pem(), algorithm="PS256", headers=headers)
    credential = FederatedCredential(lambda: signed)  # sends any assertion
    with pytest.raises(ExchangeUnavailable):
        carry_out(grant(credential), issuer.user_token())
    assert [asked.refused for asked in endpoint.asked] == [code]


def test_a_credential_shows_nothing_of_itself(pair: PemPair, tmp_path: Path) -> None:
    credentials = [
        ClientSecret("canary~secret"),
        ClientCertificate(pair.write(tmp_path / "canary.pem")),
        FederatedCredential(tmp_path / "canary"),
    ]
    shown = [repr(credential) for credential in credentials]
    assert shown == ["<ClientSecret>", "<ClientCertificate sha256>", "<FederatedCredential>"]
    assert not any(hasattr(credential, "__dict__") for credential in credentials)
