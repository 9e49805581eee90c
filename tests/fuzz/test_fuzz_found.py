"""What the search has found, each as the rule that it had broken."""

from __future__ import annotations

import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fuzz.jwks import GOOD, SMALL_ORDER_448, SMALL_ORDER_25519
from fuzz.keys import b64, of_number, rsa_key
from tokenward.keys.address import require_safe_url
from tokenward.keys.loading import read_jwks

N = rsa_key("rsa").public_key().public_numbers().n


def _skipped(jwk: dict[str, object]) -> set[str]:
    """Why this key is not used, among good ones."""
    return set(read_jwks(json.dumps({"keys": [GOOD[1], jwk]}).encode()).skipped)


def _is_forged(curve: str, point: bytes) -> bool:
    """Whether a signature that was made without any private key holds for one of a few messages."""
    key = (Ed25519PublicKey if curve == "Ed25519" else Ed448PublicKey).from_public_bytes(point)
    for sign in SMALL_ORDER_25519 if curve == "Ed25519" else SMALL_ORDER_448:
        for message in (b"message %d" % number for number in range(8)):
            try:
                key.verify(sign + b"\x00" * len(point), message)
            except InvalidSignature:
                continue
            return True
    return False


@pytest.mark.parametrize(("curve", "points"), [("Ed25519", SMALL_ORDER_25519), ("Ed448", SMALL_ORDER_448)])
def test_a_key_that_anybody_can_sign_for_is_not_used(curve: str, points: tuple[bytes, ...]) -> None:
    reasons = [_skipped({"kty": "OKP", "crv": curve, "kid": "weak", "x": b64(point)}) for point in points]
    assert reasons == [{"small_order"}] * len(points)


def test_such_keys_are_forged_for_in_earnest() -> None:
    assert _is_forged("Ed25519", b"\x00" * 32)
    assert _is_forged("Ed25519", SMALL_ORDER_25519[-1])
    assert _is_forged("Ed448", b"\x00" * 57)


@pytest.mark.parametrize("n", [pytest.param(N - 1, id="even"), pytest.param(1 << 2047, id="a power of two")])
def test_an_rsa_modulus_that_anybody_can_factor_is_not_used(n: int) -> None:
    assert _skipped({"kty": "RSA", "kid": "weak", "n": of_number(n), "e": "AQAB"}) == {"rsa_modulus"}


@pytest.mark.parametrize(
    "url", ["https://[2001:db8::1];x/keys", "https://[2001:db8::1].evil.example/keys", "https://x[2001:db8::1]/keys"]
)
def test_nothing_stands_behind_an_address_in_brackets_but_a_port(url: str) -> None:
    """urlsplit passes over it; httpx does not, and another client might read another host."""
    with pytest.raises(ValueError, match="not a URL"):
        require_safe_url(url)
