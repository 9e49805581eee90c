"""The keys and tokens that are measured: made here with `cryptography` alone, in the shape in which Entra sends them."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "8b6f2c1e-4f5d-4b0a-9d3a-2f1c7e9a6b55"
V1_ISSUER = f"https://sts.windows.net/{TENANT}/"
V2_ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
KEYS_IN_SET = 8
"""As many as Entra's own set holds at most times."""
TOKENS = 128
"""Distinct tokens a pass goes through: no two requests in turn bring the same bytes, and all of them fit a core's L2 cache."""
LIFETIME = 4500
"""Seconds; Entra's are 60 to 90 minutes."""

Algorithm: TypeAlias = Literal["RS256", "ES256"]
Shape: TypeAlias = Callable[[int, int], dict[str, Any]]
"""(number of the token, now) -> its claims."""


@dataclass(frozen=True)
class Signer:
    """A private key and its name. `bare` is the check that every ratio is measured against, with all its objects ready."""

    kid: str
    algorithm: Algorithm
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

    def sign(self, signed: bytes) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            return self.private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def bare(self, token: str) -> Callable[[], None]:
        text, _, signature_text = token.rpartition(".")
        signed, signature = text.encode(), unbase64url(signature_text)
        if isinstance(self.private, rsa.RSAPrivateKey):
            rsa_key, pkcs1, sha256 = self.private.public_key(), padding.PKCS1v15(), hashes.SHA256()
            return lambda: rsa_key.verify(signature, signed, pkcs1, sha256)
        ec_key, ecdsa = self.private.public_key(), ec.ECDSA(hashes.SHA256())
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        return lambda: ec_key.verify(der, signed, ecdsa)

    def jwk(self) -> dict[str, str]:
        """As Entra publishes keys: no `alg`, and the issuer that the key is bound to."""
        said = {"kid": self.kid, "use": "sig", "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"}
        if isinstance(self.private, rsa.RSAPrivateKey):
            rsa_numbers = self.private.public_key().public_numbers()
            return said | {"kty": "RSA", "n": _number(rsa_numbers.n, 256), "e": _number(rsa_numbers.e, 3)}
        ec_numbers = self.private.public_key().public_numbers()
        return said | {"kty": "EC", "crv": "P-256", "x": _number(ec_numbers.x, 32), "y": _number(ec_numbers.y, 32)}


@dataclass(frozen=True)
class Corpus:
    """Tokens of one key and one shape, the set their key is published in, and the two that must be refused."""

    signer: Signer
    issuer: str
    audience: str
    jwks: Mapping[str, Any]
    tokens: tuple[str, ...]
    tampered: str
    expired: str

    @property
    def good(self) -> str:
        return self.tokens[0]


def v2_user(number: int, now: int) -> dict[str, Any]:
    """learn.microsoft.com/entra/identity-platform/access-token-claims-reference, with four groups: 1.9 KB."""
    return _entra_user(number, now) | {
        "aud": CLIENT,
        "iss": V2_ISSUER,
        "azp": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "azpacr": "0",
        "preferred_username": "megan.bowen@contoso.onmicrosoft.com",
        "ver": "2.0",
    }


def v1_user(number: int, now: int) -> dict[str, Any]:
    """The same user in the older form."""
    return _entra_user(number, now) | {
        "aud": f"api://{CLIENT}",
        "iss": V1_ISSUER,
        "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "appidacr": "0",
        "upn": "megan.bowen@contoso.onmicrosoft.com",
        "unique_name": "megan.bowen@contoso.onmicrosoft.com",
        "ver": "1.0",
    }


def rfc9068_user(number: int, now: int) -> dict[str, Any]:
    """The v2 shape with what RFC 9068 section 2.2 asks for besides, for the peer that insists on it."""
    return v2_user(number, now) | {"client_id": CLIENT, "jti": f"{number:032x}"}


def _entra_user(number: int, now: int) -> dict[str, Any]:
    return {
        "iat": now - 300,
        "nbf": now - 300,
        "exp": now - 300 + LIFETIME,
        "aio": "AWQAm/8" + "ZcF3kTqh" * 14 + f"{number:05d}==",
        "amr": ["pwd", "mfa"],
        "family_name": "Bowen",
        "given_name": "Megan",
        "groups": [str(uuid.UUID(int=0x9F1C0000_0000_4000_8000_000000000000 + group)) for group in range(4)],
        "ipaddr": "203.0.113.77",
        "name": "Megan Bowen",
        "oid": "48d31887-5fad-4d73-a9f5-3c356e68a038",
        "rh": "1.AXkAv4j5cvGGr0GRqy180BHbRx4sb4tdTwpLnTovHH6aa1V5AAB5AA.",
        "scp": "jobs.read jobs.write",
        "sid": "001e2f71-8d4c-5b6a-7f90-31f0c2b7a9de",
        "sub": "fF4kRtQ0bT9xv3S2mJc1yWq7ZpLh8NdUoAeGiKsMw5Y",
        "tid": TENANT,
        "uti": f"kQx7Yb1m3U{number:012d}",
        "xms_ftd": "mD3Yk0TjQxZ5sV1pR8uW2nB7cA4eG6hJ9lKoI-fX0vE",
    }


@cache
def entra_corpus(version: Literal["1.0", "2.0"] = "2.0") -> Corpus:
    """RS256, as Entra signs."""
    if version == "1.0":
        return _corpus(rsa_signers(), v1_user, V1_ISSUER, f"api://{CLIENT}")
    return _corpus(rsa_signers(), v2_user, V2_ISSUER, CLIENT)


@cache
def es256_corpus() -> Corpus:
    return _corpus(ec_signers(), v2_user, V2_ISSUER, CLIENT)


@cache
def rfc9068_corpus(algorithm: Algorithm) -> Corpus:
    signers = rsa_signers() if algorithm == "RS256" else ec_signers()
    return _corpus(signers, rfc9068_user, V2_ISSUER, CLIENT, typ="at+jwt")


@cache
def rsa_signers() -> tuple[Signer, ...]:
    return tuple(Signer(_kid("rsa", n), "RS256", rsa.generate_private_key(65537, 2048)) for n in range(KEYS_IN_SET))


@cache
def ec_signers() -> tuple[Signer, ...]:
    return tuple(Signer(_kid("ec", n), "ES256", ec.generate_private_key(ec.SECP256R1())) for n in range(KEYS_IN_SET))


def mint(signer: Signer, claims: Mapping[str, Any], *, typ: str = "JWT", algorithm: str | None = None) -> str:
    """A compact JWS; `algorithm` lets the header lie."""
    header = {"typ": typ, "alg": algorithm or signer.algorithm, "kid": signer.kid}
    signed = f"{_segment(header)}.{_segment(claims)}"
    return f"{signed}.{base64url(signer.sign(signed.encode()))}"


def with_claims(token: str, **changed: object) -> str:
    """The token with other claims and its old signature: what a forger would send."""
    header, claims_text, signature = token.split(".")
    return f"{header}.{_segment(json.loads(unbase64url(claims_text)) | changed)}.{signature}"


def jwks_of(signers: tuple[Signer, ...]) -> dict[str, Any]:
    return {"keys": [signer.jwk() for signer in signers]}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _corpus(signers: tuple[Signer, ...], shape: Shape, issuer: str, audience: str, typ: str = "JWT") -> Corpus:
    now, signer = int(time.time()), signers[KEYS_IN_SET // 2]
    tokens = tuple(mint(signer, shape(number, now), typ=typ) for number in range(TOKENS))
    expired = mint(signer, shape(0, now - 2 * LIFETIME), typ=typ)
    tampered = with_claims(tokens[0], oid="00000000-0000-4000-8000-000000000000")
    return Corpus(signer, issuer, audience, jwks_of(signers), tokens, tampered, expired)


def _segment(value: Mapping[str, Any]) -> str:
    return base64url(json.dumps(value, separators=(",", ":")).encode())


def _number(value: int, size: int) -> str:
    return base64url(value.to_bytes(size, "big"))


def _kid(family: str, number: int) -> str:
    return base64url(f"{family} signing key {number:08d}".encode())
