"""What a source of keys has done so far: numbers that only grow, for whoever draws curves and sets alarms."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

from tokenward.keys.decision import Answer, Unavailable, Unknown, Use, Why
from tokenward.keys.port import FailureKind

Lookup: TypeAlias = Literal["hit", "hit_stale", "miss_waited", "unknown", "unavailable", "waiters_full"]
"""How the question for a kid's keys ended.

hit           usable keys were in hand
hit_stale     they were, and their refresh is due or under way
miss_waited   they were not, and a fetch brought them while the request waited
unknown       the keys are current, and the kid is not among them: 401
unavailable   nobody can say: 503
waiters_full  so many wait already that this one was sent away at once: 503
"""
FetchOutcome: TypeAlias = Literal["ok", "unchanged", "late"] | FailureKind
"""ok: another set than the one before; unchanged: the same; late: an answer whose lease had run out; else why it failed."""


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """The numbers at one moment. Per process, since it began; a word that has not occurred yet is not there.

    lookups         by how they ended; a token that is remembered asks for its key, too, and counts
    fetches         by why they began, and then by how they ended
    leases_expired  fetches that never came back: their thread, task or loop died, or they hang
    keys_skipped    keys of fetched sets that cannot be used, by reason; each fetch counts them again
    sets_changed    fetches that brought another set than the one before
    """

    lookups: Mapping[str, int]
    fetches: Mapping[str, Mapping[str, int]]
    leases_expired: int
    keys_skipped: Mapping[str, int]
    sets_changed: int


class Tally:
    """A number that threads count up without a lock: `add` is one step of an iterator in C, and so one whole."""

    def __init__(self) -> None:
        steps = itertools.count()
        self.add = steps.__next__
        self._reads = 0

    def read(self) -> int:
        """The number so far. To read is a step as well, which is taken off; so readers hold a lock."""
        number = self.add() - self._reads
        self._reads += 1
        return number


class Counts:
    """The numbers while they grow. Everything but the two tallies is counted, and all is read, under the source's lock."""

    def __init__(self) -> None:
        self.hits = Tally()
        self.stale_hits = Tally()
        self._lookups: Counter[Lookup] = Counter()
        self._fetches: Counter[tuple[Why, FetchOutcome]] = Counter()
        self._leases_expired = 0
        self._keys_skipped: Counter[str] = Counter()

    def looked_up(self, outcome: Lookup) -> None:
        self._lookups[outcome] += 1

    def fetched(self, why: Why, outcome: FetchOutcome, skipped: Mapping[str, int]) -> None:
        self._fetches[why, outcome] += 1
        self._keys_skipped.update(skipped)

    def failed(self, why: Why, kind: FailureKind) -> None:
        self._fetches[why, kind] += 1

    def lease_expired(self) -> None:
        self._leases_expired += 1

    def late(self, why: Why) -> None:
        self._fetches[why, "late"] += 1

    def read(self) -> KeyCounts:
        lookups: dict[str, int] = {"hit": self.hits.read(), "hit_stale": self.stale_hits.read()}
        lookups.update((str(outcome), number) for outcome, number in self._lookups.items())
        fetches: dict[str, dict[str, int]] = {}
        for (why, outcome), number in self._fetches.items():
            fetches.setdefault(why, {})[outcome] = number
        changed = sum(number for (_, outcome), number in self._fetches.items() if outcome == "ok")
        return KeyCounts(lookups, fetches, self._leases_expired, dict(self._keys_skipped), changed)


NO_COUNTS = KeyCounts({}, {}, 0, {}, 0)
"""Of keys that are never fetched."""


def outcome_of(answer: Answer) -> Lookup:
    """What an answer counts as, after a wait or without one; a hit without a wait is counted elsewhere."""
    match answer:
        case Use():
            return "miss_waited"
        case Unknown():
            return "unknown"
        case Unavailable():
            return "unavailable"
        case _:
            assert_never(answer)
