"""A line to Redis: one connection for one event loop of asyncio, on which questions that come together travel together.

A thousand callers at once are two round trips, and not a thousand connections. Answers cannot be mixed up after something went
wrong: whatever it is, the connection is given up with all that is on it. And if they could, an entry of another key would not
open.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import re
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tokenward.databricks.shared.store import StoreFailed

if TYPE_CHECKING:
    from redis.asyncio import Connection

T = TypeVar("T")
Command: TypeAlias = tuple[str | bytes | int, ...]
Answer: TypeAlias = bytes | int | Exception | None

MAX_BATCH = 512
"""Commands in one round trip: some milliseconds of work on either side."""
LATE = 0.05
"""Seconds. A time limit that fires later than that was held up by the loop, as Redis' answer was."""


class Line:
    """One connection and the task that serves it, for the loop that made it.

    ended  told of the line when it is closed, or its loop ends
    """

    def __init__(self, connect: Callable[[], Connection], timeout: float, ended: Callable[[Line], None]) -> None:
        self._connect = connect
        self._timeout = timeout
        self._ended = ended
        self._connection: Connection | None = None
        self._waiting: list[tuple[Command, asyncio.Future[Answer]]] = []
        self._wake, self._closing = asyncio.Event(), False
        self._task = asyncio.get_running_loop().create_task(self._serve(), context=contextvars.Context())

    async def ask(self, *command: str | bytes | int) -> Answer:
        """The answer to one command. Raises StoreFailed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((command, future))
        self._wake.set()
        answer = await future
        if isinstance(answer, Exception):
            raise _failure(answer) from None
        return answer

    async def close(self) -> None:
        """Hang up, after what is waiting has been answered or was given up."""
        self._closing = True
        self._wake.set()
        await asyncio.wait({self._task})

    @property
    def is_open(self) -> bool:
        return not (self._closing or self._task.done())

    async def _serve(self) -> None:
        try:
            while self._waiting or not self._closing:
                await self._wake.wait()
                batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
                if not self._waiting:
                    self._wake.clear()
                if batch:
                    await self._carry(batch)
        finally:
            await self._hang_up()
            _answer(self._waiting, [StoreFailed("closed")] * len(self._waiting))
            self._ended(self)

    async def _carry(self, batch: list[tuple[Command, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await _within(self._timeout, self._round_trip([command for command, _ in batch]))
        except Exception as exc:  # noqa: BLE001  # whatever a client raises, it is an answer
            await self._hang_up()
            batch, self._waiting = batch + self._waiting, []  # those who came later would only wait for the same
            answers = [_failure(exc)] * len(batch)
        except asyncio.CancelledError:  # the loop ends
            self._waiting = batch + self._waiting
            raise
        _answer(batch, answers)

    async def _round_trip(self, commands: Sequence[Command]) -> list[Answer]:
        from redis.exceptions import ConnectionError as NotConnected

        used_before = self._connection is not None
        try:
            return await self._exchange(commands)
        except NotConnected:
            await self._hang_up()
            if not used_before:
                raise
        return await self._exchange(commands)  # Redis hangs up on the idle, and every command may come twice

    async def _exchange(self, commands: Sequence[Command]) -> list[Answer]:
        if self._connection is None:
            self._connection = self._connect()
        await self._connection.connect()  # type: ignore[no-untyped-call]  # which does nothing where it is connected
        await self._connection.send_packed_command(self._connection.pack_commands(commands))
        return [await _next_answer(self._connection) for _ in commands]

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                await connection.disconnect(nowait=True)


async def _next_answer(connection: Connection) -> Answer:
    from redis.exceptions import ResponseError

    try:
        answer: Any = await connection.read_response(disable_decoding=True)
    except ResponseError as exc:  # of this command alone
        return exc
    return answer if isinstance(answer, (bytes, int)) or answer is None else StoreFailed("answer", type(answer).__name__)


def _answer(asked: list[tuple[Command, asyncio.Future[Answer]]], answers: Sequence[Answer]) -> None:
    """An exception is handed over as a value: nobody complains then that a caller who was cancelled never took it."""
    for (_, future), answer in zip(asked, answers, strict=True):
        if not future.done():
            future.set_result(answer)


async def _within(seconds: float, work: Coroutine[object, object, T]) -> T:
    """Await the work; raises TimeoutError after so many seconds in which the loop was free to see an answer.

    A loop that is held up for longer than the limit finds the end of the limit and the answer at the same time.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    left = seconds
    try:
        while left:
            until = loop.time() + left
            await asyncio.wait({task}, timeout=left)
            if task.done():
                return task.result()
            late = loop.time() - until
            left = min(late, seconds) if late > LATE else 0.0
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=seconds)


# -- what went wrong ---------------------------------------------------------------------------------------------------

_CODE = re.compile(r"[A-Z]{3,20}\b")


def _failure(exc: BaseException) -> StoreFailed:
    """Name what went wrong; the text of an exception may quote an address or a command, and stays out."""
    from redis import exceptions as redis

    if isinstance(exc, StoreFailed):
        return StoreFailed(exc.why, exc.detail)  # each caller raises one of its own
    name = type(exc).__name__
    if isinstance(exc, (TimeoutError, redis.TimeoutError)):
        return StoreFailed("timeout")
    if isinstance(exc, redis.AuthenticationError):
        return StoreFailed("credentials", name)
    if isinstance(exc, (redis.ResponseError, redis.BusyLoadingError)):
        code = _CODE.match(str(exc))
        return StoreFailed("credentials" if code and code[0] in _LOGIN else "answer", code[0] if code else name)
    if isinstance(exc, (redis.ConnectionError, OSError)):
        return _not_connected(exc)
    return StoreFailed("other", name)


_LOGIN = ("NOAUTH", "WRONGPASS")


def _not_connected(exc: BaseException) -> StoreFailed:
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return StoreFailed("tls", type(seen).__name__)
        if isinstance(seen, socket.gaierror):
            return StoreFailed("dns")
        seen = seen.__cause__ or seen.__context__
    return StoreFailed("connect", type(exc).__name__)
