"""One issuer's keys in this process: the state machine, the short lock around it, and who waits for it."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Callable
from typing import Literal, TypeAlias, TypeVar

from tokenward.forks import on_fork
from tokenward.keys.decision import Answer, Decision, Lease, Unavailable, Wait
from tokenward.keys.events import KeyEvent, KeysAwaited, KeysRefreshed, KeysRefreshFailed, KeysSeeded, KeyStatus, Observer
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet
from tokenward.keys.loading import Discovered, Loaded, Loading, after_failure, load, read_jwks
from tokenward.keys.location import Remote, Static
from tokenward.keys.port import MAX_BODY_BYTES, FetchFailed
from tokenward.keys.rhythm import Rhythm

Clock: TypeAlias = Callable[[], float]
Wake: TypeAlias = Callable[[], None]
T = TypeVar("T")


class StaticSource:
    """Keys from the configuration, behind the same few methods as fetched ones."""

    def __init__(self, location: Static) -> None:
        self.name = location.name
        self.cloud_instance_name: str | None = None
        self._keys = location.keyset.keys
        self._count = len(location.keyset)

    def in_hand(self, kid: str | None, wall: float) -> tuple[Key, ...] | None:  # noqa: ARG002  # KeySource's signature
        return self._keys.get(kid, ())

    def age(self) -> float | None:
        return None

    def status(self) -> KeyStatus:
        return KeyStatus(self.name, "static", "none", self._count, None, 0, None, None, 0, 0)


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
        self._waiting: list[Wake] = []  # requests
        self._watching: list[Wake] = []  # starts and operators, who take no request's place
        self._last_failure: str | None = None
        self._waits = 0
        self._fetches = 0
        on_fork(self)

    # -- the hit path: no lock -------------------------------------------------------------------------------------

    def in_hand(self, kid: str | None, wall: float) -> tuple[Key, ...] | None:
        """The keys of this kid if nothing needs deciding; else None, and `decide` must be asked."""
        view = self._state.view
        if self._monotonic() < view.until_mono and wall < view.until_wall:
            return view.keys.get(kid)
        return None

    @property
    def cloud_instance_name(self) -> str | None:
        snapshot = self._state.snapshot
        return snapshot.cloud_instance_name if snapshot else None

    # -- events ----------------------------------------------------------------------------------------------------

    def decide(self, kid: str | None) -> Decision:
        """What a request with this kid is to do."""
        return self._ask(lambda state, mono, wall: state.lookup(kid, mono, wall))

    def decide_finally(self, kid: str | None) -> Answer:
        """The same for a request that has waited: it does not wait again."""
        decision = self._ask(lambda state, mono, wall: state.lookup(kid, mono, wall, may_wait=False))
        return Unavailable(self.rhythm.min_gap) if isinstance(decision, Wait) else decision

    def tick(self) -> Lease | None:
        return self._ask(Freshness.tick)

    def force(self) -> Lease | None:
        return self._ask(Freshness.force)

    def wait_for(self, lease: Lease, wake: Wake, limit: int | None = None) -> bool:
        """Have `wake` called once the lease is over. False, and no call, if `limit` requests wait already.

        Without a limit it is a start or an operator that waits: they neither count as a request nor take its place.
        """
        with self._lock:
            if limit is not None and len(self._waiting) >= limit:
                return False
            self._waits += limit is not None
            current = self._state.lease
            over = current is None or current.number != lease.number
            if not over:
                (self._watching if limit is None else self._waiting).append(wake)
        if over:
            wake()
        return True

    def stop_waiting(self, wake: Wake) -> None:
        with self._lock:
            for room in (self._waiting, self._watching):
                if wake in room:
                    room.remove(wake)

    def seconds_until(self, mono: float) -> float:
        """How long to wait for a time on the source's monotonic clock."""
        return max(mono - self._monotonic(), 0.0)

    def pending(self) -> tuple[Lease | None, float]:
        """The fetch under way, and the seconds until the next may start."""
        with self._lock:
            mono = self._monotonic()
            lease = self._state.lease
            return (lease if lease and mono < lease.deadline else None), max(self._state.not_before - mono, 0.0)

    def loading(self, lease: Lease) -> Loading:
        """The requests to make for this lease, and the checks on their answers."""
        with self._lock:
            self._fetches += 1
        no_cache = lease.why in ("miss", "forced")
        mono, timeout = self._monotonic(), self.rhythm.fetch_timeout
        return load(self.location, self._discovered, mono=mono, timeout=timeout, no_cache=no_cache)

    def finish(self, lease: Lease, outcome: Loaded | FetchFailed) -> None:
        """Take the result of a fetch, wake everyone, tell the observer. A result that is too late changes nothing."""
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            event = self._taken(lease, outcome, mono, wall)
            lapse = self._lapse(mono, wall)
            woken: list[Wake] = []
            if event is not None:
                woken = self._waiting + self._watching
                self._waiting, self._watching = [], []
        for wake in woken:
            wake()
        self._tell(event or lapse)

    def seed(self, document: bytes, as_of: float) -> bool:
        """Begin with a JWKS that was fetched elsewhere, at `as_of` on the epoch clock, as for a start without a network.

        Its age counts from then and is never shortened: a set from the future, one that is older than keys may be, one that
        cannot be read and one that is no newer than the keys in hand are ignored, which the observer is told.
        """
        age = self._clock() - as_of
        try:
            keyset = self._seed_of(document, age)
        except ValueError as exc:
            self._tell(KeysSeeded(self.name, 0, age, str(exc)))
            return False
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            taken = self._state.seeded(keyset, age, mono, wall)
        self._tell(KeysSeeded(self.name, len(keyset), age, None if taken else "the keys in hand are no older"))
        return taken

    def awaited_in_vain(self, seconds: float) -> None:
        """Tell the observer that a start went on without these keys."""
        self._tell(KeysAwaited(self.name, seconds))

    def forked(self) -> None:
        """In a child process: a new lock, because a thread that is not here may hold the old one."""
        self._lock = threading.Lock()
        self._waiting, self._watching = [], []
        self._state.forked(self._monotonic(), self._clock())

    # -- what is known ---------------------------------------------------------------------------------------------

    def age(self) -> float | None:
        return self._state.age(self._monotonic(), self._clock())

    @property
    def ready(self) -> bool:
        """Whether there are keys that may serve."""
        age = self.age()
        return age is not None and age < self.rhythm.max_stale

    def brought_by(self, lease: Lease) -> bool:
        """Whether the keys in hand came with this lease's fetch, or a later one's."""
        snapshot = self._state.snapshot
        return snapshot is not None and snapshot.lease >= lease.number

    def status(self) -> KeyStatus:
        with self._lock:
            state, mono, wall = self._state, self._monotonic(), self._clock()
            age = state.age(mono, wall)
            in_flight = state.lease is not None and mono < state.lease.deadline
            pause = max(state.not_before - mono, 0.0)
            return KeyStatus(
                self.name,
                self._keys_word(age),
                "in_flight" if in_flight else "backoff" if pause else "idle",
                sum(kid is not None for kid in state.snapshot.keys) if state.snapshot else 0,
                age,
                state.failures,
                self._last_failure,
                pause or None,
                self._waits,
                self._fetches,
            )

    def _keys_word(self, age: float | None) -> Literal["empty", "fresh", "stale", "dead"]:
        if age is None or self._state.snapshot is None:
            return "empty"
        if age >= self.rhythm.max_stale:
            return "dead"
        return "fresh" if age < self._state.snapshot.interval else "stale"

    def _seed_of(self, document: bytes, age: float) -> KeySet:
        """Raises ValueError."""
        if not 0 <= age < self.rhythm.max_stale:
            raise ValueError("it is from the future" if age < 0 else "it is older than keys may be")
        if len(document) > MAX_BODY_BYTES:
            raise ValueError("it is larger than any set of keys should be")
        return read_jwks(document)

    # -- inside the lock, but for telling --------------------------------------------------------------------------

    def _ask(self, question: Callable[[Freshness, float, float], T]) -> T:
        with self._lock:
            mono, wall = self._monotonic(), self._clock()
            answer = question(self._state, mono, wall)
            lapse = self._lapse(mono, wall)
        self._tell(lapse)
        return answer

    def _lapse(self, mono: float, wall: float) -> KeyEvent | None:
        """A fetch that never came back is a failure like any other, though nobody is left to report it."""
        lapsed, self._state.lapsed = self._state.lapsed, None
        return self._failure(lapsed, FetchFailed("timeout", "no answer, and the lease ran out"), mono, wall) if lapsed else None

    def _taken(self, lease: Lease, outcome: Loaded | FetchFailed, mono: float, wall: float) -> KeyEvent | None:
        if isinstance(outcome, Loaded):
            return self._succeed(lease, outcome, mono, wall)
        if not self._state.failed(lease, mono, wall, retry_after=outcome.retry_after):
            return None
        self._discovered = after_failure(self._discovered, outcome)
        return self._failure(lease, outcome, mono, wall)

    def _succeed(self, lease: Lease, loaded: Loaded, mono: float, wall: float) -> KeyEvent | None:
        state, before = self._state, self._listed()
        cloud = loaded.cloud_instance_name
        if not state.fetched(lease, loaded.keyset, mono, wall, max_age=loaded.max_age, cloud_instance_name=cloud):
            return None
        self._discovered, self._last_failure = loaded.discovered, None
        now = self._listed()
        changes, skipped = (len(now - before), len(before - now)), dict(loaded.keyset.skipped)
        return KeysRefreshed(self.name, lease.why, mono - lease.start, len(loaded.keyset), *changes, skipped)

    def _listed(self) -> set[str]:
        return self._state.snapshot.listed if self._state.snapshot else set()

    def _failure(self, lease: Lease, failure: FetchFailed, mono: float, wall: float) -> KeyEvent:
        state = self._state
        self._last_failure = failure.kind
        age = state.age(mono, wall)
        usable = age is not None and age < self.rhythm.max_stale
        pause = max(state.not_before - mono, 0.0)
        return KeysRefreshFailed(self.name, lease.why, failure.kind, failure.detail, state.failures, pause, age, usable)

    def _tell(self, event: KeyEvent | None) -> None:
        if event is None or self._observer is None:
            return
        with contextlib.suppress(Exception):  # an observer must not be able to stop keys from serving
            self._observer(event)


Source: TypeAlias = StaticSource | KeySource
