"""The driver for event loops: a detached task fetches, and a request that must wait awaits a signal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import assert_never

from tokenward.keys.freshness import Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.loading import Loaded, Loading, advance
from tokenward.keys.loops import Loop, Signal, current_loop
from tokenward.keys.port import AsyncFetch, FetchFailed, FetchRequest, FetchResponse, checked
from tokenward.keys.source import KeySource

MAX_WAITING_TASKS = 64
"""Parked requests cost memory, and an attacker with junk kids parks them while an issuer is slow."""
TICK = 5.0
"""Seconds between looks whether a refresh is due. A look costs microseconds."""


class AsyncDriver:
    """Carries out what the sources decide, in whichever loop asks. It keeps no loop, task or signal of its own."""

    def __init__(self, sources: Sequence[KeySource], fetch: AsyncFetch) -> None:
        self._sources = tuple(sources)
        self._fetch = fetch

    async def find(self, source: KeySource, kid: str | None) -> Use | Unknown | Unavailable:
        """Decide for one request, which waits at most once."""
        loop = current_loop()
        decision = source.decide(kid)
        if isinstance(decision, Wait):
            self._start(loop, source, decision.lease if decision.start else None)
            decision = await self._waited(loop, source, kid, decision)
        return self._refresh_behind(loop, source, decision)

    async def warm_up(self, timeout: float) -> bool:
        """Fetch what was never fetched; True if every source has usable keys within `timeout` seconds."""
        loop, until = current_loop(), time.monotonic() + timeout
        for source in self._sources:
            self._start(loop, source, source.tick())
        for source in self._sources:
            while not source.ready and time.monotonic() < until:
                await self._await_attempt(loop, source, until - time.monotonic())
        return all(source.ready for source in self._sources)

    def start_ticking(self) -> Signal:
        """Refresh what is due without any request, until the signal is set or the loop ends."""
        loop = current_loop()
        stop = loop.signal()
        loop.spawn(partial(self._tick, loop, stop))
        return stop

    async def _tick(self, loop: Loop, stop: Signal) -> None:
        while not await stop.wait(TICK):
            for source in self._sources:
                self._start(loop, source, source.tick())

    def _refresh_behind(
        self, loop: Loop, source: KeySource, decision: Use | Unknown | Unavailable
    ) -> Use | Unknown | Unavailable:
        match decision:
            case Use():
                self._start(loop, source, decision.start)
            case Unknown() | Unavailable():
                pass
            case _:
                assert_never(decision)
        return decision

    async def _waited(self, loop: Loop, source: KeySource, kid: str | None, wait: Wait) -> Use | Unknown | Unavailable:
        woken = loop.signal()
        if not source.wait_for(wait.lease, woken.set, MAX_WAITING_TASKS):
            return Unavailable(source.rhythm.min_gap)
        try:
            await woken.wait(source.seconds_until(wait.until))
        finally:
            source.stop_waiting(woken.set)
        return source.decide_finally(kid)

    async def _await_attempt(self, loop: Loop, source: KeySource, seconds: float) -> None:
        self._start(loop, source, source.tick())
        lease, pause = source.pending()
        if lease is None:
            await loop.sleep(min(max(pause, source.rhythm.min_gap), seconds))
            return
        woken = loop.signal()
        source.wait_for(lease, woken.set)
        try:
            await woken.wait(min(source.seconds_until(lease.deadline), seconds))
        finally:
            source.stop_waiting(woken.set)

    def _start(self, loop: Loop, source: KeySource, lease: Lease | None) -> None:
        if lease is not None:
            loop.spawn(partial(_fetch_for, loop, source, lease, self._fetch))


async def _fetch_for(loop: Loop, source: KeySource, lease: Lease, fetch: AsyncFetch) -> None:
    outcome: Loaded | FetchFailed = FetchFailed("other", "cancelled")
    try:
        await loop.sleep(source.seconds_until(lease.start))
        outcome = await loop.within(source.rhythm.fetch_timeout, partial(_carried_out, source.loading(lease), fetch))
    except FetchFailed as failure:
        outcome = failure
    except TimeoutError:
        outcome = FetchFailed("timeout", "the total deadline")
    finally:
        source.finish(lease, outcome)


async def _carried_out(loading: Loading, fetch: AsyncFetch) -> Loaded:
    """Make the requests that loading asks for. Raises FetchFailed."""
    answer: FetchResponse | FetchFailed | None = None
    while True:
        asked = advance(loading, answer)
        if isinstance(asked, Loaded):
            return asked
        answer = await _fetched(fetch, asked)


async def _fetched(fetch: AsyncFetch, request: FetchRequest) -> FetchResponse | FetchFailed:
    try:
        return checked(await fetch(request))
    except FetchFailed as failure:
        return failure
    except Exception as exc:  # noqa: BLE001  # whatever a client raises, the lease is released
        return FetchFailed("other", type(exc).__name__)
