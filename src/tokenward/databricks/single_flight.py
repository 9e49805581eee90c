"""Answers that callers share: the short lock around the state machine (`flights`), who waits, and a driver for threads and loops.

A flight runs on its own, in a daemon thread or a detached task, so that a caller who is cancelled or gives up takes nobody
else's answer with it, and no caller waits longer than a flight may take.
"""

from __future__ import annotations

import contextlib
import copy
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeAlias, TypeVar, assert_never

from tokenward import validation
from tokenward.asking.driving import run, run_async
from tokenward.asking.steps import Steps
from tokenward.databricks.flights import Decision, Failed, Flight, Flights, Full, Have, Join, Landed, Lead, Outcome, Refused
from tokenward.databricks.grant import UNAVAILABLE_FOR
from tokenward.errors import AuthenticationError, ExchangeUnavailable, ServiceUnavailable
from tokenward.forks import on_fork
from tokenward.keys.loops import current_loop
from tokenward.keys.port import AsyncFetch, Fetch

V = TypeVar("V")
Clock: TypeAlias = Callable[[], float]
Wake: TypeAlias = Callable[[], None]
Question: TypeAlias = Callable[[float], Steps[Landed[V]]]
"""From the wall time to steps that bring the value, and until when it may be handed out again."""
Alone: TypeAlias = Callable[[], Awaitable[Landed[V]]]
"""Carries the steps out, in this process."""
Among: TypeAlias = Callable[[Alone[V]], Awaitable[Landed[V]]]
"""A way to the value that other processes may shorten; it is given the one that they do not."""
Told: TypeAlias = Callable[[Outcome[V], float, float], None]
"""Told of each landing: the outcome, the seconds that it took, and the wall time."""

LEASE_GRACE = 1.0
"""Seconds beyond the total deadline before a flight is given up, so that one which is just landing is not."""
REFUSED_FOR = 10.0
"""Seconds that a refusal is repeated: long for a client in a loop, short beside the minute that a change of policy takes."""


@dataclass(frozen=True, slots=True)
class Counts:
    """`held` values and `refused` keys now, `in_flight` under way; since the start, `flights`, and of these `failures`.

    A flight that another process spared is none of them.
    """

    held: int
    refused: int
    in_flight: int
    flights: int
    failures: int


class _Sharing(Generic[V]):
    """What both drivers are made of. It makes no request itself."""

    def __init__(self, *, clock: Clock, monotonic: Clock, timeout: float, remember: int, told: Told[V] | None = None) -> None:
        self.timeout = timeout
        self._clock = validation.clock("clock", clock)
        self._monotonic = validation.clock("monotonic", monotonic)
        self._told = told
        self._lock = threading.Lock()
        self._flights: Flights[V] = Flights(timeout + LEASE_GRACE, remember)
        self._waiting: dict[int, list[Wake]] = {}
        self._begun = self._failed = 0
        on_fork(self)

    def held(self, key: bytes) -> Have[V] | None:
        """The value in hand, if it serves now; without a lock."""
        return self._flights.held(key, self._monotonic(), self._clock())

    def counts(self) -> Counts:
        with self._lock:
            state = self._flights
            return Counts(len(state.kept), len(state.refusals), len(state.flying), self._begun, self._failed)

    def forget(self) -> None:
        """Drop every value, and keep none from now on."""
        with self._lock:
            self._flights.forget()

    def forked(self) -> None:
        """In a child process: a new lock, because a thread that is not here may hold the old one."""
        self._lock = threading.Lock()
        self._waiting = {}
        self._flights.forked()

    # -- for the drivers -------------------------------------------------------------------------------------------

    def _decide(self, key: bytes, wake: Wake) -> Decision[V]:
        """Decide, and have `wake` called when the flight lands that the caller joins or leads."""
        with self._lock:
            decision = self._flights.decide(key, self._monotonic(), self._clock())
            if isinstance(decision, (Join, Lead)):
                self._waiting.setdefault(decision.flight.number, []).append(wake)
            self._begun += isinstance(decision, Lead)
        return decision

    def _seconds_left(self, flight: Flight[V]) -> float:
        return max(flight.deadline - self._monotonic(), 0.0)

    def _land(self, flight: Flight[V], outcome: Outcome[V]) -> None:
        """Take the outcome, wake everyone, tell the observer. An outcome that is too late changes nothing."""
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            in_time = self._flights.land(flight, outcome, mono, wall)
            self._failed += not (in_time and isinstance(outcome, Landed))
            self._begun -= in_time and isinstance(outcome, Landed) and outcome.borrowed
            woken = self._waiting.pop(flight.number, [])
        for wake in woken:
            wake()
        if self._told is not None:
            late = Failed(ExchangeUnavailable("an answer came after its deadline", retry_after=UNAVAILABLE_FOR), 0.0)
            with contextlib.suppress(Exception):  # an observer must not be able to stop tokens from serving
                self._told(outcome if in_time else late, mono - flight.mono, wall)

    def _leave(self, flight: Flight[V], wake: Wake) -> None:
        with self._lock:
            waiting = self._waiting.get(flight.number)
            if waiting is not None and wake in waiting:
                waiting.remove(wake)
                if not waiting:  # of a flight that never lands nothing stays
                    del self._waiting[flight.number]


class ThreadSharing(_Sharing[V]):
    """For callers on threads. `get` waits in the caller's thread; the flight has a daemon thread of its own."""

    def __init__(
        self, fetch: Fetch, *, clock: Clock, monotonic: Clock, timeout: float, remember: int, told: Told[V] | None = None
    ) -> None:
        super().__init__(clock=clock, monotonic=monotonic, timeout=timeout, remember=remember, told=told)
        self._fetch = fetch

    def get(self, key: bytes, question: Question[V]) -> V:
        """The value of this key: held, or from one flight for all who ask. Raises what the steps raise, a copy for each."""
        have = self.held(key)
        if have is not None:
            return have.value
        landed = threading.Event()
        decision = self._decide(key, landed.set)
        if not isinstance(decision, (Join, Lead)):
            return _at_once(decision)
        flight = decision.flight
        if isinstance(decision, Lead):
            self._start(flight, question)
        landed.wait(self._seconds_left(flight))
        self._leave(flight, landed.set)
        return _delivered(flight)

    def _start(self, flight: Flight[V], question: Question[V]) -> None:
        try:
            threading.Thread(target=self._fly, args=(flight, question), name="tokenward-flight", daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is going down
            self._land(flight, broken_off("no thread could be started"))

    def _fly(self, flight: Flight[V], question: Question[V]) -> None:
        outcome: Outcome[V]
        try:
            outcome = run(question(flight.wall), self._fetch, time.monotonic() + self.timeout)
        except BaseException as exc:  # noqa: BLE001  # even what would end a thread must land the flight, and ends only this one
            outcome = failed(exc)
        self._land(flight, outcome)


class LoopSharing(_Sharing[V]):
    """For callers in event loops, asyncio's or trio's, of which several may share one. The flight is a detached task."""

    def __init__(
        self, fetch: AsyncFetch, *, clock: Clock, monotonic: Clock, timeout: float, remember: int, told: Told[V] | None = None
    ) -> None:
        super().__init__(clock=clock, monotonic=monotonic, timeout=timeout, remember=remember, told=told)
        self._fetch = fetch

    async def get(self, key: bytes, question: Question[V], among: Among[V] | None = None) -> V:
        """As ThreadSharing's; with `among`, the flight looks first for what other processes have."""
        have = self.held(key)
        if have is not None:
            return have.value
        loop = current_loop()
        landed = loop.signal()
        decision = self._decide(key, landed.set)
        if not isinstance(decision, (Join, Lead)):
            return _at_once(decision)
        flight = decision.flight
        if isinstance(decision, Lead):  # nothing is awaited since it was decided: no cancellation comes in between
            loop.spawn(partial(self._fly, flight, question, among))
        try:
            await landed.wait(self._seconds_left(flight))
        finally:
            self._leave(flight, landed.set)
        if isinstance(flight.outcome, Failed) and flight.outcome.cut_short and isinstance(decision, Join):
            return await self.get(key, question, among)  # the leader's loop has ended, and ours has not
        return _delivered(flight)

    async def _fly(self, flight: Flight[V], question: Question[V], among: Among[V] | None) -> None:
        outcome: Outcome[V] = replace(broken_off("cancelled"), seconds=0.0, cut_short=True)
        until = time.monotonic() + self.timeout

        async def alone() -> Landed[V]:
            return await run_async(question(flight.wall), self._fetch, until)

        try:
            outcome = await (alone() if among is None else among(alone))
        except Exception as exc:  # noqa: BLE001  # whatever it is, the flight lands
            outcome = failed(exc)
        finally:
            self._land(flight, outcome)


def failed(exc: BaseException) -> Failed:
    """What the steps raised, as an outcome without any frame of the flight, which would hold the caller's token."""
    if not isinstance(exc, AuthenticationError):
        return broken_off(type(exc).__name__)
    try:
        error = copy.copy(exc)
    except Exception:  # noqa: BLE001  # a class of the user's own that cannot be copied must not keep its flight from landing
        return broken_off(type(exc).__name__)
    seconds = (error.retry_after or UNAVAILABLE_FOR) if isinstance(error, ServiceUnavailable) else REFUSED_FOR
    return Failed(error, seconds)


def broken_off(why: str) -> Failed:
    """A flight that ended without any verdict; the text of a foreign exception may quote anything, and stays out."""
    hint = "Something broke here, and not at the other end; if it repeats, report it with what is seen."
    error = ExchangeUnavailable("the request broke off", actual=why, hint=hint, retry_after=UNAVAILABLE_FOR)
    return Failed(error, UNAVAILABLE_FOR)


def _at_once(decision: Have[V] | Refused | Full) -> V:
    match decision:
        case Have():
            return decision.value
        case Refused(error, seconds):
            raise _for_one_caller(error, seconds) from None
        case Full():
            hint = "The other end is slower than new callers come; see its answers, and how many processes share the load."
            raise ExchangeUnavailable("too many requests are under way", hint=hint, retry_after=UNAVAILABLE_FOR)
        case _:
            assert_never(decision)


def _delivered(flight: Flight[V]) -> V:
    match flight.outcome:
        case Landed(value):
            return value
        case Failed(error):
            raise _for_one_caller(error) from None
        case None:
            raise ExchangeUnavailable("no answer in time", retry_after=UNAVAILABLE_FOR)
        case _:
            assert_never(flight.outcome)


def _for_one_caller(error: Exception, seconds: float | None = None) -> Exception:
    """A copy: each caller raises an error of its own, since a traceback grows with everyone who raises it."""
    own = copy.copy(error)
    if isinstance(own, ServiceUnavailable) and seconds is not None:
        own.retry_after = max(seconds, UNAVAILABLE_FOR)
    return own
