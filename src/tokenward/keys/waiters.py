"""Who is to be woken when a fetch is over. It takes no lock: the source that owns it holds its own, but for `leave`."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container
from typing import TypeAlias

Wake: TypeAlias = Callable[[], None]


class Waiters:
    """Requests, of which only so many may wait; and starts and operators, who take no request's place.

    `joined` counts the requests that came to wait so far, even if what they came for was over by then.
    """

    def __init__(self) -> None:
        self._requests: list[tuple[Wake, str | None]] = []
        self._others: list[Wake] = []
        self._left: deque[Wake] = deque()
        self.joined = 0

    def __len__(self) -> int:
        """How many requests wait now."""
        self.forget_who_left()
        return len(self._requests)

    def is_full(self, limit: int | None) -> bool:
        return limit is not None and len(self) >= limit

    def join(self, wake: Wake, limit: int | None, kid: str | None) -> None:
        """Without a limit it is a start or an operator, and needs no kid."""
        if limit is None:
            self._others.append(wake)
        else:
            self._requests.append((wake, kid))

    def leave(self, wake: Wake) -> None:
        """Without the lock: it is only noted, until somebody who has the lock forgets them."""
        self._left.append(wake)

    def forget_who_left(self) -> None:
        while self._left:
            wake = self._left.popleft()
            self._requests = [each for each in self._requests if each[0] != wake]
            self._others = [each for each in self._others if each != wake]

    def take(self, kids: Container[str | None] | None = None) -> list[Wake]:
        """Everyone, who is then not among them any more; or, of the requests, those that wait for one of these kids."""
        self.forget_who_left()
        taken = [each for each in self._requests if kids is None or each[1] in kids]
        woken = [wake for wake, _ in taken] + self._others
        self._requests = [each for each in self._requests if each not in taken]
        self._others = []
        return woken
