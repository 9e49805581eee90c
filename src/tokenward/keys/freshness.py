"""The life of one issuer's keys over time: all of its state, and every transition of it, in this file.

It knows no clock, no lock, no network and no task. The caller passes `mono` (a monotonic clock, seconds) and `wall` (the
epoch clock, seconds), holds one short lock around every call, and does what the decision says outside of it.

Two axes, not one enumeration:

    keys    EMPTY   never had a set                 fetch   IDLE      nothing is under way
            FRESH   age < refresh interval                  INFLIGHT  a lease is out
            STALE   older, and still usable                 BACKOFF   the last attempt failed; wait until a time
            DEAD    older than max_stale: never used

    kid is usable       any fetch state     Use; if FRESH ran out and the gate is open, a refresh starts behind it
    kid is not usable   INFLIGHT            Wait for that fetch (once per request); Unavailable if it hangs already
                        IDLE                start one and Wait, if the miss cooldown or the backoff allows it
                        gate shut           Unknown if the last attempt succeeded (a definite no), else Unavailable

Rules that the rest relies on:

* A lease, not a flag. A fetch owns a lease with a deadline; whatever happens to its thread, task, loop or process, at the
  deadline the lease is void and its late answer is dropped.
* Nobody joins a fetch that is older than `max_wait`: whoever asked first has given up on it, so it evidently hangs. Junk kids
  would otherwise park a request after the other for as long as the issuer is silent.
* Only the request that began a fetch takes it for a definite no. Whoever joined it may hold a key that was published meanwhile,
  and is told to come again; after a search the cooldown answers for all.
* Attempts count, not successes: the cooldown after a miss runs from the start of the last fetch that a miss caused, whatever
  became of it. Other fetches do not shut it, so a key that is new just after a refresh is found at once.
* Nothing that a request brings is stored, so the state is as large as what the issuer published.
* A failed, empty or late answer changes no key. A key that vanished serves `removal_grace` longer, because issuers answer
  from replicas that disagree, and the set is looked at again meanwhile.
* Age, and the end of a grace, go by the older of two clocks: a suspended machine stops the monotonic one, an operator turns the
  other back.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from tokenward.keys.decision import Decision, Lease, Unavailable, Unknown, Use, Wait, Why
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.snapshot import NEVER, NO_VIEW, Moment, Snapshot, View


@dataclass(slots=True)
class Freshness:
    """The state machine of one source of keys.

    `lapsed` is the last lease that ended without an answer, until somebody has told of it and takes it away.
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    rng: random.Random = field(default_factory=random.Random)
    snapshot: Snapshot | None = None
    lease: Lease | None = None
    view: View = NO_VIEW
    failures: int = 0
    last_start: float = NEVER
    last_miss: float = NEVER
    not_before: float = NEVER
    confirm_at: float | None = None
    lapsed: Lease | None = None
    was_cut_off: bool = False
    _leases: int = 0
    _fruitless: int = 0

    # -- events ----------------------------------------------------------------------------------------------------

    def lookup(self, kid: str | None, mono: float, wall: float, *, may_wait: bool = True, has_asked: bool = False) -> Decision:
        """Decide for one request; with `may_wait=False` the answer is never Wait. `has_asked` if it began a fetch itself."""
        self._void_dead_lease(mono, wall)
        keys = self._usable(kid, mono, wall)
        if keys:
            if self._refresh_due(mono, wall):
                return Use(keys, self._start("refresh", mono, wall))
            self._publish(mono, wall)
            return Use(keys)
        if self.lease is not None:
            return self._under_way(self.lease, mono, may_wait=may_wait)
        return self._missed(mono, wall, may_wait=may_wait, has_asked=has_asked)

    def tick(self, mono: float, wall: float) -> Lease | None:
        """Start what is due without any request: a first fetch, a refresh, or a look whether a key is really gone."""
        self._void_dead_lease(mono, wall)
        if self.lease is not None:
            return None
        due = self._refresh_due(mono, wall) if self.alive(mono, wall) else mono >= self._gate(mono, wall)
        return self._start("tick", mono, wall) if due else None

    def force(self, mono: float, wall: float) -> Lease | None:
        """Start a fetch because an operator asks; only a fetch in flight and `min_gap` can forbid it."""
        self._void_dead_lease(mono, wall)
        if self.lease is not None or mono < self.last_start + self.rhythm.min_gap:
            return None
        return self._start("forced", mono, wall)

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
        """Swap in a validated set; False if it came too late and was dropped."""
        if not self._is_awaited(lease, mono, wall):
            return False
        self._count_fruit(lease, keyset)
        self.snapshot = self._succeeding(lease.number, keyset, mono, wall, 0.0, max_age, cloud_instance_name)
        self.failures, self.was_cut_off, self.not_before = 0, False, NEVER
        self._end(mono, wall)
        return True

    def failed(self, lease: Lease, mono: float, wall: float, *, retry_after: float | None = None) -> bool:
        """Count a failed attempt; False if its lease was void already. The keys stay as they are."""
        if not self._is_awaited(lease, mono, wall):
            return False
        self._back_off(mono, wall, retry_after)
        self._end(mono, wall)
        return True

    def given_up(self, lease: Lease, mono: float, wall: float) -> bool:
        """End an attempt that says nothing of the issuer, because what carried it out has ended; False if its lease was void."""
        if not self._is_awaited(lease, mono, wall):
            return False
        self.was_cut_off = True
        self._end(mono, wall)
        return True

    def seeded(
        self,
        keyset: KeySet,
        age: float,
        mono: float,
        wall: float,
        *,
        max_age: float | None = None,
        cloud_instance_name: str | None = None,
    ) -> bool:
        """Begin with a validated set that was fetched `age` seconds ago; False if the keys in hand are no older."""
        known = self.age(mono, wall)
        if known is not None and known <= age:
            return False
        number = self.snapshot.lease if self.snapshot else 0
        self.snapshot = self._succeeding(number, keyset, mono, wall, age, max_age, cloud_instance_name)
        self._look_again(mono, wall)
        self.view = NO_VIEW  # as after a fork
        return True

    def forked(self) -> None:
        """A child process keeps the keys, and none of the parent's fetches; its first lookup asks a driver, which then ticks."""
        if self.lease is not None:
            self.was_cut_off = True
            self.last_miss = NEVER if self.lease.why == "miss" else self.last_miss  # the child may look for that kid itself
        self.lease, self.view = None, NO_VIEW

    # -- what is known ---------------------------------------------------------------------------------------------

    def age(self, mono: float, wall: float) -> float | None:
        """Seconds since the last good fetch, by the older clock; None before the first."""
        return self.snapshot.age(mono, wall) if self.snapshot else None

    def in_flight(self, mono: float) -> Lease | None:
        """The fetch that is under way."""
        return self.lease if self.lease is not None and mono < self.lease.deadline else None

    def is_current(self, lease: Lease) -> bool:
        """Whether this fetch is still awaited: it has neither ended nor been declared void."""
        return self.lease is not None and self.lease.number == lease.number

    def serving(self, mono: float, wall: float) -> KeySet:
        """The keys that may serve now."""
        found = {kid: self._usable(kid, mono, wall) for kid in (self.snapshot.keys if self.snapshot else ())}
        return KeySet({kid: keys for kid, keys in found.items() if keys})

    def published(self, mono: float, wall: float) -> tuple[Key, ...]:
        """The keys of the last set, each once, without those that only serve on; none once the set is too old to serve."""
        if self.snapshot is None or not self.alive(mono, wall):
            return ()
        listed = (found for kid, found in self.snapshot.keys.items() if kid not in self.snapshot.retiring)
        return tuple(dict.fromkeys(key for found in listed for key in found))

    @property
    def has_sole_key(self) -> bool:
        """Whether the set is of one key, which serves tokens without a kid."""
        return self.snapshot is not None and None in self.snapshot.keys

    def cooling_down(self, mono: float, wall: float) -> float | None:
        """Seconds until a miss may start a fetch again; None if it may."""
        pause = self._cooldown_until() - mono
        return pause if pause > 0 and self.alive(mono, wall) else None

    def next_attempt(self, mono: float, wall: float) -> float | None:
        """Seconds until a fetch may start without a miss; None while one is under way."""
        if self.in_flight(mono):
            return None
        due = self._next_refresh(self.snapshot) if self.snapshot and self.alive(mono, wall) else mono
        return max(due, self._gate(mono, wall), mono) - mono

    def serves(self, kid: str | None, mono: float, wall: float) -> bool:
        return self._usable(kid, mono, wall) is not None

    def alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None and self.snapshot.age(mono, wall) < self.rhythm.max_stale

    def _usable(self, kid: str | None, mono: float, wall: float) -> tuple[Key, ...] | None:
        return self.snapshot.serving(kid, mono, wall) if self.snapshot and self.alive(mono, wall) else None

    def _refresh_due(self, mono: float, wall: float) -> bool:
        snapshot = self.snapshot
        if snapshot is None or self.lease is not None or mono < self._gate(mono, wall):
            return False
        if mono >= snapshot.fetched_mono + snapshot.interval or (self.confirm_at is not None and mono >= self.confirm_at):
            return True
        # Only the wall clock says so: it may have jumped, so one attempt per cooldown is enough.
        return wall >= snapshot.fetched_wall + snapshot.interval and mono >= self.last_start + self.rhythm.miss_cooldown

    def _gate(self, mono: float, wall: float) -> float:
        """When the next attempt may start, misses apart."""
        backoff = self.not_before
        if not self.alive(mono, wall):  # the longer backoff of better days must not delay the recovery
            backoff = min(backoff, self.last_start + self.rhythm.lease + self.rhythm.backoff_max_empty)
        return max(backoff, self.last_start + self.rhythm.min_gap)

    def _cooldown_until(self) -> float:
        doubled = self.rhythm.miss_cooldown * 2.0 ** min(self._fruitless, 8)
        return self.last_miss + min(doubled, self.rhythm.miss_cooldown_max)

    # -- transitions -----------------------------------------------------------------------------------------------

    def _under_way(self, lease: Lease, mono: float, *, may_wait: bool) -> Decision:
        if mono >= lease.start + self.rhythm.max_wait:
            return Unavailable(lease.deadline - mono)
        return self._wait(lease, mono, start=False) if may_wait else Unavailable(self.rhythm.min_gap)

    def _missed(self, mono: float, wall: float, *, may_wait: bool, has_asked: bool) -> Decision:
        alive = self.alive(mono, wall)
        gate = self._gate(mono, wall)
        is_sure = not self.failures and not self.was_cut_off  # what was cut off says nothing of a kid
        if mono < gate and (self.failures or not alive):
            return Unavailable(gate - mono)
        if alive and mono < self._cooldown_until():
            return Unknown() if is_sure else Unavailable(self._cooldown_until() - mono)
        if not may_wait:  # it has waited; a fetch that it only joined may have asked before its key was published
            return Unknown() if alive and is_sure and has_asked else Unavailable(self.rhythm.min_gap)
        return self._wait(self._start("miss" if alive else "cold", max(mono, gate), wall), mono, start=True)

    def _wait(self, lease: Lease, mono: float, *, start: bool) -> Wait:
        return Wait(lease, min(mono + self.rhythm.max_wait, lease.deadline), start)

    def _start(self, why: Why, mono: float, wall: float) -> Lease:
        self._leases += 1
        self.lease = Lease(self._leases, why, mono, mono + self.rhythm.lease)
        self.last_start = mono
        self.last_miss = mono if why == "miss" else self.last_miss
        self._publish(mono, wall)
        return self.lease

    def _is_awaited(self, lease: Lease, mono: float, wall: float) -> bool:
        """False if the lease is void, and whatever it brought comes too late."""
        self._void_dead_lease(mono, wall)
        return self.is_current(lease)

    def _void_dead_lease(self, mono: float, wall: float) -> None:
        if self.lease is not None and mono >= self.lease.deadline:
            self.lapsed = self.lease
            self._back_off(mono, wall, None)
            self._end(mono, wall)

    def _end(self, mono: float, wall: float) -> None:
        """Take the lease back, after all that came of it: a child that is forked meanwhile finds the one or the other."""
        self._look_again(mono, wall)
        self.lease = None
        self._publish(mono, wall)

    def _back_off(self, mono: float, wall: float, retry_after: float | None) -> None:
        self.failures += 1
        rhythm = self.rhythm
        limit = rhythm.backoff_max if self.alive(mono, wall) else rhythm.backoff_max_empty
        pause = min(rhythm.backoff * 2.0 ** min(self.failures - 1, 12), limit) * self.rng.uniform(0.5, 1.0)
        self.not_before = mono + min(max(pause, retry_after or 0.0), limit)

    def _look_again(self, mono: float, wall: float) -> None:
        """While a vanished key still serves, the set is fetched again soon, to see whether it is really gone."""
        retiring = self.snapshot.retiring.values() if self.snapshot else ()
        serves_on = any(not stops.is_past(mono, wall) for stops in retiring)
        self.confirm_at = mono + self.rhythm.confirm_after if serves_on else None

    def _count_fruit(self, lease: Lease, keyset: KeySet) -> None:
        old = self.snapshot.keys if self.snapshot else {}
        if any(old.get(kid) != keys for kid, keys in keyset.keys.items() if kid is not None):
            self._fruitless = 0
        elif lease.why == "miss":
            self._fruitless += 1

    def _succeeding(
        self, lease: int, keyset: KeySet, mono: float, wall: float, age: float, max_age: float | None, cloud: str | None
    ) -> Snapshot:
        """The new set, with what vanished from the one in hand: it serves on for a while, but no longer than it would have."""
        old = self.snapshot or Snapshot(0, {}, {}, mono, wall, 0.0)
        keys = {kid: _kept(old.keys.get(kid), found) for kid, found in keyset.keys.items()}
        grace = min(self.rhythm.removal_grace, self.rhythm.max_stale - old.age(mono, wall))
        at_last = Moment(mono + grace, wall + grace)
        retiring: dict[str | None, Moment] = {}
        for kid, found in old.keys.items():
            stops = old.retiring.get(kid, at_last).or_sooner(at_last)
            if kid is not None and kid not in keys and not stops.is_past(mono, wall):
                keys[kid], retiring[kid] = found, stops
        return Snapshot(lease, keys, retiring, mono - age, wall - age, self._interval(max_age), max_age, cloud)

    def _interval(self, max_age: float | None) -> float:
        rhythm = self.rhythm
        wished = rhythm.refresh_interval if max_age is None else max(max_age, rhythm.refresh_floor)
        return min(wished, rhythm.refresh_interval) * self.rng.uniform(1 - rhythm.jitter, 1 + rhythm.jitter)

    def _publish(self, mono: float, wall: float) -> None:
        """Work out until when lookups of known kids need no decision, and let the hit path see it."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        gone = [kid for kid, stops in snapshot.retiring.items() if stops.is_past(mono, wall)]
        keys = {kid: found for kid, found in snapshot.keys.items() if kid not in gone} if gone else snapshot.keys
        changes = [stops for kid, stops in snapshot.retiring.items() if kid not in gone]
        dead = Moment(snapshot.fetched_mono + self.rhythm.max_stale, snapshot.fetched_wall + self.rhythm.max_stale)
        until = Moment(*self._quiet_until(snapshot, mono, wall, dead.wall)).or_sooner(dead, *changes)
        self.view = View(keys, until.mono, until.wall, is_stale=snapshot.age(mono, wall) >= snapshot.interval)

    def _quiet_until(self, snapshot: Snapshot, mono: float, wall: float, dead_wall: float) -> tuple[float, float]:
        if self.lease is not None:
            return self.lease.deadline, dead_wall
        if mono < self.not_before:
            return self.not_before, dead_wall
        soft_wall = snapshot.fetched_wall + snapshot.interval
        if wall >= soft_wall:  # the wall clock jumped; see `_refresh_due`
            return min(self._next_refresh(snapshot), self.last_start + self.rhythm.miss_cooldown), dead_wall
        return self._next_refresh(snapshot), soft_wall

    def _next_refresh(self, snapshot: Snapshot) -> float:
        due = snapshot.fetched_mono + snapshot.interval
        return due if self.confirm_at is None else min(due, self.confirm_at)


def _kept(old: tuple[Key, ...] | None, new: tuple[Key, ...]) -> tuple[Key, ...]:
    """The old objects where nothing changed, so that what was verified with them stays remembered."""
    return old if old == new and old is not None else new
