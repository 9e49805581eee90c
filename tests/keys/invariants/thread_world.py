"""Requests and fetches that are threads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tokenward.keys import threads
from tokenward.keys.port import FetchRequest, FetchResponse

from .explorer import Rules
from .stage import HandWoundEvent
from .world import SPAN, Request, World


class ThreadWorld(World):
    """Each request and each fetch is a thread."""

    kind = "threads"
    most_waiting = threads.MAX_WAITING

    def __init__(self, rules: Rules, patch: pytest.MonkeyPatch) -> None:
        super().__init__(rules)
        self.stage.install(patch)
        self.driver = threads.ThreadDriver([self.source], self._fetch)

    def run(self, trace: Callable[[World], Awaitable[None]]) -> None:
        asyncio.run(self._main(trace))

    async def _main(self, trace: Callable[[World], Awaitable[None]]) -> None:
        try:
            await trace(self)
        finally:
            self.driver.close()
            for flight in self.flights:
                flight.wake()
            for _ in range(3):  # fetches end, then their requests, then what these began
                self.stage.pass_time(1e6)
                self.stage.settle()
                for flight in self.flights:
                    flight.wake()

    def ask(self, request: Request) -> None:
        self.run_beside(self._request, request)

    def run_beside(self, work: Callable[..., object], *arguments: object) -> None:
        self.stage.Thread(work, arguments).start()

    async def settle(self) -> None:
        self.stage.settle()

    def _request(self, request: Request) -> None:
        SPAN.set("of a request")
        try:
            request.answer = self.in_hand(request.kid) or self.driver.find(self.source, request.kid)
        except Exception as exc:  # noqa: BLE001  # the trace looks at it
            request.error = exc
        request.is_done = True

    def _fetch(self, _request: FetchRequest) -> FetchResponse:
        event, flight = HandWoundEvent(self.stage), self.take_off()
        flight.wake = event.set
        event.wait()
        flight.is_over = True
        return flight.brings()
