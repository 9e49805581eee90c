"""What is remembered of the last good fetch, and what of it may be read without a lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tokenward.keys.jwk import Key
from tokenward.keys.keyset import KeysByKid

NEVER = float("-inf")
"""A time before all others, on either clock."""


class Moment(NamedTuple):
    """A time on both clocks, which has come as soon as either of them says so: one stops in a suspended machine."""

    mono: float
    wall: float

    def is_past(self, mono: float, wall: float) -> bool:
        return mono >= self.mono or wall >= self.wall

    def or_sooner(self, *others: Moment) -> Moment:
        """The earliest of them, on each clock."""
        return Moment(min(self.mono, *(each.mono for each in others)), min(self.wall, *(each.wall for each in others)))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A set of keys as it was fetched, with the vanished ones that still serve, and when they stop.

    `lease` is the number of the lease whose answer this is, `max_age` the seconds that its server wished.
    """

    lease: int
    keys: KeysByKid
    retiring: Mapping[str | None, Moment]
    fetched_mono: float
    fetched_wall: float
    interval: float
    max_age: float | None = None
    cloud_instance_name: str | None = None

    def age(self, mono: float, wall: float) -> float:
        return max(mono - self.fetched_mono, wall - self.fetched_wall, 0.0)

    def serving(self, kid: str | None, mono: float, wall: float) -> tuple[Key, ...] | None:
        keys, stops = self.keys.get(kid), self.retiring.get(kid)
        return keys if keys and not (stops and stops.is_past(mono, wall)) else None

    @property
    def listed(self) -> set[str]:
        """The kids that the issuer published in this set, and so without those that only serve on."""
        return {kid for kid in self.keys if kid is not None and kid not in self.retiring}


@dataclass(frozen=True, slots=True)
class View:
    """What the hit path reads without a lock: until both times, a kid in `keys` needs no decision.

    `is_stale` is for the counts alone: a refresh was due when this was published.
    """

    keys: KeysByKid
    until_mono: float
    until_wall: float
    is_stale: bool = False


NO_VIEW = View({}, NEVER, NEVER)
