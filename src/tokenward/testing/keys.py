"""Keys that sign, and the public JWKs by which they are known (RFC 7517, RFC 7518 section 6, RFC 8037)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tokenward.testing.certificate import self_signed
from tokenward.testing.signing import SIGNERS, PrivateKey

JWK: TypeAlias = dict[str, object]
JWKS: TypeAlias = dict[str, list[JWK]]
"""Of one member: `keys`."""

_CURVES: dict[str, tuple[str, ec.EllipticCurve, int]] = {
    "ES256": ("P-256", ec.SECP256R1(), 32),
    "ES384": ("P-384", ec.SECP384R1(), 48),
    "ES512": ("P-521", ec.SECP521R1(), 66),
}


class SigningKey:
    """A private key, its certificate, and what its publisher says of it. Immutable, so tests may share one.

    algorithm  what it signs with unless told otherwise
    kid        by default the certificate's SHA-1 thumbprint, as Entra has it
    members    further members of its JWK, such as `use`, `alg`, or Entra's `issuer` and `cloud_instance_name`
    """

    def __init__(self, algorithm: str, private_key: PrivateKey, kid: str | None = None, **members: object) -> None:
        self.algorithm = algorithm
        self.private_key = private_key
        self.certificate = self_signed(private_key)
        """DER. Made at once: two threads that each made one would publish two thumbprints."""
        self.kid = kid or self.thumbprint
        self.members: Mapping[str, object] = members

    @classmethod
    def generate(cls, algorithm: str = "RS256", kid: str | None = None, *, size: int = 2048, **members: object) -> SigningKey:
        """Make a new key for RS*, PS*, ES* or EdDSA (Ed25519). `size` is in bits and for RSA only; small ones make odd keys.

        Raises ValueError for other algorithms.
        """
        return cls(algorithm, _generated(algorithm, size), kid, **members)

    def renamed(self, kid: str | None = None, **members: object) -> SigningKey:
        """The same private key under another kid (None keeps it), or with other JWK members."""
        return SigningKey(self.algorithm, self.private_key, kid or self.kid, **{**self.members, **members})

    @property
    def thumbprint(self) -> str:
        """`x5t`: the certificate's SHA-1 (RFC 7517 section 4.8)."""
        return base64url(hashlib.sha1(self.certificate, usedforsecurity=False).digest())

    def jwk(self) -> JWK:
        """The public JWK in Entra's shape: with a certificate, and without `alg` unless that is among the members."""
        chain = [base64.b64encode(self.certificate).decode()]
        return {
            "kty": _kty(self.private_key),
            "use": "sig",
            "kid": self.kid,
            "x5t": self.thumbprint,
            **_public_members(self),
            "x5c": chain,
            **self.members,
        }

    def public_pem(self) -> bytes:
        """SubjectPublicKeyInfo in PEM: what a forger would take for an HMAC secret (RFC 8725 section 2.1)."""
        return self.private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, data: bytes, algorithm: str | None = None) -> bytes:
        """The JWS signature of these bytes, by this key's algorithm or another of its type."""
        return SIGNERS[algorithm or self.algorithm](self.private_key, data)

    def __repr__(self) -> str:
        return f"<SigningKey {self.algorithm} kid={self.kid}>"


def base64url(data: bytes) -> str:
    """RFC 7515 section 2: without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _generated(algorithm: str, size: int) -> PrivateKey:
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm][1])
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    if algorithm in SIGNERS:
        return rsa.generate_private_key(65537, size)
    raise ValueError(f"no key can be made for {algorithm!r}")


def _kty(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "EC" if isinstance(key, ec.EllipticCurvePrivateKey) else "OKP"


def _public_members(key: SigningKey) -> JWK:
    private = key.private_key
    if isinstance(private, rsa.RSAPrivateKey):
        numbers = private.public_key().public_numbers()
        return {"n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(private, ec.EllipticCurvePrivateKey):
        name, _, size = _CURVES[key.algorithm]
        point = private.public_key().public_numbers()
        return {"crv": name, "x": _number(point.x, size), "y": _number(point.y, size)}
    return {"crv": "Ed25519", "x": base64url(private.public_key().public_bytes_raw())}


def _number(value: int, size: int | None = None) -> str:
    return base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
