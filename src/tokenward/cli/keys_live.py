"""The live table of `tokenward keys --watch`, drawn by rich anew after each look; the `cli` extra has rich."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tokenward.cli.colours import wants_colour
from tokenward.cli.output import cell, date
from tokenward.troubleshoot.keyreport.watch import NO_KID, Event, Watch, described, line

LIVE_EVENTS = 10
"""On the screen; the terminal's height ends what is longer."""
STYLES = {"added": "green", "recovered": "green", "removed": "yellow", "changed": "yellow", "failed": "red"}


class LiveTable:
    """The keys of the last good look, since when each is published, and the latest events."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        console = Console(file=sys.stdout, highlight=False, color_system="auto" if wants_colour(sys.stdout) else None)
        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def show(self, watch: Watch, happened: list[Event]) -> None:  # noqa: ARG002  # a view's signature
        """Draw everything again."""
        told = [event for event in watch.events if event.what != "present"][-LIVE_EVENTS:]
        events = [_text(line(event, date(event.at)), STYLES[event.what]) for event in told]
        self._live.update(Group(_text(_status(watch, self._interval)), _table(watch), *events), refresh=True)


def _status(watch: Watch, interval: float) -> str:
    report = watch.last
    issuer = "" if report is None or report.issuer is None else f"{report.issuer}\n"
    good = "never" if watch.last_good is None else date(watch.last_good)
    last = "" if report is None else f"last look {date(report.at)}, every {interval:g} s; "
    return f"{issuer}{last}last good {good}; {watch.looks} looks, {watch.failures} failed; Ctrl-C ends"


def _table(watch: Watch) -> Table:
    table = Table()
    for name in ("kid", "key", "published since"):
        table.add_column(name, overflow="fold")
    for row in watch.rows:
        since = watch.since[row.kid or NO_KID]
        known = "before this watch" if since == watch.first_good else date(since)
        table.add_row(_text(row.kid or NO_KID), _text(described(row)), known)
    return table


def _text(value: str, style: str = "") -> Text:
    return Text(cell(value).text, style=style)
