"""`tokenward diagnose`: what an error of Entra, OAuth or Databricks means, who must act, and what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_fields, print_json, print_line
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import STDIN, read_stdin
from tokenward.redaction import shown
from tokenward.troubleshoot.acquisition.catalogue import Cause, Entry
from tokenward.troubleshoot.acquisition.diagnose import MAX_CHARS, Diagnosis, diagnose

RETRY = MappingProxyType(
    {
        "never": "does not help",
        "after_fix": "helps after the cause is gone",
        "later": "helps later; wait longer each time",
        "interactive": "helps when the user signs in interactively",
    }
)
NOTHING = "Give a code (AADSTS65001), an error's text, the token endpoint's JSON or a log, as it was written."
EXPOSED = "Other processes and the shell's history see the command line, so replace the token. Pipe the text in, or use --file."

DESCRIPTION = """\
Explain why no token was given or accepted: meaning, causes in order, who must
act, the steps, and whether trying again helps. Takes an AADSTS code, an error's
text, a token endpoint's JSON, an OAuth error or a log. Nobody is asked; of the
text only codes, support's ids and times are printed."""
EPILOG = """\
examples:
  tokenward diagnose AADSTS50000
  tokenward diagnose 65001 50011
  tokenward diagnose --file app.log --json
  curl -s -d @form.txt "$TOKEN_ENDPOINT" | tokenward diagnose

exit codes:
  0  at least one error is explained
  1  there is no error in it, or only unknown codes
  2  a wrong option, or a file that cannot be read"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "explain why no token was given: AADSTS codes, OAuth errors, logs"
    parser = subparsers.add_parser("diagnose", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("text", metavar="TEXT", nargs="*", help="codes or an error's text; without any, stdin is read")
    parser.add_argument("--file", metavar="PATH", help="the file that holds the text; - is stdin")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Diagnose once, and print what was found."""
    found = diagnose(_text(args))
    if not found:
        raise CommandFailed(Exit.NO, "There is no error in it that is known by a code or a text.", NOTHING, code="nothing_found")
    if args.json:
        print_json({"diagnoses": [_document(diagnosis) for diagnosis in found]})
    else:
        _print(found)
    return Exit.YES if any(diagnosis.entry is not None for diagnosis in found) else Exit.NO


# -- for machines ------------------------------------------------------------------------------------------------------


def _document(found: Diagnosis) -> dict[str, object]:
    ids = {"trace_id": found.trace_id, "correlation_id": found.correlation_id, "timestamp": found.timestamp}
    seen: dict[str, object] = {"code": found.code, "known": found.entry is not None, "count": found.count}
    return {**seen, "look_up": found.look_up, **ids, **(_explained(found.entry) if found.entry else {})}


def _explained(entry: Entry) -> dict[str, object]:
    causes = [
        {"cause": cause.cause, "who": cause.who, "steps": list(cause.steps), "commands": list(cause.commands)}
        for cause in entry.causes
    ]
    told: dict[str, object] = {"kind": entry.kind, "name": entry.name, "meaning": entry.meaning, "errors": dict(entry.errors)}
    return {**told, "who": list(entry.who), "causes": causes, "retry": entry.retry, "source": entry.source, "mark": entry.mark}


# -- for people --------------------------------------------------------------------------------------------------------


def _print(diagnoses: Sequence[Diagnosis]) -> None:
    for found in diagnoses:
        name = f" {found.entry.name}" if found.entry is not None and found.entry.name else ""
        print_fields(f"{found.code}{name}", _fields(found))
        for number, cause in enumerate(found.entry.causes if found.entry else (), 1):
            _print_cause(number, cause)
        print_line("")


def _fields(found: Diagnosis) -> dict[str, object]:
    entry = found.entry
    told: dict[str, object] = {"meaning": "unknown here; see Microsoft's page"}
    if entry is not None:
        said = {"meaning": entry.meaning, "who must act": ", ".join(entry.who), "trying again": RETRY[entry.retry]}
        told = {**said, "source": f"{entry.source} ({entry.mark})"}
    told["look up"] = None if entry is not None and found.look_up == entry.source else found.look_up
    ids = {"trace id": found.trace_id, "correlation id": found.correlation_id, "time": found.timestamp}
    return {**told, "messages": found.count if found.count > 1 else None, **ids}


def _print_cause(number: int, cause: Cause) -> None:
    print_line(f"{number}. {cause.cause} ({cause.who})")
    for step in cause.steps:
        print_line(f"   - {step}")
    for command in cause.commands:
        print_line(f"     {command}")


# -- input -------------------------------------------------------------------------------------------------------------


def _text(args: argparse.Namespace) -> str | bytes:
    if args.text and args.file is not None:
        raise CommandFailed(Exit.USAGE, "Both a text and --file are given.", "Give one of them.")
    if args.text:
        if any("<token>" in str(shown(text)) for text in args.text):
            raise CommandFailed(Exit.USAGE, "The text on the command line holds what looks like a token.", EXPOSED)
        return "\n".join(args.text)
    if args.file not in (None, STDIN):
        return _file(Path(args.file))
    if sys.stdin is not None and sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "There is nothing to diagnose.", NOTHING)
    return read_stdin(MAX_CHARS)


def _file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_CHARS)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        problem = f"{shown(str(path))} cannot be read ({getattr(exc, 'strerror', None) or type(exc).__name__})."
        raise CommandFailed(Exit.USAGE, problem, "Check the path and its permissions.") from None
