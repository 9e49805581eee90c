"""What differs between asyncio and trio, and nothing else: detached jobs, signals from other threads, time limits."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Protocol, TypeVar

T = TypeVar("T")
Job = Callable[[], Coroutine[object, object, None]]

NO_LOOP = "an AsyncVerifier was asked where no event loop runs; ask it in an async function, or use a Verifier here"

_tasks: set[asyncio.Task[None]] = set()  # asyncio itself holds only weak references


class Signal(Protocol):
    """Set once, from any thread; awaited in the loop that made it."""

    def set(self) -> None: ...

    async def wait(self, seconds: float) -> bool:
        """True as soon as it is set, False after `seconds`."""
        ...


class Loop(Protocol):
    """The event loop that runs the caller. Nothing of it is kept beyond a call."""

    def spawn(self, job: Job) -> None:
        """Run `job` on its own: without the caller's context, cancellation or trace span."""

    def signal(self) -> Signal: ...

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        """Await the work; raises TimeoutError after `seconds`."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def is_cut_off(self, exc: BaseException) -> bool:
        """Whether the job that runs was cancelled, as at the end of its loop; a client's own cancellation is its failure."""
        ...


def current_loop() -> Loop:
    """The loop that this code runs in: asyncio's (uvloop too), else trio's. Raises RuntimeError where there is none."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        if not is_in_loop():
            raise RuntimeError(NO_LOOP) from None
        return _Trio()
    return _Asyncio()


def is_in_loop() -> bool:
    """Whether this very thread runs an event loop, so that to block it would be to block everything in that loop."""
    trio = sys.modules.get("trio")
    for running in (asyncio.get_running_loop, *((trio.lowlevel.current_trio_token,) if trio else ())):
        with contextlib.suppress(RuntimeError):
            running()
            return True
    return False


class _Asyncio:
    def spawn(self, job: Job) -> None:
        _drop_tasks_of_closed_loops()
        task = contextvars.Context().run(asyncio.get_running_loop().create_task, job())  # an old task factory takes no context
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    def is_cut_off(self, exc: BaseException) -> bool:
        task = asyncio.current_task()
        return isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling() > 0

    def signal(self) -> Signal:
        return _AsyncioSignal()

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        async with asyncio.timeout(seconds):
            return await work()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _drop_tasks_of_closed_loops() -> None:
    """A loop that was closed without cancelling its tasks leaves them, and itself, to whoever holds them."""
    for task in [each for each in _tasks.copy() if each.get_loop().is_closed()]:
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # as gather does for its own
        _tasks.discard(task)


class _AsyncioSignal:
    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            self._loop.call_soon_threadsafe(self._resolve)

    async def wait(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._future)
        return self._future.done()

    def _resolve(self) -> None:
        if not self._future.done():
            self._future.set_result(None)


class _Trio:
    """trio is imported only where it runs already."""

    def spawn(self, job: Job) -> None:
        import trio

        trio.lowlevel.spawn_system_task(job, context=contextvars.Context())

    def signal(self) -> Signal:
        return _TrioSignal()

    async def within(self, seconds: float, work: Callable[[], Awaitable[T]]) -> T:
        import trio

        try:
            with trio.fail_after(seconds):
                return await work()
        except trio.TooSlowError:
            raise TimeoutError from None

    async def sleep(self, seconds: float) -> None:
        import trio

        await trio.sleep(seconds)

    def is_cut_off(self, exc: BaseException) -> bool:
        import trio

        if isinstance(exc, BaseExceptionGroup):  # of a nursery of the client's; a deadline's own never comes so far
            return exc.subgroup(trio.Cancelled) is not None
        return isinstance(exc, trio.Cancelled)


class _TrioSignal:
    def __init__(self) -> None:
        import trio

        self._token = trio.lowlevel.current_trio_token()
        self._event = trio.Event()

    def set(self) -> None:
        import trio

        with contextlib.suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self._event.set)

    async def wait(self, seconds: float) -> bool:
        import trio

        with trio.move_on_after(seconds):
            await self._event.wait()
        return self._event.is_set()
