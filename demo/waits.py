"""Who waited for keys: the app counts its waits, and this says whose they were."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from demo.stage import Stage


class Waits:
    """Splits the waits since the app was ready into those of unknown keys and those of known callers.

    A request waits once at most. So while one request with an unknown key is under way, one wait may be its own; every other
    wait, then and at any other time, was a known caller's.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._start = self._total()  # the app's own, at its start
        self._unknown = 0

    @contextmanager
    def of_an_unknown_key(self) -> Iterator[list[int]]:
        """While one such request is made; afterwards the list holds its waits, 0 or 1."""
        before, own = self._total(), list[int]()
        yield own
        own.append(min(self._total() - before, 1))
        self._unknown += own[0]

    def of_known_callers(self) -> int:
        """How many there were up to now. The demo expects none."""
        return self._total() - self._start - self._unknown

    def _total(self) -> int:
        return sum(source["waits"] for source in self._stage.key_status())
