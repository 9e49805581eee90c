"""What holds and still matters: by whose rules it was judged, clocks that differ, claims that mislead, keys that should not be
published.

No note quotes a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tokenward.errors import TokenRejected
from tokenward.identity import Claims
from tokenward.token.lifetime import TIME_CHECKS
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.entra_claims import entra_issuer
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check
from tokenward.troubleshoot.surroundings.clock import differs, in_words

ENDS_SOON = 30.0
"""Seconds before its end from which Databricks refuses a token (databricks-sdk-py oauth.py)."""

MILLISECONDS_FROM = 1e11
"""As seconds it is the year 5138, and as milliseconds 1973: every date of a token since then is beyond it in milliseconds."""
WHOLE_SECONDS = 1.0
"""What a Date counts in: a smaller difference cannot be told, and a measured one may be larger by so much."""
_TIME_CHECKS = {row.name: row.check for row in TIME_CHECKS}
_OVERAGE = (
    "groups are left out: the user is in too many. Ask Graph for them (transitiveMemberOf), or have the application emit only "
    "the groups that are assigned to it, or use roles."
)
_SET_CLOCK = "synchronise this machine's clock (timedatectl; w32tm /resync; chronyc makestep). If it is right, tell the issuer."
_DATED_AHEAD = (
    "By the issuer's clock, too, the token begins later than now: the clocks of its servers differ, or it dates tokens ahead. "
    "Ask whoever runs it."
)


def notes_on(case: Case | None, keys: Keys | None, checks: Sequence[Check], *, judged_now: bool) -> tuple[str, ...]:
    """The notes on an opened token; `judged_now` says that the time is this machine's."""
    if case is None:
        return ()
    clock = _skew(case, keys, checks, judged_now=judged_now)
    notes = [_nearest(case), clock, _version(case), _life(case), *claim_notes(case.claims), *_keys(keys)]
    return tuple(note for note in notes if note)


def claim_notes(claims: Claims) -> list[str]:
    """What in the claims misleads, whether or not they are verified."""
    dates = [name for name in ("exp", "nbf", "iat") if looks_like_milliseconds(claims.get(name))]
    looks = f"{' and '.join(dates)} {'looks' if len(dates) == 1 else 'look'} like milliseconds"
    notes = [f"{looks}; a token's dates are seconds since 1970 (RFC 7519 section 2)."] if dates else []
    return [*notes, _OVERAGE] if _has_overage(claims) else notes


def looks_like_milliseconds(date: object) -> bool:
    """Whether no issuer can mean these seconds."""
    return isinstance(date, (int, float)) and not isinstance(date, bool) and date >= MILLISECONDS_FROM


def _has_overage(claims: Claims) -> bool:
    """Entra's sign that a token's groups are too many; hasgroups is that of the implicit flow."""
    if claims.get("groups") is not None or entra_issuer(claims.get("iss")) is None:
        return False
    elsewhere = claims.get("_claim_names")
    return claims.get("hasgroups") is True or (isinstance(elsewhere, Mapping) and "groups" in elsewhere)


def _nearest(case: Case) -> str:
    if case.policy is None:
        return "No policy was given, so only what holds for every token was judged."
    if case.nearest is None:
        return "No issuer of the policy is like the token's, so what an issuer's rules say was not judged."
    if not case.nearest.why:
        return ""
    return (
        f"The token's issuer is not the policy's; the other checks are by the rules of {case.issuer.issuer} ({case.nearest.why})."
    )


def _skew(case: Case, keys: Keys | None, checks: Sequence[Check], *, judged_now: bool) -> str:
    """A wrong clock, and what the verdict would be by the issuer's; where a time fails, that a clock is right is news, too."""
    skew = keys.skew if keys is not None else None
    fails = judged_now and any(check.finding.held is False for check in checks if check.finding.name in _TIME_CHECKS)
    if skew is None or not (differs(skew) or fails):
        return ""
    if abs(skew) < WHOLE_SECONDS:
        return "This machine's clock agrees with the issuer's to about a second."
    said = f"{in_words(skew, 'the issuer').capitalize()}."
    return f"{said} {_by_other_clock(case, checks, skew)}" if judged_now else said


def by_both_clocks(case: Case | None, keys: Keys | None, checks: Sequence[Check]) -> list[Check]:
    """The same checks; where one of time fails and the issuer's clock is known, the fix says which of the two is to blame."""
    skew = keys.skew if keys is not None else None
    if case is None or skew is None:
        return list(checks)
    return [_mended(case, check, skew) if check.finding.name in _TIME_CHECKS else check for check in checks]


def _mended(case: Case, check: Check, skew: float) -> Check:
    name = check.finding.name
    if check.finding.held is not False or looks_like_milliseconds(case.claims.get(name)):
        return check
    if not _holds_by_issuers(case, name, skew):
        return check if name == "exp" else replace(check, finding=replace(check.finding, fix=_DATED_AHEAD))
    if abs(skew) < WHOLE_SECONDS:
        return check
    fix = f"{in_words(skew, 'the issuer').capitalize()}, by which this would hold: {_SET_CLOCK}"
    return replace(check, finding=replace(check.finding, fix=fix, source="RFC 9110 section 6.6.1"))


def _by_other_clock(case: Case, checks: Sequence[Check], skew: float) -> str:
    judged = {check.finding.name: check.finding.held for check in checks if check.finding.name in _TIME_CHECKS}
    if None in judged.values():
        return "Synchronise it."
    would = {name: _holds_by_issuers(case, name, skew) for name in judged}
    if would == judged:
        return "By the issuer's clock the checks of time say the same. Synchronise it all the same."
    wrong = [name for name, held in would.items() if held != judged[name]]
    how = "hold" if all(would[name] for name in wrong) else "fail"
    return f"By the issuer's clock {' and '.join(wrong)} would {how}: synchronise this machine's clock first."


def _holds_by_issuers(case: Case, name: str, skew: float) -> bool:
    """At the earliest or the latest time that it may be at the issuer: clocks differ by `skew` at least."""
    told = case.now - skew
    earliest, latest = told - WHOLE_SECONDS * (skew >= 0), told + WHOLE_SECONDS * (skew <= 0)
    return _holds(case, name, earliest) or _holds(case, name, latest)


def _holds(case: Case, name: str, now: float) -> bool:
    try:
        _TIME_CHECKS[name](case.issuer, case.claims, now)
    except TokenRejected:
        return False
    return True


def _version(case: Case) -> str:
    if not case.is_databricks or case.entra is None or case.entra.version != "2.0":
        return ""
    return (
        "Azure Databricks documents version 1.0 tokens alone (iss https://sts.windows.net/...): a workspace may refuse this one."
    )


def _life(case: Case) -> str:
    ends = case.claims.get("exp")
    if not case.is_databricks or isinstance(ends, bool) or not isinstance(ends, (int, float)):
        return ""
    if not 0 < ends - case.now <= ENDS_SOON:
        return ""
    return f"It ends in {ends - case.now:.0f} s: Databricks refuses tokens with {ENDS_SOON:.0f} s or less."


def _keys(keys: Keys | None) -> list[str]:
    if keys is None or not keys.unusable:
        return []
    reasons = Counter(reason for _, reason in keys.unusable)
    notes = []
    if reasons.pop("private_key_published", 0):
        notes.append(
            "The issuer publishes a private key (or a secret) in its key set: tell it at once, and trust no token of that key."
        )
    if weak := reasons.pop("rsa_size", 0):
        notes.append(f"The issuer publishes {weak} RSA key(s) below 2048 or above 8192 bits, which verify nothing here.")
    return notes
