"""One JWK -> a key that can check signatures, or the reason why it cannot (RFC 7517, RFC 7518 section 6, RFC 8037)."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from tokenward.token.algorithms import ALGORITHMS, Algorithm, PublicKey
from tokenward.token.header import MAX_KID_CHARS
from tokenward.token.strict import decode_base64url

RSA_BITS = range(2048, 8193)
"""RFC 7518 section 3.3 asks for 2048 at least; above 8192 a signature costs more than it protects."""
RSA_EXPONENTS = range(3, 2**31)
"""Small enough that a published key cannot make verification expensive."""
_P25519 = 2**255 - 19
_P448 = 2**448 - 2**224 - 1
_Y_OF_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SMALL_ORDER = frozenset(
    y.to_bytes(size, "little")
    for size, ys in (
        (32, (0, 1, _P25519 - 1, _P25519, _P25519 + 1, _Y_OF_ORDER_8, _P25519 - _Y_OF_ORDER_8)),
        (57, (0, 1, _P448 - 1, _P448, _P448 + 1)),
    )
    for y in ys
)
"""Points of order 1, 2, 4 and 8, without their sign (RFC 7748 section 7): whoever has seen no private key can sign for such a
key. 32 zeros are one, so a placeholder that was published would let everybody in."""
SMALL_PRIMES = math.prod(n for n in range(2, 2000) if all(n % d for d in range(2, math.isqrt(n) + 1)))
"""A modulus that shares one of them is no product of two large primes, and anybody can factor it: a placeholder of equal octets,
as 256 times 0xFF, is divisible by 3."""
MAX_MEMBER_CHARS = 16 * 1024
"""An 8192-bit modulus is 1,366 characters; certificates in x5c are ignored and may be longer in sum."""

_PUBLIC_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1; `priv` of post-quantum keys. Whoever publishes them has lost the key."""


class UnusableKey(Exception):
    """This JWK serves no token; `reason` is our own word for why, and holds nothing of the key."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A public key and what its publisher said of it. Two equal keys are the same key under the same conditions.

    `issuer` and `cloud_instance_name` are Entra's binding of a key to a tenant and a cloud
    (learn.microsoft.com/entra/identity-platform/access-tokens); None where the publisher gives none.
    """

    kid: str | None
    kty: str
    curve: str | None
    alg: str | None
    issuer: str | None
    cloud_instance_name: str | None
    fingerprint: bytes
    public_key: PublicKey
    algorithms: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        fitting = (name for name, algorithm in ALGORITHMS.items() if algorithm.fits(self.kty, self.curve))
        object.__setattr__(self, "algorithms", frozenset(name for name in fitting if self.alg in (None, name)))

    def serves(self, algorithm: Algorithm) -> bool:
        """Whether tokens of this algorithm may be checked with this key."""
        return algorithm.name in self.algorithms

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Key) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self.kid, self.fingerprint))

    def _said(self) -> tuple[object, ...]:
        return (self.kid, self.kty, self.curve, self.alg, self.issuer, self.cloud_instance_name, self.fingerprint)

    def __repr__(self) -> str:
        return f"<Key kty={self.kty}>"


def read_jwk(jwk: object) -> Key:
    """Import one JWK; certificates (x5c) are ignored, the bare members are the key.

    Raises UnusableKey.
    """
    if not isinstance(jwk, Mapping):
        raise UnusableKey("not_an_object")
    kty = _text(jwk, "kty")
    if kty is None or kty not in _PUBLIC_MEMBERS:
        raise UnusableKey("unknown_kty")
    if not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise UnusableKey("private_key_published")
    _require_use(jwk)
    curve = _curve(jwk, kty)
    public_key = _import(kty, jwk)
    return Key(
        kid=_kid(jwk),
        kty=kty,
        curve=curve,
        alg=_alg(jwk, kty, curve),
        issuer=_text(jwk, "issuer"),
        cloud_instance_name=_text(jwk, "cloud_instance_name"),
        fingerprint=_digest(public_key),
        public_key=public_key,
    )


def _text(jwk: Mapping[str, object], name: str) -> str | None:
    value = jwk.get(name)
    if value is None:
        return None
    if type(value) is not str or len(value) > MAX_MEMBER_CHARS:
        raise UnusableKey(f"{name}_malformed")
    return value


def _kid(jwk: Mapping[str, object]) -> str | None:
    kid = _text(jwk, "kid")
    if kid is not None and not 1 <= len(kid) <= MAX_KID_CHARS:
        raise UnusableKey("kid_malformed")
    return kid


def _curve(jwk: Mapping[str, object], kty: str) -> str | None:
    curve = _text(jwk, "crv") if kty != "RSA" else None
    if not any(algorithm.fits(kty, curve) for algorithm in ALGORITHMS.values()):
        raise UnusableKey("curve_not_supported")
    return curve


def _alg(jwk: Mapping[str, object], kty: str, curve: str | None) -> str | None:
    """Judged with the curve: a P-256 key for ES384 could verify nothing, and must not make a set of keys look usable."""
    alg = _text(jwk, "alg")
    if alg is not None and (alg not in ALGORITHMS or not ALGORITHMS[alg].fits(kty, curve)):
        raise UnusableKey("alg_not_supported")
    return alg


def _require_use(jwk: Mapping[str, object]) -> None:
    if _text(jwk, "use") not in (None, "sig"):
        raise UnusableKey("not_for_signatures")
    operations = jwk.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        raise UnusableKey("not_for_verification")


def _import(kty: str, jwk: Mapping[str, object]) -> PublicKey:
    members = {name: _text(jwk, name) for name in _PUBLIC_MEMBERS[kty]}
    if None in members.values():
        raise UnusableKey("member_missing")
    try:
        for name in members.keys() - {"crv"}:
            decode_base64url(str(members[name]).encode("ascii"))
        key = _IMPORTERS[kty].from_jwk({"kty": kty, **members})
    except (ValueError, InvalidKeyError):  # PyJWT quotes the JWK in its message, so nothing of it may travel on
        raise UnusableKey("key_malformed") from None
    _require_strength(key)
    return key  # type: ignore[return-value]  # public members only, so a public key


_IMPORTERS: dict[str, type[RSAAlgorithm | ECAlgorithm | OKPAlgorithm]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}


def _require_strength(key: object) -> None:
    if isinstance(key, (Ed25519PublicKey, Ed448PublicKey)):
        raw = key.public_bytes_raw()
        if raw[:-1] + bytes([raw[-1] & 0x7F]) in SMALL_ORDER:
            raise UnusableKey("small_order")
    elif isinstance(key, RSAPublicKey):
        _require_rsa(key.key_size, key.public_numbers())


def _require_rsa(bits: int, numbers: RSAPublicNumbers) -> None:
    if bits not in RSA_BITS:
        raise UnusableKey("rsa_size")
    if numbers.e not in RSA_EXPONENTS or numbers.e % 2 == 0:
        raise UnusableKey("rsa_exponent")
    if math.gcd(numbers.n, SMALL_PRIMES) != 1:
        raise UnusableKey("rsa_modulus")


def _digest(key: PublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
