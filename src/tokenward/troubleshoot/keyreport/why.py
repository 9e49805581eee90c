"""Why a published key is not used, in words for people; the verifier's own reasons are short names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "private_key_published": "its private part is published",
        "unknown_kty": "kty signs no tokens here",
        "not_for_signatures": "not for signatures (use)",
        "not_for_verification": "key_ops holds no verify",
        "curve_not_supported": "curve signs no tokens here",
        "alg_not_supported": "alg is unknown, or not of this kty or curve",
        "rsa_size": "RSA outside 2048 to 8192 bits",
        "rsa_exponent": "an unsafe RSA exponent",
        "rsa_modulus": "an RSA modulus with a small factor, which anybody can find",
        "small_order": "a key that anybody can sign for, such as zeros in place of a key",
        "kid_missing": "no kid, among several keys",
        "kid_repeated": "one of too many with this kid",
        "set_refused": "the whole set is refused",
        "another_cloud": "of another cloud",
        "bound_elsewhere": "bound to another issuer",
    }
)
"""By the reason; reasons that are not here are read as they are written."""


def why(reason: str) -> str:
    """A reason of `keys.jwk`, `keys.keyset` or `key_row` in a few words; empty if there is none."""
    return WORDS.get(reason, reason.replace("_", " "))
