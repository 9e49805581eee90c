"""`tokenward explain`: why a token is refused: every check of the middleware on it, and what to change where."""

from __future__ import annotations

import argparse
import time
from types import MappingProxyType

from tokenward.cli.durations import add_timeout
from tokenward.cli.explanation import print_report
from tokenward.cli.moments import read_time
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json
from tokenward.cli.parser import Subparsers
from tokenward.cli.policy_options import add_policy_options, policy_of
from tokenward.cli.tokens import add_token_options, read_text
from tokenward.troubleshoot.explanation.explain import TIMEOUT, explain
from tokenward.troubleshoot.explanation.report import Report

DESCRIPTION = """\
Explain why a token is refused: what it is, every check of the middleware (not
only the first that fails), and what to change where. The keys are fetched from
the policy's own issuer, and from no address that the token names. Takes a whole
Authorization header, or a token endpoint's JSON, too. The token is read from
stdin, from a file or from the environment, and never from the command line."""
EPILOG = """\
examples:
  tokenward explain < token.txt
  tokenward explain --api "$CLIENT_ID" --tenant "$TENANT_ID" < token.txt
  tokenward explain --databricks --workspace "$DATABRICKS_HOST" < token.txt
  tokenward explain --policy gateway.toml --token-env TOKEN --all
  tokenward explain --policy federation-policy.json --json < token.txt
  tokenward explain --issuer https://idp.example --audience api://jobs \\
    --at 2026-05-04T13:00:00Z --redact < token.txt

exit codes:
  0  the middleware lets the token in
  1  it refuses the token
  2  a wrong option or file
  3  undecided: keys could not be fetched, or no policy is given, and nothing
     else speaks against the token
  4  there was no token, or it is no signed JWT"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "explain why a token is refused, and what to change where"
    parser = subparsers.add_parser("explain", help=about, description=DESCRIPTION, epilog=EPILOG)
    add_token_options(parser, what="the token")
    add_policy_options(parser)
    parser.add_argument("--at", metavar="TIME", help="judge for this time: seconds since 1970, or such as 2026-05-04T13:00:00Z")
    parser.add_argument(
        "--offline", action="store_true", help="ask nobody; the signature is then checked only by keys in the policy"
    )
    add_timeout(parser, TIMEOUT, "for the keys")
    parser.add_argument("--all", action="store_true", help="print every check, not only those that do not hold")
    parser.add_argument("--redact", action="store_true", help="print types and lengths in place of the claims' values")
    parser.add_argument("--json", action="store_true", help="print JSON, every check and claim included")
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Explain one token."""
    now = None if args.at is None else read_time("--at", args.at)
    policy = policy_of(args, offline=args.offline, timeout=args.timeout)
    token = read_text(args.token_env, args.token_file).strip()
    if not token:
        raise CommandFailed(Exit.NO_TOKEN, "There is no token.", "Pipe it in, or use --token-env or --token-file.")
    report = explain(token, policy, now=now, clock=time.time, offline=args.offline, timeout=args.timeout)
    if args.json:
        print_json(report.to_json(redact=args.redact))
    else:
        print_report(report, all_checks=args.all, redact=args.redact)
    return _exit_of(report)


def _exit_of(report: Report) -> Exit:
    if report.fingerprint is None:
        return Exit.NO_TOKEN
    return {"accepted": Exit.YES, "refused": Exit.NO, "undecided": Exit.UNAVAILABLE}[report.verdict]
