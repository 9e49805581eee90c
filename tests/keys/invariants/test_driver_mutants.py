"""Drivers and sources with faults, each of which the traces of the drivers must catch, wherever it can occur."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
import trio

from tokenward.keys import aio, loops, threads
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Answer, Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.driving import behind
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.loading import Loaded
from tokenward.keys.loops import Loop, current_loop
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.keys.snapshot import NO_VIEW
from tokenward.keys.source import KeySource
from tokenward.keys.threads import ThreadDriver
from tokenward.keys.waiters import Waiters, Wake

from .explorer import require_caught
from .stage import Stage
from .traffic import STEPS, Break, traffic_of
from .world import Kind

TRACES = 40
NO_LIMIT = 10**6

pytestmark = pytest.mark.no_cover
Patch = pytest.MonkeyPatch


def known_kids_wait_for_a_refresh(patch: Patch) -> None:
    decide, wait_for = KeySource.decide, KeySource.wait_for

    def mutant(self: KeySource, kid: str | None) -> Any:
        decision = decide(self, kid)
        if isinstance(decision, Use) and decision.start:
            return Wait(decision.start, self._monotonic() + 1, True)
        return decision

    def as_for_another_kid(self: KeySource, lease: Lease, wake: Wake, limit: int | None = None, kid: object = None) -> bool:
        return wait_for(self, lease, wake, limit, "another")

    patch.setattr(KeySource, "decide", mutant)
    patch.setattr(KeySource, "wait_for", as_for_another_kid)


def a_seed_wakes_nobody(patch: Patch) -> None:
    seed = KeySource.seed

    def mutant(self: KeySource, *arguments: Any, **named: Any) -> bool:
        kept, self._waiters = self._waiters, Waiters()
        taken = seed(self, *arguments, **named)
        self._waiters = kept
        return taken

    patch.setattr(KeySource, "seed", mutant)


def waiters_are_woken_before_the_swap(patch: Patch) -> None:
    """The answer of one who waited is then that of the old keys, unless it comes late by luck."""
    finish = KeySource.finish

    def mutant(self: KeySource, lease: Lease, outcome: Loaded | FetchFailed) -> None:
        with self._lock:
            woken = self._waiters.take()
        for wake in woken:
            wake()
        time: Any = vars(threads)["time"]
        time.sleep(0.001)  # the others are faster
        finish(self, lease, outcome)

    patch.setattr(KeySource, "finish", mutant)


def everyone_fetches_who_waits(patch: Patch) -> None:
    decide = KeySource.decide

    def mutant(self: KeySource, kid: str | None) -> Any:
        decision = decide(self, kid)
        return Wait(decision.lease, decision.until, True) if isinstance(decision, Wait) else decision

    patch.setattr(KeySource, "decide", mutant)


def a_miss_is_an_operators_wish(patch: Patch) -> None:
    """The lease of the fetch before is taken away for it, and so is the distance between the two."""
    decide = KeySource.decide

    def mutant(self: KeySource, kid: str | None) -> Any:
        decision = decide(self, kid)
        if isinstance(decision, (Unknown, Unavailable)):
            self._state.lease, self._state.last_start = None, float("-inf")
            lease = self.force()
            return Wait(lease, self._monotonic() + 1, True) if lease else decision
        return decision

    patch.setattr(KeySource, "decide", mutant)


def a_fetch_begins_when_it_is_granted(patch: Patch) -> None:
    """And not when its lease starts, which is up to `min_gap` later."""
    seconds_until = KeySource.seconds_until

    def mutant(self: KeySource, mono: float) -> float:
        lease = self._state.lease
        return 0.0 if lease and mono == lease.start else seconds_until(self, mono)

    patch.setattr(KeySource, "seconds_until", mutant)


def the_hit_path_looks_at_one_clock(patch: Patch) -> None:
    def mutant(self: KeySource, kid: str | None, wall: float) -> tuple[Key, ...] | None:
        view = self._state.view
        return view.keys.get(kid) if self._monotonic() < view.until_mono else None

    patch.setattr(KeySource, "in_hand", mutant)


def a_failure_empties_the_source(patch: Patch) -> None:
    failed = Freshness.failed

    def mutant(self: Freshness, *arguments: Any, **named: Any) -> bool:
        took = failed(self, *arguments, **named)
        self.snapshot, self.view = None, NO_VIEW
        return took

    patch.setattr(Freshness, "failed", mutant)


def any_number_may_wait(patch: Patch) -> None:
    patch.setattr(aio, "MAX_WAITING", NO_LIMIT)
    patch.setattr(threads, "MAX_WAITING", NO_LIMIT)


def any_number_of_threads_is_patient(patch: Patch) -> None:
    patch.setattr(threads, "MAX_PATIENT", NO_LIMIT)


def requests_wait_for_the_whole_fetch(patch: Patch) -> None:
    decide = KeySource.decide

    def mutant(self: KeySource, kid: str | None) -> Any:
        decision = decide(self, kid)
        return Wait(decision.lease, decision.lease.deadline, decision.start) if isinstance(decision, Wait) else decision

    patch.setattr(KeySource, "decide", mutant)


def a_failure_wakes_nobody(patch: Patch) -> None:
    finish = KeySource.finish

    def mutant(self: KeySource, lease: Lease, outcome: Loaded | FetchFailed) -> None:
        kept, self._waiters = self._waiters, (Waiters() if isinstance(outcome, FetchFailed) else self._waiters)
        finish(self, lease, outcome)
        self._waiters = kept

    patch.setattr(KeySource, "finish", mutant)


def whoever_gave_up_is_kept_as_waiting(patch: Patch) -> None:
    patch.setattr(KeySource, "stop_waiting", lambda self, wake: None)


def only_exceptions_give_the_lease_back(patch: Patch) -> None:
    """What ends a thread or cancels a task goes past the end of a fetch."""
    finish = KeySource.finish

    def mutant(self: KeySource, lease: Lease, outcome: Loaded | FetchFailed) -> None:
        if not isinstance(outcome, FetchFailed) or outcome.detail not in ("SystemExit", "CancelledError"):
            finish(self, lease, outcome)

    patch.setattr(KeySource, "finish", mutant)
    patch.setattr(KeySource, "give_up", lambda self, lease: None)


def a_fetch_has_no_deadline(patch: Patch) -> None:
    async def mutant(self: object, seconds: float, work: Callable[[], Awaitable[Loaded]]) -> Loaded:
        return await work()

    patch.setattr(loops._Asyncio, "within", mutant)
    patch.setattr(loops._Trio, "within", mutant)


class KeepsPlaces(threading.Semaphore):
    def release(self, n: int = 1) -> None:
        """As if nobody ever left."""


def places_are_not_given_back(patch: Patch) -> None:
    patch.setattr(Stage, "Semaphore", KeepsPlaces)


def a_lock_is_held_while_a_request_waits(patch: Patch) -> None:
    async def mutant(self: AsyncDriver, loop: Loop, source: KeySource, kid: str | None, wait: Wait) -> Answer:
        woken = loop.signal()
        if not source.wait_for(wait.lease, woken.set, aio.MAX_WAITING):
            return Unavailable(source.rhythm.min_gap)
        with source._lock:
            await woken.wait(source.seconds_until(wait.until))
        source.stop_waiting(woken.set)
        return source.decide_finally(kid, has_asked=wait.start)

    patch.setattr(AsyncDriver, "_waited", mutant)


def the_request_fetches_itself(patch: Patch) -> None:
    async def mutant(self: AsyncDriver, source: KeySource, kid: str | None) -> Answer:
        decision = source.decide(kid)
        if isinstance(decision, Wait):
            if decision.start:
                source.wait_for(decision.lease, (woken := current_loop().signal()).set, aio.MAX_WAITING)
                with anyio.move_on_after(source.seconds_until(decision.until)):
                    await aio._fetch_for(current_loop(), source, decision.lease, self._fetch)
                source.stop_waiting(woken.set)
                return source.decide_finally(kid, has_asked=decision.start)
            return await self._waited(current_loop(), source, kid, decision)
        self._start(current_loop(), source, behind(decision))
        return decision

    patch.setattr(AsyncDriver, "find", mutant)


def the_fetch_inherits_the_context(patch: Patch) -> None:
    def in_asyncio(self: object, job: loops.Job) -> None:
        task = asyncio.get_running_loop().create_task(job())
        loops._tasks.add(task)
        task.add_done_callback(loops._tasks.discard)

    def in_trio(self: object, job: loops.Job) -> None:
        trio.lowlevel.spawn_system_task(job, context=contextvars.copy_context())

    start = ThreadDriver._start

    def in_a_thread(self: ThreadDriver, source: KeySource, lease: Lease | None) -> None:
        fetch, context = self._fetch, contextvars.copy_context()

        def inherited(request: FetchRequest) -> FetchResponse:
            for variable, value in context.items():
                variable.set(value)
            return fetch(request)

        self._fetch = inherited
        start(self, source, lease)
        self._fetch = fetch

    patch.setattr(loops._Asyncio, "spawn", in_asyncio)
    patch.setattr(loops._Trio, "spawn", in_trio)
    patch.setattr(ThreadDriver, "_start", in_a_thread)


def a_blocking_call_waits_for_its_own_loop(patch: Patch) -> None:
    patch.setattr(threads, "is_in_loop", lambda: False)


def asyncio_is_the_only_loop(patch: Patch) -> None:
    def mutant() -> bool:
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            return True
        return False

    patch.setattr(threads, "is_in_loop", mutant)


def a_wait_in_vain_is_a_definite_no(patch: Patch) -> None:
    decide_finally = KeySource.decide_finally

    def mutant(self: KeySource, kid: str | None, *, has_asked: bool) -> Answer:
        answer = decide_finally(self, kid, has_asked=has_asked)
        return Unknown() if isinstance(answer, Unavailable) else answer

    patch.setattr(KeySource, "decide_finally", mutant)


def whoever_waits_takes_the_fetch_for_its_own(patch: Patch) -> None:
    decide_finally = KeySource.decide_finally

    def mutant(self: KeySource, kid: str | None, *, has_asked: bool) -> Answer:
        return decide_finally(self, kid, has_asked=True)

    patch.setattr(KeySource, "decide_finally", mutant)


def a_failed_fetch_is_not_tried_again(patch: Patch) -> None:
    """What is left of a cache that remembers the failure."""
    back_off = Freshness._back_off

    def mutant(self: Freshness, mono: float, wall: float, retry_after: float | None) -> None:
        back_off(self, mono, wall, retry_after)
        self.not_before = self.last_start = mono + 3600

    patch.setattr(Freshness, "_back_off", mutant)


THREADS: tuple[Kind, ...] = ("threads",)
LOOPS: tuple[Kind, ...] = ("asyncio", "trio")
ALL: tuple[Kind, ...] = THREADS + LOOPS


@pytest.mark.parametrize(
    ("rule", "mutant", "kinds"),
    [
        pytest.param("I1", known_kids_wait_for_a_refresh, ALL, id="a request waits for a refresh that it does not need"),
        pytest.param("I1", a_seed_wakes_nobody, ALL, id="keys from elsewhere wake nobody"),
        pytest.param("I1", waiters_are_woken_before_the_swap, THREADS, id="those who wait are woken before the swap"),
        pytest.param("I2", everyone_fetches_who_waits, ALL, id="everyone fetches who waits"),
        pytest.param("I3", a_miss_is_an_operators_wish, ALL, id="a miss fetches as an operator does, and at once"),
        pytest.param("I3", a_fetch_begins_when_it_is_granted, ALL, id="a fetch does not wait for the start of its lease"),
        pytest.param("I4", the_hit_path_looks_at_one_clock, ALL, id="the hit path looks at one clock"),
        pytest.param("I5", a_failure_empties_the_source, ALL, id="a failed fetch empties the source"),
        pytest.param("I6", any_number_may_wait, ALL, id="any number of requests may wait"),
        pytest.param("I6", any_number_of_threads_is_patient, THREADS, id="any number of threads waits for a slow fetch"),
        pytest.param("I6", requests_wait_for_the_whole_fetch, ALL, id="requests wait as long as the fetch takes"),
        pytest.param("I6", a_failure_wakes_nobody, ALL, id="a fetch that failed wakes nobody"),
        pytest.param("I7", whoever_gave_up_is_kept_as_waiting, ALL, id="whoever gave up is kept as waiting"),
        pytest.param("I7", places_are_not_given_back, THREADS, id="the places of those who wait are not given back"),
        pytest.param("I8", a_fetch_has_no_deadline, LOOPS, id="a fetch on a loop has no deadline"),
        pytest.param(
            "I8", only_exceptions_give_the_lease_back, ("threads", "asyncio"), id="a fetch that is ended keeps its lease"
        ),
        pytest.param("I9", a_lock_is_held_while_a_request_waits, LOOPS, id="a lock is held while a request waits"),
        pytest.param("I10", the_request_fetches_itself, LOOPS, id="the request fetches in its own task"),
        pytest.param("I10", the_fetch_inherits_the_context, ALL, id="the fetch inherits the context of a request"),
        pytest.param("I11", a_blocking_call_waits_for_its_own_loop, LOOPS, id="a blocking call waits for its own loop"),
        pytest.param("I11", asyncio_is_the_only_loop, ("trio",), id="asyncio is taken for the only loop"),
        pytest.param("I12", a_wait_in_vain_is_a_definite_no, ALL, id="a wait in vain is a definite no"),
        pytest.param("I12", whoever_waits_takes_the_fetch_for_its_own, ALL, id="a definite no by another's fetch"),
        pytest.param("I13", a_failed_fetch_is_not_tried_again, ALL, id="a failed fetch is remembered for an hour"),
    ],
)
def test_the_traces_catch_a_driver_that_breaks_the_rule(rule: str, mutant: Break, kinds: tuple[Kind, ...]) -> None:
    for kind in kinds:
        require_caught(traffic_of(kind, mutant), rule, TRACES, STEPS)
