"""A trace of the state machine: a process and an issuer over hours.

Lookups, ticks, forced fetches, seeds, rotations, replicas that lack a key, outages, wall clocks that jump, suspended machines,
forks, and answers that are good, empty, late, cut off or never come. Every decision is compared with the account of `account`.
"""

from __future__ import annotations

import copy
import random
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tokenward.keys.decision import Decision, Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.freshness import Freshness
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.rhythm import Rhythm

from .account import A_MOMENT, Account, fingerprints
from .explorer import Play, Rules

Read = Callable[[Mapping[str, object]], KeySet]
RHYTHM = Rhythm()
STEPS = 1200
AGES = (0.0, 60.0, 4000.0, 30000.0, 80000.0)
"""Of keys that were fetched elsewhere."""


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

    def publish_again(self) -> None:
        """Other material under the same kid."""
        self.publish(self.any_kid())

    def withdraw(self) -> None:
        if len(self.listed) > 1:
            del self.listed[self.any_kid()]

    def outage(self) -> None:
        self.up = not self.up

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


class Trace:
    """One run of a machine against an issuer."""

    def __init__(self, machine: type[Freshness], read: Read, rules: Rules, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.machine = machine(RHYTHM, random.Random(seed))
        self.read = read
        self.rules = rules
        self.issuer = Issuer(self.rng)
        self.account = Account(rules, RHYTHM)
        self.under_way: list[Lease] = []
        self.mono, self.wall = 1000.0, 1.7e9
        self.issuer.publish()

    def run(self, steps: Sequence[int]) -> None:
        weights = {
            self.look_up: 70, self.answer: 30, self.tick: 4, self.force: 1, self.jump: 1, self.suspend: 1, self.fork: 1,
            self.sow: 2, self.cut_off: 2,
            self.issuer.outage: 2, self.issuer.publish: 2, self.issuer.publish_again: 1, self.issuer.withdraw: 2,
        }  # fmt: skip
        actions, each = list(weights), list(weights.values())
        for number in steps:
            self.rng.seed(self.seed * 1_000_003 + number)
            self.junk = f"junk-{number}"
            (action,) = self.rng.choices(actions, each)
            seconds = self.pass_time()
            self.rules.story.append(f"{number}: +{seconds:g} s, {action.__name__}")
            action()
            self.check_view()
            self.check_state()
        self.recover()

    def pass_time(self) -> float:
        short, long = (0.01, 0.1, 1.0, 2.0), (3.0, 10.0, 31.0, 61.0, 400.0, 4000.0, 30000.0)
        seconds = self.rng.choice(short + long if self.rng.random() < 0.5 else short)
        self.mono += seconds
        self.wall += seconds
        return seconds

    # -- the world -------------------------------------------------------------------------------------------------

    def jump(self) -> None:
        self.wall += self.rng.choice([-7200.0, 7200.0, 90000.0, -90000.0])

    def suspend(self) -> None:
        self.wall += self.rng.choice([60.0, 7200.0, 90000.0])

    def fork(self) -> None:
        self.machine.forked()
        self.account.fork()
        self.under_way = []

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
        before = self.key_map()
        current = self.account.flight is not None and self.account.flight.number == lease.number
        document = self.issuer.document() if self.issuer.up and self.rng.random() < 0.9 else {}
        keyset = self.read_or_none(document)
        if keyset is None:
            retry_after = self.rng.choice([None, 5.0, 1e9])
            took = self.machine.failed(lease, self.mono, self.wall, retry_after=retry_after)
        else:
            max_age = self.rng.choice([None, 0.0, 15.0, 86400.0, 2592000.0])
            took = self.machine.fetched(lease, keyset, self.mono, self.wall, max_age=max_age)
        rule = "I5" if took else "I8"
        self.rules.require(rule, took == current, "an answer counts exactly while its lease is alive")
        if current and keyset is not None and document["keys"]:
            self.account.succeed(keyset, self.mono, self.wall)
            self.check_joined()
            return
        if current:
            self.account.fail(self.mono)
        self.rules.require("I5", self.key_map() == before, "keys changed without a good answer")

    def cut_off(self) -> None:
        """What carries the fetch out has ended, as with its event loop."""
        if not self.under_way:
            return
        self.account.lapse(self.mono)
        lease = self.under_way.pop(self.rng.randrange(len(self.under_way)))
        before = self.key_map()
        current = self.account.flight is not None and self.account.flight.number == lease.number
        took = self.machine.given_up(lease, self.mono, self.wall)
        self.rules.require("I8", took == current, "a fetch that was cut off counts exactly while its lease is alive")
        if current:
            self.account.cut_off()
        self.rules.require("I5", self.key_map() == before, "keys changed without a good answer")

    def sow(self) -> None:
        """Keys that another process has fetched."""
        keyset = self.read_or_none(self.issuer.document())
        if keyset is not None:
            age = self.rng.choice(AGES)
            taken = self.machine.seeded(keyset, age, self.mono, self.wall)
            counts = self.account.seed(keyset, age, self.mono, self.wall)
            self.rules.require("I4", taken == counts, "keys from elsewhere count exactly if they are younger")

    def key_map(self) -> dict[str | None, tuple[Key, ...]] | None:
        return dict(self.machine.snapshot.keys) if self.machine.snapshot else None

    def read_or_none(self, document: dict[str, object]) -> KeySet | None:
        try:
            return self.read(document)
        except ValueError:
            return None

    def look_up(self) -> None:
        self.account.lapse(self.mono)
        kid = self.rng.choice([self.issuer.any_kid(), self.issuer.any_kid(), "key-0", None, self.junk, *self.account.retiring])
        decision = self.machine.lookup(kid, self.mono, self.wall)
        self.check_decision(kid, decision)
        if isinstance(decision, Wait):
            self.check_wait(kid, decision)
        elif isinstance(decision, Use):
            self.note(decision.start)

    # -- the rules -------------------------------------------------------------------------------------------------

    def check_decision(self, kid: str | None, decision: Decision) -> None:
        account, lease, require = self.account, self.machine.lease, self.rules.require
        require("I8", lease is None or self.mono < lease.deadline, "a lease outlives its deadline")
        expected = account.usable(kid, self.mono, self.wall)
        if expected is not None:
            require("I1", isinstance(decision, Use), "a usable key is in hand, and the request does not get it")
        if isinstance(decision, Use):
            require("I4", fingerprints(decision.keys) == expected, "a key served that is too old, withdrawn or replaced")
        if isinstance(decision, Unknown):
            require("I12", account.is_sure(self.mono, self.wall), "a definite no without current keys")
        if isinstance(decision, Unavailable):
            self.check_pause(decision.retry_after)

    def check_pause(self, pause: float) -> None:
        bound = max(RHYTHM.miss_cooldown_max, RHYTHM.backoff_max)
        self.rules.require("I13", 0 < pause <= bound, "Retry-After is out of bounds")
        if self.account.flight is None and not self.account.alive(self.mono, self.wall):
            latest = self.account.last_start + RHYTHM.lease + RHYTHM.backoff_max_empty
            self.rules.require("I13", self.mono + pause <= latest + A_MOMENT, "no keys, and a pause that is too long")

    def check_wait(self, kid: str | None, wait: Wait) -> None:
        require = self.rules.require
        require("I8", self.mono < wait.lease.deadline and wait.until <= wait.lease.deadline, "a wait for a dead lease")
        require("I6", self.mono < wait.until <= self.mono + RHYTHM.max_wait, "a wait that is too long")
        require("I6", self.mono < wait.lease.start + RHYTHM.max_wait, "a wait for a fetch that hangs")
        if wait.start:
            self.note(wait.lease)
        again = self.machine.lookup(kid, self.mono, self.wall, may_wait=False)
        require("I6", not isinstance(again, Wait), "a second wait")

    def check_joined(self) -> None:
        """Somebody has waited for a fetch that began before he came, for a kid that it did not bring."""
        decision = self.machine.lookup(self.junk, self.mono, self.wall, may_wait=False)
        self.check_decision(self.junk, decision)
        if self.account.is_open(self.mono):
            self.rules.require("I12", not isinstance(decision, Unknown), "a definite no by a fetch that began before the request")

    def check_view(self) -> None:
        """Whenever the hit path would answer without a decision, a decision would have been the same."""
        view = self.machine.view
        if not (self.mono < view.until_mono and self.wall < view.until_wall):
            return
        machine = copy.copy(self.machine)
        for kid, keys in view.keys.items():
            decision = machine.lookup(kid, self.mono, self.wall)
            self.rules.require("I4", decision == Use(keys), "the hit path serves what a decision would not")

    def check_state(self) -> None:
        """What is remembered was published, or is one of the few times and numbers."""
        snapshot = self.machine.snapshot
        kids = {*snapshot.keys, *snapshot.retiring, *self.machine.view.keys} if snapshot else set()
        published = {f"key-{number}" for number in range(self.issuer.made)} | {None}
        self.rules.require("I7", kids <= published, "the state holds what a request brought")

    def recover(self) -> None:
        """The issuer is back: how long until the keys are, with a request each second?"""
        kid, begin, alive = self.issuer.any_kid(), self.mono, self.account.alive(self.mono, self.wall)
        worst = RHYTHM.miss_cooldown_max if alive else RHYTHM.backoff_max_empty
        while not isinstance(decision := self.machine.lookup(kid, self.mono, self.wall), Use):
            if isinstance(decision, Wait) and decision.start:
                self.machine.fetched(decision.lease, self.read({"keys": list(self.issuer.listed.values())}), self.mono, self.wall)
            self.mono += 1
            self.wall += 1
            in_time = self.mono - begin <= worst + RHYTHM.lease + 1
            self.rules.require("I13", in_time, "the issuer is back and the keys are not")


def life_of(machine: type[Freshness], read: Read = read_keyset) -> Play:
    """The traces of one kind of machine."""
    return lambda rules, seed, steps: Trace(machine, read, rules, seed).run(steps)
