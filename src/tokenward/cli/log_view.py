"""What was counted of a log, as lines for people: a paragraph for each group, what happened around them, the likely cause."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tokenward.cli.colours import Styled, encodable, painted, wants_colour
from tokenward.cli.layout import wrapped
from tokenward.cli.output import FILE_WIDTH, cell, width_of_stream
from tokenward.cli.tokens import STDIN
from tokenward.troubleshoot.logs import Cause, Group, LogReader, Nearby, Tally, cause_of
from tokenward.troubleshoot.logs.moment import date_text, offset_at, offset_text, time_text
from tokenward.troubleshoot.logs.words import of_group, of_nearby, of_tokens, of_unread

MOST_GROUPS = 50
"""Groups that are printed; --json has all of them."""
LIVE_GROUPS = 20
"""Groups in a table that is drawn again and again; more would not be read."""
MOST_NEARBY = 5
HEADINGS = ("count", "a minute", "tokens", "first", "last")
GAP = "  "
NARROW = 50
"""Columns that the figures need; in fewer it is not told when something was first."""

Line: TypeAlias = list[Styled]


def print_lines(lines: Sequence[Line]) -> None:
    """The lines on stdout, in colour where there is any."""
    colour = wants_colour(sys.stdout)
    for line in lines:
        print(encodable("".join(painted(part.text, part.style, colour=colour) for part in line), sys.stdout).rstrip())


def width() -> int:
    """Columns to be filled."""
    return width_of_stream(sys.stdout) or FILE_WIDTH


def name_of(file: str) -> str:
    """What a log is called in a title."""
    return "stdin" if file == STDIN else file


def fitting_view(name: str, tally: Tally, reader: LogReader, columns: int, rows: int) -> list[Line]:
    """As many groups as there is room for, so that the cause below them stays in sight."""
    for groups in range(LIVE_GROUPS, 0, -1):
        lines = view(name, tally, reader, columns, groups)
        if len(lines) < rows:
            return lines
    return cause_view(tally, columns)


def cause_view(tally: Tally, columns: int) -> list[Line]:
    """The most likely cause alone."""
    return list(_cause(cause_of(tally, offset_of(tally)), columns))


def view(name: str, tally: Tally, reader: LogReader, columns: int, most: int = MOST_GROUPS) -> list[Line]:
    """Everything, with so many groups at most."""
    offset, groups = offset_of(tally), tally.groups()
    lines = [*_title(name, tally, offset, columns), [], *_table(groups[:most], tally, offset, columns)]
    if len(groups) > most:
        lines += [[Styled(f"and {len(groups) - most} more groups", "dim")], []]
    lines += _unread(reader.unread, columns)
    return [*lines, *_around(tally.nearby(), offset, columns), *_cause(cause_of(tally, offset), columns)]


def offset_of(tally: Tally) -> float:
    """That of local time when the latest rejection was."""
    return 0.0 if tally.newest is None else offset_at(tally.newest)


def _title(name: str, tally: Tally, offset: float, columns: int) -> Iterator[Line]:
    title = f"{tally.total:,} rejection{'' if tally.total == 1 else 's'} in {cell(name).text}"
    if tally.newest is not None and tally.oldest is not None:
        begin, end = date_text(tally.oldest, offset), date_text(tally.newest, offset)
        title += f", {begin if begin == end else f'{begin} to {end}'}, times in {offset_text(offset)}"
    yield from _wrapped(Styled(title, "bold"), columns, 0)


# -- groups ------------------------------------------------------------------------------------------------------------


def _table(groups: Sequence[Group], tally: Tally, offset: float, columns: int) -> Iterator[Line]:
    """Aligned figures with the code behind them, or above them where a terminal is too narrow."""
    rows = [list(HEADINGS), *(_figures(group, tally, offset) for group in groups)]
    if columns < NARROW:
        rows = [row[:3] + row[4:] for row in rows]
    (headings, *figures), widths = rows, [max(map(len, column)) for column in zip(*rows, strict=True)]
    indent = sum(widths) + len(GAP) * len(widths)
    is_wide = indent + max((len(group.code) for group in groups), default=0) <= columns
    if groups:
        yield [Styled(_row(headings, widths) + ("code" if is_wide else ""), "dim")]
    for group, texts in zip(groups, figures, strict=True):
        code = Styled(group.code, "bold")
        yield from [[Styled(_row(texts, widths)), code]] if is_wide else [[code], [Styled(_row(texts, widths))]]
        yield from _below(group, min(indent, columns // 4), columns)
        yield []


def _figures(group: Group, tally: Tally, offset: float) -> list[str]:
    seen = ["-" if at is None else time_text(at, offset) for at in (group.first, group.last)]
    rate = "-" if group.last is None else f"{tally.per_minute(group):,.1f}"
    return [f"{group.count:,}", rate, of_tokens(group), *seen]


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(text.rjust(width) + GAP for text, width in zip(texts, widths, strict=True))


def _below(group: Group, indent: int, columns: int) -> Iterator[Line]:
    for text in of_group(group):
        yield from _wrapped(cell(text), columns, indent)
    if group.hint:
        yield from _wrapped(cell(group.hint, "dim"), columns, indent)


def _unread(lines: int, columns: int) -> Iterator[Line]:
    if lines:
        yield from _wrapped(Styled(of_unread(lines)), columns, 0)
        yield []


# -- around them, and why ----------------------------------------------------------------------------------------------


def _around(nearby: Sequence[Nearby], offset: float, columns: int) -> Iterator[Line]:
    if not nearby:
        return
    yield [Styled("Around it", "bold")]
    for event in nearby[:MOST_NEARBY]:
        at = "-" if event.last is None else time_text(event.last, offset)
        yield from _wrapped(Styled(f"{at}  {cell(of_nearby(event)).text}"), columns, 2)
    yield []


def _cause(cause: Cause | None, columns: int) -> Iterator[Line]:
    if cause is None:
        yield [Styled("No rejection yet.", "dim")]
        return
    yield [Styled("Most likely cause", "bold")]
    for text in filter(None, (cause.sentence, cause.hint)):
        yield from _wrapped(cell(text), columns, 2)
    yield [Styled("  next: ", "bold"), cell(cause.next)]


def _wrapped(text: Styled, columns: int, indent: int) -> Iterator[Line]:
    for line in wrapped(" " * indent + text.text, columns, hang=2):
        yield [Styled(line, text.style)]
