"""How long a call takes: the shortest of several rounds, every subject in every round, so that the machine's moods cancel."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

Call: TypeAlias = Callable[[str], Any]
AsyncCall: TypeAlias = Callable[[str], Awaitable[Any]]
Pass: TypeAlias = Callable[[], float]
"""Handles every token once; the seconds that one of them took."""


def bare_pass(checks: Iterable[Callable[[], None]]) -> Pass:
    """The bare signature check, for the same tokens."""
    listed = tuple(checks)

    def run() -> float:
        start = time.perf_counter()
        for check in listed:
            check()
        return (time.perf_counter() - start) / len(listed)

    return run


def sync_pass(call: Call, tokens: Iterable[str]) -> Pass:
    listed = tuple(tokens)

    def run() -> float:
        start = time.perf_counter()
        for token in listed:
            call(token)
        return (time.perf_counter() - start) / len(listed)

    return run


def async_pass(loop: asyncio.AbstractEventLoop, call: AsyncCall, tokens: Iterable[str]) -> Pass:
    """The clock runs inside the loop, so that starting it is not counted."""
    listed = tuple(tokens)

    async def timed() -> float:
        start = time.perf_counter()
        for token in listed:
            await call(token)
        return (time.perf_counter() - start) / len(listed)

    return lambda: loop.run_until_complete(timed())


def refusing(call: Call) -> Call:
    """The same call for tokens that it refuses: the exception is caught, and its cost counted."""

    def refused(token: str) -> None:
        try:  # noqa: SIM105  # suppress() would cost a microsecond, and count
            call(token)
        except Exception:  # noqa: BLE001  # whatever a peer raises; the checks have looked at it
            pass

    return refused


def async_refusing(call: AsyncCall) -> AsyncCall:
    async def refused(token: str) -> None:
        try:  # noqa: SIM105  # as above
            await call(token)
        except Exception:  # noqa: BLE001  # as above
            pass

    return refused


def shortest(passes: Mapping[str, Pass], rounds: int) -> dict[str, float]:
    """Seconds per token of each pass: the minimum over the rounds, after one round that is not counted."""
    best = dict.fromkeys(passes, float("inf"))
    for run in passes.values():
        run()
    gc.collect()
    for _ in range(rounds):
        for name, run in passes.items():
            best[name] = min(best[name], run())
    return best
