"""What came out, phase by phase, and whether it is as promised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.soak.bootstrap import Ratio
from benchmarks.soak.latency import Latencies
from benchmarks.soak.plan import ROTATION, Span, rhythm
from benchmarks.soak.promise import most_fetches
from benchmarks.soak.record import Record
from benchmarks.soak.verdicts import Counts, turned_away, waits_with_a_usable_key, wrong

MOST_RATIO = 1.2
"""Of known callers' p99 in floods and outages to that of the quiet phases."""
MOST_MEMORY = 5.0
"""MB that the service may grow by in a run."""


@dataclass(frozen=True, slots=True)
class Row:
    """One phase under one driver. Latencies of known callers in ms; `ratio` is that of p99 to the quiet phases' beside it.

    left_out     the part of known callers' requests that is not in p50, p99, p99.9 and the ratio, because the machine was away
    p99_all      of all of them
    callers_p99  how late the callers themselves were, as they came to 99 % of all requests
    cpu          the part of one processor that the service used
    arrived      fetches that the issuer counted; `began` are those that the verifier began, perhaps with nobody to arrive at
    most         the most that the rhythm allows
    """

    driver: str
    phase: str
    seconds: float
    judged: bool
    requests: int
    p50: float
    p99: float
    p999: float
    ratio: Ratio
    left_out: float
    p99_all: float
    callers_p99: float
    cpu: float
    arrived: int
    began: int
    most: int
    memory_start: float | None
    memory_end: float | None
    wrong: int
    waits: int
    turned_away: int

    @property
    def per_minute(self) -> float:
        """Fetches at the issuer."""
        return self.arrived * 60 / self.seconds


@dataclass(frozen=True, slots=True)
class Promise:
    """`is_fact` if it does not depend on the machine's mood, so that to miss it is to fail. `held` is None if nobody knows."""

    text: str
    driver: str
    found: str
    held: bool | None
    is_fact: bool


def rows_of(record: Record) -> list[Row]:
    """Every phase that has begun."""
    latencies = Latencies(record)
    return [_row(record, span, latencies) for span in record.phases()]


def promises_of(record: Record, rows: Sequence[Row]) -> list[Promise]:
    """Every promise, for one run and its rows."""
    over = _over(record, rows)
    return [
        _fact("wrong verdicts: 0", record, _wrong(record)),
        _fact("requests without a verdict: 0", record, _unanswered(record)),
        _fact("waits with a usable key: 0", record, waits_with_a_usable_key(record.all_counts())),
        _fact("fetches beyond what the rhythm allows: 0", record, len(over), ", ".join(over)),
        _latency(record, rows),
        _memory(record),
    ]


def _fact(text: str, record: Record, number: int, found: str = "") -> Promise:
    """Of which there must be none; before the first phase that says nothing yet."""
    held = None if number == 0 and not record.phases() else number == 0
    return Promise(text, record.driver, found or str(number), held, is_fact=True)


def _wrong(record: Record) -> int:
    return sum(wrong(counts, findable=record.is_findable(phase)) for phase, counts in record.counts.items())


def _row(record: Record, span: Span, latencies: Latencies) -> Row:
    latency = latencies.of(span.number)
    counts: Counts = record.counts.get(span.number, {})
    return Row(
        driver=record.driver,
        phase=span.phase.name,
        seconds=span.seconds,
        judged=span.phase.judged,
        requests=sum(counts.values()),
        p50=latency.ms(0.5),
        p99=latency.ms(0.99),
        p999=latency.ms(0.999),
        ratio=latencies.ratio(span.number),
        left_out=latency.left_out,
        p99_all=latency.p99_all,
        callers_p99=record.sent.get(span.number, (0, math.nan))[1],
        cpu=record.busy(span),
        arrived=_within(record.arrived, span),
        began=_within(record.began, span),
        most=_most(record, span),
        memory_start=record.memory_at(span.start),
        memory_end=record.memory_at(span.end),
        wrong=wrong(counts, findable=record.is_findable(span.number)),
        waits=waits_with_a_usable_key(counts),
        turned_away=turned_away(counts),
    )


def _most(record: Record, span: Span) -> int:
    """The sum of what is allowed while the issuer was this way, and that way; what fails although it is up may be tried again."""
    allowed, news, doors = rhythm(record.seconds), len(span.phase.published), record.doors_in(span)
    withdrawn = record.spans[ROTATION].start
    vanished = withdrawn <= span.start < withdrawn + allowed.refresh_interval * (1 + allowed.jitter) + allowed.removal_grace
    again = _within(record.failed, span) if doors and doors[-1][0] == "up" else 0
    return again + sum(
        most_fetches(allowed, seconds, answered=door == "up", news=news, vanished=vanished) for door, seconds in doors
    )


def _within(moments: Sequence[float], span: Span) -> int:
    return sum(span.start <= moment < span.end for moment in moments)


def _over(record: Record, rows: Sequence[Row]) -> list[str]:
    """Phases in which too many fetches began; and the run, if more arrived than had begun."""
    over = [row.phase for row in rows if row.began > row.most]
    return [*over, "more arrived than began"] if len(record.arrived) > len(record.began) else over


def _unanswered(record: Record) -> int:
    """Of the phases that the callers have finished."""
    return sum(sent - sum(record.counts.get(phase, {}).values()) for phase, (sent, _) in record.sent.items())


def _latency(record: Record, rows: Sequence[Row]) -> Promise:
    text = f"p99 of known callers in floods and outages: <= {MOST_RATIO} x quiet"
    ratios, latencies = [row.ratio for row in rows if row.judged], Latencies(record)
    noise = "-" if math.isnan(latencies.noise) else f"{latencies.noise:.2f}"
    found = f"{_worst(ratios)}; quiet against quiet: {noise}; the machine was away for {100 * latencies.away:.0f} % of the time"
    return Promise(text, record.driver, found, _held(ratios), is_fact=False)


def _held(ratios: Sequence[Ratio]) -> bool | None:
    """Missed by one phase that is too slow for certain; held by all of them, so that each must have been measured."""
    if any(ratio.low > MOST_RATIO for ratio in ratios):
        return False
    return True if ratios and all(ratio.value <= MOST_RATIO for ratio in ratios) else None


def _worst(ratios: Sequence[Ratio]) -> str:
    """Of those that are known; and how many are not."""
    known = [ratio for ratio in ratios if ratio.is_known]
    missing = f", {len(ratios) - len(known)} of {len(ratios)} not measured" if len(known) < len(ratios) else ""
    if not known:
        return "no phase measured"
    worst = max(known, key=lambda ratio: ratio.value)
    return f"{worst.value:.2f} x ({worst.low:.2f} to {worst.high:.2f}){missing}"


def _memory(record: Record) -> Promise:
    start, end = record.memory_at(0.0), record.memory_at(record.ended)
    text = f"memory from start to end: + <= {MOST_MEMORY:g} MB"
    if start is None or end is None or not record.phases():
        return Promise(text, record.driver, "", held=None, is_fact=False)
    return Promise(text, record.driver, f"{end - start:+.1f} MB", end - start <= MOST_MEMORY, is_fact=False)
