"""`tokenward me`: who a Databricks token belongs to, asked of the workspace (SCIM Me)."""

from __future__ import annotations

import argparse
import contextlib
import time
from types import MappingProxyType

from tokenward.cli.failures import failure_of
from tokenward.cli.host import add_host_options, host_of
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import date, print_fields, print_json
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import add_token_options, read_token
from tokenward.databricks import Subject, User, Workspace
from tokenward.errors import ExchangeRefused, TokenRejected
from tokenward.redaction import shown

DESCRIPTION = """\
Ask a Databricks workspace who a token belongs to (SCIM Me). The token is a
Databricks OAuth token, a Microsoft Entra ID token for AzureDatabricks, or a
personal access token. It is read from stdin, from a file or from the
environment, and never from the command line."""
EPILOG = """\
examples:
  export DATABRICKS_HOST=adb-1234567890123456.7.azuredatabricks.net
  tokenward exchange --token-env FEDERATED_JWT_TOKEN --raw | tokenward me
  tokenward me --token-env DATABRICKS_TOKEN --json

exit codes:
  0  the workspace knows the token's owner
  1  it does not: token_expired, exchange_refused (it does not take the token;
     HTTP 401, 400 or 403) or user_not_in_workspace (it takes the token, but its
     owner may not enter; HTTP 403)
  2  a wrong option
  3  the workspace could not be asked; try again
  4  there was no token"""
ADVICE = MappingProxyType(
    {
        "exchange_refused": "It was issued for another workspace or service, was revoked, or is an identity provider's JWT that "
        "was not exchanged yet (tokenward exchange). Check --workspace.",
        "token_expired": "Get a new token: tokenward exchange with a new JWT.",
        "user_not_in_workspace": "The token is good, but its owner may not enter: have an administrator add the user or service "
        "principal to this workspace, or check --workspace and the workspace's IP access lists.",
        "malformed_token": "Give the token alone, as tokenward exchange --raw prints it.",
    }
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "say who a Databricks token belongs to"
    parser = subparsers.add_parser("me", help=about, description=DESCRIPTION, epilog=EPILOG)
    add_host_options(parser)
    add_token_options(parser, what="the Databricks token")
    parser.add_argument("--json", action="store_true", help="print JSON, with the names of SCIM")
    parser.runs(run, ADVICE)


def run(args: argparse.Namespace) -> Exit:
    """Ask once, and print the answer."""
    workspace = Workspace(host_of(args), timeout=args.timeout)
    token = read_token(args)
    try:
        user = workspace.me(token)
    except ExchangeRefused as error:
        raise _with_what_the_token_says(error, token) from None
    _print(user, args)
    return Exit.YES


def _with_what_the_token_says(error: ExchangeRefused, token: str) -> CommandFailed:
    """A workspace answers "Invalid access token." to all of them; the token itself, which is not verified here, says more."""
    failure = failure_of(error, ADVICE)
    with contextlib.suppress(TokenRejected):  # an opaque token says nothing
        subject = Subject.read(token)
        if isinstance(issuer := subject.claims.get("iss"), str):
            failure.facts["issuer"] = str(shown(issuer))
        if subject.expires_at <= time.time():
            failure.facts["ended"], failure.fix = date(subject.expires_at), ADVICE["token_expired"]
    return failure


def _print(user: User, args: argparse.Namespace) -> None:
    if args.json:
        names = {"userName": user.user_name, "displayName": user.display_name}
        print_json(names | {"id": user.id, "active": user.active, "workspaceId": user.org_id})
    else:
        fields = {"user name": user.user_name, "display name": user.display_name, "id": user.id, "active": user.active}
        print_fields("Databricks knows this caller", fields | {"workspace id": user.org_id})
