"""How many are under way, and the wait until none is. For one event loop."""

from __future__ import annotations

import asyncio


class Tally:
    """Counts what has begun and not ended."""

    def __init__(self) -> None:
        self.total = 0
        self._none: asyncio.Event | None = None

    def begin(self) -> None:
        self.total += 1

    def end(self) -> None:
        self.total -= 1
        if not self.total and self._none is not None:
            self._none.set()
            self._none = None

    async def none_left(self, timeout: float) -> bool:
        """Wait until nothing is under way, `timeout` seconds at most; whether that is so."""
        try:
            async with asyncio.timeout(timeout):
                while self.total:  # again, because something may begin before this goes on
                    self._none = none = self._none or asyncio.Event()
                    await none.wait()
        except TimeoutError:
            return not self.total
        return True
