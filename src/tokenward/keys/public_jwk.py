"""A key written as the JWK that it was read from: the opposite of `jwk`."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tokenward.keys.jwk import Key
from tokenward.token.algorithms import PublicKey


def public_jwk(key: Key) -> dict[str, str]:
    """The JWK that `read_jwk` makes this very key of: its public members, and what its publisher said of it."""
    said = {name: getattr(key, name) for name in ("kid", "alg", "issuer", "cloud_instance_name")}
    return {"kty": key.kty, **{name: value for name, value in said.items() if value is not None}, **_members(key)}


def _members(key: Key) -> dict[str, str]:
    """RFC 7518 section 6.2.1 and 6.3.1, RFC 8037 section 2."""
    public: PublicKey = key.public_key
    if isinstance(public, RSAPublicKey):
        numbers = public.public_numbers()
        return {"n": _base64url(_octets(numbers.n)), "e": _base64url(_octets(numbers.e))}
    if isinstance(public, EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.key_size + 7) // 8
        return {"crv": str(key.curve), "x": _base64url(_octets(point.x, size)), "y": _base64url(_octets(point.y, size))}
    return {"crv": str(key.curve), "x": _base64url(public.public_bytes_raw())}


def _octets(number: int, size: int | None = None) -> bytes:
    return number.to_bytes(size or (number.bit_length() + 7) // 8, "big")


def _base64url(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
