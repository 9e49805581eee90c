"""`tokenward decode`: what a token says, claim by claim, with nothing verified and nothing sent anywhere."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from types import MappingProxyType

from tokenward.cli.cells import one_line
from tokenward.cli.moments import is_moment, local, moment
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json, print_line, print_table, print_text
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import add_token_options, read_text
from tokenward.troubleshoot.explanation.notes import claim_notes
from tokenward.troubleshoot.explanation.opened import Opened, opened
from tokenward.troubleshoot.explanation.pasted import token_in
from tokenward.troubleshoot.explanation.recognition import recognise_jwt
from tokenward.troubleshoot.explanation.report import shown_claims, shown_header
from tokenward.troubleshoot.explanation.what import What, recognise_text
from tokenward.troubleshoot.glossary import meaning_of, value_name

NOT_VERIFIED = "NOTHING WAS VERIFIED: anybody can write these claims. To have them checked: tokenward explain"
DESCRIPTION = """\
Print the header and the claims of a JWT, with what each means and times in
local time. NOTHING IS VERIFIED: neither the signature nor any claim. Nobody is
asked. The signature is not printed, and for what could be a token in a claim
there stands <token>. The token is read from stdin, from a file or from the
environment, and never from the command line."""
EPILOG = """\
examples:
  tokenward decode < token.txt
  tokenward decode --token-env TOKEN --json | jq .claims.aud
  tokenward decode --redact < token.txt       to show it to somebody else

exit codes:
  0  decoded
  2  a wrong option or file
  4  there was no token, or it cannot be decoded"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "print what a token says, without verifying it"
    parser = subparsers.add_parser("decode", help=about, description=DESCRIPTION, epilog=EPILOG)
    add_token_options(parser, what="the token")
    parser.add_argument("--redact", action="store_true", help="print types and lengths in place of the claims' values")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Decode one token."""
    text = read_text(args.token_env, args.token_file).strip()
    if not text:
        raise CommandFailed(Exit.NO_TOKEN, "There is no token.", "Pipe it in, or use --token-env or --token-file.")
    token = opened(token_in(text).token)
    if token.header_members is None or token.claims is None:
        what = recognise_text(token.text)
        raise CommandFailed(Exit.NO_TOKEN, what.sentence, what.advice, code="malformed_token")
    what = recognise_jwt(token.header_members, token.claims)
    if args.json:
        print_json(_document(token, what, redact=args.redact))
    else:
        _print(token, what, redact=args.redact)
    return Exit.YES


def _document(token: Opened, what: What, *, redact: bool) -> dict[str, object]:
    told = {"kind": what.kind, "sentence": what.sentence, "advice": what.advice}
    header, claims = _parts(token, redact=redact)
    return {"verified": False, "what": told, "header": header, "claims": claims, "notes": claim_notes(token.claims or {})}


def _parts(token: Opened, *, redact: bool) -> tuple[dict[str, object], dict[str, object]]:
    """Header and claims, as `tokenward explain` shows them."""
    return shown_header(token.header_members or {}, redact=redact), shown_claims(token.claims or {}, redact=redact)


def _print(token: Opened, what: What, *, redact: bool) -> None:
    print_text(NOT_VERIFIED, "bold red")
    print_line("")
    print_text(f"{what.sentence}", "bold")
    for title, members in zip(("Header", "Claims"), _parts(token, redact=redact), strict=True):
        print_line("")
        print_table(title, ("name", "value", "meaning"), _rows(members))
    print_line("")
    for note in claim_notes(token.claims or {}):
        print_text(f"note: {note}")
    if what.advice:
        print_text(what.advice)
    print_text(NOT_VERIFIED, "bold red")


def _rows(members: Mapping[str, object]) -> list[tuple[str, str, str]]:
    now = time.time()
    return [(one_line(name), _shown(name, value, now), _meaning(name)) for name, value in members.items()]


def _shown(name: str, value: object, now: float) -> str:
    if _is_time(name) and isinstance(value, (int, float)) and is_moment(value):
        return "\n".join([str(value), moment(value, now), *local(value)])
    if isinstance(value, list):
        return "\n".join(map(_named, value)) or "an empty list"
    return _named(value)


def _named(value: object) -> str:
    """A value, and whose it is if it is well known, such as an application id of Microsoft's."""
    known = value_name(value) if isinstance(value, str) else None
    return f"{one_line(value)} ({known})" if known else one_line(value)


def _is_time(name: str) -> bool:
    term = meaning_of(name)
    return term is not None and term.form == "time"


def _meaning(name: str) -> str:
    term = meaning_of(name)
    return "-" if term is None else term.meaning
