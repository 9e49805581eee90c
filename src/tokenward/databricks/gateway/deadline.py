"""What a request waits for, until when, and what it means if that does not come; and the one timer that looks after all of them.

A request has many short steps, so a limit is only noted when it changes, and looked at a few times a second: a timer of its own
for each would cost more than all that the gateway decides. For asyncio.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import Self
from weakref import WeakKeyDictionary

TICK = 0.1
"""Seconds between two looks. Limits are of seconds, and nobody minds a tenth more."""


class Awaited(Enum):
    """What did not come, or why nothing is awaited any more."""

    ANSWER = "the upstream's answer, or its next part"
    PART = "a part of the client's body"
    TAKING = "that the client takes a part of its answer"
    NOTHING = "nothing: the client has left"
    STOP = "nothing: the gateway stops"


class Deadline:
    """Cancels the block it stands around, when one of three limits has passed; `late` then says which.

    The limits are times of the running loop, and for ever at first. They do not touch each other, because both bodies may be
    under way at one time: an answer that has begun is not judged by an upload that goes on, nor the other way round.

    look   called at every look, if it is set
    """

    __slots__ = (
        *("_cancelling", "_has_cancelled", "_loop", "_round", "_task"),
        *("answer_by", "late", "look", "part_by", "taken_by"),
    )

    def __init__(self, rounds: Rounds) -> None:
        self._loop = asyncio.get_running_loop()
        self._round = rounds.of(self._loop)
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._has_cancelled = False
        self.answer_by = self.part_by = self.taken_by = math.inf
        self.late: Awaited | None = None
        self.look: Callable[[], None] | None = None

    def after(self, seconds: float | None) -> float:
        """The time in so many seconds; None is for ever."""
        return math.inf if seconds is None else self._loop.time() + seconds

    def end(self, awaited: Awaited) -> None:
        """End the block now, if it has not ended; called from inside it, only note why, since the caller is about to raise."""
        if self.late is None and self._task is not None:
            self.late = awaited
            self._has_cancelled = asyncio.current_task() is not self._task
            if self._has_cancelled:
                self._task.cancel()

    def judge(self, now: float) -> None:
        """End the block if a limit has passed."""
        if self.answer_by <= now:
            self.end(Awaited.ANSWER)
        elif self.part_by <= now:
            self.end(Awaited.PART)
        elif self.taken_by <= now:
            self.end(Awaited.TAKING)
        elif self.look is not None:
            self.look()

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._round.add(self)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        """Raises TimeoutError where it ended the block, and nobody else cancelled it as well (as asyncio.timeout does)."""
        task, self._task = self._task, None
        self._round.under_way.discard(self)
        if not self._has_cancelled or task is None:
            return
        nobody_else = task.uncancel() <= self._cancelling
        if nobody_else and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from exc


class _Round:
    """The deadlines of one loop, and the timer that runs while there are any. It keeps no loop alive."""

    def __init__(self) -> None:
        self._is_ticking = False
        self.under_way: set[Deadline] = set()

    def add(self, deadline: Deadline) -> None:
        self.under_way.add(deadline)
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(TICK, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for deadline in tuple(self.under_way):
            deadline.judge(now)
        self._is_ticking = bool(self.under_way)
        if self._is_ticking:
            loop.call_later(TICK, self._tick)


class Rounds:
    """The deadlines of one gateway, loop by loop; usually there is one."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, _Round] = WeakKeyDictionary()

    def of(self, loop: asyncio.AbstractEventLoop) -> _Round:
        found = self._of.get(loop)
        if found is None:
            found = self._of[loop] = _Round()
        return found

    def end_all(self, awaited: Awaited) -> None:
        """End every block of the running loop."""
        for deadline in tuple(self.of(asyncio.get_running_loop()).under_way):
            deadline.end(awaited)
