"""Options that say whom a service believes: its configuration file, a federation policy, Entra, or any issuer."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from tokenward import entra, validation
from tokenward.cli.federation_file import MAX_FILE_BYTES, naming, policies_in
from tokenward.cli.host import VARIABLE, add_workspace_option, named_workspace
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.policies import policy_from
from tokenward.cli.serve.reading import read_settings
from tokenward.cli.tokens import read_file
from tokenward.clouds import NAMED, Cloud
from tokenward.databricks import Workspace
from tokenward.databricks import policy_of as federation_policy_of
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer
from tokenward.policy import Policy

ANY = "any"
COPY_CLIENT_ID = "Copy the Application (client) ID from the overview page of the app registration."

_OPTIONS = {
    "databricks": ("tenant", "cloud", "authority", "workspace"),
    "api": ("tenant", "cloud", "authority"),
    "issuer": ("audience", "algorithm"),
    "policy": ("account_id",),
}
"""What each way to name a policy takes beside it."""


def add_policy_options(parser: argparse.ArgumentParser) -> None:
    """Add --policy, --databricks, --api and --issuer, of which one may be given, and what belongs to each."""
    group = parser.add_argument_group("the policy to judge by (one of these, or none)")
    way = group.add_mutually_exclusive_group()
    way.add_argument(
        "--policy", metavar="FILE", help="a gateway.toml, of which [policy] counts, or federation policies (JSON, YAML)"
    )
    way.add_argument("--databricks", action="store_true", help="Entra tokens for Azure Databricks; with --tenant or --workspace")
    way.add_argument("--api", metavar="GUID", help="an API of your own at Entra, by its client id; with --tenant")
    way.add_argument("--issuer", metavar="URL", help="any OIDC issuer; with --audience")
    group.add_argument("--tenant", metavar="GUID", help="the tenant id; with --api also the word any")
    group.add_argument("--cloud", choices=NAMED, help="Entra's cloud; default: public")
    group.add_argument("--authority", metavar="URL", help="another address of Entra's keys than the cloud's")
    add_workspace_option(group, f"the workspace, which is asked for its tenant; default, without --tenant: ${VARIABLE}")
    group.add_argument("--audience", metavar="AUD", action="append", help="what aud may be; may be repeated")
    group.add_argument("--algorithm", metavar="ALG", action="append", help="what alg may be; may be repeated; default: RS256")
    account = "the account, for federation policies without audiences; default: $DATABRICKS_ACCOUNT_ID"
    group.add_argument("--account-id", metavar="GUID", help=account)


def policy_of(args: argparse.Namespace, *, offline: bool, timeout: float) -> Policy | None:
    """The policy that is meant; None if no option names one.

    offline  ask no workspace for its tenant
    timeout  seconds for that question, retries included

    Raises CommandFailed, PolicyError and ExchangeUnavailable.
    """
    way = next((name for name in _OPTIONS if getattr(args, name) not in (None, False)), None)
    _require_used(args, way)
    if way == "databricks":
        return _databricks(args, offline=offline, timeout=timeout)
    if way == "api":
        return _api(args)
    if way == "issuer":
        return _issuer(args)
    return _file(args) if way == "policy" else None


def _require_used(args: argparse.Namespace, way: str | None) -> None:
    """Raise CommandFailed for an option that would be believed to do something."""
    for name in sorted({name for names in _OPTIONS.values() for name in names}):
        if getattr(args, name) and name not in _OPTIONS.get(way or "", ()):
            ways = " or ".join(f"--{way}" for way, names in _OPTIONS.items() if name in names)
            raise CommandFailed(
                Exit.USAGE, f"--{name.replace('_', '-')} is given without {ways}.", f"Give {ways}, or leave it out."
            )


def _databricks(args: argparse.Namespace, *, offline: bool, timeout: float) -> Policy:
    workspace = args.workspace if args.tenant else named_workspace(args)
    if offline or not workspace:
        tenant, cloud = _given_tenant(args, workspace), NAMED[args.cloud or "public"]
    else:
        tenant, cloud = _asked_tenant(args, workspace, timeout)
    return entra.databricks(tenant, cloud=_at_authority(cloud, args.authority))


def _given_tenant(args: argparse.Namespace, workspace: str | None) -> str:
    if args.tenant:
        return validation.tenant("--tenant", args.tenant)
    fix = "Give --tenant, the tenant id (GUID) of the workspace, or --workspace, and it is asked for it."
    if workspace:
        fix = "With --offline the workspace is not asked: give --tenant, too."
    raise CommandFailed(Exit.USAGE, "No tenant is given.", fix)


def _asked_tenant(args: argparse.Namespace, workspace: str, timeout: float) -> tuple[str, Cloud]:
    """The tenant that the workspace names, and its cloud unless an option names another."""
    found = Workspace(workspace, timeout=timeout).tenant()
    if args.tenant and args.tenant.lower() != found.id:
        problem = f"The workspace belongs to the tenant {found.id}, and --tenant names another."
        raise CommandFailed(Exit.USAGE, problem, "Leave --tenant out, or name the other workspace.")
    return found.id, found.cloud if args.cloud is None else NAMED[args.cloud]


def _api(args: argparse.Namespace) -> Policy:
    if not args.tenant:
        raise CommandFailed(Exit.USAGE, "No tenant is given.", "Give --tenant, the tenant id (GUID) of the callers, or any.")
    tenants = ANY if args.tenant == ANY else [validation.tenant("--tenant", args.tenant)]
    cloud = _at_authority(NAMED[args.cloud or "public"], args.authority)
    return entra.api(validation.guid("--api", args.api, COPY_CLIENT_ID), tenants, cloud=cloud)


def _at_authority(cloud: Cloud, authority: str | None) -> Cloud:
    if authority is None:
        return cloud
    try:
        return replace(cloud, authority=authority)
    except PolicyError as error:
        raise CommandFailed(Exit.USAGE, f"--authority: {error.problem}.", error.fix) from None


def _issuer(args: argparse.Namespace) -> Policy:
    if not args.audience:
        raise CommandFailed(Exit.USAGE, "No audience is given.", "Give --audience, what aud must name: this service.")
    try:
        return Policy([Issuer(args.issuer, audiences=args.audience, algorithms=args.algorithm or ["RS256"])])
    except PolicyError as error:
        option = {"audiences": "--audience", "algorithms": "--algorithm", "issuer": "--issuer"}.get(error.field, error.field)
        raise CommandFailed(Exit.USAGE, f"{option}: {error.problem}.", error.fix) from None


# -- files -------------------------------------------------------------------------------------------------------------


def _file(args: argparse.Namespace) -> Policy:
    """The [policy] of a gateway's configuration, read as the gateway reads it; or the objects of Databricks' API."""
    path = Path(args.policy)
    text = read_file(args.policy, MAX_FILE_BYTES)
    if path.suffix.lower() in (".json", ".yaml", ".yml") or text.lstrip()[:1] == b"{":
        with naming(args.policy):
            return federation_policy_of(policies_in(text, args.policy, args.account_id))
    return policy_from(read_settings(args.policy, os.environ)["policy"])
