"""What stands in the cells of a table of checks: the same columns in every report, times as dates, one line for one value."""

from __future__ import annotations

from tokenward.cli.moments import is_moment, moment
from tokenward.cli.output import date
from tokenward.finding import Finding
from tokenward.token.lifetime import TIME_CHECKS

COLUMNS = ("check", "expected", "seen", "verdict")
TIMES = frozenset(row.name for row in TIME_CHECKS)


def times(finding: Finding, now: float) -> tuple[str, str] | None:
    """What a check of time expects and has seen, as dates; None for other checks, and for claims that are no dates."""
    if finding.name not in TIMES or not isinstance(finding.seen, (int, float)) or not is_moment(finding.seen):
        return None
    return f"{'after' if finding.name == 'exp' else 'not after'} {date(now)}", moment(finding.seen, now)


def one_line(value: object) -> str:
    """A value as a line: a claim may hold line breaks, which would look like rows."""
    return str(value).replace("\n", "\\n")
