"""When a token is valid: exp, nbf and iat with the issuer's leeway (RFC 7519 sections 4.1.4 to 4.1.6).

The three checks and the window of remembered tokens are made of the same two numbers, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tokenward.errors import ClaimMalformed, ClaimMissing, TokenExpired, TokenNotYetValid
from tokenward.identity import Claims
from tokenward.issuer import Issuer
from tokenward.token.row import Row

MAX_DATE = 2**53
"""Beyond it a JSON number is not exact everywhere (RFC 8259 section 6), and arithmetic with it could overflow."""

TimeCheck: TypeAlias = Callable[[Issuer, Claims, float], None]
"""(issuer, claims that passed `check_dates`, now in seconds since the epoch)"""

_NUMBERS = (int, float)
"""JSON numbers; not bool, whose type is its own (RFC 7519 section 2)."""


def check_dates(issuer: Issuer, claims: Claims) -> None:
    """exp is there, and it, nbf and iat are numbers. The parser has refused NaN, Infinity and what overflows."""
    if claims.get("exp") is None:
        raise ClaimMissing("no exp", claim="exp")
    for name in ("exp", "nbf", "iat"):
        date = claims.get(name)
        if date is not None and (type(date) not in _NUMBERS or not -MAX_DATE <= date <= MAX_DATE):
            raise ClaimMalformed(f"{name} is not a date in seconds", claim=name)


def opens(issuer: Issuer, claims: Claims, name: str) -> float:
    """From when on the token is valid, by this claim: seconds since the epoch."""
    begins: float | None = claims.get(name)
    return float("-inf") if begins is None else begins - issuer.leeway


def closes(issuer: Issuer, claims: Claims) -> float:
    """From when on the token is not valid any more: seconds since the epoch."""
    ends: float = claims["exp"]
    return ends + issuer.leeway


def window(issuer: Issuer, claims: Claims) -> tuple[float, float]:
    """From when until when the token is valid: `opens <= now < closes`, seconds since the epoch."""
    return max(opens(issuer, claims, "nbf"), opens(issuer, claims, "iat")), closes(issuer, claims)


def check_expiry(issuer: Issuer, claims: Claims, now: float) -> None:
    """RFC 7519 section 4.1.4: on or after exp the token must not be accepted."""
    if not now < closes(issuer, claims):  # in this form, so that a clock that gives NaN lets nobody in
        raise TokenExpired("exp has passed", claim="exp", expected=f"after {now:.0f}", actual=claims["exp"])


def check_not_before(issuer: Issuer, claims: Claims, now: float) -> None:
    """RFC 7519 section 4.1.5: before nbf the token must not be accepted."""
    _require_begun("nbf", issuer, claims, now)


def check_issued_at(issuer: Issuer, claims: Claims, now: float) -> None:
    """A token from the future: somebody's clock is wrong, or somebody lies."""
    _require_begun("iat", issuer, claims, now)


TIME_CHECKS: tuple[Row[TimeCheck], ...] = (
    Row("exp", check_expiry),
    Row("nbf", check_not_before),
    Row("iat", check_issued_at),
)


def check_window(issuer: Issuer, claims: Claims, now: float) -> tuple[float, float]:
    """All of TIME_CHECKS in one step, and the window. Raises what the first that fails raises."""
    begins, ends = window(issuer, claims)
    if not begins <= now < ends:
        for _, check in TIME_CHECKS:
            check(issuer, claims, now)
        raise TokenExpired("outside of its time", claim="exp")
    return begins, ends


def _require_begun(name: str, issuer: Issuer, claims: Claims, now: float) -> None:
    if not opens(issuer, claims, name) <= now:
        raise TokenNotYetValid(f"{name} lies in the future", claim=name, expected=f"not after {now:.0f}", actual=claims[name])
