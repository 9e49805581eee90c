"""`tokenward diagnose`: what an error of Entra, OAuth, Databricks or tokenward means, who must act, and what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from tokenward.acquisition.diagnose import MAX_CHARS, diagnose_all
from tokenward.acquisition.diagnosis import Diagnosis
from tokenward.cli.diagnoses import print_diagnoses
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json, print_note
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import STDIN
from tokenward.redaction import shown

MAX_PIECES = 256
"""Of a log, each of up to MAX_CHARS bytes; a day of a busy service, looked at in half a minute."""
MAX_LINE = 64 * 1024
"""Bytes of a line that are kept together where a piece ends; lines of logs are cut at 16 or 64 KiB on their way."""
GZIP = b"\x1f\x8b"

NOTHING = "Give a code (AADSTS65001), an error's text, the token endpoint's JSON or a log, as it was written."
JUDGED = "Pipe it to tokenward explain, which judges tokens."
EXPOSED = "Other processes and the shell's history see the command line, so replace the token. Pipe the text in, or use --file."

DESCRIPTION = """\
Explain why no token was given or accepted: meaning, causes in order, who must
act, the steps, and whether trying again helps. Takes an AADSTS code, an error's
text, a token endpoint's JSON, an OAuth error, one of tokenward's codes, or a
log. Nobody is asked; of the text only codes, counts, support's ids, times and
the id of the client (in commands, if it names just one) are printed."""
EPILOG = """\
examples:
  tokenward diagnose AADSTS50000
  tokenward diagnose 65001 50011
  tokenward diagnose audience_not_accepted
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
    found = _found(args)
    if args.json:
        print_json({"diagnoses": [_document(diagnosis) for diagnosis in found]})
    else:
        print_diagnoses(found)
    return Exit.YES if any(diagnosis.entry is not None for diagnosis in found) else Exit.NO


# -- for machines ------------------------------------------------------------------------------------------------------


def _document(found: Diagnosis) -> dict[str, object]:
    ids = {"trace_id": found.trace_id, "correlation_id": found.correlation_id, "timestamp": found.timestamp}
    seen: dict[str, object] = {"code": found.code, "known": found.entry is not None, "count": found.count}
    return {**seen, "look_up": found.look_up, **ids, **(found.entry.to_json() if found.entry else {})}


# -- input -------------------------------------------------------------------------------------------------------------


def _found(args: argparse.Namespace) -> Sequence[Diagnosis]:
    if args.text and args.file is not None:
        raise CommandFailed(Exit.USAGE, "Both a text and --file are given.", "Give one of them.")
    if args.text:
        if any("<token>" in str(shown(text)) for text in args.text):
            raise CommandFailed(Exit.USAGE, "The text on the command line holds what looks like a token.", EXPOSED)
        return _found_in(["\n".join(args.text).encode("utf-8", "replace")])
    if args.file not in (None, STDIN):
        return _of_file(Path(args.file))
    if sys.stdin is None or sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "There is nothing to diagnose.", NOTHING)
    return _of_stream(sys.stdin.buffer, "Standard input")


def _of_file(path: Path) -> Sequence[Diagnosis]:
    try:
        with path.open("rb") as file:
            return _of_stream(file, str(shown(str(path))))
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise _unreadable(str(shown(str(path))), exc) from None


def _of_stream(stream: BinaryIO, name: str) -> Sequence[Diagnosis]:
    try:
        return _found_in(_pieces(stream))
    except OSError as exc:
        raise _unreadable(name, exc) from None


def _found_in(pieces: Iterable[bytes]) -> Sequence[Diagnosis]:
    rest = iter(pieces)
    first = next(rest, b"")
    if found := diagnose_all(chain((first,), rest)):
        return found
    text = first.decode("utf-8", "replace").strip()
    if not text:
        raise CommandFailed(Exit.NO, "There was no text: nothing was piped in, or the file is empty.", NOTHING, code="no_text")
    if str(shown(text.removeprefix("Authorization: ").removeprefix("Bearer "))) == "<token>":
        raise CommandFailed(Exit.NO, "It is a token, and no error.", JUDGED, code="token_given")
    raise CommandFailed(Exit.NO, "There is no error in it that is known by a code or a text.", NOTHING, code="nothing_found")


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    for number in range(MAX_PIECES):
        piece = stream.read(MAX_CHARS - MAX_LINE)
        if not piece:
            return
        if not number and piece.startswith(GZIP):
            raise CommandFailed(Exit.USAGE, "It is compressed.", "Unpack it: zcat LOG.gz | tokenward diagnose")
        yield piece + stream.readline(MAX_LINE)
    if stream.read(1):
        print_note(f"Only the first {MAX_PIECES} MB were looked at; pass on the end with tail -c if that is what matters.")


def _unreadable(name: str, exc: Exception) -> CommandFailed:
    problem = f"{name} cannot be read ({getattr(exc, 'strerror', None) or type(exc).__name__})."
    return CommandFailed(Exit.USAGE, problem, "Check the path and its permissions.")
