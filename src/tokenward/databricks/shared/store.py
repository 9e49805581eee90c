"""The port to what several processes share: entries with an end, and leases for those who are about to bring one.

A store sees digests and sealed bytes, never a token. A lease and an entry lie under the same key, so that whoever looks finds
one or the other, and one atomic step decides who leads.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

Why: TypeAlias = Literal["timeout", "connect", "dns", "tls", "credentials", "answer", "loop", "closed", "other"]

MAX_ENTRY_BYTES = 32 * 1024
"""A token of 16 KiB, a scope of 8 KiB and what is around them."""


class StoreFailed(Exception):
    """The store could not be used. `detail` names what was seen, and holds nothing of an address, a password or an entry."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why: Why = why
        self.detail = detail


class Store(Protocol):
    """One store. Every method raises StoreFailed and nothing else, and none takes much longer than the store's own timeout."""

    @property
    def where(self) -> str:
        """For logs: the kind and the host, never a user or a password."""
        ...

    async def ask(self, key: bytes, mine: bytes, seconds: float, instead_of: bytes = b"") -> bytes | None:
        """What lies under the key, cut after MAX_ENTRY_BYTES and one; None if `mine` now lies there, for so many seconds.

        `mine` is placed where nothing lies, where it lay already, and in the place of `instead_of`; atomically.
        """
        ...

    async def put(self, key: bytes, entry: bytes, seconds: float) -> None:
        """Place an entry for so many seconds, whatever lies there."""
        ...

    async def leave(self, key: bytes, mine: bytes) -> None:
        """Take `mine` away, if it still lies there."""
        ...

    async def close(self) -> None:
        """Let go of the connections of the running loop. Until somebody asks again there, `put` and `leave` fail."""
        ...
