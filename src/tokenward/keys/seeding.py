"""Keys that were fetched elsewhere: what must hold of them before they serve here."""

from __future__ import annotations

from typing import NamedTuple

from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeysByKid, KeySet
from tokenward.keys.loading import read_jwks
from tokenward.keys.location import Discovery, Remote
from tokenward.keys.port import MAX_BODY_BYTES


class Saved(NamedTuple):
    """Keys as an issuer published them last, when that was (epoch seconds), for how many seconds the issuer's server said that
    they need no refresh, and the cloud that its metadata named.

    `is_sole` if there was no other in the set, so that the key serves tokens without a `kid`, too.
    """

    keys: tuple[Key, ...]
    fetched_at: float
    max_age: float | None
    cloud_instance_name: str | None
    is_sole: bool


def seed_of(document: bytes, location: Remote, cloud: str | None, *, needs_cloud: bool, is_sole: bool) -> KeySet:
    """A JWKS, read by the rules of those that are fetched from this location.

    One without the cloud that its metadata named is refused if that could change a verdict: a rule names one (`needs_cloud`),
    or a key does. What is left of a set of several (not `is_sole`) serves no token without a `kid`. Raises ValueError, whose
    text holds nothing of the document.
    """
    if len(document) > MAX_BODY_BYTES:
        raise ValueError("it is larger than any set of keys should be")
    keyset = read_jwks(document)
    named = needs_cloud or any(key.cloud_instance_name for keys in keyset.keys.values() for key in keys)
    if named and cloud is None and isinstance(location, Discovery):
        raise ValueError("it does not say which cloud its keys are of")
    return keyset if is_sole else _without_sole(keyset)


def _without_sole(keyset: KeySet) -> KeySet:
    keys: KeysByKid = {kid: found for kid, found in keyset.keys.items() if kid is not None}
    if not keys:
        raise ValueError("its key has no kid, and was not the only one")
    return KeySet(keys, keyset.skipped)


def flaw_of_age(age: float, max_stale: float) -> str | None:
    """Why keys of this age, in seconds, do not serve; None if they do."""
    if 0 <= age < max_stale:
        return None
    return "it is from the future" if age < 0 else "it is older than keys may be"
