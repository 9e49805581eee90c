"""What JWKs may hold, good and bad, in raw text."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric import ec

from fuzz.keys import JWK, b64, ec_key, ed_key, jwk_of, of_number, rsa_key

P25519 = 2**255 - 19
P448 = 2**448 - 2**224 - 1
_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SMALL_ORDER_25519 = tuple(
    number.to_bytes(32, "little")
    for y in (0, 1, P25519 - 1, P25519, P25519 + 1, _ORDER_8, P25519 - _ORDER_8)
    for number in (y, y | 2**255)
)
"""Points of order 1, 2, 4 and 8, with both signs and in both of their encodings (RFC 8032 section 5.1.3)."""
SMALL_ORDER_448 = tuple(y.to_bytes(56, "little") + sign for y in (0, 1, P448 - 1, P448, P448 + 1) for sign in (b"\x00", b"\x80"))

_N = rsa_key("rsa").public_key().public_numbers().n
_POINT = ec_key("ec").public_key().public_numbers()
_P521 = ec.derive_private_key(521, ec.SECP521R1()).public_key().public_numbers()
_X = jwk_of(ed_key("ed"))["x"]


def _quoted(*texts: str) -> tuple[str, ...]:
    return tuple(json.dumps(text) for text in texts)


TYPICAL: dict[str, tuple[str, ...]] = {
    "kty": _quoted("RSA", "EC", "OKP", "oct", "AKP", "rsa", "ec", ""),
    "use": _quoted("sig", "enc", "SIG", ""),
    "key_ops": ('["verify"]', '["sign"]', "[]", '"verify"', '["verify","verify"]', '["verify",{}]', '{"verify":1}', "[[]]"),
    "alg": _quoted("RS256", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519", "HS256", "none", "RSA-OAEP", ""),
    "kid": _quoted("a", "b", "a", "", "k" * 200, "k" * 201, "\x00", "\ud800", "\U0001f511"),
    "crv": _quoted("P-256", "P-384", "P-521", "secp256k1", "Ed25519", "Ed448", "X25519", "p-256", ""),
    "n": _quoted(
        of_number(_N),
        of_number(_N - 1),
        of_number(_N >> 1),
        of_number(_N << 1),
        of_number(_N | 1 << 8191),
        of_number(1 << 8192 | 1),
        of_number(1 << 2047),
        of_number(2**2048 - 1),
        b64(b"\x00" * 256),
        b64(b"\x00" + _N.to_bytes(256, "big")),
        "",
        "A",
        "AA==",
        "+/8",
    ),
    "e": _quoted(
        "AQAB",
        "Aw",
        "AQ",
        "AA",
        "Ag",
        "AAEAAQ",
        of_number(2**31 - 1),
        of_number(2**31 + 1),
        of_number(2**64 + 1),
        of_number(_N),
        "",
    ),
    "x": _quoted(
        of_number(_POINT.x, 32),
        of_number(_POINT.x, 33),
        b64(b"\x00" * 32),
        b64(b"\xff" * 32),
        _X,
        b64(b"\x01" * 31),
        b64(b"\x01" * 57),
        of_number(_P521.x, 66),
        *(b64(point) for point in (*SMALL_ORDER_25519, *SMALL_ORDER_448)),
        "",
    ),
    "y": _quoted(of_number(_POINT.y, 32), of_number(_POINT.y ^ 1, 32), of_number(_P521.y, 66), b64(b"\x00" * 32), ""),
    "issuer": _quoted("https://login.microsoftonline.com/{tenantid}/v2.0", "https://idp.example/"),
    "cloud_instance_name": _quoted(
        "microsoftonline.com",
    ),
    "x5c": ('["AAAA"]', "[]", '"AAAA"'),
    "x5t": _quoted("AAAA"),
    **dict.fromkeys(("d", "p", "q", "dp", "dq", "qi", "k", "priv"), _quoted("AAAA", "")),
    "oth": ("[]",),
}
"""Member -> what it holds in good keys, and in keys that must be told from them."""

GOOD: tuple[JWK, ...] = (
    jwk_of(rsa_key("rsa"), kid="a", use="sig"),
    jwk_of(ec_key("ec"), kid="b", alg="ES256"),
    jwk_of(ed_key("ed"), kid="c"),
    {"kty": "EC", "crv": "P-521", "kid": "d", "x": of_number(_P521.x, 66), "y": of_number(_P521.y, 66)},
    {
        "kty": "OKP",
        "crv": "Ed448",
        "kid": "e",
        "x": "X9dEm1m0Yf0s54fsYWrUah2hNCSFpw4fig6nXYDpZ3jt8SR2m0bHBhvWeD3x5Q9s0foavq_oJWGA",
    },
    {"kty": "oct", "kid": "f", "k": "AAAA"},
)
