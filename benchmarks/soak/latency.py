"""How long known callers had to wait in a phase, beside what they wait when all is quiet: of what is kept, and of everything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.soak.bootstrap import Ratio, ratio_of
from benchmarks.soak.moments import left_out, moment_at, second_of
from benchmarks.soak.plan import quiet_beside
from benchmarks.soak.record import Record
from benchmarks.soak.stats import quantile

MIN_KEPT = 500
"""Requests of known callers that must be left of a phase to compare it: of fewer, p99 is one of the five longest."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds: those that are `kept`, and `everything`."""

    kept: Sequence[int]
    everything: Sequence[int]

    @property
    def left_out(self) -> float:
        """A part of 1; NaN if there were none."""
        return 1 - len(self.kept) / len(self.everything) if self.everything else math.nan

    def ms(self, part: float) -> float:
        """A quantile of what is kept."""
        return quantile(self.kept, part) / 1000

    @property
    def p99_all(self) -> float:
        """In ms, of everything: nothing is hidden."""
        return quantile(self.everything, 0.99) / 1000

    @property
    def p99(self) -> float:
        """In ms, to compare with another; NaN if too little is kept."""
        return self.ms(0.99) if len(self.kept) >= MIN_KEPT else math.nan


class Latencies:
    """Those of a whole run."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._left_out = left_out(record.away)

    def of(self, *phases: int) -> Latency:
        """Of some phases together, by their numbers."""
        found = self._pieces(*phases)
        return Latency(
            [each for moment, latencies in found if moment not in self._left_out for each in latencies],
            [each for _, latencies in found for each in latencies],
        )

    def ratio(self, phase: int) -> Ratio:
        """Of p99 to that of the quiet phases beside it; unknown if too little of either is kept."""
        quiet = quiet_beside(phase)
        if math.isnan(self.of(phase).p99) or math.isnan(self.of(*quiet).p99):
            return Ratio()
        return ratio_of(self._seconds(phase), self._seconds(*quiet))

    @property
    def noise(self) -> float:
        """How much p99 of the quiet phases differs, in which nothing else does: the largest by the smallest. NaN if unknown."""
        found = [self.of(span.number).p99 for span in self._record.spans if span.phase.quiet]
        return max(found) / min(found) if not any(map(math.isnan, found)) else math.nan

    @property
    def away(self) -> float:
        """The part of the run's moments in which the machine was away, without those beside them that are left out, too."""
        first, last = (moment_at(self._record.begin + at) for at in (0.0, self._record.ended))
        return sum(first <= moment <= last for moment in self._record.away) / (last - first + 1)

    def _seconds(self, *phases: int) -> list[list[int]]:
        """What is kept, by the second in which it was due."""
        found: dict[int, list[int]] = {}
        for moment, latencies in self._pieces(*phases):
            if moment not in self._left_out:
                found.setdefault(second_of(moment), []).extend(latencies)
        return list(found.values())

    def _pieces(self, *phases: int) -> list[tuple[int, list[int]]]:
        return [piece for phase in phases for piece in self._record.latencies.get(phase, [])]
