"""A Databricks workspace and what it depends on, part by part: itself, its Entra tenant, the issuers of federation policies."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import urlsplit

from tokenward import entra, validation
from tokenward.asking.driving import run
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.hosts import workspace_origin
from tokenward.databricks.workspace.host_facts import HostMetadata, WorkspaceTenant, metadata_steps, tenant_steps
from tokenward.errors import ExchangeUnavailable, PolicyError
from tokenward.finding import Finding
from tokenward.keys.fetch import HttpxFetch
from tokenward.keys.location import Discovery, Static
from tokenward.keys.port import Fetch
from tokenward.troubleshoot.surroundings.clock import clock, no_clock
from tokenward.troubleshoot.surroundings.issuers import usable
from tokenward.troubleshoot.surroundings.probe import NotSeen, Seen
from tokenward.troubleshoot.surroundings.probe import probe as probe_once
from tokenward.troubleshoot.surroundings.tls import reachable, tls

Parts: TypeAlias = dict[str, list[Finding]]
Probe: TypeAlias = Callable[[str], Seen | NotSeen]

TIMEOUT = 10.0
"""Seconds for each question to the workspace, retries included."""
MAX_ISSUERS = 20
"""Of federation policies that are looked at; an account has a few, and each may cost a minute where nobody answers."""

_OAUTH = "/.well-known/oauth-authorization-server"
_TENANT = "https://learn.microsoft.com/azure/databricks/dev-tools/troubleshoot-aad-token"
_FEDERATION = "https://docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy"


@dataclass(frozen=True, slots=True)
class Means:
    """What to look with: a fetch as for keys, a probe for what is outside of answers, and the epoch clock."""

    fetch: Fetch = field(default_factory=HttpxFetch)
    probe: Probe = probe_once
    clock: Callable[[], float] = time.time


def examine_workspace(
    host: str,
    means: Means | None = None,
    *,
    tenant: str | None = None,
    cloud: entra.Cloud | None = None,
    policies: Sequence[FederationPolicy] = (),
) -> Parts:
    """Everything that can be seen without credentials, as seen from here: what Databricks itself can reach may differ.

    It changes nothing, sends no token, and raises for nothing that a server answers: what could not be asked is a finding that
    is open (`held` is None). It blocks, so an event loop calls it in a thread.

    host      such as "adb-1234567890123456.7.azuredatabricks.net", or a URL
    means     what to look with; by default the network and this machine's clock
    tenant    the one that you expect (GUID)
    cloud     where its keys are looked for; by default where the workspace sends people to sign in
    policies  federation policies, whose issuers are looked at

    Raises PolicyError for what is no host of a workspace, no tenant, or too many policies. Source:
    docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-policy.
    """
    look = means or Means()
    origin = workspace_origin("host", host)
    name = urlsplit(origin).netloc
    expected = None if tenant is None else validation.tenant("tenant", tenant)
    seen = look.probe(f"{origin}/oidc{_OAUTH}")
    parts: Parts = {f"Workspace {name}": [reachable(seen, name), *tls(seen, look.clock()), *_clock(seen)]}
    found = None
    if isinstance(seen, Seen):
        found, finding = _tenant(origin, expected, look)
        parts[f"Workspace {name}"] += [finding, *_oauth(origin, look)]
    known = expected or (found.id if found else None)
    if known is not None:
        parts[f"Tenant {known}"] = _entra(known, cloud or (found.cloud if found else entra.PUBLIC), look)
    parts |= _policies(policies, look)
    if isinstance(seen, Seen) and not any(finding.name == "clock" for listed in parts.values() for finding in listed):
        parts[f"Workspace {name}"].append(no_clock())
    return parts


def _clock(seen: Seen | NotSeen) -> list[Finding]:
    return clock(seen.moment) if isinstance(seen, Seen) else []


def _tenant(origin: str, expected: str | None, means: Means) -> tuple[WorkspaceTenant | None, Finding]:
    """By where the workspace sends people to sign in."""
    wanted = expected or "a tenant of Microsoft Entra ID"
    try:
        found = run(tenant_steps(origin), means.fetch, time.monotonic() + TIMEOUT)
    except ExchangeUnavailable as exc:
        return None, Finding("tenant", wanted, str(exc.reason), None, "Try again, or check the host.", _TENANT)
    except PolicyError as exc:
        return None, Finding("tenant", wanted, exc.problem, False, exc.fix, _TENANT)
    held = expected in (None, found.id)
    fix = "" if held else "Get tokens in the workspace's tenant, and give that one to the policy: another tenant's are refused."
    return found, Finding("tenant", wanted, found.id, held, fix, _TENANT)


def _oauth(origin: str, means: Means) -> list[Finding]:
    """Its own OAuth server, whose tokens the exchange gives."""
    try:
        told = run(metadata_steps(origin), means.fetch, time.monotonic() + TIMEOUT)
    except ExchangeUnavailable as exc:
        fix = "Try again, or check the host; without it, name the endpoints yourself."
        return [Finding("OAuth metadata", "/.well-known/databricks-config", str(exc.reason), None, fix, _FEDERATION)]
    issuer = _issuer_of(told)
    metadata = Finding("OAuth metadata", "an oidc_endpoint", issuer, True, "", _FEDERATION)
    return [metadata, *usable(Discovery(f"{issuer}{_OAUTH}", frozenset({issuer})), ("RS256",), means.fetch)]


def _issuer_of(told: HostMetadata) -> str:
    return told.oidc_endpoint.replace("{account_id}", told.account_id or "{account_id}")


def _entra(tenant: str, cloud: entra.Cloud, means: Means) -> list[Finding]:
    """The keys of v1 tokens, which those for AzureDatabricks are."""
    issuer = entra.databricks(tenant, cloud=cloud, versions=["1.0"]).issuers[0]
    seen = means.probe(issuer.location.name)
    found = [reachable(seen, urlsplit(cloud.authority).netloc), *tls(seen, means.clock()), *_clock(seen)]
    return [*found, *usable(issuer.location, issuer.algorithms, means.fetch)] if isinstance(seen, Seen) else found


def _policies(policies: Sequence[FederationPolicy], means: Means) -> Parts:
    """Each issuer once, however many policies name it with the same keys."""
    distinct = {(policy.issuer, policy.jwks_uri, policy.jwks_json): policy for policy in reversed(policies)}
    if len(distinct) > MAX_ISSUERS:
        raise PolicyError("federation_policies", f"they name more than {MAX_ISSUERS} issuers", "Give those in question.")
    return {f"Federation policy {p.label}: {p.issuer}": _policy(p, means) for p in reversed(distinct.values())}


def _policy(policy: FederationPolicy, means: Means) -> list[Finding]:
    issuer = policy.to_issuer()
    if isinstance(issuer.location, Static):
        return usable(issuer.location, issuer.algorithms, means.fetch)
    seen = means.probe(issuer.location.name)
    return [*tls(seen, means.clock()), *usable(issuer.location, issuer.algorithms, means.fetch)]
