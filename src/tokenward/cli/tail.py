"""`tokenward tail`: a JSON log as a table of rejections by cause, live or once, and the likely cause of an incident in words."""

from __future__ import annotations

import argparse
from types import MappingProxyType

from tokenward.cli.log_input import add_log_options, nothing_found, open_log, reader_for, unreadable
from tokenward.cli.log_screens import Screen, screen_for
from tokenward.cli.outcome import Exit
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import STDIN
from tokenward.troubleshoot.logs import LogEvent, LogReader, Tally
from tokenward.troubleshoot.logs.source import Source

POLL = 0.25
"""Seconds between looks at a file that grows: people do not see a shorter one."""

DESCRIPTION = """\
Count the rejections in a JSON log by code, issuer, client and hint: how many,
how fast, since when, and how many different tokens. The last lines say what
the most likely cause is, and what to do next. On a terminal the table of a
stream, or of a file with --follow, is live. Nobody is asked for anything."""
EPILOG = """\
examples:
  tokenward tail app.log
  tokenward tail --follow --since 15m app.log
  kubectl logs -f deploy/api | tokenward tail
  tokenward tail --code audience_not_accepted --json app.log

What structlog's JSONRenderer and python-json-logger write is read, also in
the wrappers of container runtimes. A file is followed through its rotation.
With --follow and no terminal, a line is printed for each new group, and the
table at the end; with --follow --json, one document in a line every 2 s.

exit codes:
  0  there are rejections, or --follow was ended by Ctrl-C
  1  there is no rejection in it
  2  a wrong option, or a file that cannot be read"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "count a log's rejections by cause, live, and say the likely cause"
    parser = subparsers.add_parser("tail", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("file", metavar="FILE", nargs="?", default=STDIN, help="the log; - is stdin, which is the default")
    parser.add_argument("--follow", "-f", action="store_true", help="go on as the file grows, through its rotation")
    add_log_options(parser)
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Read the log to its end, or until Ctrl-C, and print what was counted."""
    is_live = args.follow or args.file == STDIN
    reader, tally = reader_for(args, is_live=is_live), Tally()
    source = open_log(args.file, follow=args.follow)
    screen = screen_for(args, tally, reader)
    try:
        with screen:
            _watch(source, reader, tally, screen)
    except KeyboardInterrupt:
        if not is_live:
            raise
    except OSError as exc:
        raise unreadable(args.file, exc) from None
    finally:
        source.close()
    if not tally.total and not args.follow:
        raise nothing_found(args, reader, args.file)
    screen.print()
    return Exit.YES


def _watch(source: Source, reader: LogReader, tally: Tally, screen: Screen) -> None:
    while (chunk := source.take(POLL)) is not None:
        for event in reader.feed(chunk):
            _count(event, tally, screen)
        screen.draw()
    for event in reader.finish():
        _count(event, tally, screen)


def _count(event: LogEvent, tally: Tally, screen: Screen) -> None:
    group = tally.add(event)
    if group is not None:
        screen.begin(group)
