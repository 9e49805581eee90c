"""The outcome for people: a table, the chapters, a summary. Plain text; colours only on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from demo.chapters import Chapter, Check
from demo.credentials import Exchanged
from demo.exchange import Row
from demo.gateway import Passed
from demo.run import Outcome

OK, WRONG = "ok", "WRONG"
TOTAL_WIDTH = 120
"""Columns where the terminal does not say; and no lines longer than this are easy to read."""
NARROW = 30
"""With less room for the explanation, it goes below the row."""
HEADING = ("", "request", "status", "code")
EXPLANATION = "explanation (the operator's log)"


class Report:
    """Lays an outcome out as lines of at most `width` columns."""

    def __init__(self, outcome: Outcome, *, width: int, colour: bool) -> None:
        self._outcome = outcome
        self._width = width
        self._colour = colour

    def lines(self) -> list[str]:
        """The whole report."""
        return [*self._table(), *self._chapters(), *self._latencies(), *self._exchanges(), *self._gateway(), *self._summary()]

    def _table(self) -> list[str]:
        rows = self._outcome.rows
        cells = [
            HEADING,
            *((_verdict(not row.differences()), row.name, str(row.seen.status), row.seen.code or "-") for row in rows),
        ]
        texts = [EXPLANATION, *(row.explanation for row in rows)]
        return self._block(list(zip(cells, texts, strict=True)))

    def _chapters(self) -> list[str]:
        return [line for chapter in self._outcome.chapters for line in self._chapter(chapter)]

    def _chapter(self, chapter: Chapter) -> list[str]:
        rows = [((_verdict(not row.differences()), row.name), _answered(row)) for row in chapter.rows]
        checks = [((_verdict(check.holds), check.name), check.seen) for check in chapter.all_checks()]
        return ["", *textwrap.wrap(chapter.title, self._width), *self._block([*rows, *checks])]

    def _exchanges(self) -> list[str]:
        told = self._outcome.credentials
        return self._part("exchange", told.rows, told.checks)

    def _gateway(self) -> list[str]:
        told = self._outcome.gateway
        return self._part("through the gateway", told.rows, told.checks)

    def _part(self, what: str, rows: Sequence[Exchanged | Passed], checks: Sequence[Check]) -> list[str]:
        """A table of its own, and what else must be so."""
        cells = [
            ("", what, "status", "code"),
            *((_verdict(not row.differences()), row.expected.name, str(row.status), row.code or "-") for row in rows),
        ]
        texts = [EXPLANATION, *(row.explanation for row in rows)]
        seen = [((_verdict(check.holds), check.name), check.seen) for check in checks]
        return ["", *self._block(list(zip(cells, texts, strict=True))), *self._block(seen)]

    def _block(self, lines: Sequence[tuple[Sequence[str], str]]) -> list[str]:
        """Cells in columns, and a text beside them."""
        widths = [max(map(len, column)) for column in zip(*(cells for cells, _ in lines), strict=True)]
        return [line for cells, text in lines for line in self._wrapped(cells, text, widths)]

    def _wrapped(self, cells: Sequence[str], text: str, widths: Sequence[int]) -> list[str]:
        """The cells in one line; the text in the room that is left, or below if that is too little."""
        padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        painted = self._paint(cells[0], padded[: widths[0]]) + padded[widths[0] :]
        room = self._width - len(padded) - 2
        if room < NARROW:
            below = " " * (widths[0] + 2)
            return [painted.rstrip(), *(below + line for line in textwrap.wrap(text, max(self._width - len(below), 20)))]
        wrapped = textwrap.wrap(text, room) or [""]
        first, rest = wrapped[0], wrapped[1:]
        return [f"{painted}  {first}".rstrip(), *(" " * (len(padded) + 2) + line for line in rest)]

    def _latencies(self) -> list[str]:
        if not self._outcome.chapters:
            return []
        rows = [("known callers", "requests", "p50 ms", "p99 ms")]
        for chapter in self._outcome.chapters:
            phase = chapter.callers
            rows.append((chapter.name, str(phase.requests), f"{phase.percentile(50):.1f}", f"{phase.percentile(99):.1f}"))
        return ["", *(f"{name:<14}{requests:>9}{p50:>9}{p99:>9}" for name, requests, p50, p99 in rows)]

    def _summary(self) -> list[str]:
        outcome = self._outcome
        numbers = {
            "requests": outcome.requests,
            "refused": outcome.refused,
            "exchanges": len(outcome.credentials.rows),
            "through the gateway": len(outcome.gateway.rows),
            "unexpected": len(outcome.unexpected),
            "waits by known callers": outcome.known_waits,
        }
        listed = ", ".join(f"{name} {number}" for name, number in numbers.items())
        lines = ["", *textwrap.wrap(f"{listed}; {outcome.seconds:.1f} s", self._width)]
        if not outcome.unexpected:
            return [*lines, self._paint(OK, "Every verdict is the expected one.")]
        return [*lines, self._paint(WRONG, "Not as expected:"), *self._differences()]

    def _differences(self) -> list[str]:
        lines = []
        for difference in self._outcome.unexpected:
            lines += textwrap.wrap(difference, self._width, initial_indent="  ", subsequent_indent="    ")
        fix = "Next: compare with `scripts/demo --json`, or ask for yourself with `scripts/demo --serve`. If you changed the app "
        return [*lines, *textwrap.wrap(fix + "(--app), its policy differs from what demo/cases.py expects.", self._width)]

    def _paint(self, verdict: str, text: str) -> str:
        codes = {OK: "32", WRONG: "31;1"}
        return f"\x1b[{codes[verdict]}m{text}\x1b[0m" if self._colour and verdict in codes else text


def print_report(outcome: Outcome) -> None:
    """To standard output, as wide as the terminal is."""
    width = min(shutil.get_terminal_size((TOTAL_WIDTH, 24)).columns, TOTAL_WIDTH)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    print("\n".join(Report(outcome, width=max(width, 40), colour=colour).lines()), flush=True)


def _verdict(right: bool) -> str:
    return OK if right else WRONG


def _answered(row: Row) -> str:
    return f"{row.seen.status} {row.seen.code}: {row.explanation}" if row.seen.code else f"{row.seen.status}: {row.explanation}"
