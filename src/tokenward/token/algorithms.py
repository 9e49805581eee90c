"""The only list of algorithms: what each name of RFC 7518 and RFC 8037 needs of a key, and how it checks a signature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | Ed448PublicKey
Check: TypeAlias = Callable[[PublicKey, bytes, bytes], None]
"""(key, signature, signed bytes): returns, or raises `cryptography.exceptions.InvalidSignature`."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row: its name, the key type and curves it works with, and its check."""

    name: str
    kty: str
    curves: frozenset[str | None]
    check: Check

    def fits(self, kty: str, curve: str | None) -> bool:
        return kty == self.kty and curve in self.curves


def _rsa_pkcs1(hash_: hashes.HashAlgorithm) -> Check:
    scheme = padding.PKCS1v15()

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        key.verify(signature, signed, scheme, hash_)  # type: ignore[call-arg, arg-type]

    return check


def _rsa_pss(hash_: hashes.HashAlgorithm) -> Check:
    """RFC 7518 section 3.5: MGF1 with the same hash, the salt as long as the hash."""
    scheme = padding.PSS(padding.MGF1(hash_), hash_.digest_size)

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        key.verify(signature, signed, scheme, hash_)  # type: ignore[call-arg, arg-type]

    return check


def _ecdsa(hash_: hashes.HashAlgorithm, size: int) -> Check:
    """RFC 7518 section 3.4: the signature is R || S, `size` bytes each, exactly."""
    scheme = ec.ECDSA(hash_)

    def check(key: PublicKey, signature: bytes, signed: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(encode_dss_signature(r, s), signed, scheme)  # type: ignore[call-arg, arg-type]

    return check


def _eddsa(key: PublicKey, signature: bytes, signed: bytes) -> None:
    key.verify(signature, signed)  # type: ignore[call-arg]


_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_NO_CURVE: frozenset[str | None] = frozenset({None})

ALGORITHMS: dict[str, Algorithm] = {
    row.name: row
    for row in (
        Algorithm("RS256", "RSA", _NO_CURVE, _rsa_pkcs1(_SHA256)),
        Algorithm("RS384", "RSA", _NO_CURVE, _rsa_pkcs1(_SHA384)),
        Algorithm("RS512", "RSA", _NO_CURVE, _rsa_pkcs1(_SHA512)),
        Algorithm("PS256", "RSA", _NO_CURVE, _rsa_pss(_SHA256)),
        Algorithm("PS384", "RSA", _NO_CURVE, _rsa_pss(_SHA384)),
        Algorithm("PS512", "RSA", _NO_CURVE, _rsa_pss(_SHA512)),
        Algorithm("ES256", "EC", frozenset({"P-256"}), _ecdsa(_SHA256, 32)),
        Algorithm("ES384", "EC", frozenset({"P-384"}), _ecdsa(_SHA384, 48)),
        Algorithm("ES512", "EC", frozenset({"P-521"}), _ecdsa(_SHA512, 66)),
        Algorithm("EdDSA", "OKP", frozenset({"Ed25519", "Ed448"}), _eddsa),
    )
}
"""Asymmetric signatures only. `none` and the HMAC family are not here, and so cannot be allowed by any policy."""
