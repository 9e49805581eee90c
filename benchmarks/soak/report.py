"""What is printed: a table of the phases, and the promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.report import document
from benchmarks.soak.bootstrap import Ratio
from benchmarks.soak.judge import Promise, Row
from benchmarks.soak.plan import rhythm
from benchmarks.soak.record import Record

HEAD = (
    *("driver", "phase", "s", "requests", "p50 ms", "p99 ms", "p99.9 ms", "x quiet", "left out %", "p99 all"),
    *("callers' own", "cpu %", "fetches", "most", "/min", "MB start", "end", "wrong", "waits", "turned away"),
)
WORDS = {True: "held", False: "MISSED", None: "not sure"}
_WORDS = 2
"""Columns of words, which stand to the left."""


def table(rows: Sequence[Row]) -> str:
    """Columns as wide as what is in them."""
    lines = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(_joined(line, widths) for line in lines)


def judged(promises: Sequence[Promise]) -> str:
    """One line each: whether it was held, if anybody knows."""
    width = max((len(each.text) for each in promises), default=0)
    return "\n".join(
        f"{WORDS[each.held]:<8}  {each.driver:<7}  {each.text.ljust(width)}  {each.found}".rstrip() for each in promises
    )


def told(
    records: Sequence[Record], rows: Sequence[Row], promises: Sequence[Promise], options: dict[str, Any], *, interrupted: bool
) -> dict[str, Any]:
    """The same for machines, with what it was measured on, and whether it was broken off."""
    made_on = {name: value for name, value in document([], [], options).items() if name not in ("rows", "checks")}
    return made_on | {
        "interrupted": interrupted,
        "phases": [{name: _finite(value) for name, value in asdict(row).items()} for row in rows],
        "promises": [asdict(promise) for promise in promises],
        "runs": [_run(record) for record in records],
    }


def _run(record: Record) -> dict[str, Any]:
    allowed, arrived = asdict(rhythm(record.seconds)), sorted(record.arrived)
    rotated = record.rotated if math.isfinite(record.rotated) else None
    seen = {"rotated": rotated, "memory": record.memory, "fetches": arrived}
    return {"driver": record.driver, "ended": record.ended, "rhythm": allowed} | seen


def _cells(row: Row) -> tuple[str, ...]:
    return (
        *(row.driver, row.phase, _decimal(row.seconds, 1), f"{row.requests:,}"),
        *(_decimal(value, 2) for value in (row.p50, row.p99, row.p999)),
        _ratio(row.ratio),
        *(_decimal(100 * row.left_out, 0), _decimal(row.p99_all, 2), _decimal(row.callers_p99, 2), _decimal(100 * row.cpu, 0)),
        *(_fetches(row), str(row.most), f"{row.per_minute:.0f}"),
        *(_decimal(row.memory_start, 1), _decimal(row.memory_end, 1), str(row.wrong), str(row.waits), str(row.turned_away)),
    )


def _ratio(ratio: Ratio) -> str:
    """With its interval."""
    return f"{ratio.value:.2f} ({ratio.low:.2f}-{ratio.high:.2f})" if ratio.is_known else "-"


def _fetches(row: Row) -> str:
    """As the issuer counted them; and in brackets, if they were more, as the verifier did."""
    return str(row.arrived) if row.arrived >= row.began else f"{row.arrived} ({row.began})"


def _decimal(value: float | None, digits: int) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells[:_WORDS], widths[:_WORDS], strict=True)]
    padded += [cell.rjust(width) for cell, width in zip(cells[_WORDS:], widths[_WORDS:], strict=True)]
    return "  ".join(padded).rstrip()
