"""`tokenward keys`: what an issuer publishes, what a verifier makes of each key, and rotation as it happens."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from types import MappingProxyType

from tokenward.cli.keys_watch import follow
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import date, print_fields, print_json, print_line, print_table, print_text
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import read_file
from tokenward.issuer_name import tenant_of
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.keys.rhythm import Rhythm
from tokenward.redaction import shown
from tokenward.troubleshoot.keyreport.caution import Caution
from tokenward.troubleshoot.keyreport.key_row import KeyRow
from tokenward.troubleshoot.keyreport.report import DocumentFacts, KeyReport, keys_in, keys_of

INTERVAL = 30.0
MIN_INTERVAL = Rhythm().min_gap
"""Seconds: no verifier of tokenward asks more often either, whatever the reason."""
MAX_INTERVAL = 86400.0
MAX_ROWS = 100
"""Of the table; --json has them all. Entra's shared documents have about 20."""
STYLES = MappingProxyType({"critical": "bold red", "warning": "yellow", "note": ""})
EXITS = MappingProxyType({"usable": Exit.YES, "refused": Exit.NO, "unreachable": Exit.UNAVAILABLE})

DESCRIPTION = """\
Show what an issuer publishes: discovery document, keys, which of them a
verifier uses and why not the others, and what breaks verifiers. ISSUER is the
iss of the tokens, or the address of a discovery document. For Entra a tenant
id, {tenantid} or common may stand in it. No token is needed."""
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
  1  a verifier has no key: the documents or all keys are refused
  2  a wrong option or address
  3  the issuer could not be asked; try again"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "show an issuer's keys, and what breaks verifiers"
    parser = subparsers.add_parser("keys", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("issuer", metavar="ISSUER", nargs="?", help="the iss of the tokens, to the letter")
    parser.add_argument("--jwks", metavar="URL|FILE", help="the address of the keys, in place of discovery; or a file")
    parser.add_argument("--watch", action="store_true", help="look again and again, and show what changes")
    parser.add_argument(
        "--interval", type=_interval, metavar="SECONDS", help=f"between looks of --watch, {MIN_INTERVAL:g} at least; default: 30"
    )
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
    return EXITS[report.verdict]


def _of_file(args: argparse.Namespace) -> KeyReport:
    document = read_file(args.jwks, MAX_BODY_BYTES)
    if len(document) > MAX_BODY_BYTES:
        raise CommandFailed(Exit.USAGE, f"{shown(args.jwks)} is larger than verifiers read.", "Give a key set alone.")
    return keys_in(document, str(shown(args.jwks)))


def _interval(text: str) -> float:
    value = float(text)
    if not MIN_INTERVAL <= value <= MAX_INTERVAL:
        raise argparse.ArgumentTypeError(f"seconds from {MIN_INTERVAL:g} to {MAX_INTERVAL:g}")
    return value


# -- for people --------------------------------------------------------------------------------------------------------


def print_report(report: KeyReport) -> None:
    """The documents, the keys, the cautions, and the verdict at the end, where it is seen."""
    print_fields(report.issuer or "issuer not named", _fields(report))
    _print_keys(report.keys, report.issuer)
    for caution in report.cautions:
        _print_caution(caution)
    print_line("")
    print_text(_conclusion(report))


def _fields(report: KeyReport) -> dict[str, object]:
    refresh = report.refresh_after
    bindings = {row.issuer for row in report.keys}
    shared = next(iter(bindings)) if len(bindings) == 1 else None
    return {
        "discovery": _document(report.discovery),
        "keys": _document(report.jwks),
        "keys bound to": shared,
        "refreshed": None if refresh is None else f"every {refresh:.0f} s by tokenward, +- a tenth; {_wish(report)}",
    }


def _wish(report: KeyReport) -> str:
    return "the server says nothing of it" if report.max_age is None else f"the server says max-age {report.max_age:.0f} s"


def _document(facts: DocumentFacts | None) -> str | None:
    if facts is None:
        return None
    skew = "" if not facts.skew else f", clock {facts.skew:+.0f} s"
    if facts.status is None and not facts.problem:
        return f"{facts.url}\na file of {facts.size} bytes"
    came = facts.problem or f"HTTP {facts.status}, {facts.size} bytes, {facts.seconds:.2f} s{skew}"
    return f"{facts.url}\n{came}"


def _print_keys(rows: Sequence[KeyRow], issuer: str | None) -> None:
    """The columns in which some key says something; a binding that all share stands above."""
    if not rows:
        return
    told = [_cells(row, issuer) for row in rows[:MAX_ROWS]]
    same = len({row.issuer for row in rows}) == 1
    names = [name for name in told[0] if any(cells[name] for cells in told) and not (same and name == "bound to")]
    shown = [[cells[name] or None for name in names] for cells in told]
    print_table(f"{len(rows)} key{'s' if len(rows) != 1 else ''}", names, shown)
    if len(rows) > MAX_ROWS:
        print_line(f"... and {len(rows) - MAX_ROWS} more; --json has them all")


def _cells(row: KeyRow, issuer: str | None) -> dict[str, str]:
    cells = {
        "kid": row.kid,
        "usable": "yes" if row.usable else f"no: {row.why}",
        "kty": row.kty,
        "alg": row.alg,
        "use": row.use,
        "key_ops": ", ".join(row.key_ops or ()),
        "size": row.size,
        "x5c until": None if row.certificate_ends is None else date(row.certificate_ends)[:10],
        "bound to": None if row.issuer is None else _binding(row.issuer, issuer),
    }
    return {name: value or "" for name, value in cells.items()}


def _binding(bound: str, issuer: str | None) -> str:
    """Entra's issuers are long, and differ in the tenant only."""
    if bound == issuer:
        return "this issuer"
    return f"tenant {tenant}" if (tenant := tenant_of(bound)) else bound


def _print_caution(caution: Caution) -> None:
    print_line("")
    print_text(f"{caution.weight}: {caution.problem}", STYLES[caution.weight])
    told = {"seen": caution.seen, "kid": ", ".join(caution.kids), "tokenward": caution.tokenward, "others": caution.others}
    for name, text in {**told, "fix": caution.fix, "source": caution.source}.items():
        if text:
            print_text(f"  {name}: {text}")


def _conclusion(report: KeyReport) -> str:
    if report.verdict == "usable":
        usable = sum(row.usable for row in report.keys)
        return f"A verifier can use {usable} of {len(report.keys)} keys; {_tally(report.cautions)}"
    why = report.failure or "none of the keys is usable"
    word = "The issuer could not be asked" if report.verdict == "unreachable" else "A verifier has no key"
    return f"{word} ({why}). Next: {report.next}"


def _tally(cautions: Sequence[Caution]) -> str:
    critical = next((caution.problem for caution in cautions if caution.weight == "critical"), None)
    if critical is not None:
        return f"critical: {critical}"
    grave = sum(caution.weight != "note" for caution in cautions)
    return (
        f"{grave} thing{'s' if grave != 1 else ''} that may break verifiers."
        if grave
        else "nothing that breaks verifiers was seen."
    )
