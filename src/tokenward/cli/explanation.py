"""A report for people: what the token is, the checks in one table, what to change, and the answer last, where it is seen."""

from __future__ import annotations

from collections.abc import Sequence

from tokenward.cli.cells import COLUMNS, one_line, times
from tokenward.cli.colours import judged
from tokenward.cli.output import date, print_line, print_table, print_text
from tokenward.troubleshoot.explanation.report import Check, Report, described, safe

MOST_ITEMS = 6
"""Lines of a list in a cell."""
SHORT_LIST = 40
"""Characters of a list that stays on one line."""
_STYLES = {"accepted": "bold green", "refused": "bold red", "undecided": "bold yellow"}


def print_report(report: Report, *, all_checks: bool, redact: bool) -> None:
    """Print it; `redact` hides what the token's claims say."""
    print_text(report.what.sentence, "bold")
    print_text(_judged_for(report), "dim")
    print_line("")
    _print_checks(report, all_checks=all_checks, redact=redact)
    _print_changes(report)
    _print_notes(report.notes)
    print_text(_answer(report), _STYLES[report.verdict])
    print_text(f"Next: {_next(report)}")


def _judged_for(report: Report) -> str:
    name = f", fingerprint {report.fingerprint}" if report.fingerprint else ""
    return f"Judged for {date(report.at)}{name}."


def _print_checks(report: Report, *, all_checks: bool, redact: bool) -> None:
    checks = [check for check in report.checks if all_checks or _says_something(check)]
    rows = [_row(check, report.at, redact=redact) for check in checks]
    hidden = [check.finding.held for check in report.checks if check not in checks]
    if rows:
        print_table("Checks", COLUMNS, rows)
    if hidden:
        print_text(f"{_counted(hidden, 'other ' if rows else '')} (--all prints every check).", "dim")
    print_line("")


def _says_something(check: Check) -> bool:
    """What holds says nothing new, and neither does what could not be judged and saw nothing."""
    return check.finding.held is False or (check.finding.held is None and check.finding.seen is not None)


def _counted(hidden: Sequence[bool | None], other: str) -> str:
    hold = hidden.count(True)
    told = [f"{hold} {other}check{'s hold' if hold > 1 else ' holds'}"] if hold else []
    return ", ".join([*told, *([f"{hidden.count(None)} could not be judged"] if None in hidden else [])])


def _row(check: Check, at: float, *, redact: bool) -> tuple[object, ...]:
    found = check.finding
    if dates := times(found, at):
        return found.name, *dates, judged(found.held)
    seen = described(found.seen) if redact and check.shows_claims else found.seen
    return found.name, _cell(found.expected), _cell(seen), judged(found.held)


def _cell(value: object) -> str:
    """A value in a table: the items of a list below each other."""
    shown = safe(value)
    if not isinstance(shown, list):
        return "-" if shown is None else one_line(shown)
    if len(short := ", ".join(map(one_line, shown))) <= SHORT_LIST:
        return short or "an empty list"
    items = [one_line(item) for item in shown[:MOST_ITEMS]]
    return "\n".join([*items, *([f"... {len(shown) - MOST_ITEMS} more"] if len(shown) > MOST_ITEMS else [])])


# -- what to change ----------------------------------------------------------------------------------------------------


def _print_changes(report: Report) -> None:
    failed = report.failures
    if not failed:
        return
    print_line("What to change", "bold")
    for (fix, source), names in _by_fix(failed).items():
        print_text(f"  - {', '.join(names)}: {fix}")
        if source:
            print_line(f"    {source}", "dim")
    print_line("")


def _by_fix(failed: Sequence[Check]) -> dict[tuple[str, str], list[str]]:
    """The names of the checks that have one fix together."""
    found: dict[tuple[str, str], list[str]] = {}
    for check in failed:
        found.setdefault((check.finding.fix, check.finding.source), []).append(check.finding.name)
    return found


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        print_text(f"  note: {note}")
    if notes:
        print_line("")


def _next(report: Report) -> str:
    """The first thing to do, by its name where it stands above already."""
    first = next((check.finding.name for check in report.failures if check.finding.fix == report.next), None)
    return report.next if first is None else f"begin with what is said above of the check {first!r}."


def _answer(report: Report) -> str:
    if report.verdict == "accepted":
        return "Accepted."
    code = f" ({report.code})" if report.code else ""
    return (
        f"Refused{code}." if report.verdict == "refused" else f"Undecided{code}: nothing that could be judged speaks against it."
    )
