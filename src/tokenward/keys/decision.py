"""What may be decided about a kid: the words between the state machine, the source, the drivers and the walk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tokenward.keys.jwk import Key

Why: TypeAlias = Literal["cold", "miss", "refresh", "tick", "forced"]


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch, from `start` (now, or a moment later) until `deadline` on the monotonic clock."""

    number: int
    why: Why
    start: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Use:
    """These keys serve now. If `start` is set, the caller also runs that fetch, behind the request."""

    keys: tuple[Key, ...]
    start: Lease | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until `lease` is over, or until `until` on the monotonic clock. If `start`, the caller runs the fetch."""

    lease: Lease
    until: float
    start: bool


@dataclass(frozen=True, slots=True)
class Unknown:
    """The keys are current, and this kid is not among them."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Nobody can say now; ask again in `retry_after` seconds."""

    retry_after: float


Answer: TypeAlias = Use | Unknown | Unavailable
"""What a request gets in the end."""
Decision: TypeAlias = Answer | Wait
