"""What `tail` and `report` have in common: their options, where the log is, and what is said of one without rejections."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tokenward.cli.durations import DURATION, quoted, seconds_of
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.tokens import STDIN
from tokenward.redaction import shown
from tokenward.troubleshoot.logs import LogReader
from tokenward.troubleshoot.logs.event import is_known
from tokenward.troubleshoot.logs.source import FileSource, FollowedFile, Source, StreamSource
from tokenward.troubleshoot.logs.words import of_unread

MAX_SINCE = 3660 * 86400
"""Ten years in seconds, which no log has."""
NO_LOG = "Give a file, or pipe one in: kubectl logs deploy/api | tokenward tail"
NO_JSON = (
    "Have structlog write JSON: structlog.processors.JSONRenderer() as the last processor, "
    'or `log_format = "json"` in the gateway\'s configuration.'
)
NO_EVENTS = "Check that it is the log of the process that tokenward guards, from the time of the incident, with level info."
NO_MATCH = "Leave out --since and --code, or give others."


def add_log_options(parser: argparse.ArgumentParser) -> None:
    """Add --since, --code and --json."""
    parser.add_argument("--since", metavar=DURATION, type=_since, help="only what is younger, such as 90s, 15m, 2h or 1d")
    parser.add_argument("--code", metavar="CODE", action="append", default=[], help="only rejections of this code; repeatable")
    parser.add_argument("--json", action="store_true", help="print JSON")


def reader_for(args: argparse.Namespace, *, is_live: bool = False) -> LogReader:
    """A reader with the options' choice."""
    since = None if args.since is None else time.time() - args.since
    return LogReader(clock=time.time, since=since, codes=args.code, is_live=is_live)


def open_log(name: str, *, follow: bool = False) -> Source:
    """The log of this name, or stdin for "-". Raises CommandFailed."""
    if name == STDIN:
        return _stdin()
    try:
        path = Path(name)
        return FollowedFile(path, sleep=time.sleep) if follow else FileSource(path)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise unreadable(name, exc) from None


def unreadable(name: str, exc: Exception) -> CommandFailed:
    """A log that cannot be read, or no further."""
    why = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
    return CommandFailed(Exit.USAGE, f"{shown(name)} cannot be read ({shown(why)}).", "Check the path and its permissions.")


def nothing_found(args: argparse.Namespace, reader: LogReader, name: str) -> CommandFailed:
    """There is no rejection in it; probably because of how it was written, or of what was asked."""
    where = "stdin" if name == STDIN else str(shown(name))
    if reader.left_out:
        told, fix = [f"No rejection in {where} is what was asked for ({reader.left_out:,} left out)."], NO_MATCH
        told += [f"{quoted(code)} is no code of tokenward's." for code in args.code if not is_known(code)]
    else:
        told = [f"There is no rejection in {where} ({reader.lines:,} lines)."]
        fix = NO_JSON if reader.no_json else NO_EVENTS
    if reader.unread:
        told.append(of_unread(reader.unread))
    return CommandFailed(Exit.NO, " ".join(told), fix, code="nothing_found")


def _stdin() -> Source:
    if sys.stdin is None or sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "There is no log to read.", NO_LOG)
    return StreamSource(sys.stdin.buffer)


def _since(text: str) -> float:
    seconds = seconds_of(text)
    if not 0 < seconds <= MAX_SINCE:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no time ago that a log goes back to, such as 90s, 15m, 2h or 1d")
    return seconds
