"""When: the forms in which loggers write a time, as seconds since the epoch; and such seconds as people read them.

Times are told in local time at one offset from UTC, which is told with them, so that none of them is told twice or never.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone, tzinfo

EARLIEST = 1430438400.0
"""May 2015, when RFC 7519 came out: what is dated earlier, such as 1970, was written by a clock that was not set."""
LATEST = 32503680000.0
"""The year 3000, which keeps the arithmetic of dates within its bounds."""
MAX_CHARS = 40
"""Characters of the longest form, `2026-01-09T12:03:21.123456789+01:00`, and a few more."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""In English, whatever the machine's locale is."""
UNITS = (1.0, 1e3, 1e6, 1e9)
"""Seconds, milliseconds, microseconds and nanoseconds, which differ by so much that a number can only be one of them."""


def moment(value: object) -> float | None:
    """Seconds since the epoch of a number, or of an ISO 8601 text; None if it is neither, or no time that a token could have.

    A text without an offset is taken for local time, as Python's logging writes it.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_number(value)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CHARS:
        return None
    text = value.strip().replace("/", "-")
    try:
        return _of_number(float(text))
    except ValueError:
        return _of_iso(text)


def _of_number(value: float) -> float | None:
    if not 0 <= value < LATEST * UNITS[-1]:  # JSON's integers may be larger than any float, and divided they would overflow
        return None
    for unit in UNITS:
        if EARLIEST <= value / unit < LATEST:
            return value / unit
    return None


def _of_iso(text: str) -> float | None:
    try:
        seconds = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return seconds if EARLIEST <= seconds < LATEST else None


# -- for people --------------------------------------------------------------------------------------------------------


def offset_at(at: float, zone: tzinfo | None = None) -> float:
    """Seconds that local time is ahead of UTC at that time; `zone` is the machine's unless it is given."""
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def offset_text(offset: float) -> str:
    """As `UTC+01:00`."""
    if not offset:
        return "UTC"
    hours, minutes = divmod(math.floor(abs(offset) / 60), 60)
    return f"UTC{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"


def date_text(at: float, offset: float) -> str:
    """As `2026-01-09`."""
    return f"{_local(at, offset):%Y-%m-%d}"


def time_text(at: float, offset: float) -> str:
    """As `12:03:21`."""
    return f"{_local(at, offset):%H:%M:%S}"


def span_text(seconds: float) -> str:
    """As `20 s`, `5 min`, `4 h` or `7 d`: the largest unit that leaves no rest."""
    for name, unit in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def day_text(at: float, offset: float) -> str:
    """As `9 Jan`."""
    local = _local(at, offset)
    return f"{local.day} {MONTHS[local.month - 1]}"


def _local(at: float, offset: float) -> datetime:
    return datetime.fromtimestamp(at, timezone(timedelta(seconds=offset)))
