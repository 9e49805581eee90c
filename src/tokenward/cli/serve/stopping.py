"""How a server process stops: first it says that it is not ready, then it takes no new requests, then it ends what is under way.

The web server stops listening with the signal, so nobody could ask any more whether it is ready. So its own handler of the
signal is called last: when nothing is under way, or the time is over. A second Ctrl-C ends at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from tokenward.databricks.admission.health import READY, health_of
from tokenward.databricks.shared.shared_tokens import SharedTokens
from tokenward.middleware.asgi import send_answer
from tokenward.verifier import AsyncVerifier

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Drainable(Protocol):
    """An ASGI app that can say that it is not ready, and knows when nothing is under way any more."""

    verifier: AsyncVerifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def drain(self) -> None: ...

    async def drained(self, timeout: float) -> bool: ...


class Stopping:
    """An app, with the stop of its process around it.

    shared    tokens shared with other processes, let go of at the end
    notice    seconds that `/-/ready` says 503 while requests are still served; none after Ctrl-C, where nobody balances load
    graceful  seconds for what is under way after that; a gateway answers new requests 503
    """

    def __init__(self, app: Drainable, shared: SharedTokens | None = None, *, notice: float, graceful: float) -> None:
        self._app, self._shared = app, shared
        self._notice, self._graceful = notice, graceful
        self._theirs: dict[int, Any] = {}
        self._stop: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            self._take_signals(asyncio.get_running_loop())
        elif self._stop is not None and scope["type"] == "http" and scope["path"] == READY:
            answer = health_of(READY, self._app.verifier, draining=True)
            if answer is not None and scope["method"] in ("GET", "HEAD"):
                await send_answer(answer, scope["method"], send)
                return
        await self._app(scope, receive, send)
        if scope["type"] == "lifespan" and self._shared is not None:
            await self._shared.close()

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        """The web server has set its handlers before the lifespan begins; it restores those from before them at its end."""

        def asked(number: int, _: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._asked, number)

        for number in SIGNALS:
            self._theirs[number] = signal.signal(number, asked)

    def _asked(self, number: int) -> None:
        if self._stop is None:
            self._stop = asyncio.create_task(self._stopped(number))
        elif number == signal.SIGINT:
            self._end(number)
            self._end(number)  # the web server takes the second for "at once"

    async def _stopped(self, number: int) -> None:
        try:
            await self._wait(0.0 if number == signal.SIGINT else self._notice, number)
        finally:
            self._end(number)  # whatever went wrong, or nothing but SIGKILL could end the process

    async def _wait(self, notice: float, number: int) -> None:
        log = structlog.get_logger("tokenward")
        log.info("stopping", signal=signal.Signals(number).name, notice=notice, graceful=self._graceful)
        await asyncio.sleep(notice)
        self._app.drain()
        if not await self._app.drained(self._graceful):
            hint = "Give [server] graceful more seconds if such requests are to end, and whoever stops the process more patience."
            log.warning("requests_cut_off", seconds=self._graceful, hint=hint)

    def _end(self, number: int) -> None:
        theirs: Callable[[int, FrameType | None], object] = self._theirs[number]
        theirs(number, None)
