"""Carrying out steps: once for threads, once for event loops. A total deadline holds over all their requests and pauses."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeAlias, TypeVar, assert_never

from tokenward.asking.steps import Answered, Pause, Steps
from tokenward.keys.loops import Loop, current_loop
from tokenward.keys.port import AsyncFetch, Fetch, FetchFailed, FetchRequest, as_failure, checked, tried

T = TypeVar("T")
Sleep: TypeAlias = Callable[[float], None]
AsyncSleep: TypeAlias = Callable[[float], Awaitable[None]]


def run(steps: Steps[T], fetch: Fetch, until: float, sleep: Sleep = time.sleep) -> T:
    """Carry out the steps in this thread; `until` is the total deadline, on `time.monotonic`.

    Raises what the steps raise. Whatever the fetch raises, short of ending the thread, the steps get as a FetchFailed.
    """
    asked = _next(steps, None)
    while not isinstance(asked, _Done):
        asked = _next(steps, _answered(asked, fetch, until - time.monotonic(), sleep))
    return asked.value


async def run_async(steps: Steps[T], fetch: AsyncFetch, until: float, sleep: AsyncSleep | None = None) -> T:
    """The async twin of `run`, on asyncio and trio. A fetch that takes longer than its timeout is cancelled."""
    loop = current_loop()
    asked = _next(steps, None)
    while not isinstance(asked, _Done):
        asked = _next(steps, await _answered_async(asked, fetch, until - time.monotonic(), sleep or loop.sleep, loop))
    return asked.value


@dataclass(frozen=True, slots=True)
class _Done(Generic[T]):
    value: T


def _next(steps: Steps[T], answer: Answered | None) -> FetchRequest | Pause | _Done[T]:
    try:
        return steps.send(answer)
    except StopIteration as done:
        return _Done(done.value)


def _answered(asked: FetchRequest | Pause, fetch: Fetch, left: float, sleep: Sleep) -> Answered | None:
    match asked:
        case Pause(seconds):
            if not seconds < left:
                return _no_time()
            sleep(seconds)
            return None
        case FetchRequest():
            return tried(fetch, _within(asked, left)) if left > 0 else _no_time()
        case _:
            assert_never(asked)


async def _answered_async(
    asked: FetchRequest | Pause, fetch: AsyncFetch, left: float, sleep: AsyncSleep, loop: Loop
) -> Answered | None:
    match asked:
        case Pause(seconds):
            if not seconds < left:
                return _no_time()
            await sleep(seconds)
            return None
        case FetchRequest():
            return await _fetched_async(_within(asked, left), fetch, loop) if left > 0 else _no_time()
        case _:
            assert_never(asked)


async def _fetched_async(request: FetchRequest, fetch: AsyncFetch, loop: Loop) -> Answered:
    try:
        return checked(await loop.within(request.timeout, partial(fetch, request)))
    except TimeoutError:
        return _no_time()
    except Exception as exc:  # noqa: BLE001  # whatever a client raises, the steps go on
        return as_failure(exc)


def _within(request: FetchRequest, left: float) -> FetchRequest:
    return replace(request, timeout=min(request.timeout, left))


def _no_time() -> FetchFailed:
    return FetchFailed("timeout", "the total deadline")
