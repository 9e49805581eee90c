"""Settings that are each right, and together guard nothing, or give tokens away: they are refused before anything starts."""

from __future__ import annotations

from tokenward.cli.serve.settings import Section, Settings
from tokenward.databricks.hosts import workspace_origin
from tokenward.issuer import Issuer
from tokenward.keys.address import is_loopback
from tokenward.policy import Policy

_INSTEAD = {
    "api": "Take the kind on_behalf_of.",
    "federation": "Take the kind exchange.",
    "oidc": "Take the kind exchange; pass_through fits tokens of the workspace's own issuer only, https://<upstream>/oidc.",
}
"""Which credentials fit a policy whose tokens are not made for Databricks."""


def require_guarded(settings: Settings, policy: Policy) -> None:
    """Refuse credentials that the policy, or the lack of one, would hand to anybody. Raises CommandFailed."""
    credentials = settings["credentials"]
    if credentials.get("kind") == "fixed":
        _require_narrow(credentials, settings["policy"], policy)
    if credentials.get("kind") == "pass_through":
        _require_made_for_databricks(settings)


def require_private(credentials: Section, host: str) -> None:
    """Refuse to answer a whole network's questions with one token that never changes. Raises CommandFailed."""
    if credentials.get("kind") == "fixed" and not is_loopback(host):
        problem = f"whoever reaches forward-auth at {host!r} with a good token would be handed the fixed one"
        fix = "Listen on 127.0.0.1 ([server] host) beside the proxy, or take credentials of the caller: exchange or on_behalf_of."
        raise credentials.failed("kind", problem, fix)


def _require_narrow(credentials: Section, said: Section, policy: Policy) -> None:
    """One token for everybody, so the policy alone says who may: it must say so, or be said to be meant."""
    if any(issuer.tenants == "any" for issuer in policy.issuers):
        fix = "List the tenants, or take credentials of the caller: on_behalf_of."
        raise said.failed("tenants", "with fixed credentials anybody on the internet would have the rights of the token", fix)
    if not credentials.get("everybody", False) and not all(_is_narrow(issuer) for issuer in policy.issuers):
        problem = "every caller whom the issuer gives a token would have the rights of the fixed one"
        fix = "Narrow [policy] with clients, required_roles or required_scopes; or set everybody = true, if it is meant so."
        raise credentials.failed("kind", problem, fix)


def _is_narrow(issuer: Issuer) -> bool:
    """Whether it names callers, or asks for what the issuer gives to some of them only; a workload's policy names its subject."""
    named = issuer.clients or issuer.required_roles or issuer.required_scopes
    return bool(named) or issuer.subject_claim in issuer.required_values


def _require_made_for_databricks(settings: Settings) -> None:
    """A token that was made for another service is that service's to see, and Databricks would refuse it besides."""
    policy = settings["policy"]
    kind = policy.get("kind")
    if kind == "databricks" or (kind == "oidc" and policy.get("issuer") == _own_issuer(settings)):
        return
    problem = f"with the policy {kind} it would send tokens to the workspace that were made for another service"
    raise settings["credentials"].failed("kind", problem, _INSTEAD[kind])


def _own_issuer(settings: Settings) -> str | None:
    """The issuer of the upstream's own OAuth tokens."""
    section = settings["gateway"]
    with section.judging():
        return f"{workspace_origin('upstream', section.get('upstream'))}/oidc" if "upstream" in section else None
