"""Everything that was seen of one run, by whom: raw, and in the order in which it came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from benchmarks.soak.moments import MOMENT
from benchmarks.soak.plan import ROTATION, Door, Span, is_flooded, spans
from benchmarks.soak.verdicts import Counts, Seen


@dataclass
class Record:
    """One driver's run of so many seconds. All times in seconds from the end of the warm-up, which is at `begin` on the monotonic
    clock that all processes share.

    latencies  of known callers by phase, in microseconds, with the moment at which they were due
    away       moments in which the machine was away, on the word of the witness and of the callers
    counts     of all requests, by phase (-1: warm-up)
    sent       how many the callers sent in a phase, and how late 99 % of these were sent at most, in ms
    began      when each fetch began, as the verifier has it, and `failed` when one came to nothing
    memory     (when, MB)
    cpu        (when, seconds of a processor that the service has used until then)
    doors      (when, how the issuer was from then on)
    rotated    when the issuer had replaced its key
    ended      when the run was over, or broken off
    """

    driver: str
    seconds: float
    latencies: dict[int, list[tuple[int, list[int]]]] = field(default_factory=dict)
    away: set[int] = field(default_factory=set)
    counts: dict[int, Counter[Seen]] = field(default_factory=dict)
    sent: dict[int, tuple[int, float]] = field(default_factory=dict)
    began: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    cpu: list[tuple[float, float]] = field(default_factory=list)
    doors: list[tuple[float, Door]] = field(default_factory=list)
    rotated: float = math.inf
    ended: float = 0.0
    begin: float = 0.0
    _arrived: list[float] = field(default_factory=list)

    # -- written -------------------------------------------------------------------------------------------------------

    def service_told(self, told: Mapping[str, Any]) -> None:
        """A line of the service."""
        for phase, moment, latencies in told["latencies"]:
            self.latencies.setdefault(phase, []).append((moment, latencies))
        self.cpu.append((told["at"] - self.begin, told["cpu"]))
        for phase, kind, usable, waited, verdict, number in told["counts"]:
            self.counts.setdefault(phase, Counter())[Seen(kind, usable, waited, verdict)] += number
        self.began = [moment - self.begin for moment in told["began"]]
        self.failed = [moment - self.begin for moment in told["failed"]]

    def callers_told(self, told: Mapping[str, Any]) -> None:
        """A line of the callers."""
        if "away" in told:
            self.witness_told(told)
        else:
            self.sent[told["phase"]] = (told["sent"], told["late_p99_ms"])

    def witness_told(self, told: Mapping[str, Any]) -> None:
        """A line of the witness: from which moment to which the machine was away."""
        first, last = told["away"]
        self.away.update(range(first, last + 1))

    def issuer_asked(self, moment: float) -> None:
        """A line of the issuer: a request has arrived."""
        self._arrived.append(moment)

    # -- read ----------------------------------------------------------------------------------------------------------

    @cached_property
    def spans(self) -> list[Span]:
        """All phases."""
        return spans(self.seconds)

    @property
    def arrived(self) -> list[float]:
        """When each fetch arrived at the issuer: its own word."""
        return [moment - self.begin for moment in self._arrived]

    def phases(self) -> list[Span]:
        """Those that have begun; the last one may have been cut short."""
        return [replace(span, end=min(span.end, self.ended)) for span in self.spans if span.start < self.ended]

    def by_second(self, without: AbstractSet[int]) -> list[list[int]]:
        """Latencies by the second of the run in which they were due; those of some moments left out."""
        found: list[list[int]] = [[] for _ in range(math.ceil(self.ended))]
        for moment, latencies in (piece for phase in self.latencies.values() for piece in phase):
            second = math.floor((moment + 0.5) * MOMENT - self.begin)
            if 0 <= second < len(found) and moment not in without:
                found[second].extend(latencies)
        return found

    def is_findable(self, phase: int) -> bool:
        """Whether a search would find every good key that is brought in this phase: no flood has used it up, and the issuer had
        published the key before it was brought."""
        return not is_flooded(phase) and (phase < ROTATION or self.rotated <= self.spans[ROTATION].middle)

    def all_counts(self) -> Counts:
        return sum(self.counts.values(), Counter())

    def memory_at(self, moment: float) -> float | None:
        """At the sample nearest to this moment."""
        return min(self.memory, key=lambda sample: abs(sample[0] - moment), default=(0.0, None))[1]

    def busy(self, span: Span) -> float:
        """The part of one processor that the service used in this phase; NaN if nobody knows."""
        samples = [sample for sample in self.cpu if span.start <= sample[0] <= span.end]
        if len(samples) < 2:
            return math.nan
        (begin, before), (end, after) = samples[0], samples[-1]
        return (after - before) / (end - begin)

    def doors_in(self, span: Span) -> list[tuple[Door, float]]:
        """How the issuer was in this phase, for how many seconds each: it takes a moment to kill it, and a second to start it."""
        ends = [at for at, _ in self.doors[1:]] + [float("inf")]
        stretches = [(door, min(end, span.end) - max(at, span.start)) for (at, door), end in zip(self.doors, ends, strict=True)]
        return [(door, seconds) for door, seconds in stretches if seconds > 0]
