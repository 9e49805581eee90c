"""Everything that was seen of one run, by whom: raw, and in the order in which it came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from benchmarks.soak.plan import Door, Span, spans
from benchmarks.soak.verdicts import Counts, Seen


@dataclass
class Record:
    """One driver's run of so many seconds. All times in seconds from the end of the warm-up, which is at `begin` on the monotonic
    clock that all processes share.

    latencies  of known callers by phase, in microseconds; and once more by the second in which the verdict came
    counts     of all requests, by phase (-1: warm-up)
    sent       how many the callers sent in a phase, and how late 99 % of these were sent at most, in ms
    began      when each fetch began, as the verifier has it, and `failed` when one came to nothing
    memory     (when, MB)
    doors      (when, how the issuer was from then on)
    ended      when the run was over, or broken off
    """

    driver: str
    seconds: float
    latencies: dict[int, list[int]] = field(default_factory=dict)
    by_second: dict[int, list[int]] = field(default_factory=dict)
    counts: dict[int, Counter[Seen]] = field(default_factory=dict)
    sent: dict[int, tuple[int, float]] = field(default_factory=dict)
    began: list[float] = field(default_factory=list)
    failed: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    doors: list[tuple[float, Door]] = field(default_factory=list)
    ended: float = 0.0
    begin: float = 0.0
    _arrived: list[float] = field(default_factory=list)

    # -- written -------------------------------------------------------------------------------------------------------

    def service_told(self, at: float, told: Mapping[str, Any]) -> None:
        """A line of the service."""
        for phase, latencies in told["latencies"]:
            self.latencies.setdefault(phase, []).extend(latencies)
            self.by_second.setdefault(int(at // 1), []).extend(latencies)
        for phase, kind, usable, waited, verdict, number in told["counts"]:
            self.counts.setdefault(phase, Counter())[Seen(kind, usable, waited, verdict)] += number
        self.began = [moment - self.begin for moment in told["began"]]
        self.failed = [moment - self.begin for moment in told["failed"]]

    def callers_told(self, told: Mapping[str, Any]) -> None:
        """A line of the callers."""
        self.sent[told["phase"]] = (told["sent"], told["late_p99_ms"])

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

    def all_counts(self) -> Counts:
        return sum(self.counts.values(), Counter())

    def memory_at(self, moment: float) -> float | None:
        """At the sample nearest to this moment."""
        return min(self.memory, key=lambda sample: abs(sample[0] - moment), default=(0.0, None))[1]

    def doors_in(self, span: Span) -> list[tuple[Door, float]]:
        """How the issuer was in this phase, for how many seconds each: it takes a moment to kill it, and a second to start it."""
        ends = [at for at, _ in self.doors[1:]] + [float("inf")]
        stretches = [(door, min(end, span.end) - max(at, span.start)) for (at, door), end in zip(self.doors, ends, strict=True)]
        return [(door, seconds) for door, seconds in stretches if seconds > 0]
