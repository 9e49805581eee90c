"""Signatures: every algorithm with real keys, and which key may speak for which token (RFC 7515 section 5.2, RFC 7518)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "99999999-8888-7777-6666-555555555555"
PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of Microsoft's personal accounts
V1 = "https://sts.windows.net/{tenantid}/"
V2 = "https://login.microsoftonline.com/{tenantid}/v2.0"
CASES = [
    ("RS256", "rsa"),
    ("RS384", "rsa"),
    ("RS512", "rsa"),
    ("PS256", "rsa"),
    ("PS384", "rsa"),
    ("PS512", "rsa"),
    ("ES256", "p256"),
    ("ES384", "p384"),
    ("ES512", "p521"),
    ("EdDSA", "ed25519"),
    ("EdDSA", "ed448"),
]


def open_to(desk: Any, algorithm: str, *signers: str, **members: Any) -> Any:
    return desk.verifier(desk.rule(algorithms=[algorithm], jwks=desk.jwks(*signers, **members)))


@pytest.mark.parametrize(("algorithm", "signer"), CASES)
def test_a_genuine_signature_holds(desk: Any, algorithm: str, signer: str) -> None:
    assert desk.verdict(open_to(desk, algorithm, signer), desk.token(algorithm=algorithm, signer=signer)) == "accepted"
    declared = open_to(desk, algorithm, signer, alg=algorithm)
    assert desk.verdict(declared, desk.token(algorithm=algorithm, signer=signer)) == "accepted"


@pytest.mark.parametrize(("algorithm", "signer"), CASES)
def test_no_changed_byte_of_the_signed_text_or_of_the_signature_holds(desk: Any, algorithm: str, signer: str) -> None:
    verifier = open_to(desk, algorithm, signer)
    token = desk.token(algorithm=algorithm, signer=signer)
    signed, _, text = token.rpartition(".")
    signature = base64.urlsafe_b64decode(text + "==")
    changed = [signed + "." + desk.b64(_flipped(signature, place)) for place in (0, len(signature) // 2, len(signature) - 1)]
    changed += [
        signed + "." + desk.b64(other)
        for other in (b"", signature[:-1], signature + b"\0", b"\0" * len(signature), signature[::-1])
    ]
    other_claims = desk.b64(json.dumps(desk.claims(sub="another")).encode())
    changed.append(f"{signed.split('.')[0]}.{other_claims}.{text}")
    assert desk.verdicts(verifier, changed) == {"signature_invalid"}


def _flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@pytest.mark.parametrize(("algorithm", "signer"), [("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521")])
def test_an_ecdsa_signature_has_exactly_the_raw_form(desk: Any, algorithm: str, signer: str) -> None:
    verifier = open_to(desk, algorithm, signer)
    token = desk.token(algorithm=algorithm, signer=signer)
    signed, _, text = token.rpartition(".")
    raw = base64.urlsafe_b64decode(text + "==")
    half = len(raw) // 2
    r, s = int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    order = _ORDERS[signer]
    forms = {
        "DER": encode_dss_signature(r, s),
        "one byte longer": b"\0" + raw,
        "zero bytes in front of each half": b"\0" + raw[:half] + b"\0" + raw[half:],
        "a zero byte in front of s": raw[:half] + b"\0" + raw[half:],
        "one byte shorter": raw[1:],
        "r zero": bytes(half) + raw[half:],
        "s zero": raw[:half] + bytes(half),
        "both zero": bytes(2 * half),
        "s the order": raw[:half] + order.to_bytes(half, "big"),
        "r the order": order.to_bytes(half, "big") + raw[half:],
        "both all ones": b"\xff" * (2 * half),
        "halves exchanged": raw[half:] + raw[:half],
        "one half only": raw[:half],
    }
    assert {name: desk.verdict(verifier, f"{signed}.{desk.b64(form)}") for name, form in forms.items()} == dict.fromkeys(
        forms, "signature_invalid"
    )


_ORDERS = {
    "p256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "p384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "p521": int("01" + "FF" * 32 + "FA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}


@pytest.mark.parametrize("salt", [0, 20, 31, 33, padding.PSS.MAX_LENGTH])
def test_a_pss_salt_of_another_length_than_the_hash_is_refused(desk: Any, salt: Any) -> None:
    signed = desk.token(algorithm="PS256").rpartition(".")[0]
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    signature = desk.signers["rsa"].private.sign(signed.encode(), scheme, hashes.SHA256())
    assert desk.verdict(open_to(desk, "PS256", "rsa"), f"{signed}.{desk.b64(signature)}") == "signature_invalid"


def test_a_pss_signature_with_another_hash_in_its_mask_is_refused(desk: Any) -> None:
    signed = desk.token(algorithm="PS256").rpartition(".")[0]
    scheme = padding.PSS(padding.MGF1(hashes.SHA1()), 32)  # the weak one is the point
    signature = desk.signers["rsa"].private.sign(signed.encode(), scheme, hashes.SHA256())
    assert desk.verdict(open_to(desk, "PS256", "rsa"), f"{signed}.{desk.b64(signature)}") == "signature_invalid"


@pytest.mark.parametrize(("claimed", "real"), [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512"), ("PS512", "PS256")])
def test_a_signature_of_another_algorithm_of_the_same_key_is_refused(desk: Any, claimed: str, real: str) -> None:
    verifier = desk.verifier(desk.rule(algorithms=[claimed, real]))
    assert desk.verdict(verifier, desk.token(algorithm=real, alg=claimed)) == "signature_invalid"


def _public_forms(desk: Any) -> list[bytes]:
    public = desk.signers["rsa"].private.public_key()
    encodings = [
        (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.PEM, serialization.PublicFormat.PKCS1),
        (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        (serialization.Encoding.DER, serialization.PublicFormat.PKCS1),
    ]
    forms = [public.public_bytes(encoding, form) for encoding, form in encodings]
    return [*forms, desk.signers["rsa"].jwk["n"].encode(), json.dumps(desk.signers["rsa"].jwk).encode(), b""]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_the_public_key_is_never_an_hmac_secret(desk: Any, algorithm: str) -> None:
    signed = desk.token(alg=algorithm, signature=b"").rpartition(".")[0]
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    forged = [f"{signed}.{desk.b64(hmac.new(secret, signed.encode(), digest).digest())}" for secret in _public_forms(desk)]
    assert desk.verdicts(desk.verifier(), forged) == {"algorithm_not_allowed"}


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_hmac_over_the_public_key_under_an_allowed_name_is_no_signature(desk: Any, algorithm: str) -> None:
    signed = desk.token(algorithm=algorithm, signature=b"").rpartition(".")[0]
    signer = "rsa" if algorithm == "RS256" else "p256"
    forged = [f"{signed}.{desk.b64(hmac.digest(secret, signed.encode(), 'sha256'))}" for secret in _public_forms(desk)]
    assert desk.verdicts(open_to(desk, algorithm, signer), forged) == {"signature_invalid"}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        pytest.param({"alg": "RS512"}, "unknown_key", id="declared for another algorithm"),
        pytest.param({"alg": "PS256"}, "unknown_key", id="declared for PSS"),
        pytest.param({"use": "enc"}, "unknown_key", id="declared for encryption"),
        pytest.param({"use": "SIG"}, "unknown_key", id="use in another case"),
        pytest.param({"key_ops": ["sign"]}, "unknown_key", id="key_ops without verify"),
        pytest.param({"key_ops": []}, "unknown_key", id="empty key_ops"),
        pytest.param({"key_ops": "verify"}, "unknown_key", id="key_ops a string"),
        pytest.param({"kid": "kid-other"}, "unknown_key", id="another kid"),
        pytest.param({"kid": "KID-RSA"}, "unknown_key", id="the kid in another case"),
        pytest.param({"kid": ...}, "unknown_key", id="no kid"),
        pytest.param({"d": "AQ"}, "unknown_key", id="a private key, published"),
        pytest.param({"alg": "RS256"}, "accepted", id="declared for this algorithm"),
        pytest.param({"use": ...}, "accepted", id="no use"),
        pytest.param({"use": None, "alg": None}, "accepted", id="use and alg null"),
        pytest.param({"key_ops": ["verify"]}, "accepted", id="key_ops with verify"),
        pytest.param({"x5c": ["not a certificate"], "x5t": "x"}, "accepted", id="certificates, which are ignored"),
    ],
)
def test_the_key_of_the_right_kid_serves_only_what_its_publisher_says(desk: Any, members: dict[str, Any], code: str) -> None:
    document = desk.jwks("rsa", **members)
    document["keys"].append(desk.signers["rsa-2"].jwk)
    verifier = desk.verifier(desk.rule(jwks=document, algorithms=["RS256", "RS384"]))
    assert desk.verdict(verifier, desk.token()) == code


def test_a_key_of_the_right_kid_and_another_type_does_not_serve(desk: Any) -> None:
    document = {"keys": [desk.signers["p256"].jwk | {"kid": "kid-rsa"}, desk.signers["rsa-2"].jwk]}
    verifier = desk.verifier(desk.rule(jwks=document, algorithms=["RS256", "ES256"]))
    rejection = desk.rejection(lambda: verifier.verify(desk.token()))
    assert (rejection.code, rejection.reason) == ("unknown_key", "no key with this kid fits the algorithm")


def test_an_ecdsa_signature_without_its_leading_zeros_is_refused(desk: Any) -> None:
    """Of P-521 every fourth signature has a zero byte in front of both halves."""
    verifier = open_to(desk, "ES512", "p521")
    raw, signed = b"\1", ""
    while raw[0] or raw[66]:
        signed, _, text = desk.token(algorithm="ES512", signer="p521").rpartition(".")
        raw = base64.urlsafe_b64decode(text + "==")
    assert desk.verdict(verifier, f"{signed}.{desk.b64(raw)}") == "accepted"
    assert desk.verdict(verifier, f"{signed}.{desk.b64(raw[1:66] + raw[67:])}") == "signature_invalid"


@pytest.mark.parametrize(("algorithm", "signer"), [("ES256", "p384"), ("ES384", "p256"), ("ES512", "p384")])
def test_a_key_of_another_curve_does_not_serve(desk: Any, algorithm: str, signer: str) -> None:
    document = desk.jwks("p256", "p384", "p521")
    verifier = desk.verifier(desk.rule(jwks=document, algorithms=["ES256", "ES384", "ES512"]))
    assert desk.verdict(verifier, desk.token(algorithm=algorithm, signer=signer)) == "unknown_key"


def test_no_other_key_is_tried_in_place_of_the_named_one(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(jwks=desk.jwks("rsa", "rsa-2")))
    assert desk.verdict(verifier, desk.token(signer="rsa-2", kid="kid-rsa")) == "signature_invalid"
    assert desk.verdict(verifier, desk.token(signer="rsa-2", kid="kid-unheard-of")) == "unknown_key"


def test_a_token_without_kid_may_use_the_only_key_and_no_other(desk: Any) -> None:
    only, several = desk.verifier(), desk.verifier(desk.rule(jwks=desk.jwks("rsa", "rsa-2")))
    assert desk.verdict(only, desk.token(kid=...)) == "accepted"
    assert desk.verdict(only, desk.token(kid=..., signer="rsa-2")) == "signature_invalid"
    assert desk.verdict(several, desk.token(kid=...)) == "unknown_key"


def test_a_token_with_a_kid_does_not_use_an_only_key_without_one(desk: Any) -> None:
    verifier = desk.verifier(desk.rule(jwks=desk.jwks("rsa", kid=...)))
    assert desk.verdict(verifier, desk.token(kid=...)) == "accepted"
    assert desk.verdict(verifier, desk.token()) == "unknown_key"


def test_of_keys_with_the_same_kid_each_is_tried_and_only_a_few(desk: Any) -> None:
    shared = {"keys": [desk.signers[name].jwk | {"kid": "same"} for name in ("rsa-2", "rsa")]}
    verifier = desk.verifier(desk.rule(jwks=shared))
    assert desk.verdict(verifier, desk.token(kid="same")) == "accepted"
    assert desk.verdict(verifier, desk.token(kid="same", signer="rsa-2")) == "accepted"
    crowd = [desk.signers["p256"].jwk | {"kid": "same", "issuer": f"https://{number}.example/"} for number in range(10)]
    crowded = desk.verifier(
        desk.rule(jwks={"keys": [*crowd, desk.signers["rsa"].jwk | {"kid": "same"}]}, algorithms=["RS256", "ES256"])
    )
    assert desk.verdict(crowded, desk.token(kid="same")) == "unknown_key"


# -- Entra's binding of keys to issuers and clouds -----------------------------------------------------------------------


def entra_like(desk: Any, key_issuer: str | None, *, tenants: Any = (TENANT, OTHER), **members: Any) -> Any:
    bound = {} if key_issuer is None else {"issuer": key_issuer}
    document = desk.jwks("rsa", **bound, **members)
    rules = [desk.rule(form, tenants=tenants if tenants == "any" else list(tenants), jwks=document) for form in (V1, V2)]
    return desk.verifier(*rules)


def token_of(desk: Any, form: str, tenant: str = TENANT) -> str:
    made: str = desk.token(desk.claims(iss=form.replace("{tenantid}", tenant), tid=tenant))
    return made


@pytest.mark.parametrize("form", [pytest.param(V1, id="v1 token"), pytest.param(V2, id="v2 token")])
@pytest.mark.parametrize(
    ("key_issuer", "code"),
    [
        pytest.param(None, "accepted", id="unbound"),
        pytest.param(V1, "accepted", id="every tenant's v1 form"),
        pytest.param(V2, "accepted", id="every tenant's v2 form"),
        pytest.param(V1.replace("{tenantid}", TENANT), "accepted", id="this tenant's v1 form"),
        pytest.param(V2.replace("{tenantid}", TENANT), "accepted", id="this tenant's v2 form"),
        pytest.param(V1.replace("{tenantid}", OTHER), "key_not_for_issuer", id="another allowed tenant's v1 form"),
        pytest.param(V2.replace("{tenantid}", OTHER), "key_not_for_issuer", id="another allowed tenant's v2 form"),
        pytest.param(V2.replace("{tenantid}", PERSONAL), "key_not_for_issuer", id="personal accounts"),
        pytest.param("https://login.microsoftonline.us/{tenantid}/v2.0", "key_not_for_issuer", id="another cloud"),
        pytest.param("https://evil.example/{tenantid}", "key_not_for_issuer", id="another host"),
        pytest.param("", "key_not_for_issuer", id="empty"),
        pytest.param("{tenantid}", "key_not_for_issuer", id="only the placeholder"),
    ],
)
@pytest.mark.parametrize("tenants", [pytest.param((TENANT, OTHER), id="listed"), pytest.param("any", id="any")])
def test_a_key_speaks_only_for_the_issuer_it_is_bound_to(
    desk: Any, form: str, key_issuer: str | None, code: str, tenants: Any
) -> None:
    assert desk.verdict(entra_like(desk, key_issuer, tenants=tenants), token_of(desk, form)) == code


def test_a_binding_holds_for_an_issuer_without_tenants_too(desk: Any) -> None:
    ours = desk.verifier(desk.rule(jwks=desk.jwks(issuer=desk.issuer)))
    theirs = desk.verifier(desk.rule(jwks=desk.jwks(issuer="https://other.example/")))
    assert desk.verdict(ours, desk.token()) == "accepted"
    assert desk.verdict(theirs, desk.token()) == "key_not_for_issuer"


def test_a_key_bound_to_one_untenanted_issuer_of_the_policy_does_not_serve_another(desk: Any) -> None:
    shared = desk.jwks(issuer="https://other.example/")
    verifier = desk.verifier(desk.rule(jwks=shared), desk.rule("https://other.example/", jwks=shared))
    assert desk.verdict(verifier, desk.token()) == "key_not_for_issuer"
    assert desk.verdict(verifier, desk.token(desk.claims(iss="https://other.example/"))) == "accepted"


@pytest.mark.parametrize(
    ("of_key", "of_policy", "code"),
    [
        pytest.param("microsoftonline.com", "microsoftonline.com", "accepted", id="the same cloud"),
        pytest.param("microsoftonline.us", "microsoftonline.com", "key_not_for_issuer", id="another cloud"),
        pytest.param("MicrosoftOnline.com", "microsoftonline.com", "key_not_for_issuer", id="another case"),
        pytest.param(None, "microsoftonline.com", "accepted", id="the key does not say"),
        pytest.param("microsoftonline.us", None, "accepted", id="nobody says what is expected"),
    ],
)
def test_a_key_of_another_cloud_does_not_serve(desk: Any, of_key: str | None, of_policy: str | None, code: str) -> None:
    rule = desk.rule(jwks=desk.jwks(cloud_instance_name=of_key), cloud_instance_name=of_policy)
    assert desk.verdict(desk.verifier(rule), desk.token()) == code


@pytest.mark.parametrize(
    ("of_metadata", "of_key", "of_policy", "code"),
    [
        pytest.param("microsoftonline.us", "microsoftonline.us", None, "accepted", id="the metadata speaks for the policy"),
        pytest.param("microsoftonline.com", "microsoftonline.us", None, "key_not_for_issuer", id="and against the key"),
        pytest.param("microsoftonline.us", None, "microsoftonline.us", "accepted", id="the metadata speaks for the key"),
        pytest.param("microsoftonline.com", None, "microsoftonline.us", "key_not_for_issuer", id="and against the policy"),
        pytest.param("microsoftonline.com", None, None, "accepted", id="only the metadata names one"),
    ],
)
def test_the_cloud_of_the_metadata_counts_for_whoever_names_none(
    desk: Any, of_metadata: str, of_key: str | None, of_policy: str | None, code: str
) -> None:
    def verifier() -> Any:
        provider = desk.provider(
            {
                "https://idp.example/.well-known/openid-configuration": {
                    "issuer": desk.issuer,
                    "jwks_uri": "https://idp.example/keys",
                    "cloud_instance_name": of_metadata,
                },
                "https://idp.example/keys": desk.jwks(cloud_instance_name=of_key),
            }
        )
        return desk.verifier(desk.rule(jwks=..., cloud_instance_name=of_policy), fetch=provider)

    assert desk.verdict(verifier(), desk.token()) == code


def test_a_binding_is_judged_before_the_signature_and_told_to_no_caller(desk: Any) -> None:
    verifier = entra_like(desk, V2.replace("{tenantid}", OTHER))
    rejection = desk.rejection(lambda: verifier.verify(token_of(desk, V2)))
    assert (rejection.signature_held, rejection.public_description) == (False, "The access token is invalid")
