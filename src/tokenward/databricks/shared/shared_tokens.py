"""Tokens in a store, sealed: who brings one, who waits, and what happens while the store does not work."""

from __future__ import annotations

import contextlib
import enum
import os
import threading
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from tokenward import validation
from tokenward.databricks.shared.breaker import Breaker
from tokenward.databricks.shared.events import (
    SharedEvent,
    SharedObserver,
    SharedTokensBack,
    SharedTokensLost,
    SharedTokensUnreadable,
    log_shared_event,
)
from tokenward.databricks.shared.sealing import SealingKeys, sealing_keys
from tokenward.databricks.shared.store import MAX_ENTRY_BYTES, Store, StoreFailed
from tokenward.forks import on_fork

T = TypeVar("T")

UNREADABLE_EVERY = 60.0
"""Seconds between two events about entries that do not open."""
ATTEMPTS = 3
"""How often an entry that is of no use is replaced at once; somebody who keeps writing such entries shall hold up nobody."""
_LEASE = b"lease:"


class Turn(enum.Enum):
    """LEAD: bring the token. WAIT: somebody else is bringing it."""

    LEAD = enum.auto()
    WAIT = enum.auto()


def new_lease() -> bytes:
    """A mark that nobody else makes. It says nothing of who made it."""
    return _LEASE + os.urandom(16)


class SharedTokens:
    """Sealed tokens in a store, for any number of processes that hold the same keys.

    store      where entries lie: they are sealed before, and it never sees a token
    key        the keys that seal, or the 32 bytes of one
    observer   told when the store is lost, back, or holds what cannot be opened; by default each is logged
    monotonic  seconds that never go back

    Losing the store refuses nobody: after a failure nobody asks it for five seconds, then one caller tries. Refusals are not
    shared. Raises PolicyError.
    """

    def __init__(
        self,
        store: Store,
        key: SealingKeys | bytes,
        *,
        observer: SharedObserver | None = log_shared_event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keys = sealing_keys(key)
        self._observer = observer if observer is None else validation.function("observer", observer, "an event")
        self._monotonic = validation.clock("monotonic", monotonic)
        self._breaker = Breaker()
        self._unreadable_told = float("-inf")
        self._lock = threading.Lock()
        on_fork(self)

    @property
    def is_lost(self) -> bool:
        """Whether the store failed, and nobody has found it working since."""
        return self._breaker.lost_at is not None

    async def ask(self, key: bytes, about: bytes, mine: bytes, seconds: float, read: Callable[[bytes], T | None]) -> T | Turn:
        """What `read` makes of the entry, or whose turn it is to bring one: ours, with a lease of so many seconds, or another's.

        An entry that does not open, or that `read` gives None for, counts as none. Raises StoreFailed.
        """
        useless = b""
        for _ in range(ATTEMPTS):
            found = await self._guarded(partial(self._store.ask, key, mine, seconds, useless))
            if found is None:
                return Turn.LEAD
            if found.startswith(_LEASE):
                return Turn.WAIT
            plain = self._opened(found, key, about)
            value = None if plain is None else read(plain)
            if value is not None:
                return value
            useless = found
        raise StoreFailed("answer", "one entry after the other is of no use")

    async def put(self, key: bytes, about: bytes, plain: bytes, seconds: float) -> bool:
        """Seal and place an entry for so many seconds; False if it is too large. Raises StoreFailed."""
        sealed = self._keys.seal(plain, _bound(key, about))
        if len(sealed) > MAX_ENTRY_BYTES:
            return False
        await self._guarded(partial(self._store.put, key, sealed, seconds))
        return True

    async def leave(self, key: bytes, mine: bytes) -> None:
        """Give the lease back, so that the next one need not wait for its end. Raises StoreFailed."""
        await self._guarded(partial(self._store.leave, key, mine))

    async def close(self) -> None:
        """Let go of the connections of the running loop. Entries stay until their end."""
        with contextlib.suppress(StoreFailed):
            await self._store.close()

    def forked(self) -> None:
        """In a child process: a new lock, because a thread that is not here may hold the old one."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store.where}>"

    # -- the store at arm's length ---------------------------------------------------------------------------------

    async def _guarded(self, work: Callable[[], Awaitable[T]]) -> T:
        with self._lock:
            allowed = self._breaker.allows(self._monotonic())
        if not allowed:
            raise StoreFailed("connect", "it failed a moment ago")
        try:
            done = await work()
        except Exception as exc:  # noqa: BLE001  # whatever a store raises, it costs no caller the exchange
            failure = exc if isinstance(exc, StoreFailed) else StoreFailed("other", type(exc).__name__)
            if failure.why != "closed":  # by ourselves
                self._lost(failure)
            raise failure from None
        self._works()
        return done

    def _lost(self, failure: StoreFailed) -> None:
        with self._lock:
            news = self._breaker.failed(self._monotonic())
        if news:
            self._tell(SharedTokensLost(self._store.where, failure.why, failure.detail))

    def _works(self) -> None:
        if self._breaker.lost_at is None:
            return
        with self._lock:
            lost = self._breaker.worked(self._monotonic())
        if lost is not None:
            self._tell(SharedTokensBack(self._store.where, lost))

    def _opened(self, found: bytes, key: bytes, about: bytes) -> bytes | None:
        plain = self._keys.open(found, _bound(key, about)) if len(found) <= MAX_ENTRY_BYTES else None
        if plain is None:
            with self._lock:
                mono = self._monotonic()
                news = mono >= self._unreadable_told + UNREADABLE_EVERY
                self._unreadable_told = mono if news else self._unreadable_told
            if news:
                self._tell(SharedTokensUnreadable(self._store.where))
        return plain

    def _tell(self, event: SharedEvent) -> None:
        if self._observer is not None:
            with contextlib.suppress(Exception):  # an observer must not be able to stop tokens from serving
                self._observer(event)


def _bound(key: bytes, about: bytes) -> bytes:
    """What an entry is sealed for; the key in front has one length, so no two pairs make one text."""
    return b"tokenward shared token\x00" + len(key).to_bytes(2, "big") + key + about
