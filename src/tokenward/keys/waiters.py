"""Who is to be woken when a fetch is over. It takes no lock: the source that owns it holds its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Wake: TypeAlias = Callable[[], None]


class Waiters:
    """Requests, of which only so many may wait; and starts and operators, who take no request's place.

    `joined` counts the requests that have waited so far.
    """

    def __init__(self) -> None:
        self._requests: list[Wake] = []
        self._others: list[Wake] = []
        self.joined = 0

    def __len__(self) -> int:
        """How many requests wait now."""
        return len(self._requests)

    def is_full(self, limit: int | None) -> bool:
        return limit is not None and len(self._requests) >= limit

    def join(self, wake: Wake, limit: int | None) -> None:
        """Without a limit it is a start or an operator."""
        (self._others if limit is None else self._requests).append(wake)
        self.joined += limit is not None

    def leave(self, wake: Wake) -> None:
        for room in (self._requests, self._others):
            if wake in room:
                room.remove(wake)

    def take(self) -> list[Wake]:
        """Everyone, who is then not among them any more."""
        woken = self._requests + self._others
        self._requests, self._others = [], []
        return woken
