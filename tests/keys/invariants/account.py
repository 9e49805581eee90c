"""What a state machine of keys must know and may do, told a second time, independently of it and more simply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from tokenward.keys.decision import Lease
from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeySet
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.snapshot import NEVER

from .explorer import Rules

Fingerprints: TypeAlias = tuple[bytes, ...]
A_MOMENT = 1e-6


def fingerprints(keys: tuple[Key, ...]) -> Fingerprints:
    return tuple(key.fingerprint for key in keys)


@dataclass
class Account:
    """The keys of one source, when they came and stop, and the fetch that is under way."""

    rules: Rules
    rhythm: Rhythm
    keys: dict[str | None, Fingerprints] = field(default_factory=dict)
    retiring: dict[str | None, tuple[float, float]] = field(default_factory=dict)
    fetched: tuple[float, float] = (NEVER, NEVER)
    flight: Lease | None = None
    last_start: float = NEVER
    last_miss: float = NEVER
    failed_at: float = NEVER
    failures: int = 0
    is_cut_off: bool = False
    fruitless: int = 0

    def age(self, mono: float, wall: float) -> float:
        return max(mono - self.fetched[0], wall - self.fetched[1], 0.0)

    def alive(self, mono: float, wall: float) -> bool:
        return self.age(mono, wall) < self.rhythm.max_stale

    def usable(self, kid: str | None, mono: float, wall: float) -> Fingerprints | None:
        stops = self.retiring.get(kid, (float("inf"), float("inf")))
        return self.keys.get(kid) if self.alive(mono, wall) and mono < stops[0] and wall < stops[1] else None

    def is_sure(self, mono: float, wall: float) -> bool:
        """Whether a kid that is not among the keys is a definite no."""
        return self.alive(mono, wall) and self.failures == 0 and self.flight is None and not self.is_cut_off

    def lapse(self, mono: float) -> None:
        if self.flight and mono >= self.flight.deadline:
            self.fail(self.flight.deadline)

    def fail(self, mono: float) -> None:
        self.flight, self.failed_at, self.failures = None, mono, self.failures + 1

    def cut_off(self) -> None:
        """The fetch ends without a word of the issuer: no failure, and no success."""
        self.flight, self.is_cut_off = None, True

    def fork(self) -> None:
        """The parent's fetch is not the child's, who may look for its kid as well."""
        if self.flight is not None:
            self.last_miss = NEVER if self.flight.why == "miss" else self.last_miss
            self.cut_off()

    def is_open(self, mono: float) -> bool:
        """Whether a miss may start a fetch."""
        return mono - self.last_miss >= self.cooldown

    @property
    def cooldown(self) -> float:
        return min(self.rhythm.miss_cooldown * 2.0**self.fruitless, self.rhythm.miss_cooldown_max)

    def start(self, lease: Lease, mono: float) -> None:
        require, rhythm = self.rules.require, self.rhythm
        require("I8", mono <= lease.start <= mono + rhythm.min_gap, "a fetch that does not start when it is due")
        mono = lease.start
        require("I2", self.flight is None, "two fetches are in flight")
        require("I3", mono - self.last_start >= rhythm.min_gap - A_MOMENT, "a fetch storm")
        if lease.why == "miss":
            require("I3", mono - self.last_miss >= self.cooldown - A_MOMENT, "a miss within the cooldown")
            self.last_miss = mono
        if self.failures and lease.why != "forced":
            least = 0.5 * min(2.0 ** (self.failures - 1), rhythm.backoff_max_empty)
            require("I3", mono - self.failed_at >= least - A_MOMENT, "a fetch within the backoff")
        self.flight, self.last_start = lease, mono

    def succeed(self, keyset: KeySet, mono: float, wall: float) -> None:
        new: Mapping[str | None, Fingerprints] = {kid: fingerprints(keys) for kid, keys in keyset.keys.items()}
        gained = any(self.keys.get(kid) != keys for kid, keys in new.items() if kid is not None)
        self.fruitless = 0 if gained else self.fruitless + (self.flight is not None and self.flight.why == "miss")
        self.replace(new, mono, wall)
        self.fetched, self.flight, self.failures, self.is_cut_off = (mono, wall), None, 0, False

    def replace(self, new: Mapping[str | None, Fingerprints], mono: float, wall: float) -> None:
        """What vanished serves on for a while, but no longer than it would have."""
        grace = min(self.rhythm.removal_grace, self.rhythm.max_stale - self.age(mono, wall))
        longest = (mono + grace, wall + grace)
        gone = {kid for kid in self.keys if kid is not None and kid not in new}
        before = {kid: self.retiring.get(kid, longest) for kid in gone}
        stops = {kid: (min(stop[0], longest[0]), min(stop[1], longest[1])) for kid, stop in before.items()}
        self.retiring = {kid: stop for kid, stop in stops.items() if mono < stop[0] and wall < stop[1]}
        self.keys = {**new, **{kid: self.keys[kid] for kid in self.retiring}}

    def seed(self, keyset: KeySet, age: float, mono: float, wall: float) -> bool:
        """Keys that were fetched elsewhere; whether they are younger than those in hand."""
        if self.age(mono, wall) <= age:
            return False
        self.replace({kid: fingerprints(keys) for kid, keys in keyset.keys.items()}, mono, wall)
        self.fetched = (mono - age, wall - age)
        return True
