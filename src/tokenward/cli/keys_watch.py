"""`tokenward keys --watch`: look after look, shown as a live table, as lines or as JSON lines, until Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from tokenward.cli.colours import DUMB
from tokenward.cli.extras import has
from tokenward.cli.outcome import Exit
from tokenward.cli.output import date, print_line, print_note
from tokenward.troubleshoot.keyreport.report import KeyReport
from tokenward.troubleshoot.keyreport.watch import CHANGES, Event, Watch, line, summary

NO_RICH = "for a live table install the package rich: pip install rich; here are plain lines"


class View(Protocol):
    """What is written of a watch: something after each look. `show` gets the whole watch, and what has just happened."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None: ...

    def show(self, watch: Watch, happened: list[Event]) -> None: ...


def follow(look: Callable[[], KeyReport], *, interval: float, as_json: bool, sleep: Callable[[float], None] = time.sleep) -> Exit:
    """Look every `interval` seconds until KeyboardInterrupt, then say what was seen.

    Raises PolicyError at the first look, as `look` does, and OSError where the output cannot be written.
    """
    watch = Watch()
    try:
        with _view(interval, as_json=as_json) as view:
            while True:
                view.show(watch, watch.observe(look()))
                sleep(interval)
    except KeyboardInterrupt:
        _end(watch, as_json=as_json)
    return Exit.YES


def _view(interval: float, *, as_json: bool) -> View:
    if as_json or not sys.stdout.isatty() or os.environ.get("TERM", "") in DUMB:
        return Lines(as_json=as_json)
    if not has("rich"):
        print_note(NO_RICH)
        return Lines(as_json=False)
    from tokenward.cli.keys_live import LiveTable

    return LiveTable(interval)


class Lines:
    """One line per event, at once: for pipes and logs; as JSON with at (epoch seconds), event, kid and detail."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing is held open."""

    def show(self, watch: Watch, happened: list[Event]) -> None:  # noqa: ARG002  # a view's signature
        """Write what has just happened."""
        for event in happened:
            if self._as_json:
                print(json.dumps({"at": event.at, "event": event.what, "kid": event.kid, "detail": event.detail}))
            else:
                print_line(line(event, date(event.at)))
        sys.stdout.flush()


def _end(watch: Watch, *, as_json: bool) -> None:
    if not as_json:
        print_line(summary(watch))
        return
    counts = {what: watch.counts[what] for what in CHANGES}
    at = watch.last.at if watch.last else None
    print(json.dumps({"at": at, "event": "summary", "looks": watch.looks, "failures": watch.failures, **counts}))
