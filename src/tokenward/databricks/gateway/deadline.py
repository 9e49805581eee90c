"""One timer for a request: what it waits for now, until when, and what it means if that does not come."""

from __future__ import annotations

import asyncio
from enum import Enum
from types import TracebackType
from typing import Self


class Awaited(Enum):
    """Whom a request waits for."""

    UPSTREAM = "upstream"
    CLIENT = "client"
    NOBODY = "nobody"
    """The client has gone, and what is under way for it is to end."""


class Deadline:
    """Cancels the block it stands around when what was awaited has not come in time; `late` then says what that was.

    Steps of a request are many and short, so a new limit is only noted; a timer is set anew when one that it was set for has
    passed, or when the new limit is nearer. For asyncio.
    """

    __slots__ = ("_handle", "_loop", "_over", "_timeout", "_when", "late", "waits_for")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._handle: asyncio.TimerHandle | None = None
        self._when: float | None = None
        self._over = False
        self.waits_for = Awaited.UPSTREAM
        self.late: Awaited | None = None

    def wait_for(self, awaited: Awaited, seconds: float | None) -> None:
        """From now on this is awaited, for so many seconds; None is for ever."""
        if self._over:
            return
        self.waits_for = awaited
        self._when = None if seconds is None else self._loop.time() + seconds
        if self._when is not None and (self._handle is None or self._when < self._handle.when()):
            self._set(self._when)

    def end(self, awaited: Awaited) -> None:
        """End the block now."""
        if not self._over:
            self.late, self._over = awaited, True
            self._timeout.reschedule(self._loop.time())

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        """Raises TimeoutError where it ended the block."""
        self._over = True
        if self._handle is not None:
            self._handle.cancel()
        await self._timeout.__aexit__(kind, exc, trace)

    def _set(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._handle = None
        if self._when is None:
            return
        if self._loop.time() < self._when:
            self._set(self._when)
        else:
            self.end(self.waits_for)
