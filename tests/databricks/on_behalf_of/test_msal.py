"""Microsoft's own client takes the stand-in for Entra, and the stand-in takes what it sends; both give the same token."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tokenward.databricks.on_behalf_of.on_behalf_of import DEFAULT_SCOPE, OnBehalfOf
from tokenward.testing import LocalIssuer
from tokenward.testing.entra_server import EntraServer
from tokenward.testing.entra_token_endpoint import DEFAULT_SECRET, EntraTokenEndpoint

msal = pytest.importorskip("msal")
requests = pytest.importorskip("requests")

App = Callable[[object], Any]


class PemPair(Protocol):
    """What the fixture gives: a key and its certificate."""

    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes: ...

    def key_pem(self, password: str | None = None) -> bytes: ...

    def write(self, path: Path) -> Path: ...


@pytest.fixture
def app(issuer: LocalIssuer, endpoint: EntraTokenEndpoint, pair: PemPair, tmp_path: Path) -> Iterator[App]:
    """`app(credential)`: MSAL's confidential client, pointed at the stand-in. It insists on https."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.write(tmp_path / "server.pem"))
    (tmp_path / "ca.pem").write_bytes(pair.certificate_pem)
    with requests.Session() as session, EntraServer(endpoint, tls=tls) as server:
        session.trust_env, session.verify = False, str(tmp_path / "ca.pem")

        def _app(credential: object) -> Any:
            return msal.ConfidentialClientApplication(
                issuer.client_id,
                client_credential=credential,
                authority=f"{server.url}/{issuer.tenant}",
                instance_discovery=False,
                validate_authority=False,
                http_client=session,
            )

        yield _app


@pytest.mark.parametrize("kind", ["secret", "certificate", "older certificate"])
def test_msal_gets_the_same_token_as_we_do(
    kind: str,
    app: App,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    pair: PemPair,
    grant: Callable[..., OnBehalfOf],
    carry_out: Callable[..., Any],
) -> None:
    endpoint.add_certificate(pair.certificate_pem)
    key, certificate = pair.key_pem().decode(), pair.certificate_pem.decode()
    credentials: dict[str, object] = {
        "secret": DEFAULT_SECRET,
        "certificate": {"private_key": key, "public_certificate": certificate},
        "older certificate": {"private_key": key, "thumbprint": pair.certificate.fingerprint(hashes.SHA1()).hex()},
    }
    token = issuer.user_token()
    theirs = app(credentials[kind]).acquire_token_on_behalf_of(token, [DEFAULT_SCOPE])
    assert "error" not in theirs
    ours = carry_out(grant(), token)
    assert claims_of(theirs["access_token"]) == claims_of(ours.value)
    assert theirs["scope"] == ours.scope
    assert ours.expires_at == issuer.clock() + theirs["expires_in"]
    assert theirs["id_token_claims"]["oid"] == claims_of(token)["oid"]
    assert [asked.client for asked in endpoint.asked] == [kind.split()[-1], "secret"]


def claims_of(token: str) -> dict[str, object]:
    """Without what is different in every token."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return {name: value for name, value in claims.items() if name not in ("aio", "rh", "uti", "appidacr")}


@pytest.mark.parametrize(
    ("code", "error"),
    [(50076, "invalid_grant"), (65001, "invalid_grant"), (7000215, "invalid_client"), (500011, "invalid_resource")],
)
def test_msal_reads_the_stand_ins_errors(
    code: int, error: str, app: App, issuer: LocalIssuer, endpoint: EntraTokenEndpoint
) -> None:
    endpoint.refuse(code)
    answer = app(DEFAULT_SECRET).acquire_token_on_behalf_of(issuer.user_token(), [DEFAULT_SCOPE])
    assert (answer["error"], answer["error_codes"]) == (error, [code])
    assert {"trace_id", "correlation_id", "timestamp", "error_description"} <= answer.keys()
    assert ("claims" in answer) == (code == 50076)
