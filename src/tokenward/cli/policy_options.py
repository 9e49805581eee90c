"""Options that say whom a service believes: its configuration file, a federation policy, Entra, or any issuer."""

from __future__ import annotations

import argparse
import os
import warnings
from dataclasses import replace
from pathlib import Path

from tokenward import entra
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_note
from tokenward.cli.serve.policies import CLOUDS, policy_from
from tokenward.cli.serve.reading import read_settings
from tokenward.cli.tokens import read_file
from tokenward.clouds import Cloud
from tokenward.databricks import Workspace, read_policies
from tokenward.databricks import policy_of as federation_policy_of
from tokenward.errors import PolicyError
from tokenward.issuer import Issuer
from tokenward.policy import Policy
from tokenward.redaction import shown
from tokenward.validation import GUID

MAX_FILE_BYTES = 4 * 1024 * 1024
"""As the gateway's: twenty federation policies with keys of their own are 100 KB."""
ANY = "any"

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
    way.add_argument("--api", metavar="CLIENT_ID", help="an API of your own at Entra; with --tenant")
    way.add_argument("--issuer", metavar="URL", help="any OIDC issuer; with --audience")
    group.add_argument("--tenant", metavar="ID", help="the tenant id (GUID); with --api also the word any")
    group.add_argument("--cloud", choices=sorted(CLOUDS), help="Entra's cloud; default: public")
    group.add_argument("--authority", metavar="URL", help="another address of Entra's keys than the cloud's")
    group.add_argument("--workspace", metavar="HOST", help="the workspace, which is asked for its tenant")
    group.add_argument("--audience", metavar="AUD", action="append", help="what aud may be; may be repeated")
    group.add_argument("--algorithm", metavar="ALG", action="append", help="what alg may be; may be repeated; default: RS256")
    account = "the account, for federation policies without audiences; default: $DATABRICKS_ACCOUNT_ID"
    group.add_argument("--account-id", metavar="UUID", help=account)


def policy_of(args: argparse.Namespace) -> Policy | None:
    """The policy that is meant; None if no option names one. Raises CommandFailed, PolicyError and ExchangeUnavailable."""
    way = next((name for name in _OPTIONS if getattr(args, name) not in (None, False)), None)
    _require_used(args, way)
    if way == "databricks":
        return _databricks(args)
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


def _databricks(args: argparse.Namespace) -> Policy:
    tenant, cloud = args.tenant, CLOUDS[args.cloud or "public"]
    if args.workspace and not getattr(args, "offline", False):
        found = Workspace(args.workspace, timeout=getattr(args, "timeout", 10.0)).tenant()
        if tenant and tenant.lower() != found.id:
            problem = f"The workspace belongs to the tenant {found.id}, and --tenant names another."
            raise CommandFailed(Exit.USAGE, problem, "Leave --tenant out, or name the other workspace.")
        tenant, cloud = found.id, found.cloud if args.cloud is None else cloud
    if not tenant:
        fix = "Give --tenant, the tenant id (GUID) of the workspace, or --workspace, and it is asked for it."
        raise CommandFailed(Exit.USAGE, "No tenant is given.", fix)
    return entra.databricks(_guid("--tenant", tenant), cloud=_at_authority(cloud, args.authority))


def _api(args: argparse.Namespace) -> Policy:
    if not args.tenant:
        raise CommandFailed(Exit.USAGE, "No tenant is given.", "Give --tenant, the tenant id (GUID) of the callers, or any.")
    tenants = ANY if args.tenant == ANY else [_guid("--tenant", args.tenant)]
    cloud = _at_authority(CLOUDS[args.cloud or "public"], args.authority)
    return entra.api(_guid("--api", args.api), tenants, cloud=cloud)


def _at_authority(cloud: Cloud, authority: str | None) -> Cloud:
    if authority is None:
        return cloud
    try:
        return replace(cloud, authority=authority)
    except PolicyError as error:
        raise CommandFailed(Exit.USAGE, f"--authority: {error.problem}.", error.fix) from None


def _guid(option: str, value: str) -> str:
    if GUID.fullmatch(value.lower()):
        return value.lower()
    what = "tenant" if option == "--tenant" else "application (client)"
    fix = f"Copy the {what} id from the overview page of the app registration."
    raise CommandFailed(Exit.USAGE, f"{option}: {shown(value)} is not a GUID.", fix)


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
        return _federation(args, text)
    return policy_from(read_settings(args.policy, os.environ)["policy"])


def _federation(args: argparse.Namespace, text: bytes) -> Policy:
    if len(text) > MAX_FILE_BYTES:
        raise CommandFailed(Exit.USAGE, f"{shown(args.policy)} is larger than any list of policies.", "Give the policies alone.")
    account_id = args.account_id or os.environ.get("DATABRICKS_ACCOUNT_ID") or None
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            policies = read_policies(text, account_id=account_id)
        for warning in heard:
            print_note(str(warning.message))
        return federation_policy_of(policies)
    except PolicyError as error:
        problem = f"{shown(args.policy)}: {shown(f'{error.field}: {error.problem}')}."
        raise CommandFailed(Exit.USAGE, problem, error.fix.replace("Pass account_id", "Give --account-id")) from None
