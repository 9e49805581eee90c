"""The verdicts on a token, policy by policy: for people the checks that fail and what to change, for machines all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tokenward.cli.cells import COLUMNS, times
from tokenward.cli.colours import judged
from tokenward.cli.output import print_table, print_text
from tokenward.databricks import Finding, Verdict


def answer_of(verdicts: Sequence[Verdict]) -> bool | None:
    """Whether Databricks would exchange the token; None if only a signature that could not be checked stands in between."""
    if any(verdict.is_match for verdict in verdicts):
        return True
    return None if any(_is_open(verdict) for verdict in verdicts) else False


def document(verdicts: Sequence[Verdict]) -> dict[str, object]:
    """The JSON of them."""
    matches = [verdict.policy.label for verdict in verdicts if verdict.is_match]
    return {"would_exchange": answer_of(verdicts), "matches": matches, "policies": [_document(verdict) for verdict in verdicts]}


def print_verdicts(verdicts: Sequence[Verdict], *, now: float, offline: bool, all_checks: bool) -> None:
    """A table for each policy, and the answer at the end, where it is seen."""
    for verdict in verdicts:
        _print(verdict, verdict.findings if all_checks else _telling(verdict), now)
    matches = [verdict.policy.label for verdict in verdicts if verdict.is_match]
    print_text(_conclusion(matches, answer_of(verdicts)))
    if offline:
        print_text("No keys were fetched (--offline): only keys that are in the policies themselves checked the signature.")


def _is_open(verdict: Verdict) -> bool:
    return verdict.considered and not verdict.accepted and not verdict.failures


def _telling(verdict: Verdict) -> Sequence[Finding]:
    return [finding for finding in verdict.findings if not finding.held]


def _print(verdict: Verdict, findings: Sequence[Finding], now: float) -> None:
    heading = f"{verdict.policy.label}: {_word(verdict)}"
    if findings:
        rows = [(f.name, *(times(f, now) or (f.expected, f.seen)), judged(f.held)) for f in findings]
        print_table(heading, COLUMNS, rows)
    else:
        print_text(heading)
    for finding in findings:
        if fix := _fix(verdict, finding):
            print_text(f"  {finding.name}: {fix}")
    for note in verdict.notes:
        print_text(f"  note: {note}")
    print_text("")


def _fix(verdict: Verdict, finding: Finding) -> str:
    """A signature that could not be judged, because of another check or of --offline, needs no change."""
    is_open = finding.held is None and _is_open(verdict)
    return finding.fix if finding.held is False or is_open else ""


def _word(verdict: Verdict) -> str:
    if verdict.failures:
        return "does not accept the token"
    checked = all(finding.held for finding in verdict.findings)
    if not verdict.considered:
        account_wide = verdict.policy.is_account_wide
        return f"is not looked at {'when a client_id is sent' if account_wide else 'without its client_id'}, and would fit"
    return "accepts the token" if checked else "fits, but the signature was not checked"


def _conclusion(matches: Sequence[str], answer: bool | None) -> str:
    if answer is None:
        return (
            "It cannot be told whether Databricks would exchange this token. Next: try again, or see the note on its signature."
        )
    if not answer:
        return "No policy accepts this token. Next: change what is said above, in a policy or at the identity provider."
    by = ", ".join(matches)
    return f"Databricks would exchange this token, if the user or service principal exists, by: {by}."


def _document(verdict: Verdict) -> dict[str, object]:
    checks = [replace(f, fix=_fix(verdict, f)).to_json(holds=f.held) for f in verdict.findings]
    return {
        "policy": verdict.policy.label,
        "issuer": verdict.policy.issuer,
        "would_exchange": None if _is_open(verdict) else verdict.is_match,
        "accepted": verdict.accepted,
        "considered": verdict.considered,
        "checks": checks,
        "notes": list(verdict.notes),
    }
