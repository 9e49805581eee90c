"""Each row of the tables as a check for people: what was expected and seen, in plain words, and what to change."""

from __future__ import annotations

from collections.abc import Sequence

from tokenward.errors import AuthenticationError
from tokenward.finding import Finding
from tokenward.identity import Identity
from tokenward.judging.judgement import ROUTE, Judgement, header_judgements, judgements
from tokenward.policy import MAX_TOKEN_BYTES, Policy
from tokenward.token.header import HEADER_CHECKS
from tokenward.troubleshoot.explanation.advice import advice_for
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.opened import Opened
from tokenward.troubleshoot.explanation.report import Check
from tokenward.troubleshoot.explanation.sights import NEED_NO_POLICY, TIMES, WORDS, sight_of

OWN = "own checks"
_FORM = "a signed JWT: three parts"


def size_check(token: Opened, policy: Policy | None) -> Check:
    """Longer tokens are refused unread."""
    most = policy.max_token_bytes if policy is not None else MAX_TOKEN_BYTES
    size = len(token.text)
    if size <= most:
        return Check(Finding("size", f"at most {most} bytes", size, True))
    fix = (
        "Have the issuer put less into the token (groups first), or raise the policy's max_token_bytes, and the servers' limits."
    )
    return Check(Finding("size", f"at most {most} bytes", size, False, fix, "RFC 9110 section 5.4"), "token_too_large")


def form_check(token: Opened) -> Check:
    """RFC 7515 section 7.1."""
    if token.rejection is None:
        return Check(Finding("form", _FORM, "one", True))
    fix = token.rejection.hint
    return Check(Finding("form", _FORM, token.rejection.reason, False, fix, "RFC 7515 section 7.1"), token.rejection.code)


def unopened_checks(token: Opened) -> list[Check]:
    """What is judged before the claims are opened."""
    if token.header is None:
        return []
    return [
        Check(Finding(row.name, "-", None, row.held, row.rejection.hint if row.rejection else ""), _code(row))
        for row in header_judgements(token.header)
    ]


def case_checks(case: Case) -> list[Check]:
    """Every row of the tables."""
    rows = judgements(case.header, case.claims, case.issuer, case.now, case.policy)
    if case.nearest is None:
        rows = [row if row.name in NEED_NO_POLICY or row.name == ROUTE else Judgement(row.name, None) for row in rows]
    if case.policy is None:
        rows = [row for row in rows if row.held is not None]
    return [_check(case, row) for row in rows]


def own_check(checks: Sequence[Check], outcome: AuthenticationError | Identity | None) -> Check:
    """The policy's own checks, which ran only if everything before them held."""
    expected = "the policy's own checks let it pass"
    if isinstance(outcome, Identity):
        return Check(Finding(OWN, expected, "they do", True))
    if isinstance(outcome, AuthenticationError) and all(check.finding.held for check in checks):
        return Check(Finding(OWN, expected, outcome.reason or outcome.code, False, outcome.hint), outcome.code)
    return Check(Finding(OWN, expected, "not run: they run when all others hold", None))


def _check(case: Case, row: Judgement) -> Check:
    expected, seen = sight_of(case, row)
    if row.held is None:
        return Check(Finding(row.name, expected, seen, None), shows_claims=_shows_claims(row.name, seen))
    fix, source = advice_for(row.name, case, row.rejection) if row.rejection is not None else ("", "")
    return Check(Finding(row.name, expected, seen, row.held, fix, source), _code(row), _shows_claims(row.name, seen))


def _code(row: Judgement) -> str | None:
    return row.rejection.code if row.rejection is not None else None


def _shows_claims(row: str, seen: object) -> bool:
    """Times and headers say nothing of anybody."""
    return row not in _SHOW_NO_CLAIMS and not (isinstance(seen, str) and seen in WORDS)


_SHOW_NO_CLAIMS = frozenset(row.name for row in HEADER_CHECKS) | TIMES | {"algorithm", "type"}
