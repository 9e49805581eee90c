"""The report, made of what was found: the verdict, the code that decided, and the next step."""

from __future__ import annotations

from collections.abc import Mapping

from tokenward.errors import AuthenticationError, ServiceUnavailable
from tokenward.identity import Identity
from tokenward.redaction import fingerprint_of
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.opened import Opened
from tokenward.troubleshoot.explanation.recognition import recognise_jwt
from tokenward.troubleshoot.explanation.report import Check, Report, Verdict
from tokenward.troubleshoot.explanation.what import What, recognise_text


def answer(
    given: Opened,
    case: Case | None,
    keys: Keys | None,
    outcome: AuthenticationError | Identity | None,
    checks: list[Check],
    notes: tuple[str, ...],
    at: float,
) -> Report:
    """The report on a token: `outcome` is what a verifier answers, None without a policy; `at` in seconds since the epoch."""
    what = _what(given)
    verdict, code = _verdict(checks, outcome)
    return Report(
        what=what,
        verdict=verdict,
        code=code,
        fingerprint=fingerprint_of(given.text) if given.compact is not None else None,
        at=at,
        issuer=case.issuer.issuer if case is not None and case.nearest is not None else None,
        header=given.header_members,
        claims=given.claims,
        checks=tuple(checks),
        notes=notes,
        next=_next(what, verdict, code, checks),
        clock_skew=keys.skew if keys is not None else None,
    )


def _verdict(checks: list[Check], outcome: AuthenticationError | Identity | None) -> tuple[Verdict, str | None]:
    if isinstance(outcome, Identity):
        return "accepted", None
    failed = next((check.code for check in checks if check.finding.held is False), None)
    if isinstance(outcome, AuthenticationError) and not isinstance(outcome, ServiceUnavailable):
        return "refused", outcome.code
    if failed is not None:
        return "refused", failed
    return "undecided", outcome.code if outcome is not None else None


def _what(token: Opened) -> What:
    header: Mapping[str, object] | None = token.header_members
    if header is None or token.claims is None:
        return recognise_text(token.text)
    return recognise_jwt(header, token.claims)


def _next(what: What, verdict: Verdict, code: str | None, checks: list[Check]) -> str:
    """The fix of the check that decided; what was given by mistake goes first, if it is not what the fix speaks of."""
    if verdict == "accepted":
        return "Nothing to change: the middleware lets this token in."
    if verdict == "undecided":
        return next((check.finding.fix for check in checks if check.finding.held is None and check.finding.fix), what.advice)
    if what.advice and code in _MISTAKEN:
        return what.advice
    return next((check.finding.fix for check in checks if check.code == code), what.advice)


_MISTAKEN = frozenset({"malformed_token", "algorithm_not_allowed", "issuer_not_trusted"})
"""Codes behind which there is usually another kind of token than was meant."""
