"""How many requests are under way: so many for one caller at most, and none that begins once the gateway drains."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from tokenward import validation
from tokenward.databricks.gateway.refusals import Draining, TooManyRequests

MAX_CONCURRENT = 64
"""Requests of one caller at one time, by default: the connection pool of databricks-sdk holds 20,
and a browser six."""
MOST = 100_000
AGAIN = 1.0
"""Seconds after which somebody who had too many may try again: most requests are over by then."""


class InFlight:
    """Counts what is under way, per caller. For one event loop. Raises PolicyError.

    most  requests of one caller at one time
    """

    def __init__(self, most: int) -> None:
        self._most = validation.whole("max_concurrent", most, least=1, most=MOST)
        self._of: dict[Hashable, int] = {}
        self._idle: asyncio.Event | None = None
        self.draining = False
        self.total = 0

    def require_open(self) -> None:
        """Raise Draining if nothing begins any more."""
        if self.draining:
            raise Draining("the gateway is stopping", retry_after=AGAIN)

    def enter(self, caller: Hashable) -> None:
        """One more. Raises TooManyRequests or Draining."""
        self.require_open()
        own = self._of.get(caller, 0)
        if own >= self._most:
            raise TooManyRequests("the caller has too many requests under way", expected=self._most, retry_after=AGAIN)
        self._of[caller] = own + 1
        self.total += 1

    def leave(self, caller: Hashable) -> None:
        """One less."""
        own = self._of[caller] - 1
        if own:
            self._of[caller] = own
        else:
            del self._of[caller]
        self.total -= 1
        if not self.total and self._idle is not None:
            self._idle.set()
            self._idle = None

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing is under way, `timeout` seconds at most; whether that is so."""
        if self.total:
            self._idle = idle = self._idle or asyncio.Event()
            try:
                async with asyncio.timeout(timeout):
                    await idle.wait()
            except TimeoutError:
                return False
        return True
