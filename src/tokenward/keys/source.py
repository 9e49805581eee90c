"""One issuer's keys in this process: the state machine, the short lock around it, and who waits for it."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable, Iterable
from typing import TypeAlias, TypeVar

from tokenward.forks import on_fork, undivided
from tokenward.keys.books import Books
from tokenward.keys.counts import outcome_of
from tokenward.keys.decision import Answer, Decision, Lease, Unavailable, Use, Wait
from tokenward.keys.events import KeyEvent, KeysAwaited, KeysSeeded, Observer
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.loading import Discovered, Loaded, Loading, after_failure, load
from tokenward.keys.location import Remote
from tokenward.keys.port import FetchFailed
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.seeding import Saved, flaw_of_age, seed_of
from tokenward.keys.static import StaticSource
from tokenward.keys.status import KeyStatus
from tokenward.keys.waiters import Waiters, Wake

Clock: TypeAlias = Callable[[], float]
T = TypeVar("T")


class KeySource:
    """Keys that are fetched. Both drivers, any number of threads and event loops may share one.

    `clock` is the epoch clock, `monotonic` the one for pauses. It makes no request itself: it says when one is due.
    """

    def __init__(
        self, location: Remote, *, rhythm: Rhythm, clock: Clock, monotonic: Clock, observer: Observer | None = None
    ) -> None:
        self.name = location.name
        self.rhythm = rhythm
        self.location = location
        self._clock = clock
        self._monotonic = monotonic
        self._observer = observer
        self._lock = threading.Lock()
        self._state = Freshness(rhythm, random.Random())  # noqa: S311  # jitter, not a secret
        self._discovered: Discovered | None = None
        self._waiters = Waiters()
        self._books = Books(self.name, self._state)
        self._bind_tallies()
        on_fork(self)

    # -- the hit path: no lock -------------------------------------------------------------------------------------

    def in_hand(self, kid: str | None, wall: float) -> tuple[Key, ...] | None:
        """The keys of this kid if nothing needs deciding; else None, and `decide` must be asked."""
        view = self._state.view
        if self._monotonic() < view.until_mono and wall < view.until_wall:
            keys = view.keys.get(kid)
            if keys is not None:
                (self._stale_hit if view.is_stale else self._hit)()
            return keys
        return None

    def _bind_tallies(self) -> None:
        """What the hit path calls, without looking it up each time."""
        self._hit, self._stale_hit = self._books.counts.hits.add, self._books.counts.stale_hits.add

    # -- events ----------------------------------------------------------------------------------------------------

    def decide(self, kid: str | None) -> Decision:
        """What a request with this kid is to do."""

        def asked(state: Freshness, mono: float, wall: float) -> Decision:
            decision = state.lookup(kid, mono, wall)
            if isinstance(decision, Use):
                (self._stale_hit if state.view.is_stale else self._hit)()
            elif not isinstance(decision, Wait):
                self._books.counts.looked_up(outcome_of(decision))
            return decision

        return self._ask(asked)

    def decide_finally(self, kid: str | None, *, has_asked: bool) -> Answer:
        """The same for a request that has waited, or must not wait where it is: it does not wait again.

        `has_asked` if it began the fetch itself, and so knows that its key was there to be found.
        """

        def asked(state: Freshness, mono: float, wall: float) -> Answer:
            decision = state.lookup(kid, mono, wall, may_wait=False, has_asked=has_asked)
            answer = Unavailable(self.rhythm.min_gap) if isinstance(decision, Wait) else decision
            self._books.counts.looked_up(outcome_of(answer))
            return answer

        return self._ask(asked)

    def tick(self) -> Lease | None:
        return self._ask(Freshness.tick)

    def force(self) -> Lease | None:
        return self._ask(Freshness.force)

    def wait_for(self, lease: Lease, wake: Wake, limit: int | None = None, kid: str | None = None) -> bool:
        """Have `wake` called once the lease is over, or a seed brings `kid`. False, and no call, if `limit` requests wait.

        Without a limit it is a start or an operator that waits: they neither count as a request nor take its place.
        """
        with self._lock:
            is_request = limit is not None
            has_come = is_request and self._state.serves(kid, self._monotonic(), self._clock())  # a seed, meanwhile
            is_over = has_come or not self._state.is_current(lease)
            if not is_over and self._waiters.is_full(limit):
                self._books.counts.looked_up("waiters_full")
                return False
            self._waiters.joined += is_request
            if not is_over:
                self._waiters.join(wake, limit, kid)
        if is_over:
            wake()
        return True

    def stop_waiting(self, wake: Wake) -> None:
        """Never waits for the lock: the collector may end a coroutine that waits while this very thread holds it."""
        lock, waiters = self._lock, self._waiters  # a signal's handler may fork in between, and the child has others
        waiters.leave(wake)
        if lock.acquire(blocking=False):
            try:
                waiters.forget_who_left()
            finally:
                lock.release()

    def seconds_until(self, mono: float) -> float:
        """How long to wait for a time on the source's monotonic clock."""
        return max(mono - self._monotonic(), 0.0)

    def pending(self) -> tuple[Lease | None, float]:
        """The fetch under way; and, if there is none, the seconds until the next may start by itself, else 0."""
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            return self._state.in_flight(mono), self._state.next_attempt(mono, wall) or 0.0

    def loading(self, lease: Lease) -> Loading:
        """The requests to make for this lease, and the checks on their answers."""
        with self._lock:
            self._books.begun()
        no_cache = lease.why in ("cold", "miss", "forced")  # somebody asks for what a cache may not have yet
        mono, timeout = self._monotonic(), self.rhythm.fetch_timeout
        return load(self.location, self._discovered, mono=mono, timeout=timeout, no_cache=no_cache)

    def finish(self, lease: Lease, outcome: Loaded | FetchFailed) -> None:
        """Take the result of a fetch, wake everyone, tell the observer. A result that is too late changes nothing."""
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            event = self._taken(lease, outcome, mono, wall)
            if event is None:
                self._books.counts.late(lease.why)
            lapse = self._books.lapsed(mono, wall)
            woken = [] if event is None else self._waiters.take()
        self._announce(woken, event or lapse)

    def give_up(self, lease: Lease) -> None:
        """End a fetch that was cut off, as by the end of its event loop: the issuer has not failed, and may be asked again."""
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            is_current = self._state.given_up(lease, mono, wall)
            event = self._books.given_up(lease, mono, wall) if is_current else self._books.lapsed(mono, wall)
            woken = self._waiters.take() if is_current else []
        self._announce(woken, event)

    def seed(
        self,
        document: bytes,
        as_of: float,
        cloud_instance_name: str | None = None,
        *,
        max_age: float | None = None,
        needs_cloud: bool = False,
        is_sole: bool = True,
    ) -> bool:
        """Begin with a JWKS that was fetched elsewhere, at `as_of` on the epoch clock, as for a start without a network.

        It is refreshed `max_age` seconds after it was fetched, within the limits of the rhythm, as if a server had said so.

        Its age counts from then and is never shortened: a set from the future, one that is older than keys may be, one that
        cannot be read and one that is no newer than the keys in hand are ignored, which the observer is told. So is one
        without the cloud that its metadata named, if that could change a verdict: a rule names one (`needs_cloud`), or a key.
        What was part of a larger set (not `is_sole`) serves no token without a `kid`.
        """
        try:
            keyset = seed_of(document, self.location, cloud_instance_name, needs_cloud=needs_cloud, is_sole=is_sole)
        except ValueError as exc:
            self.ignore_seed(str(exc), self._clock() - as_of)
            return False
        with self._lock:
            mono, wall = self._monotonic(), self._clock()  # in this order: what passes between them must not make it younger
            age = wall - as_of
            ignored = flaw_of_age(age, self.rhythm.max_stale)
            if ignored is None and not self._state.seeded(
                keyset, age, mono, wall, max_age=max_age, cloud_instance_name=cloud_instance_name
            ):
                ignored = "the keys in hand are no older"
            woken: list[Wake] = []
            if ignored is None:
                self._books.sown()
                woken = self._waiters.take(keyset.keys)
        self._announce(woken, KeysSeeded(self.name, len(keyset), age, ignored))
        return ignored is None

    def ignore_seed(self, reason: str, age: float | None = None) -> None:
        """Tell the observer that keys were offered, and why they do not serve."""
        self._tell(KeysSeeded(self.name, 0, age, reason))

    def saved(self) -> Saved | None:
        """The keys that the issuer published last, for a start elsewhere; None without keys that may serve."""
        with self._lock:
            wall, mono = self._clock(), self._monotonic()  # in this order, as in `seed`
            keys, snapshot = self._state.published(mono, wall), self._state.snapshot
            if not keys or snapshot is None:
                return None
            fetched_at = wall - snapshot.age(mono, wall)
            return Saved(keys, fetched_at, snapshot.max_age, snapshot.cloud_instance_name, self._state.has_sole_key)

    def awaited_in_vain(self, seconds: float) -> None:
        """Tell the observer that a start went on without these keys."""
        self._tell(KeysAwaited(self.name, seconds))

    def forked(self) -> None:
        """In a child process: a new lock, as a thread that is not here may hold the old one; numbers and jitter of its own."""
        self._lock = threading.Lock()
        self._waiters = Waiters()
        self._books.begin_anew()
        self._bind_tallies()
        self._state.rng.seed()
        self._state.forked()

    # -- what is known ---------------------------------------------------------------------------------------------

    @property
    def cloud_instance_name(self) -> str | None:
        snapshot = self._state.snapshot
        return snapshot.cloud_instance_name if snapshot else None

    def age(self) -> float | None:
        return self._state.age(self._monotonic(), self._clock())

    @property
    def ready(self) -> bool:
        """Whether there are keys that may serve."""
        return self._state.alive(self._monotonic(), self._clock())

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed."""
        return self._state.failures > 0

    def brought_by(self, lease: Lease) -> bool:
        """Whether the keys in hand came with this lease's fetch, or a later one's."""
        snapshot = self._state.snapshot
        return snapshot is not None and snapshot.lease >= lease.number

    def status(self) -> KeyStatus:
        with self._lock:
            return self._books.status(self._waiters, self._monotonic(), self._clock())

    # -- within ----------------------------------------------------------------------------------------------------

    def _ask(self, question: Callable[[Freshness, float, float], T]) -> T:
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            answer = question(self._state, mono, wall)
            lapse = self._books.lapsed(mono, wall)
        self._tell(lapse)
        return answer

    def _taken(self, lease: Lease, outcome: Loaded | FetchFailed, mono: float, wall: float) -> KeyEvent | None:
        """None if it came too late. Inside the lock."""
        if isinstance(outcome, Loaded):
            return self._swapped(lease, outcome, mono, wall)
        if not self._state.failed(lease, mono, wall, retry_after=outcome.retry_after):
            return None
        self._discovered = after_failure(self._discovered, outcome)
        return self._books.failed(lease, outcome, mono, wall)

    def _swapped(self, lease: Lease, loaded: Loaded, mono: float, wall: float) -> KeyEvent | None:
        before, cloud = self._state.snapshot, loaded.cloud_instance_name
        keyset, max_age = loaded.keyset, loaded.max_age
        if not self._state.fetched(lease, keyset, mono, wall, max_age=max_age, cloud_instance_name=cloud):
            return None
        self._discovered = loaded.discovered
        return self._books.succeeded(lease, loaded, before, mono)

    def _announce(self, woken: Iterable[Wake], event: KeyEvent | None) -> None:
        """What a change ends with, outside of the lock: whoever waited first, and then whoever watches."""
        for wake in woken:
            wake()
        self._tell(event)

    def _tell(self, event: KeyEvent | None) -> None:
        if event is not None:
            tell(self._observer, event)


def tell(observer: Observer | None, event: KeyEvent) -> None:
    """Whatever the observer raises stays here: it must not be able to stop keys from serving, or a start."""
    if observer is not None:
        with undivided(), contextlib.suppress(Exception):
            observer(event)


Source: TypeAlias = StaticSource | KeySource
