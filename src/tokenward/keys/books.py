"""What a source keeps books of: what it counts, and the events that tell what happened. All under the source's lock."""

from __future__ import annotations

from dataclasses import replace

from tokenward.keys.counts import Counts
from tokenward.keys.decision import Lease
from tokenward.keys.events import KeysRefreshed, KeysRefreshFailed
from tokenward.keys.freshness import Freshness
from tokenward.keys.loading import Loaded
from tokenward.keys.port import FetchFailed
from tokenward.keys.snapshot import Snapshot
from tokenward.keys.status import KeyStatus, status_of
from tokenward.keys.waiters import Waiters


class Books:
    """Of the source `name`, whose state is `state`. Only the tallies of `counts.hits` and `counts.stale_hits` need no lock."""

    def __init__(self, name: str, state: Freshness) -> None:
        self._name = name
        self._state = state
        self._last_failure: str | None = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Count from nothing, as a process of its own does."""
        self.counts = Counts()
        self._fetches = 0
        self._generation = 0

    def begun(self) -> None:
        """A fetch begins."""
        self._fetches += 1

    def sown(self) -> None:
        """Keys from elsewhere were taken over."""
        self._generation += 1

    def succeeded(self, lease: Lease, loaded: Loaded, before: Snapshot | None, mono: float) -> KeysRefreshed:
        """The fetched set has taken the place of `before`."""
        old, now = before.listed if before else set(), self._listed()
        is_same = before is not None and old == now and all(loaded.keyset.keys[kid] == before.keys[kid] for kid in now)
        skipped = dict(loaded.keyset.skipped)
        self.counts.fetched(lease.why, "unchanged" if is_same else "ok", skipped)
        self._generation += 1
        self._last_failure = None
        seconds, added, removed = mono - lease.start, len(now - old), len(old - now)
        return KeysRefreshed(self._name, lease.why, seconds, len(loaded.keyset), added, removed, skipped)

    def failed(self, lease: Lease, failure: FetchFailed, mono: float, wall: float) -> KeysRefreshFailed:
        """An attempt came to nothing, and the state has taken note of it."""
        self.counts.failed(lease.why, failure.kind)
        return self._told(lease, failure, mono, wall)

    def given_up(self, lease: Lease, mono: float, wall: float) -> KeysRefreshFailed | None:
        """An attempt was cut off. Told once until another one ends: where each call has a loop of its own, all are."""
        self.counts.failed(lease.why, "cancelled")
        is_news = self._last_failure != "cancelled"
        event = self._told(lease, FetchFailed("cancelled", "its event loop has ended"), mono, wall)
        return event if is_news else None

    def lapsed(self, mono: float, wall: float) -> KeysRefreshFailed | None:
        """A fetch that never came back is a failure like any other, though nobody is left to report it."""
        lapsed, self._state.lapsed = self._state.lapsed, None
        if lapsed is None:
            return None
        self.counts.lease_expired()
        return self._told(lapsed, FetchFailed("timeout", "no answer, and the lease ran out"), mono, wall)

    def status(self, waiters: Waiters, mono: float, wall: float) -> KeyStatus:
        return replace(
            status_of(self._name, self._state, mono, wall),
            generation=self._generation,
            last_failure=self._last_failure,
            waiting=len(waiters),
            waits=waiters.joined,
            fetches=self._fetches,
            counts=self.counts.read(),
        )

    def _listed(self) -> set[str]:
        return self._state.snapshot.listed if self._state.snapshot else set()

    def _told(self, lease: Lease, failure: FetchFailed, mono: float, wall: float) -> KeysRefreshFailed:
        state = self._state
        self._last_failure = failure.kind
        usable, pause = state.alive(mono, wall), max(state.not_before - mono, 0.0)
        age = state.age(mono, wall)
        return KeysRefreshFailed(self._name, lease.why, failure.kind, failure.detail, state.failures, pause, age, usable)
