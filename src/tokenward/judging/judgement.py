"""Every row of the verifiers' tables on one opened token; the walk stops at the first that fails, and this goes on.

The rows are those of `token.header`, `token.admission`, `token.claims`, `token.lifetime` and `token.caller`, and nothing else, so
that what explains a token cannot judge it otherwise than what verifies it. Keys and the policy's own checks are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from tokenward.errors import TokenRejected
from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.policy import Policy
from tokenward.token.admission import ISSUER_CHECKS, route_of
from tokenward.token.caller import CALLER_CHECKS, identity_of
from tokenward.token.claims import CLAIM_CHECKS, SHAPE_CHECKS
from tokenward.token.header import HEADER_CHECKS, Header
from tokenward.token.lifetime import TIME_CHECKS, check_dates

ROUTE = "issuer"
"""What the one check without a table is called: `route_of`."""


class Judgement(NamedTuple):
    """One row: whether it holds, or None where what it relies on does not; and the rejection where it does not hold."""

    name: str
    held: bool | None
    rejection: TokenRejected | None = None


def header_judgements(header: Header) -> list[Judgement]:
    """The rows that hold whoever the issuer is."""
    return [_judged(row.name, partial(row.check, header)) for row in HEADER_CHECKS]


def judgements(header: Header, claims: Claims, issuer: Issuer, now: float, policy: Policy | None) -> list[Judgement]:
    """Every row, in the order of the tables, by the rules of `issuer`, whether or not the token is its.

    policy  where the token's own issuer is looked for; without one, this is not judged
    now     seconds since the epoch

    Raises nothing of its own; the issuer's `kind_of` may.
    """
    route = Judgement(ROUTE, None) if policy is None else _judged(ROUTE, partial(route_of, claims, policy))
    about_claims = [_judged(row.name, partial(row.check, issuer, claims)) for row in CLAIM_CHECKS]
    return [
        *header_judgements(header),
        route,
        *(_judged(row.name, partial(row.check, issuer, header)) for row in ISSUER_CHECKS),
        *about_claims,
        *_about_time(issuer, claims, now),
        *_about_caller(issuer, claims),
    ]


def _about_time(issuer: Issuer, claims: Claims, now: float) -> list[Judgement]:
    if not _judged("", partial(check_dates, issuer, claims)).held:
        return [Judgement(row.name, None) for row in TIME_CHECKS]
    return [_judged(row.name, partial(row.check, issuer, claims, now)) for row in TIME_CHECKS]


def _about_caller(issuer: Issuer, claims: Claims) -> list[Judgement]:
    asked = [row for row in CALLER_CHECKS if row.asked(issuer)]
    has_shape = all(_judged("", partial(row.check, issuer, claims)).held for row in SHAPE_CHECKS)
    if not has_shape or not isinstance(claims.get("iss"), str):
        return [Judgement(row.name, None) for row in asked]
    identity = identity_of(issuer, claims)
    return [_judged(row.name, partial(row.check, issuer, identity)) for row in asked]


def _judged(name: str, check: Callable[[], object]) -> Judgement:
    try:
        check()
    except TokenRejected as rejection:
        return Judgement(name, False, rejection.with_traceback(None))
    return Judgement(name, True)
