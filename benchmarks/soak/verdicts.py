"""Which verdicts are right, for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.soak.wire import ACCEPTED, FORGED, KNOWN_CALLER, RANDOM, STRAY

_COME_AGAIN = frozenset({"keys_unavailable"})
_NOBODY_CAN_SAY = _COME_AGAIN | {"unknown_key"}
_RIGHT: Mapping[str, frozenset[str]] = {
    KNOWN_CALLER: frozenset({ACCEPTED}),
    STRAY: frozenset({"audience_not_accepted"}),
    RANDOM: _NOBODY_CAN_SAY,
    FORGED: frozenset({"signature_invalid"}),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Requests of one kind: whether their key was in hand when they came, whether they waited for a fetch, and what they got."""

    kind: str
    usable: bool
    waited: bool
    verdict: str


Counts: TypeAlias = Mapping[Seen, int]


def is_right(seen: Seen, *, findable: bool) -> bool:
    """Whether nothing else could be said. Who brings a key that is not in hand may be told to come again; but that it is unknown
    only if no search would have found it, which is what `findable` says."""
    excused: frozenset[str] = frozenset()
    if not seen.usable and seen.kind in (KNOWN_CALLER, FORGED):
        excused = _COME_AGAIN if findable else _NOBODY_CAN_SAY
    return seen.verdict in _RIGHT[seen.kind] | excused


def wrong(counts: Counts, *, findable: bool) -> int:
    return sum(number for seen, number in counts.items() if not is_right(seen, findable=findable))


def waits_with_a_usable_key(counts: Counts) -> int:
    return sum(number for seen, number in counts.items() if seen.usable and seen.waited)


def turned_away(counts: Counts) -> int:
    """Known callers whose new key was not in hand, and who did not get in. How many is the machine's affair: whoever comes while
    a search takes its time, and finds the places of those who wait for it taken."""
    away = [seen for seen in counts if seen.kind == KNOWN_CALLER and not seen.usable and seen.verdict in _NOBODY_CAN_SAY]
    return sum(counts[seen] for seen in away)
