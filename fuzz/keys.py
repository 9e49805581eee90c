"""Keys that sign what is mutated, the same on every machine, so that a finding is replayed anywhere.

They are derived from their names, so anybody can have them: nobody else may ever believe them.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import random
from typing import Any, TypeAlias

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
JWK: TypeAlias = dict[str, Any]

EXPONENT = 65537
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

_SMALL_PRIMES = [number for number in range(3, 2000, 2) if all(number % divisor for divisor in range(3, number, 2))]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def of_number(number: int, size: int | None = None) -> str:
    """A number as JWKs have it (RFC 7518 section 2)."""
    return b64(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))


@functools.cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """2048 bits; it takes a second."""
    p, q = _prime(f"{name} p"), _prime(f"{name} q")
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    parts = (rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q))
    return rsa.RSAPrivateNumbers(p, q, d, *parts, rsa.RSAPublicNumbers(EXPONENT, p * q)).private_key()


@functools.cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """P-256."""
    return ec.derive_private_key(int.from_bytes(_digest(name), "big") % (P256_ORDER - 1) + 1, ec.SECP256R1())


@functools.cache
def ed_key(name: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(_digest(name))


def jwk_of(key: PrivateKey, **members: object) -> JWK:
    """The public JWK, with further members such as `kid`."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": of_number(numbers.n), "e": of_number(numbers.e), **members}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        return {"kty": "EC", "crv": "P-256", "x": of_number(point.x, 32), "y": of_number(point.y, 32), **members}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw()), **members}


def _prime(name: str) -> int:
    """The first probable prime of 1024 bits that a generator of this name gives; the two highest bits are set."""
    rng = random.Random(name)
    while True:
        number = rng.getrandbits(1024) | 3 << 1022 | 1
        if all(number % prime for prime in _SMALL_PRIMES) and pow(2, number - 1, number) == 1 and number % EXPONENT != 1:
            return number


def _digest(name: str) -> bytes:
    return hashlib.sha256(f"tokenward fuzz key {name}".encode()).digest()
