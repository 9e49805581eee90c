"""`tokenward keys`: what an issuer publishes, what a verifier makes of each key, and rotation as it happens."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from types import MappingProxyType

from tokenward.cli.durations import DURATION, seconds_from
from tokenward.cli.keys_report import print_report
from tokenward.cli.keys_watch import follow
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import read_file
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.keys.rhythm import Rhythm
from tokenward.redaction import shown
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_in, keys_of

INTERVAL = 30.0
MIN_INTERVAL = Rhythm().min_gap
"""Seconds: no verifier of tokenward asks more often either, whatever the reason."""
MAX_INTERVAL = 86400.0
EXITS = MappingProxyType({"usable": Exit.YES, "refused": Exit.NO, "unreachable": Exit.UNAVAILABLE})

DESCRIPTION = """\
Show what an issuer publishes: discovery document, keys, which of them a
verifier uses and why not the others, and what breaks verifiers. ISSUER is the
iss of the tokens, or the address of a discovery document. For Entra a tenant
id, {tenantid}, common or organizations may stand in it. No token is needed."""
EPILOG = """\
examples:
  tokenward keys https://idp.example/
  tokenward keys https://login.microsoftonline.com/common/v2.0
  tokenward keys https://idp.example/ --json | jq '.keys[] | select(.usable)'
  tokenward keys --jwks https://idp.example/keys
  tokenward keys --jwks keys.json             before it is published
  tokenward keys https://idp.example/ --watch --interval 10

with --watch: a live table on a terminal, one line per event in a pipe, one
JSON document per line with --json; Ctrl-C ends it with a summary.

exit codes:
  0  there are usable keys, or --watch was ended by Ctrl-C
  1  a verifier has no key: the documents or all keys are refused; or
     something critical: a key that must stay secret is published
  2  a wrong option or address
  3  the issuer could not be asked; try again"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    summary = "show an issuer's keys, and what breaks verifiers"
    parser = subparsers.add_parser("keys", help=summary, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("issuer", metavar="ISSUER", nargs="?", help="the iss of the tokens, to the letter")
    parser.add_argument("--jwks", metavar="URL|FILE", help="the address of the keys, in place of discovery; or a file")
    parser.add_argument("--watch", action="store_true", help="look again and again, and show what changes")
    about = f"between looks of --watch, {MIN_INTERVAL:g} s at least; default: {INTERVAL:g} s"
    parser.add_argument("--interval", type=_interval, metavar=DURATION, help=about)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace, *, sleep: Callable[[float], None] = time.sleep) -> Exit:
    """Look once and print the report, or watch until Ctrl-C."""
    if args.issuer is None and args.jwks is None:
        raise CommandFailed(Exit.USAGE, "No issuer is given.", "Give the iss of the tokens, or --jwks URL.")
    if args.interval is not None and not args.watch:
        raise CommandFailed(Exit.USAGE, "--interval is for --watch.", "Add --watch, or leave --interval out.")
    fetch = HttpxFetch()
    if args.jwks is not None and "://" not in args.jwks and (args.watch or args.issuer is not None):
        raise CommandFailed(Exit.USAGE, "--jwks names a file, which has no issuer and no rotation.", "Give --jwks FILE alone.")

    def look() -> KeyReport:
        return keys_of(args.issuer, jwks_uri=args.jwks, fetch=fetch)

    if args.watch:
        return follow(look, interval=args.interval or INTERVAL, as_json=args.json, sleep=sleep)
    report = look() if args.jwks is None or "://" in args.jwks else _of_file(args)
    if args.json:
        print_json(report.to_json())
    else:
        print_report(report)
    return Exit.NO if any(caution.weight == "critical" for caution in report.cautions) else EXITS[report.verdict]


def _of_file(args: argparse.Namespace) -> KeyReport:
    document = read_file(args.jwks, MAX_BODY_BYTES)
    if len(document) > MAX_BODY_BYTES:
        raise CommandFailed(Exit.USAGE, f"{shown(args.jwks)} is larger than verifiers read.", "Give a key set alone.")
    return keys_in(document, str(shown(args.jwks)))


def _interval(text: str) -> float:
    return seconds_from(text, MIN_INTERVAL, MAX_INTERVAL)
