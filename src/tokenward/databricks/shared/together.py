"""One exchange for all processes: a caller's token is looked for in the store, waited for, or brought and left there.

It stands between a source's own flight and the exchange: in one process there is one flight for a token, so the store is asked
by one of the callers who wait for it, and not at all for a token that the process holds.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from functools import partial

from tokenward.databricks.access import MARGIN, AccessToken, Subject
from tokenward.databricks.flights import Landed
from tokenward.databricks.shared.entry import entry_of, read_entry
from tokenward.databricks.shared.shared_tokens import SharedTokens, Turn, new_lease
from tokenward.databricks.shared.store import StoreFailed
from tokenward.databricks.single_flight import Alone
from tokenward.keys.loops import current_loop

FIRST_LOOK = 0.02
"""Seconds between two looks at a lease, at first; an exchange takes a tenth of a second."""
LAST_LOOK = 0.25
"""Seconds between later ones: a thousand who wait ask four thousand times a second then."""
LEASE = 0.4
"""The part of an exchange's total time for which a process leads. It ends before others lose patience: then one of them leads."""
PATIENCE = 0.5
"""The part of the total time that is spent on waiting for another process at most."""


class Together:
    """What a source of tokens does with others.

    A process that leads and dies keeps its lease until it ends; then the next one leads. A process that leads and is refused
    gives it back at once, and the next asks for itself: a refusal is not shared, because it says what the other was told.
    Whoever has waited for half of the total time goes alone.
    """

    def __init__(self, grant: str, shared: SharedTokens, timeout: float, clock: Callable[[], float]) -> None:
        self._about = grant.encode("utf-8", "surrogatepass")
        self._shared = shared
        self._lease, self._patience = timeout * LEASE, timeout * PATIENCE
        self._clock = clock

    async def get(self, key: bytes, subject: Subject, alone: Alone[AccessToken]) -> Landed[AccessToken]:
        """The token of this key, from another process or from `alone`. Raises what that raises, and nothing of the store's."""
        mine = new_lease()
        try:
            found = await self._found(key, subject, mine)
        except StoreFailed:
            return await alone()
        if found is not None:
            return Landed(found, found.expires_at - MARGIN, borrowed=True)
        return await self._brought(key, mine, alone)

    async def _found(self, key: bytes, subject: Subject, mine: bytes) -> AccessToken | None:
        """What another process brought, or None: then it is ours to bring. Raises StoreFailed."""
        until = time.monotonic() + self._patience
        for pause in _looks():
            turn = await self._shared.ask(key, self._about, mine, self._lease, partial(self._read, subject))
            if isinstance(turn, AccessToken):
                return turn
            if turn is Turn.LEAD or time.monotonic() + pause > until:
                break
            await current_loop().sleep(pause)
        return None

    def _read(self, subject: Subject, plain: bytes) -> AccessToken | None:
        return read_entry(plain, subject, self._clock())

    async def _brought(self, key: bytes, mine: bytes, alone: Alone[AccessToken]) -> Landed[AccessToken]:
        """The store is told afterwards, detached: nobody waits for it who has the token already."""
        try:
            landed = await alone()
        except Exception:
            current_loop().spawn(partial(self._leave, key, mine))
            raise
        current_loop().spawn(partial(self._put, key, mine, landed.value))
        return landed

    async def _put(self, key: bytes, mine: bytes, access: AccessToken) -> None:
        seconds = access.expires_at - MARGIN - self._clock()
        with contextlib.suppress(StoreFailed):
            if seconds < 1 or not await self._shared.put(key, self._about, entry_of(access), seconds):
                await self._shared.leave(key, mine)

    async def _leave(self, key: bytes, mine: bytes) -> None:
        with contextlib.suppress(StoreFailed):
            await self._shared.leave(key, mine)


def _looks() -> Iterator[float]:
    """Pauses that grow, each of a length of its own, so that those who wait do not come all at once."""
    pause = FIRST_LOOK
    while True:
        yield pause * (0.5 + random.random() / 2)  # noqa: S311  # it spreads load and hides nothing
        pause = min(pause * 2, LAST_LOOK)
