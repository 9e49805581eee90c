"""`tokenward exchange`: a federated JWT for a Databricks OAuth token (RFC 8693), as Databricks documents it with curl."""

from __future__ import annotations

import argparse
import time
from types import MappingProxyType

from tokenward.cli.host import add_host_options, host_of
from tokenward.cli.outcome import Exit
from tokenward.cli.output import date, print_fields, print_json, print_raw
from tokenward.cli.parser import Subparsers
from tokenward.cli.tokens import add_token_options, read_token
from tokenward.databricks import AccessToken, Exchange, TokenSource

DESCRIPTION = """\
Exchange a JWT of your identity provider for a Databricks OAuth token, which ends
when the JWT does. A federation policy of the account, or of the service principal
of --client-id, must accept the JWT. The JWT is read from stdin, from a file or
from the environment, and never from the command line."""
EPILOG = """\
examples:
  export DATABRICKS_HOST=adb-1234567890123456.7.azuredatabricks.net
  TOKEN=$(tokenward exchange --token-env FEDERATED_JWT_TOKEN --raw)
  tokenward exchange --client-id "$CLIENT_ID" --json < jwt.txt

exit codes:
  0  exchanged
  1  Databricks refused the JWT, or would, so it was not asked
  2  a wrong option
  3  the token endpoint could not be asked; try again
  4  there was no JWT"""
ADVICE = MappingProxyType(
    {
        "token_expired": "Get a new JWT from your identity provider; if it is new, check this machine's clock.",
        "malformed_token": "Give the JWT of your identity provider, whole; it has three parts with dots between them.",
        "token_too_large": "Give the JWT alone; if it is so long, have the identity provider put fewer claims into it.",
    }
)


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "exchange an identity provider's JWT for a Databricks token"
    parser = subparsers.add_parser("exchange", help=about, description=DESCRIPTION, epilog=EPILOG)
    add_host_options(parser)
    add_token_options(parser, what="the JWT")
    parser.add_argument("--client-id", metavar="GUID", help="the service principal to act as; without it, the user of the JWT")
    parser.add_argument("--account-id", metavar="GUID", help="ask the account's endpoint; --workspace is then the account's host")
    parser.add_argument("--scope", default="all-apis", help="default: %(default)s")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--raw", action="store_true", help="print the token and nothing else")
    form.add_argument("--json", action="store_true", help="print the token endpoint's answer, the token included")
    parser.runs(run, ADVICE)


def run(args: argparse.Namespace) -> Exit:
    """Exchange one token."""
    exchange = Exchange(host_of(args), client_id=args.client_id, scope=args.scope, account_id=args.account_id)
    source = TokenSource(exchange, timeout=args.timeout, observer=None)
    _print(source.token_for(read_token(args)), exchange, args)
    return Exit.YES


def _print(token: AccessToken, exchange: Exchange, args: argparse.Namespace) -> None:
    remaining = int(token.expires_at - time.time())
    if args.raw:
        print_raw(token.value)
    elif args.json:
        print_json({"access_token": token.value, "scope": token.scope, "token_type": "Bearer", "expires_in": remaining})
    else:
        acts_as = "the user whom the JWT names" if exchange.client_id is None else f"service principal {exchange.client_id}"
        fields = {"at": exchange.host, "acts as": acts_as, "scope": token.scope}
        ends = {"valid until": date(token.expires_at), "seconds left": remaining}
        print_fields("Exchanged", fields | ends | {"token": "not shown; print it with --raw or --json"})
