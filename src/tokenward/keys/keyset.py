"""A JWKS document -> the keys that can be used, and how many could not be and why (RFC 7517 section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tokenward.keys.jwk import Key, UnusableKey, read_jwk

MAX_KEYS = 1000
"""Entra's guidance for caches is 10 to 1000 keys (signing-key-rollover)."""
MAX_SAME_KID = 4
"""Each candidate costs one signature check; two occur in the wild, while a key is replaced under its own kid."""

KeysByKid = Mapping[str | None, tuple[Key, ...]]


@dataclass(frozen=True, slots=True)
class KeySet:
    """Usable keys by kid, and under None the only key of a set of one, which serves tokens without a kid.

    `skipped` counts unusable keys by reason; it never holds key material.
    """

    keys: KeysByKid
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(found) for kid, found in self.keys.items() if kid is not None) or len(self.keys.get(None, ()))


def read_keyset(document: Mapping[str, object]) -> KeySet:
    """Import a JWKS. One bad key is skipped and counted, and never fails the others.

    Raises ValueError if `keys` is not a list of 1 to MAX_KEYS members, or if none of them is usable.
    """
    listed = document.get("keys")
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_KEYS:
        raise ValueError(f"keys is not a list of 1 to {MAX_KEYS} keys")
    skipped: Counter[str] = Counter()
    usable: list[Key] = []
    for jwk in listed:
        try:
            usable.append(read_jwk(jwk))
        except UnusableKey as exc:
            skipped[exc.reason] += 1
    grouped = _by_kid(usable, skipped)
    if not grouped:
        raise ValueError(f"no usable key ({', '.join(sorted(skipped))})")
    return KeySet(MappingProxyType(grouped), dict(skipped))


def _by_kid(usable: list[Key], skipped: Counter[str]) -> dict[str | None, tuple[Key, ...]]:
    distinct = list(dict.fromkeys(usable))
    if len(distinct) == 1:
        return {distinct[0].kid: (distinct[0],), None: (distinct[0],)}
    grouped: dict[str | None, tuple[Key, ...]] = {}
    for key in distinct:
        if key.kid is None:
            skipped["kid_missing"] += 1
        elif len(grouped.get(key.kid, ())) == MAX_SAME_KID:
            skipped["kid_repeated"] += 1
        else:
            grouped[key.kid] = (*grouped.get(key.kid, ()), key)
    return grouped
