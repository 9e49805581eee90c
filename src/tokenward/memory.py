"""Remembered tokens: a token seen before is not verified again while its key is current and its time has not run out.

What is kept is which key object verified exactly these bytes, between which times the token is valid, and its claims as text.
A hit counts only while the issuer's current keys still hand out that very object, and its cloud is the same; so a key that is
withdrawn or replaced takes its tokens with it, and nothing needs to be invalidated. Rejections are never remembered; the claims
are parsed afresh for every request, so no two requests share an object that one of them could change.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass

from tokenward.errors import PolicyError
from tokenward.forks import on_fork
from tokenward.identity import Claims, Identity
from tokenward.keys.jwk import Key
from tokenward.keys.source import Source
from tokenward.token.header import Header
from tokenward.token.strict import parse_again

MAX_REMEMBERED = 4096
"""Tokens in memory by default: about 1.5 KB each with Entra's claims."""
MAX_REMEMBERED_BYTES = 8 * 1024 * 1024
"""Claims in memory, whatever the number of tokens: a thousand tokens with 200 groups each."""
WORD_BYTES = 128
"""What one scope or role costs beside its text in the claims: a string object, and its place in a set (measured: 115)."""
MAX_WEIGHT = 64 * 1024
"""Bytes. Heavier tokens are not remembered: claims of 12 KiB, which is the default limit of a token, with 400 roles."""
MAX_SIZE = 1_000_000
NO_CLAIMS: Claims = {}
"""What a remembered identity holds instead of claims: one dict for all, which nobody is ever given."""


@dataclass(slots=True, repr=False)
class Remembered:
    """One verified token. `opens` and `closes` are its nbf and exp with the issuer's leeway, seconds since the epoch."""

    source: Source
    header: Header
    key: Key
    opens: float
    closes: float
    claims_json: bytes
    identity: Identity
    cloud: str | None = None

    def identity_afresh(self) -> Identity:
        """The caller, with a dict of claims that no other request holds."""
        return self.identity.with_claims(parse_again(self.claims_json))

    def weight(self) -> int:
        """What it costs in memory, in bytes, beyond what every entry does."""
        return len(self.claims_json) + WORD_BYTES * (len(self.identity.scopes) + len(self.identity.roles))


class Memory:
    """Tokens verified before, by SHA-256 of their exact bytes; bounded in number and in bytes, first in first out.

    Reads take no lock. `size` 0 switches it off.
    """

    def __init__(self, size: int = MAX_REMEMBERED) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= MAX_SIZE:
            problem = f"it is not a number from 0 to {MAX_SIZE}"
            raise PolicyError("remember", problem, "Give how many tokens to remember; 0 is none.")
        self._size = size
        self._bytes = 0
        self._entries: dict[bytes, Remembered] = {}
        self._lock = threading.Lock()
        on_fork(self)

    def recall(self, digest: bytes, now: float) -> Remembered | None:
        """A token seen before, if its key is still current and `now` lies in its time."""
        entry = self._entries.get(digest)
        if entry is None or not entry.opens <= now < entry.closes or entry.cloud != entry.source.cloud_instance_name:
            return None
        for key in entry.source.in_hand(entry.header.kid, now) or ():
            if key is entry.key:
                return entry
        return None

    @property
    def is_on(self) -> bool:
        return self._size > 0

    def remember(self, digest: bytes, entry: Remembered) -> None:
        """Keep a token that has passed every check, unless it alone would push out hundreds of others."""
        weight = entry.weight()
        if weight > MAX_WEIGHT:
            return
        with self._lock:
            self._forget(digest)
            while self._entries and self._full(weight):
                self._forget(next(iter(self._entries)))
            self._entries[digest] = entry
            self._bytes += weight

    def forked(self) -> None:
        """In a child process: a new lock. The entries hold none of the parent's state."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def _full(self, more: int) -> bool:
        return len(self._entries) >= self._size or self._bytes + more > MAX_REMEMBERED_BYTES

    def _forget(self, digest: bytes) -> None:
        entry = self._entries.pop(digest, None)
        if entry is not None:
            self._bytes -= entry.weight()


def digest_of(token: bytes) -> bytes:
    """The whole SHA-256 of the whole token: a shorter one, or of a part, would let one caller pass for another."""
    return hashlib.sha256(token).digest()
