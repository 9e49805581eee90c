"""`tokenward doctor`: an app registration or a Databricks workspace examined, with what to change. It changes nothing."""

from __future__ import annotations

import argparse
from types import MappingProxyType

from tokenward.cli.doctor_reading import read_parts_of_registration, read_parts_of_workspace
from tokenward.cli.doctor_report import answer_of, document, print_report
from tokenward.cli.durations import add_timeout
from tokenward.cli.host import add_workspace_option, named_workspace
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_json
from tokenward.cli.parser import Subparsers
from tokenward.clouds import NAMED
from tokenward.errors import PolicyError

TIMEOUT = 30.0

DESCRIPTION = """\
Examine an app registration of Microsoft Entra ID, a Databricks workspace, or
both: what holds, what does not, and what to change where. Nothing is changed;
Graph is only asked by GET.

For a registration, Microsoft Graph is asked with a token that may read it
(Application.Read.All, and Directory.Read.All for consents), which comes from
stdin, a file or the environment. Or give what the Azure CLI printed."""
EPILOG = """\
examples:
  az account get-access-token --resource-type ms-graph --query accessToken \\
    -o tsv | tokenward doctor --tenant "$TENANT" --client-id "$CLIENT_ID"
  tokenward doctor --tenant "$TENANT" --client-id "$CLIENT_ID" \\
    --resource databricks --scope user_impersonation --graph-token-env GRAPH
  tokenward doctor --tenant "$TENANT" --client-id "$CLIENT_ID" \\
    --az-file app.json --az-file sp.json --az-file grants=grants.json
  tokenward doctor --workspace adb-1234567890123456.7.azuredatabricks.net \\
    --tenant "$TENANT" --federation-policies policies.json

files of the Azure CLI, with KIND= where it cannot be told from an empty list:
  app       az ad app show --id CLIENT_ID
  sp        az ad sp show --id CLIENT_ID (and of each resource)
  grants    az ad app permission list-grants --id CLIENT_ID
  assigned, roles, consent   az rest; what is lacking says the command

exit codes:
  0  all checks hold
  1  something is wrong
  2  a wrong option or file
  3  nothing is seen to be wrong, but something could not be asked
  4  there was no token for Graph"""

_OPTIONS = {
    **{name: f"--{name.replace('_', '-')}" for name in ("tenant", "client_id", "resource", "scope", "redirect_uri", "graph")},
    "policies": "--federation-policies",
    "federation_policies": "--federation-policies",
    "az_file": "--az-file",
    "graph_token_env": "--graph-token-env",
    "graph_token_file": "--graph-token-file",
    "authority": "--authority",
}


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "an app registration or a workspace, examined"
    parser = subparsers.add_parser("doctor", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--tenant", metavar="GUID", help="the tenant of the registration, or that the workspace should have")
    _add_registration(parser.add_argument_group("an app registration"))
    _add_workspace(parser.add_argument_group("a workspace"))
    parser.add_argument("--cloud", choices=NAMED, help="whose Graph and keys; default: public, or the workspace's own")
    add_timeout(parser, TIMEOUT, "for all questions to Graph")
    parser.add_argument("--all", action="store_true", help="print every check, not only those that do not hold")
    parser.add_argument("--json", action="store_true", help="print JSON, every check included")
    parser.runs(run, MappingProxyType({}))


def _add_registration(group: argparse._ArgumentGroup) -> None:  # argparse names it nowhere else
    group.add_argument("--client-id", metavar="GUID", help="the application (client) id")
    group.add_argument("--resource", metavar="API", help="app id, api:// address, or databricks; default: all it asks for")
    group.add_argument("--scope", action="append", default=[], metavar="NAME", help="a delegated permission that it asks for")
    group.add_argument("--redirect-uri", metavar="URI", help="the redirect URI that it sends")
    sources = group.add_mutually_exclusive_group()
    sources.add_argument("--graph-token-env", metavar="NAME", help="the environment variable that holds the token for Graph")
    sources.add_argument("--graph-token-file", metavar="PATH", help="the file that holds it; - is stdin, which is the default")
    sources.add_argument("--az-file", action="append", metavar="[KIND=]FILE", help="what az printed, in place of Graph")
    group.add_argument("--graph", metavar="URL", help="another address of Graph, such as https://dod-graph.microsoft.us")


def _add_workspace(group: argparse._ArgumentGroup) -> None:  # as above
    example = "adb-1234567890123456.7.azuredatabricks.net"
    add_workspace_option(group, f"a name such as {example} or a URL; default, without --client-id: $DATABRICKS_HOST")
    group.add_argument("--federation-policies", metavar="FILE", help="federation policies (JSON, YAML), whose issuers to look at")
    account = "the account, whose id is the audience of a policy that names none; default: $DATABRICKS_ACCOUNT_ID"
    group.add_argument("--account-id", metavar="GUID", help=account)
    group.add_argument("--authority", metavar="URL", help="another address of Entra's keys than the cloud's")


def run(args: argparse.Namespace) -> Exit:
    """Examine what was named, print it, and answer."""
    if args.client_id is None or args.federation_policies is not None:  # else a registration alone is meant
        args.workspace = named_workspace(args)
    _require_a_subject(args)
    try:
        parts = {**read_parts_of_registration(args), **read_parts_of_workspace(args)}
    except PolicyError as exc:
        raise PolicyError(_OPTIONS.get(exc.field, exc.field), exc.problem, exc.fix) from None
    if args.json:
        print_json(document(parts, is_registration=args.client_id is not None))
    else:
        print_report(parts, is_registration=args.client_id is not None, all_checks=args.all)
    answer = answer_of(parts)
    return Exit.UNAVAILABLE if answer is None else Exit.YES if answer else Exit.NO


def _require_a_subject(args: argparse.Namespace) -> None:
    if args.client_id is None and args.workspace is None:
        raise CommandFailed(Exit.USAGE, "There is nothing to examine.", "Give --tenant and --client-id, or --workspace.")
    if args.client_id is not None and args.tenant is None:
        fix = "Add --tenant: the Directory (tenant) ID on the overview page of the app registration."
        raise CommandFailed(Exit.USAGE, "--client-id needs the tenant, too.", fix)
    own = ("resource", "scope", "redirect_uri", "az_file", "graph", "graph_token_env", "graph_token_file")
    lonely = [name for name in own if getattr(args, name)]
    if args.client_id is None and lonely:
        raise CommandFailed(Exit.USAGE, f"{_OPTIONS[lonely[0]]} is of an app registration.", "Add --client-id.")
    if args.workspace is None and args.federation_policies is not None:
        raise CommandFailed(Exit.USAGE, "--federation-policies are of a workspace.", "Add --workspace.")
