"""By which issuer's rules a token is judged: its own, or the one of the policy that was probably meant."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.issuer_name import tenant_of
from tokenward.policy import Policy, Route
from tokenward.troubleshoot.explanation.entra_claims import CIAM_ZONE, CLOUD_OF_HOST

MAX_ISSUER = 2048
"""Characters of a foreign `iss` that is compared; no address is longer."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """The rules, and why these: empty where the token's own issuer is in the policy.

    shares_keys  whether the token may be signed by this issuer's keys: it is the same tenant's, in another form or version
    """

    route: Route
    why: str = ""
    shares_keys: bool = True


def nearest_issuer(policy: Policy, claims: Claims) -> Nearest | None:
    """The issuer to judge by: the token's own, else of its tenant, else of its host, else the only one; None if it is unclear."""
    iss = claims.get("iss")
    name = iss if isinstance(iss, str) and len(iss) <= MAX_ISSUER else ""
    own = policy.route(name)
    if own is not None:
        return Nearest(own)
    template = policy.template_for(name)
    if template is not None:
        return Nearest(Route(template, _tenant(name, claims)), "the same issuer, for other tenants", shares_keys=False)
    return _same_tenant(policy, name, claims) or _same_host(policy, name) or _only_one(policy)


def _same_tenant(policy: Policy, name: str, claims: Claims) -> Nearest | None:
    """Anybody can write a tenant into a claim, so it is the same one only at a host of Entra's or of the policy's."""
    tenant = _tenant(name, claims)
    found = [issuer for issuer in policy.issuers if tenant is not None and tenant in _tenants(issuer)]
    alike = [issuer for issuer in found if issuer.required_values.get("ver") == claims.get("ver")]
    if not found:
        return None
    route = Route((alike or found)[0], tenant)
    if tenant_of(name) is None:
        return Nearest(route, "its tid names this tenant, its iss does not", shares_keys=False)
    if not _is_trusted(policy, _host(name) or ""):
        return Nearest(route, "its iss names this tenant, at another host", shares_keys=False)
    return Nearest(route, "the same tenant in another form")


def _is_trusted(policy: Policy, host: str) -> bool:
    """External ID has two hosts for each tenant: of the tenant's name, and of its id."""
    own = {_host(issuer.issuer) or "" for issuer in policy.issuers}
    return host in own | CLOUD_OF_HOST.keys() or any(name.endswith(CIAM_ZONE) and host.endswith(CIAM_ZONE) for name in own)


def _same_host(policy: Policy, name: str) -> Nearest | None:
    for issuer in policy.issuers:
        if _host(name) is not None and _host(name) == _host(issuer.issuer):
            return Nearest(Route(issuer, None), "the same host", shares_keys=name.rstrip("/") == issuer.issuer.rstrip("/"))
    return None


def _only_one(policy: Policy) -> Nearest | None:
    if len(policy.issuers) == 1 or len({issuer.audience_set for issuer in policy.issuers}) == 1:
        return Nearest(Route(policy.issuers[0], None), "the first of the policy", shares_keys=False)
    return None


def _tenants(issuer: Issuer) -> set[str]:
    listed = () if issuer.tenants in (None, "any") else issuer.tenants or ()
    named = tenant_of(issuer.issuer)
    return {*listed, *([named] if named else [])}


def _tenant(name: str, claims: Claims) -> str | None:
    tid = claims.get("tid")
    return tenant_of(name) or (tid if isinstance(tid, str) else None)


def _host(name: str) -> str | None:
    try:
        return urlsplit(name).hostname
    except ValueError:
        return None
