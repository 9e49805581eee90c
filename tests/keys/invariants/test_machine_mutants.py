"""State machines with the faults of others, each of which the rules' traces must catch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tokenward.keys.decision import Decision, Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.snapshot import NEVER, NO_VIEW, Moment, Snapshot, View

from .explorer import require_caught
from .machine import STEPS, Read, life_of

TRACES = 40

pytestmark = pytest.mark.no_cover


class CooldownAfterSuccessOnly(Freshness):
    def _back_off(self, mono: float, wall: float, retry_after: float | None) -> None:
        super()._back_off(mono, wall, retry_after)
        self.last_start = self.last_miss = self.not_before = NEVER


class ClearOnFailure(Freshness):
    def failed(self, lease: Lease, mono: float, wall: float, *, retry_after: float | None = None) -> bool:
        took = super().failed(lease, mono, wall, retry_after=retry_after)
        self.snapshot, self.view = None, NO_VIEW
        return took


class NoHardLimit(Freshness):
    def alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None


class FlagInsteadOfLease(Freshness):
    def _void_dead_lease(self, mono: float, wall: float) -> None:
        pass


class WallClockOnly(Freshness):
    def alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None and wall - self.snapshot.fetched_wall < self.rhythm.max_stale


class MonotonicClockOnly(Freshness):
    def alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None and mono - self.snapshot.fetched_mono < self.rhythm.max_stale


class NoSingleFlight(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        self.lease = None
        return super().lookup(kid, mono, wall, **how)


class WaitWhileStale(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        decision = super().lookup(kid, mono, wall, **how)
        if isinstance(decision, Use) and decision.start:
            return Wait(decision.start, mono + 1, True)
        return decision


class WaitAgain(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        return super().lookup(kid, mono, wall)


class LateAnswersCount(Freshness):
    def fetched(
        self,
        lease: Lease,
        keyset: KeySet,
        mono: float,
        wall: float,
        *,
        max_age: float | None = None,
        cloud_instance_name: str | None = None,
    ) -> bool:
        self.lease = replace(lease, deadline=mono + 1)
        return super().fetched(lease, keyset, mono, wall, max_age=max_age, cloud_instance_name=cloud_instance_name)


class ViewNeverEnds(Freshness):
    def _publish(self, mono: float, wall: float) -> None:
        if self.snapshot:
            self.view = View(self.snapshot.keys, float("inf"), float("inf"))


class ViewForgetsTheRetired(Freshness):
    def _publish(self, mono: float, wall: float) -> None:
        snapshot = self.snapshot
        self.snapshot = replace(snapshot, retiring={}) if snapshot else None
        super()._publish(mono, wall)
        self.snapshot = snapshot


class WithdrawnKeysServeOn(Freshness):
    def _usable(self, kid: str | None, mono: float, wall: float) -> tuple[Key, ...] | None:
        return self.snapshot.keys.get(kid) if self.snapshot and self.alive(mono, wall) else None


class GraceByTheMonotonicClockOnly(Freshness):
    def _succeeding(
        self, lease: int, keyset: KeySet, mono: float, wall: float, age: float, max_age: float | None, cloud: str | None
    ) -> Snapshot:
        new = super()._succeeding(lease, keyset, mono, wall, age, max_age, cloud)
        return replace(new, retiring={kid: Moment(stops.mono, float("inf")) for kid, stops in new.retiring.items()})


class UnknownKidsAreRemembered(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        decision = super().lookup(kid, mono, wall, **how)
        if isinstance(decision, Unknown) and self.snapshot:
            self.snapshot = replace(self.snapshot, keys={**self.snapshot.keys, kid: ()})
        return decision


class RetryAfterWithoutLimit(Freshness):
    def _back_off(self, mono: float, wall: float, retry_after: float | None) -> None:
        super()._back_off(mono, wall, retry_after)
        self.not_before = max(self.not_before, mono + (retry_after or 0.0))


class BackoffOfBetterDays(Freshness):
    def _gate(self, mono: float, wall: float) -> float:
        return max(self.not_before, self.last_start + self.rhythm.min_gap)


class CooldownDoesNotGrow(Freshness):
    def _count_fruit(self, lease: Lease, keyset: KeySet) -> None:
        pass


class VanishedKeysGoAtOnce(Freshness):
    def _succeeding(
        self, lease: int, keyset: KeySet, mono: float, wall: float, age: float, max_age: float | None, cloud: str | None
    ) -> Snapshot:
        self.snapshot = None
        return super()._succeeding(lease, keyset, mono, wall, age, max_age, cloud)


class HangingFetchesAreJoined(Freshness):
    def _under_way(self, lease: Lease, mono: float, *, may_wait: bool) -> Decision:
        return self._wait(lease, mono, start=False) if may_wait else Unavailable(self.rhythm.min_gap)


class NoAfterFailure(Freshness):
    def _back_off(self, mono: float, wall: float, retry_after: float | None) -> None:
        super()._back_off(mono, wall, retry_after)
        self.failures = 0


class OldAnswersAreSure(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        return super().lookup(kid, mono, wall, **{**how, "has_asked": True})


class ChildrenAreSure(Freshness):
    def forked(self) -> None:
        self.lease, self.view = None, NO_VIEW


class SeedsAreFresh(Freshness):
    def seeded(self, keyset: KeySet, age: float, mono: float, wall: float, **known: Any) -> bool:
        return super().seeded(keyset, 0.0, mono, wall, **known)


class NoUnlessItFailed(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, **how: Any) -> Decision:
        decision = super().lookup(kid, mono, wall, **how)
        nobody_failed = self.failures == 0 and self.lease is None and self.alive(mono, wall)
        return Unknown() if isinstance(decision, Unavailable) and nobody_failed else decision


def accepts_nothing(document: Mapping[str, object]) -> KeySet:
    return read_keyset(document) if document.get("keys") != [] else KeySet({})


@pytest.mark.parametrize(
    ("rule", "mutant"),
    [
        pytest.param("I1", WaitWhileStale, id="a request waits for a refresh that it does not need"),
        pytest.param("I1", VanishedKeysGoAtOnce, id="a key that vanished goes at once"),
        pytest.param("I2", NoSingleFlight, id="no single flight"),
        pytest.param("I3", CooldownAfterSuccessOnly, id="the cooldown counts successes only"),
        pytest.param("I3", CooldownDoesNotGrow, id="the cooldown does not grow"),
        pytest.param("I4", NoHardLimit, id="keys never grow too old"),
        pytest.param("I4", WallClockOnly, id="age by the wall clock only"),
        pytest.param("I4", MonotonicClockOnly, id="age by the monotonic clock only"),
        pytest.param("I4", ViewNeverEnds, id="the hit path never asks again"),
        pytest.param("I4", ViewForgetsTheRetired, id="the hit path serves a withdrawn key"),
        pytest.param("I4", WithdrawnKeysServeOn, id="a withdrawn key serves on"),
        pytest.param("I4", GraceByTheMonotonicClockOnly, id="a withdrawn key serves by the monotonic clock only"),
        pytest.param("I4", SeedsAreFresh, id="keys from elsewhere are taken for fresh"),
        pytest.param("I5", ClearOnFailure, id="a failed fetch clears the keys"),
        pytest.param("I5", LateAnswersCount, id="late answers count"),
        pytest.param("I6", WaitAgain, id="a request waits twice"),
        pytest.param("I6", HangingFetchesAreJoined, id="a request joins a fetch that hangs"),
        pytest.param("I7", UnknownKidsAreRemembered, id="unknown kids are remembered"),
        pytest.param("I8", FlagInsteadOfLease, id="a flag instead of a lease"),
        pytest.param("I12", NoAfterFailure, id="a definite no after a failed fetch"),
        pytest.param("I12", NoUnlessItFailed, id="a definite no after a fetch that was cut off"),
        pytest.param("I12", OldAnswersAreSure, id="a definite no by a fetch that began before the request"),
        pytest.param("I12", ChildrenAreSure, id="a definite no in a child whose parent was asking"),
        pytest.param("I13", RetryAfterWithoutLimit, id="Retry-After is believed without limit"),
        pytest.param("I13", BackoffOfBetterDays, id="the backoff of better days delays the recovery"),
    ],
)
def test_the_traces_catch_a_machine_that_breaks_the_rule(rule: str, mutant: type[Freshness]) -> None:
    require_caught(life_of(mutant), rule, TRACES, STEPS)


@pytest.mark.parametrize(("rule", "read"), [pytest.param("I5", accepts_nothing, id="an empty set is accepted")])
def test_the_traces_catch_a_reading_that_breaks_the_rule(rule: str, read: Read) -> None:
    require_caught(life_of(Freshness, read), rule, TRACES, STEPS)
