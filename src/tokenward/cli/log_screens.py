"""How `tokenward tail` shows what it counts while it counts: a live table, a line for each new group, JSON, or nothing yet."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from tokenward.cli.colours import DUMB, wants_colour
from tokenward.cli.log_view import Line, fitting_view, name_of, offset_of, print_lines, view, width
from tokenward.cli.output import print_json, print_line, print_note
from tokenward.cli.tokens import STDIN
from tokenward.troubleshoot.logs import Group, LogReader, Tally, cause_of
from tokenward.troubleshoot.logs.document import document_of
from tokenward.troubleshoot.logs.moment import offset_at
from tokenward.troubleshoot.logs.words import new_group

if TYPE_CHECKING:
    from rich.text import Text

REDRAW = 0.5
"""Seconds between two drawings of the table."""
REPORT = 2.0
"""Seconds between two documents of --follow --json."""
NO_RICH = "A live table needs the package rich (pip install rich); without it each new group is a line, and the table comes last."


class Screen:
    """Shows nothing until `print`, which prints the table. It is entered while the log is read."""

    def __init__(self, name: str, tally: Tally, reader: LogReader) -> None:
        self._name, self._tally, self._reader = name, tally, reader

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        pass

    def begin(self, group: Group) -> None:
        """This group has had its first rejection."""

    def draw(self) -> None:
        """Something may have changed; it is called several times a second."""

    def print(self) -> None:
        """Everything, at the end."""
        print_lines(view(self._name, self._tally, self._reader, width()))


class _Live(Screen):
    """A table that is drawn again and again, for a terminal. Raises ImportError without rich."""

    def __init__(self, name: str, tally: Tally, reader: LogReader) -> None:
        super().__init__(name, tally, reader)
        from rich.console import Console
        from rich.live import Live

        self._console = Console(file=sys.stdout, highlight=False, color_system="auto" if wants_colour(sys.stdout) else None)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def __enter__(self) -> None:
        self._live.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def draw(self) -> None:
        if time.monotonic() - self._drawn < REDRAW:
            return
        columns, rows = self._console.size
        lines = fitting_view(self._name, self._tally, self._reader, columns, rows)
        self._live.update(_text(lines), refresh=True)
        self._drawn = time.monotonic()


class _Plain(Screen):
    """A line for each new group, where no terminal is, and the table at the end."""

    def begin(self, group: Group) -> None:
        print_line(new_group(group, 0.0 if group.first is None else offset_at(group.first)))

    def draw(self) -> None:
        sys.stdout.flush()


class _Json(Screen):
    """One document; with `is_running` one in a line now and then, if something has changed."""

    def __init__(self, name: str, tally: Tally, reader: LogReader, *, is_running: bool) -> None:
        super().__init__(name, tally, reader)
        self._is_running, self._told, self._at = is_running, 0, time.monotonic()

    def draw(self) -> None:
        if self._is_running and time.monotonic() - self._at >= REPORT:
            self._at = time.monotonic()
            self._tell()

    def print(self) -> None:
        if self._is_running:
            self._tell()
        else:
            print_json(self._document())

    def _tell(self) -> None:
        if self._tally.total != self._told:
            self._told = self._tally.total
            print(json.dumps(self._document()), flush=True)

    def _document(self) -> dict[str, object]:
        return document_of(self._tally, self._reader, cause_of(self._tally, offset_of(self._tally)))


def screen_for(args: argparse.Namespace, tally: Tally, reader: LogReader) -> Screen:
    """What fits the options and the terminal."""
    name = name_of(args.file)
    if args.json:
        return _Json(name, tally, reader, is_running=args.follow)
    if not args.follow and args.file != STDIN:
        return Screen(name, tally, reader)
    if not sys.stdout.isatty() or os.environ.get("TERM", "") in DUMB:
        return _Plain(name, tally, reader) if args.follow else Screen(name, tally, reader)
    try:
        return _Live(name, tally, reader)
    except ImportError:
        print_note(NO_RICH)
        return _Plain(name, tally, reader)


def _text(lines: Sequence[Line]) -> Text:
    """The lines for rich, which reads no markup in them, and does not wrap them once more."""
    from rich.text import Text

    text = Text(no_wrap=True, overflow="crop")
    for line in lines:
        for part in line:
            text.append(part.text, part.style)
        text.append("\n")
    return text
