"""The state machine under random traces: what must never happen, and proof that the checker would see it.

A trace is a process and an issuer over hours: lookups, ticks, forced fetches, rotations, replicas that lack a key, outages,
wall clocks that jump, suspended machines, forks, and answers that are good, empty, late or never come. A second, simpler
account of the keys is kept beside the machine (`Account`), and every decision is compared with it.
"""

from __future__ import annotations

import copy
import random
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from tokenward.keys.decision import Decision, Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.snapshot import NEVER, NO_VIEW, Snapshot, View

Read = Callable[[Mapping[str, object]], KeySet]
RHYTHM = Rhythm()
TRACES, STEPS, MUTANT_TRACES = 100, 1200, 40
A_MOMENT = 1e-6


class Violation(AssertionError):
    """A rule did not hold."""


def require(held: bool, rule: str) -> None:
    if not held:
        raise Violation(rule)


@dataclass
class Issuer:
    """What the provider publishes: kid -> JWK."""

    rng: random.Random
    listed: dict[str, dict[str, object]] = field(default_factory=dict)
    up: bool = True
    made: int = 0

    def publish(self, kid: str | None = None) -> None:
        name = kid or f"key-{self.made}"
        self.made += 1
        x = urlsafe_b64encode(self.rng.randbytes(32)).rstrip(b"=").decode()
        self.listed[name] = {"kty": "OKP", "crv": "Ed25519", "kid": name, "x": x}

    def withdraw(self) -> None:
        if len(self.listed) > 1:
            del self.listed[self.any_kid()]

    def any_kid(self) -> str:
        return self.rng.choice(list(self.listed))

    def document(self) -> dict[str, object]:
        """Nearly always the truth; sometimes a replica without a key, sometimes nothing."""
        keys = list(self.listed.values())
        dice = self.rng.random()
        if dice < 0.1:
            return {"keys": []}
        if dice < 0.2 and len(keys) > 1:
            keys.pop(self.rng.randrange(len(keys)))
        return {"keys": keys}


@dataclass
class Account:
    """What the machine must know and may do, told independently of it."""

    keys: dict[str | None, tuple[bytes, ...]] = field(default_factory=dict)
    retiring: dict[str | None, float] = field(default_factory=dict)
    fetched: tuple[float, float] = (NEVER, NEVER)
    flight: Lease | None = None
    last_start: float = NEVER
    last_miss: float = NEVER
    failed_at: float = NEVER
    failures: int = 0
    fruitless: int = 0

    def alive(self, mono: float, wall: float) -> bool:
        return max(mono - self.fetched[0], wall - self.fetched[1]) < RHYTHM.max_stale

    def usable(self, kid: str | None, mono: float, wall: float) -> tuple[bytes, ...] | None:
        serving = self.alive(mono, wall) and mono < self.retiring.get(kid, float("inf"))
        return self.keys.get(kid) if serving else None

    def lapse(self, mono: float) -> None:
        if self.flight and mono >= self.flight.deadline:
            self.fail(self.flight.deadline)

    def fail(self, mono: float) -> None:
        self.flight, self.failed_at, self.failures = None, mono, self.failures + 1

    def start(self, lease: Lease, mono: float) -> None:
        require(mono <= lease.start <= mono + RHYTHM.min_gap, "I8: a fetch that does not start when it is due")
        mono = lease.start
        require(self.flight is None, "I2: two fetches are in flight")
        require(mono - self.last_start >= RHYTHM.min_gap - A_MOMENT, "I3: a fetch storm")
        if lease.why == "miss":
            cooldown = min(RHYTHM.miss_cooldown * 2**self.fruitless, RHYTHM.miss_cooldown_max)
            require(mono - self.last_miss >= cooldown - A_MOMENT, "I3: a miss within the cooldown")
            self.last_miss = mono
        if self.failures and lease.why != "forced":
            least = 0.5 * min(2.0 ** (self.failures - 1), RHYTHM.backoff_max_empty)
            require(mono - self.failed_at >= least - A_MOMENT, "I3: a fetch within the backoff")
        self.flight, self.last_start = lease, mono

    def succeed(self, keyset: KeySet, mono: float, wall: float) -> None:
        new = {kid: tuple(key.fingerprint for key in keys) for kid, keys in keyset.keys.items()}
        gained = any(self.keys.get(kid) != keys for kid, keys in new.items() if kid is not None)
        self.fruitless = 0 if gained else self.fruitless + (self.flight is not None and self.flight.why == "miss")
        gone = {kid for kid in self.keys if kid is not None and kid not in new}
        stops = {kid: self.retiring.get(kid, mono + RHYTHM.removal_grace) for kid in gone}
        self.retiring = {kid: stop for kid, stop in stops.items() if mono < stop}
        self.keys = new | {kid: self.keys[kid] for kid in self.retiring}
        self.fetched, self.flight, self.failures = (mono, wall), None, 0


class Trace:
    """One run of a machine against an issuer."""

    def __init__(self, machine: type[Freshness], read: Read, seed: int) -> None:
        self.rng = random.Random(seed)
        self.machine = machine(RHYTHM, random.Random(seed))
        self.read = read
        self.issuer = Issuer(self.rng)
        self.account = Account()
        self.under_way: list[Lease] = []
        self.mono, self.wall = 1000.0, 1.7e9
        self.junk = 0
        self.issuer.publish()

    def run(self, steps: int) -> None:
        events = (
            (self.look_up, 70), (self.answer, 30), (self.tick, 4), (self.force, 1), (self.jump, 1), (self.suspend, 1),
            (self.outage, 2), (self.issuer.publish, 2), (self.replace, 1), (self.issuer.withdraw, 2), (self.fork, 1),
        )  # fmt: skip
        actions, weights = [event for event, _ in events], [weight for _, weight in events]
        for action in self.rng.choices(actions, weights, k=steps):
            self.pass_time()
            action()
            self.check_view()
        self.recover()

    def pass_time(self) -> None:
        short, long = (0.01, 0.1, 1.0, 2.0), (3.0, 10.0, 31.0, 61.0, 400.0, 4000.0, 30000.0)
        seconds = self.rng.choice(short + long if self.rng.random() < 0.5 else short)
        self.mono += seconds
        self.wall += seconds

    # -- the world -------------------------------------------------------------------------------------------------

    def jump(self) -> None:
        self.wall += self.rng.choice([-7200.0, 7200.0, 90000.0, -90000.0])

    def suspend(self) -> None:
        self.wall += self.rng.choice([60.0, 7200.0, 90000.0])

    def outage(self) -> None:
        self.issuer.up = not self.issuer.up

    def replace(self) -> None:
        self.issuer.publish(self.issuer.any_kid())

    def fork(self) -> None:
        self.machine.forked(self.mono, self.wall)
        self.account.flight, self.under_way = None, []

    # -- the machine -----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        self.account.lapse(self.mono)
        self.note(self.machine.tick(self.mono, self.wall))

    def force(self) -> None:
        self.account.lapse(self.mono)
        self.note(self.machine.force(self.mono, self.wall))

    def note(self, lease: Lease | None) -> None:
        if lease is not None:
            self.account.start(lease, self.mono)
            self.under_way.append(lease)

    def answer(self) -> None:
        if not self.under_way:
            return
        self.account.lapse(self.mono)
        lease = self.under_way.pop(self.rng.randrange(len(self.under_way)))
        before = dict(self.machine.snapshot.keys) if self.machine.snapshot else None
        current = self.account.flight is not None and self.account.flight.number == lease.number
        document = self.issuer.document() if self.issuer.up and self.rng.random() < 0.9 else {}
        keyset = self.read_or_none(document)
        if keyset is None:
            retry_after = self.rng.choice([None, 5.0, 1e9])
            took = self.machine.failed(lease, self.mono, self.wall, retry_after=retry_after)
        else:
            max_age = self.rng.choice([None, 0.0, 15.0, 86400.0, 2592000.0])
            took = self.machine.fetched(lease, keyset, self.mono, self.wall, max_age=max_age)
        require(took == current, "I5, I8: an answer counts exactly while its lease is alive")
        if current and keyset is not None and document["keys"]:
            self.account.succeed(keyset, self.mono, self.wall)
            return
        if current:
            self.account.fail(self.mono)
        after = dict(self.machine.snapshot.keys) if self.machine.snapshot else None
        require(after == before, "I5: keys changed without a good answer")

    def read_or_none(self, document: dict[str, object]) -> KeySet | None:
        try:
            return self.read(document)
        except ValueError:
            return None

    def look_up(self) -> None:
        self.account.lapse(self.mono)
        kid = self.any_kid()
        decision = self.machine.lookup(kid, self.mono, self.wall)
        self.check_decision(kid, decision)
        if isinstance(decision, Wait):
            self.check_wait(kid, decision)
        elif isinstance(decision, Use):
            self.note(decision.start)

    def any_kid(self) -> str | None:
        self.junk += 1
        return self.rng.choice([self.issuer.any_kid(), self.issuer.any_kid(), "key-0", None, f"junk-{self.junk}"])

    # -- the rules -------------------------------------------------------------------------------------------------

    def check_decision(self, kid: str | None, decision: Decision) -> None:
        lease = self.machine.lease
        require(lease is None or self.mono < lease.deadline, "I8: a lease outlives its deadline")
        expected = self.account.usable(kid, self.mono, self.wall)
        if expected is not None:
            require(isinstance(decision, Use), "I1: a usable key is in hand, and the request does not get it")
        if isinstance(decision, Use):
            found = tuple(key.fingerprint for key in decision.keys)
            require(found == expected, "I4: a key served that is too old, withdrawn or replaced")
        if isinstance(decision, Unknown):
            sure = self.account.alive(self.mono, self.wall) and self.account.failures == 0
            require(sure and self.account.flight is None, "I12: a definite no without current keys")
        if isinstance(decision, Unavailable):
            bound = max(RHYTHM.miss_cooldown_max, RHYTHM.backoff_max)
            require(0 < decision.retry_after <= bound, "I13: Retry-After is out of bounds")
            if self.account.flight is None and not self.account.alive(self.mono, self.wall):
                latest = self.account.last_start + RHYTHM.lease + RHYTHM.backoff_max_empty
                require(self.mono + decision.retry_after <= latest + A_MOMENT, "I13: no keys, and a pause that is too long")
        if self.junk % 20 == 0:
            require("junk-" not in repr(self.machine), "I7: the state holds what a request brought")

    def check_wait(self, kid: str | None, wait: Wait) -> None:
        require(self.mono < wait.lease.deadline and wait.until <= wait.lease.deadline, "I8: a wait for a dead lease")
        require(self.mono < wait.until <= self.mono + RHYTHM.max_wait, "I6: a wait that is too long")
        require(self.mono < wait.lease.start + RHYTHM.max_wait, "I6: a wait for a fetch that hangs")
        if wait.start:
            self.note(wait.lease)
        again = self.machine.lookup(kid, self.mono, self.wall, may_wait=False)
        require(not isinstance(again, Wait), "I6: a second wait")

    def check_view(self) -> None:
        """Whenever the hit path would answer without a decision, a decision would have been the same."""
        view = self.machine.view
        if not (self.mono < view.until_mono and self.wall < view.until_wall):
            return
        machine = copy.copy(self.machine)
        for kid, keys in view.keys.items():
            decision = machine.lookup(kid, self.mono, self.wall)
            require(decision == Use(keys), "view: the hit path differs from the decision")

    def recover(self) -> None:
        """The issuer is back: how long until the keys are, with a request each second?"""
        kid, begin, alive = self.issuer.any_kid(), self.mono, self.account.alive(self.mono, self.wall)
        worst = RHYTHM.miss_cooldown_max if alive else RHYTHM.backoff_max_empty
        while not isinstance(decision := self.machine.lookup(kid, self.mono, self.wall), Use):
            if isinstance(decision, Wait) and decision.start:
                self.machine.fetched(decision.lease, self.read({"keys": list(self.issuer.listed.values())}), self.mono, self.wall)
            self.mono += 1
            self.wall += 1
            require(self.mono - begin <= worst + RHYTHM.lease + 1, "I13: the issuer is back and the keys are not")


def check(machine: type[Freshness], traces: int, read: Read = read_keyset) -> None:
    for seed in range(traces):
        Trace(machine, read, seed).run(STEPS)


def test_no_trace_breaks_a_rule() -> None:
    check(Freshness, TRACES)


# -- machines with the faults of others, each of which the checker must notice -----------------------------------------


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
    def _alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None


class FlagInsteadOfLease(Freshness):
    def _void_dead_lease(self, mono: float, wall: float) -> None:
        pass


class WallClockOnly(Freshness):
    def _alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None and wall - self.snapshot.fetched_wall < self.rhythm.max_stale


class MonotonicClockOnly(Freshness):
    def _alive(self, mono: float, wall: float) -> bool:
        return self.snapshot is not None and mono - self.snapshot.fetched_mono < self.rhythm.max_stale


class NoSingleFlight(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, *, may_wait: bool = True) -> Decision:
        self.lease = None
        return super().lookup(kid, mono, wall, may_wait=may_wait)


class WaitWhileStale(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, *, may_wait: bool = True) -> Decision:
        decision = super().lookup(kid, mono, wall, may_wait=may_wait)
        if isinstance(decision, Use) and decision.start:
            return Wait(decision.start, mono + 1, True)
        return decision


class WaitAgain(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, *, may_wait: bool = True) -> Decision:
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
        return self.snapshot.keys.get(kid) if self.snapshot and self._alive(mono, wall) else None


class UnknownKidsAreRemembered(Freshness):
    def lookup(self, kid: str | None, mono: float, wall: float, *, may_wait: bool = True) -> Decision:
        decision = super().lookup(kid, mono, wall, may_wait=may_wait)
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
    def _snapshot(
        self, lease: Lease, keyset: KeySet, mono: float, wall: float, max_age: float | None, cloud_instance_name: str | None
    ) -> Snapshot:
        self.snapshot = None
        return super()._snapshot(lease, keyset, mono, wall, max_age, cloud_instance_name)


class HangingFetchesAreJoined(Freshness):
    def _under_way(self, lease: Lease, mono: float, *, may_wait: bool) -> Decision:
        return self._wait(lease, mono, start=False) if may_wait else Unavailable(self.rhythm.min_gap)


class NoAfterFailure(Freshness):
    def _back_off(self, mono: float, wall: float, retry_after: float | None) -> None:
        super()._back_off(mono, wall, retry_after)
        self.last_succeeded = True


@pytest.mark.parametrize(
    ("mutant", "rule"),
    [
        pytest.param(CooldownAfterSuccessOnly, "I3", id="the cooldown counts successes only"),
        pytest.param(ClearOnFailure, "I5", id="a failed fetch clears the keys"),
        pytest.param(NoHardLimit, "I4", id="keys never grow too old"),
        pytest.param(FlagInsteadOfLease, "I8", id="a flag instead of a lease"),
        pytest.param(WallClockOnly, "I4|I13", id="age by the wall clock only"),
        pytest.param(MonotonicClockOnly, "I4", id="age by the monotonic clock only"),
        pytest.param(NoSingleFlight, "I2", id="no single flight"),
        pytest.param(WaitWhileStale, "I1", id="a request waits for a refresh it does not need"),
        pytest.param(WaitAgain, "I6: a second wait", id="a request waits twice"),
        pytest.param(HangingFetchesAreJoined, "I6: a wait for a fetch", id="a request joins a fetch that hangs"),
        pytest.param(LateAnswersCount, "I5, I8", id="late answers count"),
        pytest.param(ViewNeverEnds, "view", id="the hit path never asks again"),
        pytest.param(ViewForgetsTheRetired, "view", id="the hit path serves a withdrawn key"),
        pytest.param(WithdrawnKeysServeOn, "I4", id="a withdrawn key serves on"),
        pytest.param(VanishedKeysGoAtOnce, "I1", id="a key that vanished goes at once"),
        pytest.param(UnknownKidsAreRemembered, "I7|view", id="unknown kids are remembered"),
        pytest.param(RetryAfterWithoutLimit, "I13", id="Retry-After is believed without limit"),
        pytest.param(BackoffOfBetterDays, "I13: no keys", id="the backoff of better days delays the recovery"),
        pytest.param(CooldownDoesNotGrow, "I3: a miss", id="the cooldown does not grow"),
        pytest.param(NoAfterFailure, "I12|I8", id="a definite no after a failed fetch"),
    ],
)
def test_the_checker_notices(mutant: type[Freshness], rule: str) -> None:
    with pytest.raises(Violation, match=rule):
        check(mutant, MUTANT_TRACES)


def test_the_checker_notices_an_empty_set_that_is_accepted() -> None:
    def read(document: Mapping[str, object]) -> KeySet:
        return read_keyset(document) if document.get("keys") != [] else KeySet({})

    with pytest.raises(Violation):
        check(Freshness, MUTANT_TRACES, read)
