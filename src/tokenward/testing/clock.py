"""A clock that moves only when a test says so."""

from __future__ import annotations

import threading


class HandClock:
    """A clock wound by hand: call it for the time in seconds. It never moves on its own."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = float(start)
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move by so many seconds; backwards, too, as a corrected wall clock does."""
        with self._lock:
            self._now += seconds
