"""Counts over time, by code: steps of time that grow as the log does, so that memory stays bounded and no time is cut off."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tokenward.troubleshoot.logs.event import Around, LogEvent, Rejected
from tokenward.troubleshoot.logs.window import spread

LADDER = (1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400, 604800, 2419200)
"""Steps in seconds, from one second to four weeks; each is a multiple of the one before, so that counts can be added up."""
MAX_STEPS = 5000
"""Steps that are kept: as many seconds, or five days of minutes."""
MAX_BARS = 48
"""Bars of a plot whose step is chosen here: half an hour is 30 bars, a day is 24, and each is wide enough to be seen."""
MAX_WANTED_BARS = 500
"""Bars of a plot whose step somebody asked for; more are narrower than a pixel."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What was counted by code in one step that begins at `at`."""

    at: float
    counts: dict[str, int]


class Series:
    """Counts rejections by code and time.

    step       seconds of each bar; None chooses
    offset_at  seconds that local time is ahead of UTC at a time, so that bars of a day begin at local midnight; the offset of
               the first event holds for all
    """

    def __init__(self, *, step: int | None, offset_at: Callable[[float], float]) -> None:
        self._wanted, self._step, self._offset_at = step, step or LADDER[0], offset_at
        self._offset: float | None = None
        self._counts: dict[int, dict[str, int]] = {}

    @property
    def offset(self) -> float:
        """Seconds that local time is ahead of UTC."""
        return self._offset or 0.0

    def add(self, event: LogEvent) -> None:
        """Count an event that has a time."""
        if isinstance(event, Around) or event.at is None:
            return
        if self._offset is None:
            self._offset = self._offset_at(event.at)
        if isinstance(event, Rejected):
            self._count(event.code, event.at, 1)
            return
        for code, count in event.counts.items():
            for at, part in spread(count, event.at, event.seconds, self._step):
                self._count(code, at, part)

    def bars(self) -> tuple[int, list[Bar]]:
        """The seconds of a step, and all steps from the first to the last, also those with nothing in them.

        Raises ValueError with the least step that would do, if there are too many of the step that was asked for.
        """
        if not self._counts:
            return self._step, []
        if self._wanted is not None and (self._step != self._wanted or self._length() > MAX_WANTED_BARS):
            raise ValueError(self._least())
        while self._wanted is None and self._length() > MAX_BARS:
            self._coarsen()
        numbers = range(min(self._counts), max(self._counts) + 1)
        return self._step, [Bar(number * self._step - self.offset, self._counts.get(number, {})) for number in numbers]

    def _count(self, code: str, at: float, count: int) -> None:
        counts = self._counts.setdefault(math.floor((at + self.offset) / self._step), {})
        counts[code] = counts.get(code, 0) + count
        if len(self._counts) > MAX_STEPS:
            self._coarsen()

    def _length(self) -> int:
        return max(self._counts) - min(self._counts) + 1

    def _least(self) -> int:
        return math.ceil(self._length() * self._step / (MAX_WANTED_BARS - 1))

    def _coarsen(self) -> None:
        step = next((step for step in LADDER if step > self._step and step % self._step == 0), 2 * self._step)
        finer, self._counts = self._counts, {}
        for number, counts in finer.items():
            coarse = self._counts.setdefault(number * self._step // step, {})
            for code, count in counts.items():
                coarse[code] = coarse.get(code, 0) + count
        self._step = step


def totals(bars: Sequence[Bar]) -> dict[str, int]:
    """Counts by code over all bars, the largest first."""
    sums: dict[str, int] = {}
    for bar in bars:
        for code, count in bar.counts.items():
            sums[code] = sums.get(code, 0) + count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))
