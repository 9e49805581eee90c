"""What happens when: the phases of a run, who calls in them, and the rhythm of the keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tokenward.keys.rhythm import Rhythm

KNOWN = 500
"""Requests of known callers in a second: half with a token that the verifier remembers, half with one it never saw. So many that
the service is busy for a third of its time; above a half, p99 would be the queue's."""
JUNK = 1000
"""Tokens in a second that are refused: the flood that is measured."""
CALLERS_START = 3.0
"""Seconds before the warm-up, in which the callers' process starts, and signs the tokens of its regulars."""
WARM_UP = 5.0
"""Seconds before the first phase."""
WARMING = 1000
"""Of as many requests in a second as ever, those of known callers in the warm-up. All their tokens are new then: more than are
remembered (4,096), so that memory is full."""
WHOLE = 120
"""The weights of all phases together."""
ISSUER = "https://idp.example/"
AUDIENCE = "https://api.example/"
KEYS = 3
"""Keys of a run: the first one, its unannounced successor, and one that is announced by being published ahead."""
MIN_SECONDS, MAX_SECONDS = 10, 600
"""In less there is no time for a refresh in a phase; in more, a withdrawn key would still be in use when its grace ends."""

Door: TypeAlias = Literal["up", "dead", "silent"]
Junk: TypeAlias = Literal["stray", "random"]


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a run, `weight` of 120 long.

    junk       stray: random kids, too, but for somebody else, so that no key is searched; random: the same for us
    issuer     up; dead: its process is killed; silent: it accepts connections and requests, and never answers
    published  the keys in its set from the beginning of the phase on
    early,     the keys that known callers' tokens are signed with, in the first half and in the second
      late
    judged     whether the promise about known callers' latency is about this phase
    quiet      whether it is what judged phases next to it are compared with
    """

    name: str
    weight: int
    junk: Junk
    issuer: Door
    published: tuple[int, ...]
    early: tuple[int, ...]
    late: tuple[int, ...]
    judged: bool = False
    quiet: bool = False


PHASES: tuple[Phase, ...] = (
    Phase("quiet", 10, "stray", "up", (0,), (0,), (0,), quiet=True),
    Phase("rotation", 10, "stray", "up", (1,), (0,), (0, 1)),
    Phase("flood", 20, "random", "up", (1, 2), (1,), (1,), judged=True),
    Phase("quiet again", 12, "stray", "up", (1, 2), (1, 2), (1, 2), quiet=True),
    Phase("issuer dead", 12, "stray", "dead", (), (1, 2), (1, 2), judged=True),
    Phase("issuer back", 12, "stray", "up", (1, 2), (1, 2), (1, 2), quiet=True),
    Phase("issuer silent", 16, "stray", "silent", (1, 2), (1, 2), (1, 2), judged=True),
    Phase("flood, silent", 18, "random", "silent", (1, 2), (1, 2), (1, 2), judged=True),
    Phase("quiet at last", 10, "stray", "up", (1, 2), (1, 2), (1, 2), quiet=True),
)
ROTATION = 1
"""The number of the phase at whose beginning the first key is withdrawn, and in whose middle its successor is first brought."""
REFRESHES = 12
"""In a run, about."""
BEFORE = Phase("warm-up", 0, "stray", "up", (0,), (0,), (0,))


@dataclass(frozen=True, slots=True)
class Span:
    """A phase in time: seconds from the end of the warm-up."""

    number: int
    phase: Phase
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2


def is_flooded(number: int) -> bool:
    """Whether random kids have come by the end of this phase (-1: the warm-up), and used up what may be searched for."""
    return any(phase.junk == "random" for phase in PHASES[: number + 1])


def quiet_beside(number: int) -> list[int]:
    """The numbers of the last quiet phase before this one, and of the first one after it."""
    quiet = [each for each, phase in enumerate(PHASES) if phase.quiet]
    return [*[each for each in quiet if each < number][-1:], *[each for each in quiet if each > number][:1]]


def spans(seconds: float) -> list[Span]:
    """The phases of a run of so many seconds."""
    found, start = [], 0.0
    for number, phase in enumerate(PHASES):
        end = start + seconds * phase.weight / WHOLE
        found.append(Span(number, phase, start, end))
        start = end
    return found


def span_at(offset: float, all_spans: Sequence[Span]) -> Span | None:
    """The phase at this time; None before the first and after the last."""
    return next((span for span in all_spans if span.start <= offset < span.end), None)


def rhythm(seconds: float) -> Rhythm:
    """The defaults, but for the refresh: once an hour, it would not happen.

    The first caller with the successor of a key comes when three quarters of an interval have passed. So that key, published less
    than that before, is hardly ever in hand, and somebody must search for it.
    """
    passed = CALLERS_START + WARM_UP + spans(seconds)[ROTATION].middle  # since the first fetch
    interval = passed / (round(passed * REFRESHES / seconds - 0.75) + 0.75)
    return Rhythm(refresh_interval=interval, refresh_floor=interval)
