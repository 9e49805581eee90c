"""Tables of aligned columns; where a terminal is too narrow for them, one value below the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from tokenward.cli.colours import Styled
from tokenward.cli.layout import folded, longest_word, padded, width_of, wrapped

INDENT = "  "
GAP = "  "
FOLDED = 24
"""Columns in which a folded identifier can still be read: a GUID takes two lines."""
SHORT = 16
"""Columns of a text that is kept whole, such as a verdict with its mark."""
RULE = "\u2500"

Row = Sequence[Styled]
Line = list[Styled]


def table_lines(header: Row | None, rows: Sequence[Row], width: int) -> Iterator[Line]:
    """The lines of a table, as wide as it must be, and no wider than `width` if no word is longer than that.

    header   the columns' names, or None; without one the first column names what is in the others
    """
    cells = [*([header] if header else []), *rows]
    if not rows:
        return
    widths = _widths([[cell.text for cell in row] for row in cells], width - len(INDENT))
    if widths is None:
        yield from _stacked(header, rows, width)
    else:
        yield from _columns(header, rows, widths)


# -- columns -----------------------------------------------------------------------------------------------------------


def _widths(cells: Sequence[Sequence[str]], width: int) -> list[int] | None:
    """The width of each column; None if the words would have to be broken too often."""
    columns = list(zip(*cells, strict=True))
    room = width - len(GAP) * (len(columns) - 1)
    most = [max(width_of(line) for text in column for line in text.split("\n")) for column in columns]
    if sum(most) <= room:
        return most
    least = [max(map(_least, column)) for column in columns]
    if sum(least) > room:
        cap = _cap(least, room)
        if len(columns) < 3 or cap < FOLDED:
            return None
        least = [min(one, cap) for one in least]
    return _grown(least, most, room)


def _least(text: str) -> int:
    return width_of(text) if len(text) <= SHORT else longest_word(text)


def _cap(least: Sequence[int], room: int) -> int:
    """The width at which the widest columns must be cut off for all to have room."""
    return next((cap for cap in range(max(least), 0, -1) if sum(min(one, cap) for one in least) <= room), 0)


def _grown(least: Sequence[int], most: Sequence[int], room: int) -> list[int]:
    """The rest of the room goes to the columns that want more, always to the narrowest of them."""
    widths = list(least)
    for _ in range(room - sum(least)):
        narrowest = min((i for i, width in enumerate(widths) if width < most[i]), key=widths.__getitem__)
        widths[narrowest] += 1
    return widths


def _columns(header: Row | None, rows: Sequence[Row], widths: Sequence[int]) -> Iterator[Line]:
    bodies = [_row(row, widths) for row in rows]
    if header:
        yield from _row(header, widths)
        yield [Styled(INDENT + GAP.join(RULE * width for width in widths), "dim")]
    is_spaced = header is not None and any(len(lines) > 1 for lines in bodies)
    for number, lines in enumerate(bodies):
        if number and is_spaced:
            yield []
        yield from lines


def _row(row: Row, widths: Sequence[int]) -> list[Line]:
    parts = [folded(cell.text, width) for cell, width in zip(row, widths, strict=True)]
    return [_line(texts, row, widths) for texts in zip_longest(*parts, fillvalue="")]


def _line(texts: Sequence[str], row: Row, widths: Sequence[int]) -> Line:
    line = [Styled(INDENT)]
    for text, cell, width in zip(texts, row, widths, strict=True):
        line += [Styled(text, cell.style), Styled(padded("", width - width_of(text)) + GAP)]
    return line


# -- one below the other -----------------------------------------------------------------------------------------------


def _stacked(header: Row | None, rows: Sequence[Row], width: int) -> Iterator[Line]:
    """Each row as a paragraph: its first value, and below it the others with their names, if they have any."""
    for number, row in enumerate(rows):
        if number and header:
            yield []
        yield from _paragraph(row[0], INDENT, width)
        for name, cell in zip(header[1:] if header else [None] * (len(row) - 1), row[1:], strict=True):
            label = f"{name.text}: " if name and name.text else ""
            yield from _paragraph(Styled(label + cell.text, cell.style), INDENT * 2, width)


def _paragraph(cell: Styled, indent: str, width: int) -> Iterator[Line]:
    for number, line in enumerate(wrapped(cell.text, width - len(indent) - 2)):
        yield [Styled(f"{indent}{'  ' if number else ''}"), Styled(line, cell.style)]
