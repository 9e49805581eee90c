"""The driver for event loops: a detached task fetches, and a request that must wait awaits a signal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from tokenward.keys.decision import Answer, Lease, Unavailable, Wait
from tokenward.keys.driving import TICK, Errand, Refresh, WarmUp, behind, join, leave
from tokenward.keys.loading import Loaded, Loading, advance
from tokenward.keys.loops import Loop, Signal, current_loop
from tokenward.keys.port import AsyncFetch, FetchFailed, FetchRequest, FetchResponse, as_failure, checked
from tokenward.keys.source import KeySource

MAX_WAITING = 64
"""Tasks that wait for one source. They hold up nobody, but cost memory, and junk kids park them while an issuer is slow."""


class AsyncDriver:
    """Carries out what the sources decide, in whichever loop asks. It keeps no loop, task or signal of its own."""

    def __init__(self, sources: Sequence[KeySource], fetch: AsyncFetch) -> None:
        self._sources = tuple(sources)
        self._fetch = fetch

    async def find(self, source: KeySource, kid: str | None) -> Answer:
        """Decide for one request, which waits at most once."""
        loop = current_loop()
        decision = source.decide(kid)
        if isinstance(decision, Wait):
            self._start(loop, source, decision.lease if decision.start else None)
            decision = await self._waited(loop, source, kid, decision)
        self._start(loop, source, behind(decision))
        return decision

    async def warm_up(self, timeout: float) -> bool:
        """Fetch what was never fetched; True if every source has usable keys within `timeout` seconds."""
        return await self._run([WarmUp(source, timeout) for source in self._sources], timeout)

    async def refresh(self, timeout: float) -> bool:
        """Fetch every source now, because an operator asks; True if each of these fetches succeeded within `timeout` seconds.

        It waits for a fetch under way first, which may have begun before the change that the operator knows of.
        """
        return await self._run([Refresh(source) for source in self._sources], timeout)

    def start_ticking(self) -> Signal:
        """Refresh what is due without any request, until the signal is set or the loop ends."""
        loop = current_loop()
        stop = loop.signal()
        loop.spawn(partial(self._keep_looking, stop))
        return stop

    def start_due(self) -> None:
        """Begin every fetch that is due, in the loop that asks, and wait for none."""
        loop = current_loop()
        for source in self._sources:
            self._start(loop, source, source.tick())

    async def _keep_looking(self, stop: Signal) -> None:
        while not await stop.wait(TICK):
            self.start_due()

    async def _waited(self, loop: Loop, source: KeySource, kid: str | None, wait: Wait) -> Answer:
        woken = loop.signal()
        if not source.wait_for(wait.lease, woken.set, MAX_WAITING, kid):
            return Unavailable(source.rhythm.min_gap)
        try:
            await woken.wait(source.seconds_until(wait.until))
        finally:
            source.stop_waiting(woken.set)
        return source.decide_finally(kid, has_asked=wait.start)

    async def _run(self, errands: Sequence[Errand], timeout: float) -> bool:
        loop, begin = current_loop(), time.monotonic()
        self._start_each(loop, errands)
        while (still := [each for each in errands if not each.over]) and (left := begin + timeout - time.monotonic()) > 0:
            await self._pursue(loop, still, left)
        succeeded = [errand.end(time.monotonic() - begin) for errand in errands]  # every errand is ended, whatever the others did
        return all(succeeded)

    async def _pursue(self, loop: Loop, errands: Sequence[Errand], seconds: float) -> None:
        self._start_each(loop, errands)
        woken = loop.signal()
        _, pause = join(errands, woken.set)
        try:
            await woken.wait(min(pause, seconds))
        finally:
            leave(errands, woken.set)

    def _start_each(self, loop: Loop, errands: Sequence[Errand]) -> None:
        for errand in errands:
            self._start(loop, errand.source, errand.start())

    def _start(self, loop: Loop, source: KeySource, lease: Lease | None) -> None:
        if lease is not None:
            loop.spawn(partial(_fetch_for, loop, source, lease, self._fetch))


async def _fetch_for(loop: Loop, source: KeySource, lease: Lease, fetch: AsyncFetch) -> None:
    try:
        outcome = await _outcome_of(loop, source, lease, fetch)
    except GeneratorExit:  # the collector may have come while this very thread holds the source's lock: the lease runs out
        raise
    except BaseException as exc:
        if loop.is_cut_off(exc):
            source.give_up(lease)
        else:
            source.finish(lease, as_failure(exc))
        if isinstance(exc, BaseExceptionGroup) and (ending := exc.split(Exception)[1]) is not None:
            raise ending from None  # what a client's own tasks raised beside it has been told, and would end a run of trio
        raise
    source.finish(lease, outcome)


async def _outcome_of(loop: Loop, source: KeySource, lease: Lease, fetch: AsyncFetch) -> Loaded | FetchFailed:
    await loop.sleep(source.seconds_until(lease.start))
    try:
        if not source.seconds_until(lease.deadline):  # this process was suspended, and another fetch may be under way
            raise FetchFailed("timeout", "its time ran out before it began")
        return await loop.within(source.rhythm.fetch_timeout, partial(_carried_out, source.loading(lease), fetch))
    except FetchFailed as failure:
        return failure
    except TimeoutError:
        return FetchFailed("timeout", "the total deadline")
    except Exception as exc:  # noqa: BLE001  # what a client's own tasks raised while they were cancelled at the deadline
        return as_failure(exc)


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
    except Exception as exc:  # noqa: BLE001  # whatever a client raises, the lease is released
        return as_failure(exc)
