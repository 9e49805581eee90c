"""`tokenward policy would-accept`: which federation policy would accept a token, and for each other one why not."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from types import MappingProxyType

from tokenward.cli.federation_file import read_federation_file
from tokenward.cli.moments import read_time
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import STDIN, add_token_options, read_token, reads_stdin
from tokenward.cli.verdicts import answer_of, document, print_verdicts
from tokenward.databricks import FederationPolicy, Verdict, would_accept
from tokenward.databricks.federation.policies import policy_of
from tokenward.redaction import shown
from tokenward.verifier import Verifier

ABOUT = """\
Look at Databricks federation policies, before Databricks is asked."""
EXAMPLES = """\
examples:
  databricks account federation-policy list -o json > policies.json
  tokenward policy would-accept policies.json --token-env FEDERATED_JWT_TOKEN"""
DESCRIPTION = """\
Judge a JWT by Databricks federation policies before Databricks is asked. FILE
holds policies in JSON or YAML: one, a list, or the API's answer; - is stdin. The
JWT is read from stdin, from a file or from the environment, and never from the
command line. The issuer's keys are fetched to check the signature."""
EPILOG = """\
examples:
  databricks account federation-policy list -o json > policies.json
  tokenward policy would-accept policies.json --token-env FEDERATED_JWT_TOKEN
  tokenward policy would-accept policies.json --client-id "$CLIENT_ID" < jwt.txt

exit codes:
  0  a policy accepts the JWT
  1  no policy does
  2  a wrong option, or a file that holds no policies
  3  the issuer's keys could not be fetched, and nothing else speaks against
     it
  4  there was no JWT"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "look at federation policies"
    parser = subparsers.add_parser("policy", help=about, description=ABOUT, epilog=EXAMPLES)
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")
    help_ = "say which policy accepts a JWT, before Databricks is asked"
    would = commands.add_parser("would-accept", help=help_, description=DESCRIPTION, epilog=EPILOG)
    would.add_argument("file", metavar="FILE", help="the policies; - is stdin")
    add_token_options(would, what="the JWT")
    audience = "the account, whose id is the audience of a policy that names none; default: $DATABRICKS_ACCOUNT_ID"
    would.add_argument("--account-id", metavar="GUID", help=audience)
    would.add_argument("--client-id", metavar="GUID", help="the service principal that the exchange would name")
    would.add_argument("--at", metavar="TIME", help="judge for this time: seconds since 1970, or such as 2026-05-04T13:00:00Z")
    would.add_argument("--offline", action="store_true", help="fetch no keys, and leave the signature unchecked")
    would.add_argument("--all", action="store_true", help="print every check, not only those that fail")
    would.add_argument("--json", action="store_true", help="print JSON, every check included")
    would.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Judge one token by every policy of a file."""
    if args.file == STDIN and reads_stdin(args):
        problem = "Both the policies and the JWT are to come from stdin."
        raise CommandFailed(Exit.USAGE, problem, "Take one of them from elsewhere: --token-env or --token-file.")
    now = time.time() if args.at is None else read_time("--at", args.at)
    policies = _policies(args)
    verdicts = _judged(read_token(args), policies, args, now)
    if args.json:
        print_json(document(verdicts))
    else:
        print_verdicts(verdicts, now=now, offline=args.offline, all_checks=args.all)
    answer = answer_of(verdicts)
    return Exit.UNAVAILABLE if answer is None else Exit.YES if answer else Exit.NO


def _judged(token: str, policies: Sequence[FederationPolicy], args: argparse.Namespace, now: float) -> list[Verdict]:
    """The verdicts in the order of the policies, which are judged together where they have the same keys."""
    found: dict[int, Verdict] = {}
    for alike in _by_keys(policies).values():
        verifier = None if args.offline else Verifier(policy_of([_keys_only(alike[0])]), clock=lambda: now, observer=None)
        try:
            verdicts = would_accept(token, alike, now=now, client_id=args.client_id, verifier=verifier)
        finally:
            if verifier is not None:
                verifier.close()
        found |= {id(verdict.policy): verdict for verdict in verdicts}
    form = found[id(policies[0])].findings[0]
    if form.held is False:
        raise CommandFailed(Exit.NO_TOKEN, f"It is no signed JWT: {form.seen}.", form.fix)
    return [found[id(policy)] for policy in policies]


def _by_keys(policies: Sequence[FederationPolicy]) -> dict[object, list[FederationPolicy]]:
    groups: dict[object, list[FederationPolicy]] = {}
    for policy in policies:
        groups.setdefault((policy.issuer, policy.jwks_uri, repr(policy.jwks_json)), []).append(policy)
    return groups


def _keys_only(policy: FederationPolicy) -> FederationPolicy:
    """Only the signature is judged by it, so what policies with the same keys may differ in is left out."""
    return FederationPolicy(policy.issuer, audiences=policy.audiences, jwks_uri=policy.jwks_uri, jwks_json=policy.jwks_json)


def _policies(args: argparse.Namespace) -> list[FederationPolicy]:
    policies = read_federation_file(args.file, args.account_id, takes_stdin=True)
    if not policies:
        raise CommandFailed(Exit.USAGE, f"{shown(args.file)} holds no policy.", "Give a file with at least one.")
    return policies
