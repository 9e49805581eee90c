"""Each row of the tables as a check for people: what was expected and seen, in plain words, and what to change."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tokenward.errors import AuthenticationError, TokenRejected
from tokenward.finding import Finding
from tokenward.identity import KINDS, Identity
from tokenward.judging.judgement import ROUTE, Judgement, header_judgements, judgements
from tokenward.judging.source import source_of
from tokenward.policy import MAX_TOKEN_BYTES, Policy
from tokenward.token.header import HEADER_CHECKS
from tokenward.token.strict import decode_base64url
from tokenward.troubleshoot.explanation.advice import advice_for
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.opened import Opened
from tokenward.troubleshoot.explanation.report import Check
from tokenward.troubleshoot.explanation.sights import NEED_NO_POLICY, TIMES, WORDS, sight_of

OWN = "own checks"
_FORM = "a signed JWT: three parts"
_WHOLE = "Copy it again as a whole."
_DATE = "a number (seconds since 1970)"
_KINDS = ((str, "a string"), (bool, "a boolean"), ((int, float), "out of range"), (list, "a list"), (dict, "an object"))
"""Of JSON values that are no date; a bool is an int, too, so the order matters."""


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
    fix = _damage(token) or token.rejection.hint
    return Check(Finding("form", _FORM, token.rejection.reason, False, fix, source_of("form")), token.rejection.code)


def _damage(token: Opened) -> str:
    """What is wrong with a JWT of which the beginning can be read; empty for anything else."""
    dots = token.text.count(b".")
    if token.header_members is None or dots not in (1, 2):
        return ""
    if dots == 1:
        return f"The token ends before its signature: it is cut. {_WHOLE}"
    if token.claims is None:
        return f"The claims cannot be decoded: something in the token's middle is missing or changed. {_WHOLE}"
    if _decodes(token.text.rpartition(b".")[2]):
        return ""
    return f"The signature cannot be decoded: it is cut, or has a character too many at its end. {_WHOLE}"


def _decodes(segment: bytes) -> bool:
    try:
        decode_base64url(segment)
    except ValueError:
        return False
    return True


def unopened_checks(token: Opened) -> list[Check]:
    """What is judged before the claims are opened."""
    if token.header is None:
        return []
    return [Check(Finding(row.name, "-", None, row.held, *_hint(row)), _code(row)) for row in header_judgements(token.header)]


def _hint(row: Judgement) -> tuple[str, str]:
    return ("", "") if row.rejection is None else (row.rejection.hint, source_of(row.name))


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
    expected, seen = _date_seen(case, row.rejection) if row.name == "dates" and row.rejection else sight_of(case, row)
    if row.held is None:
        return Check(Finding(row.name, expected, seen, None), shows_claims=_shows_claims(row.name, seen))
    fix, source = advice_for(row.name, case, row.rejection) if row.rejection is not None else ("", "")
    return Check(Finding(row.name, expected, seen, row.held, fix, source), _code(row), _shows_claims(row.name, seen))


def _date_seen(case: Case, rejection: TokenRejected) -> tuple[str, str]:
    """What stands where a date should be, with its type: a number in quotation marks looks like one otherwise."""
    value = case.claims.get(rejection.claim) if rejection.claim is not None else None
    if value is None:
        return _DATE, f"no {rejection.claim}"
    kind = next((kind for type_, kind in _KINDS if isinstance(value, type_)), "no number")
    return _DATE, f"{json.dumps(value, ensure_ascii=False)} ({kind})" if isinstance(value, (str, bool, int, float)) else kind


def _code(row: Judgement) -> str | None:
    return row.rejection.code if row.rejection is not None else None


def _shows_claims(row: str, seen: object) -> bool:
    """Times and headers say nothing of anybody; what stands where a time should be may."""
    if seen is None or (row in TIMES and isinstance(seen, (int, float))):
        return False
    if row == "kind" and seen in KINDS:  # else it is of a kind_of of the service's own, which may return a claim
        return False
    return row not in _SHOW_NO_CLAIMS and not (isinstance(seen, str) and seen in WORDS)


_SHOW_NO_CLAIMS = frozenset(row.name for row in HEADER_CHECKS) | {"algorithm", "type", "required", "access token"}
"""They show the header, or names of claims."""
