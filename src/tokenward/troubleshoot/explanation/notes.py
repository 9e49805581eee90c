"""What holds and still matters: by whose rules it was judged, clocks that differ, claims that mislead, keys that should not be
published.

No note quotes a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from tokenward.identity import Claims
from tokenward.troubleshoot.explanation.case import Case
from tokenward.troubleshoot.explanation.clocks import clock_note, looks_like_milliseconds
from tokenward.troubleshoot.explanation.entra_claims import entra_issuer
from tokenward.troubleshoot.explanation.keys import Keys
from tokenward.troubleshoot.explanation.report import Check

ENDS_SOON = 30.0
"""Seconds before its end from which Databricks refuses a token (databricks-sdk-py oauth.py)."""

_OVERAGE = (
    "groups are left out: the user is in too many. Ask Graph for them (transitiveMemberOf), or have the application emit only "
    "the groups that are assigned to it, or use roles."
)


def notes_on(case: Case | None, keys: Keys | None, checks: Sequence[Check], *, judged_now: bool) -> tuple[str, ...]:
    """The notes on an opened token; `judged_now` says that the time is this machine's."""
    if case is None:
        return ()
    clock = clock_note(case, keys, checks, judged_now=judged_now)
    notes = [_nearest(case), clock, _version(case), _life(case), *claim_notes(case.claims), *_keys(keys)]
    return tuple(note for note in notes if note)


def claim_notes(claims: Claims) -> list[str]:
    """What in the claims misleads, whether or not they are verified."""
    dates = [name for name in ("exp", "nbf", "iat") if looks_like_milliseconds(claims.get(name))]
    looks = f"{' and '.join(dates)} {'looks' if len(dates) == 1 else 'look'} like milliseconds"
    notes = [f"{looks}; a token's dates are seconds since 1970 (RFC 7519 section 2)."] if dates else []
    return [*notes, _OVERAGE] if _has_overage(claims) else notes


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
