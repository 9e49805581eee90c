"""The cheap gates before any key is looked for: which rules the token falls under, and one table of what these say of its header.

Nothing here is proved yet. An unverified claim may close the door, never open it, and the caller is not told which gate it was.
A new check is a function and a row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

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
from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.policy import Policy, Route
from tokenward.token.compact import Compact
from tokenward.token.header import Header
from tokenward.token.row import Row

IssuerCheck: TypeAlias = Callable[[Issuer, Header], None]


def admit(compact: Compact, policy: Policy) -> Route:
    """The rules that an opened token falls under, if it may fall under any. Raises TokenRejected."""
    try:
        route = route_of(compact.claims, policy)
        for _, check in ISSUER_CHECKS:
            check(route.issuer, compact.header)
    except TokenRejected as rejection:
        note_origin(rejection, compact)
        raise
    return route


def note_origin(error: AuthenticationError, compact: Compact) -> None:
    """Add to an error what the token says of itself, for the log."""
    iss = compact.claims.get("iss")
    error.issuer = iss if isinstance(iss, str) else None
    error.kid = compact.header.kid
    error.algorithm = compact.header.alg


def route_of(claims: Claims, policy: Policy) -> Route:
    """The rules of the token's issuer, which `tid` must agree with.

    Raises ClaimMissing, ClaimMalformed, IssuerNotTrusted or TenantNotAllowed.
    """
    iss = claims.get("iss")
    if type(iss) is not str:
        raise ClaimMissing("no iss", claim="iss") if iss is None else ClaimMalformed("iss is not a string", claim="iss")
    route = policy.route(iss)
    if route is None:
        raise _not_routed(iss, policy)
    if route.tenant is not None and claims.get("tid") != route.tenant:
        raise TenantNotAllowed("tid is not the tenant of iss", claim="tid", expected=route.tenant, actual=claims.get("tid"))
    return route


def _not_routed(iss: str, policy: Policy) -> TokenRejected:
    template = policy.template_for(iss)
    if template is None:
        known = [issuer.issuer for issuer in policy.issuers]
        return IssuerNotTrusted("iss is not in the policy", claim="iss", expected=known, actual=iss)
    return TenantNotAllowed("the tenant is not in the allow-list", claim="iss", expected=template.tenants, actual=iss)


def check_algorithm(issuer: Issuer, header: Header) -> None:
    """The issuer's list decides, and nothing but asymmetric signatures can be listed (RFC 8725 section 3.1)."""
    if header.alg not in issuer.algorithm_set:
        raise AlgorithmNotAllowed("not in the issuer's list", claim="alg", expected=issuer.algorithms, actual=header.alg)


def check_type(issuer: Issuer, header: Header) -> None:
    """`typ` is one of those that access tokens have (RFC 8725 section 3.11)."""
    if header.typ not in issuer.type_set:
        expected = sorted(issuer.type_set)
        raise TokenTypeNotAccepted("typ is not that of an access token", claim="typ", expected=expected, actual=header.typ)


ISSUER_CHECKS: tuple[Row[IssuerCheck], ...] = (
    Row("algorithm", check_algorithm),
    Row("type", check_type),
)
