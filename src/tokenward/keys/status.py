"""How one source of keys is doing now, in the words of `freshness`, on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from tokenward.keys.counts import NO_COUNTS, KeyCounts
from tokenward.keys.freshness import Freshness

KeysWord: TypeAlias = Literal["static", "empty", "fresh", "stale", "dead"]
FetchWord: TypeAlias = Literal["none", "idle", "in_flight", "backoff"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStatus:
    """One source at one moment; all times in seconds from now.

    keys          static: from the configuration; empty: never had any; fresh; stale: a refresh is due, and they serve; dead: too
                  old to serve
    fetch         none: never fetched; idle; in_flight; backoff: the last attempt failed, and the next waits for `next_attempt`
    usable        how many keys may serve now
    kids          theirs
    generation    how many sets this process has taken over
    age           since the last good fetch, by the older of two clocks; None before the first
    serves_for    until these keys must not serve any more, if no fetch succeeds until then; None without keys
    cooling_down  until a kid that is not among them may cause a fetch again; None if it may now
    next_attempt  until the next fetch may start by itself; 0 if it is due, None if one is under way
    failures      attempts that failed one after the other
    last_failure  the kind of the last one, and None once a fetch has succeeded after it
    waiting       requests that wait for a fetch now
    waits         requests that have waited
    fetches       fetches that have begun
    counts        everything else that is counted
    """

    source: str
    keys: KeysWord
    fetch: FetchWord
    usable: int = 0
    kids: tuple[str, ...] = ()
    generation: int = 0
    age: float | None = None
    serves_for: float | None = None
    cooling_down: float | None = None
    next_attempt: float | None = None
    failures: int = 0
    last_failure: str | None = None
    waiting: int = 0
    waits: int = 0
    fetches: int = 0
    counts: KeyCounts = NO_COUNTS


def keys_word(state: Freshness, mono: float, wall: float) -> Literal["empty", "fresh", "stale", "dead"]:
    age = state.age(mono, wall)
    if age is None or state.snapshot is None:
        return "empty"
    if age >= state.rhythm.max_stale:
        return "dead"
    return "fresh" if age < state.snapshot.interval else "stale"


def fetch_word(state: Freshness, mono: float) -> Literal["idle", "in_flight", "backoff"]:
    if state.in_flight(mono) is not None:
        return "in_flight"
    return "backoff" if mono < state.not_before else "idle"
