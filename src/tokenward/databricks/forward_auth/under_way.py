"""Verdicts under way: how long the end waits for them, and what becomes of those that take longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tokenward.databricks.admission.refusals import Draining
from tokenward.databricks.admission.tally import Tally

LAST = 1.0
"""Seconds for a verdict that begins after the end has waited: shorter than servers leave to open connections."""


class UnderWay:
    """Counts verdicts, and cuts off what the end does not wait for. For one event loop."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()
        self._is_over = False
        self.tally = Tally()

    def begin(self) -> None:
        """Nothing is at its end any more."""
        self._is_over = False

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Around one verdict. Raises Draining where it was cut off."""
        limit = asyncio.timeout(LAST if self._is_over else None)
        self.tally.begin()
        try:
            async with limit:
                self._limits.add(limit)
                yield
        except TimeoutError:
            if not limit.expired():
                raise
            raise Draining("the verdict took longer than the end waits") from None
        finally:
            self._limits.discard(limit)
            self.tally.end()

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing is under way, `timeout` seconds at most; whether that is so. What is then left is cut off."""
        try:
            is_drained = await self.tally.none_left(timeout)
        finally:
            self._is_over = True
        if not is_drained:
            self._cut_off()
        return is_drained

    def _cut_off(self) -> None:
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)
