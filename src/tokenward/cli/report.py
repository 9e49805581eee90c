"""`tokenward report`: rejections over time by code, from one log or several: as an HTML file, on the terminal, or as JSON."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

from tokenward.cli.durations import DURATION, quoted, seconds_of
from tokenward.cli.log_input import add_log_options, nothing_found, open_log, reader_for, unreadable
from tokenward.cli.log_plot import plot
from tokenward.cli.log_view import cause_view, name_of, print_lines, view, width
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json, print_note, print_raw
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import STDIN
from tokenward.redaction import shown
from tokenward.troubleshoot.logs import LogEvent, LogReader, Series, Tally, cause_of
from tokenward.troubleshoot.logs.chart import Course, course_of
from tokenward.troubleshoot.logs.document import course_document, document_of
from tokenward.troubleshoot.logs.moment import offset_at
from tokenward.troubleshoot.logs.page import page
from tokenward.troubleshoot.logs.summary import summary_of

MAX_BUCKET = 28 * 86400
"""Seconds of a bar, four weeks."""
WAIT = 1.0
"""Seconds between looks at a stream, which only Ctrl-C needs."""
WHOLE = "Give whole seconds from 1 to 2419200 (four weeks), or such as 5m."

DESCRIPTION = """\
Plot the rejections in JSON logs over time, by code, with what to do for each;
with --html as one file that loads nothing and runs nothing, to keep, print or
send to somebody, and the most likely cause on the terminal. Times are local,
with the offset from UTC beside them. Logs whose names end in .gz are
decompressed."""
EPILOG = """\
examples:
  tokenward report app.log --html report.html
  tokenward report app.log.2.gz app.log.1 app.log --bucket 5m
  kubectl logs --since=2h deploy/api | tokenward report - --html report.html
  TZ=UTC tokenward report app.log --json

exit codes:
  0  there are rejections
  1  there is no rejection in it
  2  a wrong option, or a file that cannot be read or written"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "plot a log's rejections over time, as a page or on the terminal"
    parser = subparsers.add_parser("report", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("logs", metavar="LOG", nargs="+", help="the logs, in any order; - is stdin")
    parser.add_argument("--html", metavar="OUT", help="write an HTML file; - is stdout")
    parser.add_argument("--bucket", metavar=DURATION, type=_bucket, help="of each bar, such as 300 or 5m; chosen by default")
    add_log_options(parser)
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Read all logs, and report once."""
    _require_sense(args)
    reader, tally, series = reader_for(args), Tally(), Series(step=args.bucket, offset_at=offset_at)
    for name in args.logs:
        _read(name, reader, tally, series)
    if not tally.total:
        raise nothing_found(args, reader, args.logs[0] if len(args.logs) == 1 else "the logs")
    _tell(args, reader, tally, _course(series))
    return Exit.YES


def _tell(args: argparse.Namespace, reader: LogReader, tally: Tally, course: Course | None) -> None:
    names = [Path(name_of(name)).name for name in args.logs]
    offset = 0.0 if course is None else course.offset
    if args.html is not None:
        counts = {"lines": reader.lines, "unread": reader.unread, "undated": reader.undated}
        _write(args.html, page(summary_of(names, tally, offset=offset, **counts), course))
    if args.json:
        print_json(document_of(tally, reader, cause_of(tally, offset)) | course_document(course))
    elif args.html is None:
        print_lines([*view(", ".join(names), tally, reader, width()), [], *plot(course, width())])
    elif args.html != STDIN:
        print_lines(cause_view(tally, width()))


def _read(name: str, reader: LogReader, tally: Tally, series: Series) -> None:
    source = open_log(name)
    try:
        while (chunk := source.take(WAIT)) is not None:
            _count(reader.feed(chunk), tally, series)
        _count(reader.finish(), tally, series)
    except OSError as exc:
        raise unreadable(name, exc) from None
    finally:
        source.close()


def _count(events: Iterable[LogEvent], tally: Tally, series: Series) -> None:
    for event in events:
        tally.add(event)
        series.add(event)


def _course(series: Series) -> Course | None:
    try:
        step, bars = series.bars()
    except ValueError as exc:
        problem = "--bucket: the log is so long that the plot would have too many bars."
        raise CommandFailed(Exit.USAGE, problem, f"Give {exc.args[0]} or more, or leave it out.") from None
    return course_of(step, bars, series.offset) if bars else None


def _write(out: str, document: str) -> None:
    if out == STDIN:
        print_raw(document.rstrip("\n"))
        return
    try:
        Path(out).write_text(document, "utf-8")
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        why = getattr(exc, "strerror", None) or type(exc).__name__
        problem = f"{shown(out)} cannot be written ({why})."
        raise CommandFailed(Exit.USAGE, problem, "Check the path, its folder and the permissions.") from None
    print_note(f"{shown(out)} is written; open it in a browser.")


# -- options -----------------------------------------------------------------------------------------------------------


def _bucket(text: str) -> int:
    seconds = seconds_of(text)
    if not 1 <= seconds <= MAX_BUCKET or seconds % 1:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is no length that a bar can have. {WHOLE[:-1]}")
    return int(seconds)


def _require_sense(args: argparse.Namespace) -> None:
    if args.html == STDIN and args.json:
        raise CommandFailed(Exit.USAGE, "Both --html - and --json go to stdout.", "Give a file to --html, or leave one out.")
    if args.logs.count(STDIN) > 1:
        raise CommandFailed(Exit.USAGE, "stdin is given more than once.", "Give - once.")
    if args.html not in (None, STDIN) and any(_is_same(args.html, name) for name in args.logs):
        raise CommandFailed(Exit.USAGE, "--html names one of the logs, which would be overwritten.", "Give another file.")


def _is_same(out: str, log: str) -> bool:
    try:
        return Path(out).samefile(log)
    except (OSError, ValueError):
        return False
