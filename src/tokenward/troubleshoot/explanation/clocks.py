"""Which clock is to blame where a check of time fails: this machine's, the issuer's, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tokenward.errors import TokenRejected
from tokenward.token.lifetime import TIME_CHECKS
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check
from tokenward.troubleshoot.surroundings.clock import differs, in_words

MILLISECONDS_FROM = 1e11
"""As seconds it is the year 5138, and as milliseconds 1973: every date of a token since then is beyond it in milliseconds."""
WHOLE_SECONDS = 1.0
"""What a Date counts in: a smaller difference cannot be told, and a measured one may be larger by so much."""
_TIME_CHECKS = {row.name: row.check for row in TIME_CHECKS}
_SET_CLOCK = "synchronise this machine's clock (timedatectl; w32tm /resync; chronyc makestep). If it is right, tell the issuer."
_DATED_AHEAD = (
    "By the issuer's clock, too, the token begins later than now: the clocks of its servers differ, or it dates tokens ahead. "
    "Ask whoever runs it."
)


def looks_like_milliseconds(date: object) -> bool:
    """Whether no issuer can mean these seconds."""
    return isinstance(date, (int, float)) and not isinstance(date, bool) and date >= MILLISECONDS_FROM


def clock_note(case: Case, keys: Keys | None, checks: Sequence[Check], *, judged_now: bool) -> str:
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
    hold, fail = ([name for name, held in would.items() if held is wanted != judged[name]] for wanted in (True, False))
    told = [f"{' and '.join(names)} would {how}" for names, how in ((hold, "hold"), (fail, "fail")) if names]
    return f"By the issuer's clock {', and '.join(told)}: synchronise this machine's clock first."


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
