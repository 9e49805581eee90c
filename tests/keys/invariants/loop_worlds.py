"""Requests and fetches that are tasks, of asyncio and of trio, on time that is wound by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import anyio.abc
import pytest
import trio
import trio.testing

from tokenward.keys import aio, threads
from tokenward.keys.port import FetchRequest, FetchResponse

from .explorer import Broken, Rules
from .stage import Clock
from .world import SPAN, Flight, Outcome, Request, World


class LoopWorld(World):
    """Each request is a task; some ask a thread driver of the same source, on the loop's own thread."""

    most_waiting = aio.MAX_WAITING

    def __init__(self, rules: Rules, patch: pytest.MonkeyPatch, fetch_now: Callable[[Flight], Outcome]) -> None:
        super().__init__(rules)
        self.stage.install(patch)
        patch.setattr(aio, "time", self.stage)
        self.stage.loop_thread = threading.get_ident()
        self.stage.stuck = self._stuck
        self.driver = aio.AsyncDriver([self.source], self._fetch)
        self.blocking = threads.ThreadDriver([self.source], self._fetch_by_thread)
        self.fetch_now = fetch_now
        self.tasks: anyio.abc.TaskGroup

    async def _main(self, trace: Callable[[World], Awaitable[None]]) -> None:
        stop = self.driver.start_ticking()
        try:
            async with anyio.create_task_group() as self.tasks:
                await trace(self)
                self.tasks.cancel_scope.cancel()
        finally:
            stop.set()
            self.blocking.close()
            self.stage.settle()

    def ask(self, request: Request) -> None:
        self.run_beside(self._request, request)

    def run_beside(self, work: Callable[..., Coroutine[Any, Any, object]], *arguments: object) -> None:
        self.tasks.start_soon(work, *arguments)

    def ask_blocking(self, request: Request) -> None:
        """On the loop's own thread."""
        request.answer = self.in_hand(request.kid) or self.blocking.find(self.source, request.kid)
        request.is_done = True

    def _stuck(self) -> None:
        broken = Broken("I11", "a call on the loop's thread waits for what no other thread will bring")
        self.note(broken)
        raise broken

    async def _request(self, request: Request) -> None:
        SPAN.set("of a request")
        try:
            with request.scope:
                request.answer = self.in_hand(request.kid) or await self.driver.find(self.source, request.kid)
        except Exception as exc:  # noqa: BLE001  # the trace looks at it
            request.error = exc
        request.is_done = True

    async def _fetch(self, _request: FetchRequest) -> FetchResponse:
        event, flight = anyio.Event(), self.take_off()
        flight.wake = event.set
        try:
            await event.wait()
        except anyio.get_cancelled_exc_class():
            flight.cancelled = self.clock.mono
            raise
        finally:
            flight.is_over = True
        return flight.brings()

    def _fetch_by_thread(self, _request: FetchRequest) -> FetchResponse:
        flight = self.take_off()
        flight.outcome, flight.is_over = self.fetch_now(flight), True
        return flight.brings()


class AsyncioWorld(LoopWorld):
    kind = "asyncio"

    def run(self, trace: Callable[[World], Awaitable[None]]) -> None:
        with asyncio.Runner(loop_factory=lambda: HandWoundLoop(self.clock)) as runner:
            runner.run(self._main(trace))

    async def settle(self) -> None:
        """Until nothing is ready but this task, which looks at the lock between any two steps of the others."""
        loop: Any = asyncio.get_running_loop()
        self.stage.settle()
        spins = 0
        while spins < 3 or loop._ready:
            spins += 1
            await asyncio.sleep(0)
            self.rules.require("I9", not self.lock.is_held_here(), "a lock is held while its task awaits")


class HandWoundLoop(asyncio.SelectorEventLoop):
    """asyncio's own, but for its clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._hand_wound = clock

    def time(self) -> float:
        return self._hand_wound.mono


class TrioWorld(LoopWorld):
    kind = "trio"

    def run(self, trace: Callable[[World], Awaitable[None]]) -> None:
        clock = trio.testing.MockClock()
        self.clock.also = clock.jump
        trio.run(self._main, trace, clock=clock, instruments=[StepWatch(self)])

    async def settle(self) -> None:
        self.stage.settle()
        await trio.testing.wait_all_tasks_blocked()
        self.rules.require("I9", not self.lock.is_held_here(), "a lock is held while its task awaits")


class StepWatch(trio.abc.Instrument):
    """Looks at the lock after every step of every task."""

    def __init__(self, world: World) -> None:
        self._world = world

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        if self._world.lock.is_held_here():
            self._world.note(Broken("I9", "a lock is held while its task awaits"))
