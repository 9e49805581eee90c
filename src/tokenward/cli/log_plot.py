"""Rejections over time as rows of block characters, a row for each code, for a terminal or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from tokenward.cli.colours import Styled
from tokenward.cli.layout import wrapped
from tokenward.cli.log_view import Line
from tokenward.troubleshoot.logs.chart import Course, at_text, peak_text
from tokenward.troubleshoot.logs.moment import span_text

BLOCKS = " \u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
PLAIN = " .:-=+*#@"
"""For streams whose encoding has no blocks."""
LEAST = 10
"""Columns of the shortest row of bars."""


def plot(course: Course | None, columns: int) -> list[Line]:
    """The rows, with what a bar is and the times at both ends below them; nothing if no rejection has a time."""
    return [] if course is None else list(_plot(course, columns))


def _plot(course: Course, columns: int) -> Iterator[Line]:
    rows = [[course.counts(bar)[index] for bar in course.bars] for index in range(len(course.names))]
    most = [f"{sum(row):,} in all" for row in rows]
    name_width, most_width = max(map(len, course.names)), max(map(len, most))
    together = -(-len(course.bars) // max(LEAST, columns - name_width - most_width - 6))
    yield [Styled("Over time", "bold"), Styled(f", each bar {span_text(course.step * together)}, each code on its own scale")]
    for name, row, text in zip(course.names, rows, most, strict=True):
        yield [Styled(f"  {name:<{name_width}}  "), Styled(_bars(row, together), "cyan"), Styled(f"  {text}", "dim")]
    end = at_text(course.begin + course.span, course.offset)
    yield [Styled(f"  {'':<{name_width}}  {at_text(course.begin, course.offset)} to {end}", "dim")]
    yield from ([Styled(line)] for line in wrapped(f"  {peak_text(course)}", columns, hang=2))


def _bars(counts: Sequence[int], together: int) -> str:
    sums = [sum(counts[start : start + together]) for start in range(0, len(counts), together)]
    marks, most = _marks(), max([*sums, 1])
    return "".join(marks[0 if not count else max(1, round(count * (len(marks) - 1) / most))] for count in sums)


def _marks() -> str:
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN
    return BLOCKS
