"""How each algorithm signs (RFC 7518 section 3, RFC 8037): the counterpart of `token.algorithms`, which checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

PrivateKey: TypeAlias = RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
Signer: TypeAlias = Callable[[PrivateKey, bytes], bytes]


def _rsa_pkcs1(hash_: hashes.HashAlgorithm) -> Signer:
    def sign(key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, RSAPrivateKey):
            raise _wrong_type(key)
        return key.sign(data, padding.PKCS1v15(), hash_)

    return sign


def _rsa_pss(hash_: hashes.HashAlgorithm) -> Signer:
    def sign(key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, RSAPrivateKey):
            raise _wrong_type(key)
        return key.sign(data, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_)

    return sign


def _ecdsa(hash_: hashes.HashAlgorithm, size: int) -> Signer:
    def sign(key: PrivateKey, data: bytes) -> bytes:
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _wrong_type(key)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hash_)))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def _eddsa(key: PrivateKey, data: bytes) -> bytes:
    if not isinstance(key, Ed25519PrivateKey):
        raise _wrong_type(key)
    return key.sign(data)


def _wrong_type(key: PrivateKey) -> TypeError:
    return TypeError(f"this algorithm needs a key of another type than {type(key).__name__}")


SIGNERS: dict[str, Signer] = {
    "RS256": _rsa_pkcs1(hashes.SHA256()),
    "RS384": _rsa_pkcs1(hashes.SHA384()),
    "RS512": _rsa_pkcs1(hashes.SHA512()),
    "PS256": _rsa_pss(hashes.SHA256()),
    "PS384": _rsa_pss(hashes.SHA384()),
    "PS512": _rsa_pss(hashes.SHA512()),
    "ES256": _ecdsa(hashes.SHA256(), 32),
    "ES384": _ecdsa(hashes.SHA384(), 48),
    "ES512": _ecdsa(hashes.SHA512(), 66),
    "EdDSA": _eddsa,
}
