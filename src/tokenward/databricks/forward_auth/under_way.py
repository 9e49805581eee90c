"""Verdicts under way: how long the end waits for them, and what becomes of those that take longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tokenward.databricks.gateway.refusals import Draining

LAST = 1.0
"""Seconds for a verdict that begins after the end has waited: shorter than servers leave to open connections."""
AGAIN = 1.0
"""Seconds after which a caller may try again: another process answers then."""


class UnderWay:
    """Counts verdicts, and cuts off what the end does not wait for. For one event loop."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._idle: asyncio.Event | None = None
        self._is_over = False

    @property
    def total(self) -> int:
        return len(self._limits)

    def begin(self) -> None:
        """Nothing is at its end any more."""
        self._is_over = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Around one verdict. Raises Draining where it was cut off."""
        limit = asyncio.timeout(LAST if self._is_over else None)
        try:
            async with limit:
                self._limits.add(limit)
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise Draining("the verdict took longer than the end waits", retry_after=AGAIN) from None
        finally:
            self._limits.discard(limit)
            if not self._limits and self._idle is not None:
                self._idle.set()
                self._idle = None

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing is under way, `timeout` seconds at most; whether that is so. What is then left is cut off."""
        try:
            async with asyncio.timeout(timeout):
                await self._nothing()
        except TimeoutError:
            self._cut_off()
            return False
        finally:
            self._is_over = True
        return True

    async def _nothing(self) -> None:
        if self._limits:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()

    def _cut_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)
