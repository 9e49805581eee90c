"""What holds and still matters: by whose rules it was judged, clocks that differ, keys that should not be published.

No note quotes a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tokenward.errors import TokenRejected
from tokenward.token.lifetime import TIME_CHECKS
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check

SKEW = 5.0
"""Seconds by which clocks may differ before it is said: an HTTP date is whole seconds, and an answer takes its time."""
ENDS_SOON = 30.0
"""Seconds before its end from which Databricks refuses a token (databricks-sdk-py oauth.py)."""


def notes_on(case: Case | None, keys: Keys | None, checks: Sequence[Check], *, judged_now: bool) -> tuple[str, ...]:
    """The notes on an opened token; `judged_now` says that the time is this machine's."""
    if case is None:
        return ()
    notes = [_nearest(case), _skew(case, keys, checks, judged_now=judged_now), _life(case), *_keys(keys)]
    return tuple(note for note in notes if note)


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
    """A wrong clock, and what the verdict would be by the issuer's."""
    skew = keys.skew if keys is not None else None
    if skew is None or abs(skew) < SKEW:
        return ""
    told = f"This machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the issuer's."
    return f"{told} {_by_other_clock(case, checks, skew)}" if judged_now else told


def _by_other_clock(case: Case, checks: Sequence[Check], skew: float) -> str:
    from_tables = {row.name: row.check for row in TIME_CHECKS}
    judged = {check.finding.name: check.finding.held for check in checks if check.finding.name in from_tables}
    if None in judged.values():
        return "Synchronise it."
    would = {name: _holds(case, name, case.now - skew) for name in judged}
    if would == judged:
        return "By the issuer's clock the checks of time say the same. Synchronise it all the same."
    wrong = [name for name, held in would.items() if held != judged[name]]
    how = "hold" if all(would[name] for name in wrong) else "fail"
    return f"By the issuer's clock {' and '.join(wrong)} would {how}: synchronise this machine's clock first."


def _holds(case: Case, name: str, now: float) -> bool:
    check = {row.name: row.check for row in TIME_CHECKS}[name]
    try:
        check(case.issuer, case.claims, now)
    except TokenRejected:
        return False
    return True


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
