"""One source of keys in a trace: its requests, its fetches in the trace's hand, its lock and its clock."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import anyio
import anyio.abc

from tokenward.keys.decision import Answer, Lease, Use
from tokenward.keys.loading import Loading
from tokenward.keys.location import JwksUri
from tokenward.keys.port import FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource

from .explorer import Broken, Rules
from .stage import LONGEST, Clock, Stage

Kind: TypeAlias = Literal["threads", "asyncio", "trio"]
Outcome: TypeAlias = FetchResponse | BaseException
SPAN: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")
LEASE: contextvars.ContextVar[Lease] = contextvars.ContextVar("lease")
"""Whose fetch a task or thread carries out."""


@dataclass(eq=False)
class Request:
    """One caller; `had` is whether its key was in hand when it came, `beside_keys` whether any was."""

    kid: str | None
    began: float
    had: bool
    beside_keys: bool
    answer: Answer | None = None
    error: BaseException | None = None
    is_done: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


@dataclass(eq=False)
class Flight:
    """One fetch, which goes on when the trace says what it brings."""

    lease: Lease
    began: float
    span: str
    outcome: Outcome | None = None
    is_over: bool = False
    cancelled: float | None = None
    wake: Callable[[], None] = lambda: None

    def brings(self) -> FetchResponse:
        if isinstance(self.outcome, FetchResponse):
            return self.outcome
        raise self.outcome or OSError()


class WatchedLock:
    """The source's lock. A thread that would wait for itself is told so, and not left to hang."""

    def __init__(self, note: Callable[[Broken], None]) -> None:
        self._lock = threading.Lock()
        self._note = note
        self._holder: int | None = None

    def __enter__(self) -> None:
        if self._holder == threading.get_ident():
            broken = Broken("I9", "a thread waits for a lock that another task of its loop holds")
            self._note(broken)
            raise broken
        assert self._lock.acquire(timeout=LONGEST)
        self._holder = threading.get_ident()

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self, *, blocking: bool) -> bool:
        """For who goes on without it."""
        assert not blocking
        has_it = self._lock.acquire(blocking=False)
        if has_it:
            self._holder = threading.get_ident()
        return has_it

    def release(self) -> None:
        self._holder = None
        self._lock.release()

    def is_held_here(self) -> bool:
        return self._holder == threading.get_ident()


class World:
    """What the worlds share: one source, its clock and lock, the fetches so far, and the first rule that a helper saw broken."""

    kind: Kind
    most_waiting: int

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.clock = Clock()
        self.stage = Stage(self.clock)
        self.flights: list[Flight] = []
        self.broken: Broken | None = None
        location = JwksUri("https://idp.example/keys")
        self.source = KeySource(location, rhythm=Rhythm(), clock=self.clock.time, monotonic=self.clock.monotonic)
        self.lock = WatchedLock(self.note)
        self.source._lock = self.lock  # type: ignore[assignment]  # as far as the source uses it
        self._loading = self.source.loading
        self.source.loading = self._begun  # type: ignore[method-assign]

    def note(self, broken: Broken) -> None:
        self.broken = self.broken or broken

    def _begun(self, lease: Lease) -> Loading:
        LEASE.set(lease)
        return self._loading(lease)

    def take_off(self) -> Flight:
        flight = Flight(LEASE.get(), self.clock.mono, SPAN.get())
        self.flights.append(flight)
        return flight

    def reply(self, flight: Flight, outcome: Outcome) -> None:
        flight.outcome = outcome
        flight.wake()

    def in_hand(self, kid: str | None) -> Use | None:
        keys = self.source.in_hand(kid, self.clock.wall)
        return Use(keys) if keys else None
