"""What the tests of the walk share: keys made once, tokens signed by hand, and verifiers that never touch a network."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tokenward import AuthenticationError, Identity, Issuer, Policy, Verifier
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

NOW = 1_800_000_000
ISSUER = "https://idp.example/"
AUDIENCE = "api://jobs"
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
DEFAULT_SIGNER = {"RS": "rsa", "PS": "rsa", "ES256": "p256", "ES384": "p384", "ES512": "p521", "EdDSA": "ed25519"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def number(value: int, size: int | None = None) -> str:
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@dataclass(frozen=True)
class Signer:
    """A private key; `jwk` is its public half without `alg`, as Entra publishes it."""

    kid: str
    private: Any

    @property
    def jwk(self) -> dict[str, Any]:
        return {"kid": self.kid, "use": "sig", **public_members(self.private.public_key())}

    def sign(self, algorithm: str, signed: bytes) -> bytes:
        hash_ = HASHES.get(algorithm[2:], hashes.SHA256())
        if algorithm.startswith("RS"):
            return bytes(self.private.sign(signed, padding.PKCS1v15(), hash_))
        if algorithm.startswith("PS"):
            return bytes(self.private.sign(signed, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_))
        if algorithm.startswith("ES"):
            r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(hash_)))
            size = (self.private.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        return bytes(self.private.sign(signed))


def public_members(key: Any) -> dict[str, str]:
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e)}
    if isinstance(key, ec.EllipticCurvePublicKey):
        point, size = key.public_numbers(), (key.key_size + 7) // 8
        curve = {256: "P-256", 384: "P-384", 521: "P-521"}[key.key_size]
        return {"kty": "EC", "crv": curve, "x": number(point.x, size), "y": number(point.y, size)}
    curve = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else "Ed448"
    return {"kty": "OKP", "crv": curve, "x": b64(key.public_bytes_raw())}


class Provider:
    """An identity provider behind the fetch port: documents by address, and every request that was made.

    A document may be JSON, or an exception to raise.
    """

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents
        self.asked: list[str] = []

    def __call__(self, request: FetchRequest) -> FetchResponse:
        self.asked.append(request.url)
        document = self.documents.get(request.url)
        if isinstance(document, Exception):
            raise document
        if document is None:
            return FetchResponse(404, {}, b"")
        return FetchResponse(200, {"content-type": "application/json"}, json.dumps(document).encode())


class Desk:
    """Mints tokens and builds verifiers. `...` as a value leaves a member out."""

    now = NOW
    issuer = ISSUER
    audience = AUDIENCE
    algorithms = ALGORITHMS
    provider = Provider
    b64 = staticmethod(b64)

    def __init__(self, signers: dict[str, Signer]) -> None:
        self.signers = signers

    def claims(self, **changes: Any) -> dict[str, Any]:
        members = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "caller-1",
            "iat": NOW - 60,
            "nbf": NOW - 60,
            "exp": NOW + 3600,
        } | changes
        return {name: value for name, value in members.items() if value is not ...}

    def token(
        self,
        claims: dict[str, Any] | bytes | None = None,
        *,
        signer: str | None = None,
        algorithm: str = "RS256",
        signature: bytes | None = None,
        **header: Any,
    ) -> str:
        """A compact JWS; `claims` may be raw bytes, and `header` changes or removes members of the header."""
        key = self.signers[signer or DEFAULT_SIGNER.get(algorithm) or DEFAULT_SIGNER[algorithm[:2]]]
        members = {"typ": "JWT", "alg": algorithm, "kid": key.kid} | header
        text = json.dumps({name: value for name, value in members.items() if value is not ...}).encode()
        return self.raw(text, claims, signer=key, algorithm=algorithm, signature=signature)

    def raw(
        self,
        header: bytes,
        claims: dict[str, Any] | bytes | None = None,
        *,
        signer: Signer | str = "rsa",
        algorithm: str = "RS256",
        signature: bytes | None = None,
    ) -> str:
        """The same from the bytes of a header."""
        body = self.claims() if claims is None else claims
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        signed = f"{b64(header)}.{b64(payload)}"
        key = self.signers[signer] if isinstance(signer, str) else signer
        made = key.sign(algorithm, signed.encode()) if signature is None else signature
        return f"{signed}.{b64(made)}"

    def jwks(self, *signers: str, **members: Any) -> dict[str, Any]:
        """A set of public keys, each with further `members`."""
        keys = [self.signers[name].jwk | members for name in signers or ("rsa",)]
        return {"keys": [{name: value for name, value in key.items() if value is not ...} for key in keys]}

    def rule(self, issuer: str = ISSUER, **changes: Any) -> Issuer:
        options: dict[str, Any] = {"audiences": [AUDIENCE], "jwks": self.jwks()} | changes
        return Issuer(issuer, **{name: value for name, value in options.items() if value is not ...})

    def verifier(self, *rules: Issuer, policy: Policy | None = None, now: float = NOW, **options: Any) -> Verifier:
        """A verifier, at a fixed time unless a clock is given, whose fetch fails unless one is given."""
        chosen = policy or Policy(rules or [self.rule()])
        options = {"fetch": _no_network, "observer": None, "clock": lambda: now} | options
        return Verifier(chosen, **options)

    def rejection(self, act: Callable[[], object]) -> AuthenticationError:
        with pytest.raises(AuthenticationError) as caught:
            act()
        return caught.value

    def verdict(self, verifier: Verifier, token: str | bytes) -> str:
        """`accepted`, or the code of the rejection."""
        try:
            verified = verifier.verify(token)
        except AuthenticationError as rejection:
            return rejection.code
        assert isinstance(verified, Identity)
        return "accepted"

    def verdicts(self, verifier: Verifier, tokens: Sequence[str | bytes]) -> set[str]:
        return {self.verdict(verifier, token) for token in tokens}


def _no_network(request: FetchRequest) -> FetchResponse:
    raise FetchFailed("connect", "this test has no network")


@pytest.fixture(scope="session")
def desk() -> Desk:
    made: dict[str, Any] = {
        "rsa": rsa.generate_private_key(65537, 2048),
        "rsa-2": rsa.generate_private_key(65537, 2048),
        "p256": ec.generate_private_key(ec.SECP256R1()),
        "p256-2": ec.generate_private_key(ec.SECP256R1()),
        "p384": ec.generate_private_key(ec.SECP384R1()),
        "p521": ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate(),
        "ed448": ed448.Ed448PrivateKey.generate(),
    }
    return Desk({name: Signer(f"kid-{name}", private) for name, private in made.items()})
