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
    fetch         none: static keys, which are never fetched; idle: nothing is under way, also before the first fetch, and after
                  one that failed as soon as the next may start; in_flight; backoff: the last attempt failed, and the next waits
                  for `next_attempt`
    usable        how many keys may serve now
    kids          theirs
    generation    how many sets this process has taken over
    age           since the last good fetch, by the older of two clocks; None before the first
    interval      at which these keys are refreshed: the rhythm's, or a shorter one that the server wished; None without keys
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
    interval: float | None = None
    serves_for: float | None = None
    cooling_down: float | None = None
    next_attempt: float | None = None
    failures: int = 0
    last_failure: str | None = None
    waiting: int = 0
    waits: int = 0
    fetches: int = 0
    counts: KeyCounts = NO_COUNTS


def status_of(source: str, state: Freshness, mono: float, wall: float) -> KeyStatus:
    """What the state machine knows of it; the rest is the source's own."""
    age, serving = state.age(mono, wall), state.serving(mono, wall)
    return KeyStatus(
        source=source,
        keys=_keys_word(state, mono, wall),
        fetch=_fetch_word(state, mono),
        usable=len(serving),
        kids=tuple(kid for kid in serving.keys if kid is not None),
        age=age,
        interval=state.snapshot.interval if state.snapshot else None,
        serves_for=None if age is None else max(state.rhythm.max_stale - age, 0.0),
        cooling_down=state.cooling_down(mono, wall),
        next_attempt=state.next_attempt(mono, wall),
        failures=state.failures,
    )


def _keys_word(state: Freshness, mono: float, wall: float) -> KeysWord:
    if state.snapshot is None:
        return "empty"
    if not state.alive(mono, wall):
        return "dead"
    return "fresh" if state.snapshot.age(mono, wall) < state.snapshot.interval else "stale"


def _fetch_word(state: Freshness, mono: float) -> FetchWord:
    if state.in_flight(mono) is not None:
        return "in_flight"
    return "backoff" if mono < state.not_before else "idle"
