"""The cheap gates before any key is looked for: issuer, tenant, algorithm, type.

Nothing here is proved yet. An unverified claim may close the door, never open it, and the caller is not told which gate it was.
"""

from __future__ import annotations

from tokenward.errors import (
    AlgorithmNotAllowed,
    AuthenticationError,
    ClaimMalformed,
    ClaimMissing,
    IssuerNotTrusted,
    TenantNotAllowed,
    TokenRejected,
    TokenTypeNotAccepted,
)
from tokenward.policy import Policy, Route
from tokenward.token.compact import Compact
from tokenward.token.header import Header


def admit(compact: Compact, policy: Policy) -> Route:
    """The rules that an opened token falls under, if it may fall under any. Raises TokenRejected."""
    try:
        route = _route(compact, policy)
        _require_algorithm(compact.header, route)
        _require_type(compact.header, route)
    except TokenRejected as rejection:
        note_origin(rejection, compact)
        raise
    return route


def note_origin(error: AuthenticationError, compact: Compact) -> None:
    """Add to an error what the token says of itself, for the log."""
    iss = compact.claims.get("iss")
    error.issuer = iss if isinstance(iss, str) else None
    error.kid = compact.header.kid
    error.algorithm = compact.header.algorithm.name


def _route(compact: Compact, policy: Policy) -> Route:
    iss = compact.claims.get("iss")
    if type(iss) is not str:
        raise ClaimMissing("no iss", claim="iss") if iss is None else ClaimMalformed("iss is not a string", claim="iss")
    route = policy.route(iss)
    if route is None:
        raise _not_routed(iss, policy)
    if route.tenant is not None and compact.claims.get("tid") != route.tenant:
        raise TenantNotAllowed(
            "tid is not the tenant of iss", claim="tid", expected=route.tenant, actual=compact.claims.get("tid")
        )
    return route


def _not_routed(iss: str, policy: Policy) -> TokenRejected:
    template = policy.template_for(iss)
    if template is None:
        known = [issuer.issuer for issuer in policy.issuers]
        return IssuerNotTrusted("iss is not in the policy", claim="iss", expected=known, actual=iss)
    return TenantNotAllowed("the tenant is not in the allow-list", claim="iss", expected=template.tenants, actual=iss)


def _require_algorithm(header: Header, route: Route) -> None:
    if header.algorithm.name not in route.issuer.algorithm_set:
        raise AlgorithmNotAllowed(
            "not in the issuer's list", claim="alg", expected=route.issuer.algorithms, actual=header.algorithm.name
        )


def _require_type(header: Header, route: Route) -> None:
    if header.typ not in route.issuer.type_set:
        raise TokenTypeNotAccepted(
            "typ is not that of an access token", claim="typ", expected=sorted(route.issuer.type_set), actual=header.typ
        )
