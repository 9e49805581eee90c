"""Times for people: how long ago or ahead, and what a clock on the wall said."""

from __future__ import annotations

import time
from datetime import datetime

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import date
from tokenward.redaction import shown

_UNITS = ((86400 * 365, "years"), (86400, "days"), (3600, "h"), (60, "min"), (1, "s"))
MAX_SECONDS = 2**53
"""Beyond it nothing is a date (tokenward.token.lifetime)."""


def is_moment(value: object) -> bool:
    """Whether it can be seconds since the epoch."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_SECONDS <= value <= MAX_SECONDS


def relative(seconds: float, now: float) -> str:
    """Such as "in 59 min" or "3 days ago"."""
    apart = abs(seconds - now)
    size, unit = next(((size, unit) for size, unit in _UNITS if apart >= 2 * size or size == 1), _UNITS[-1])
    told = f"{apart // size:.0f} {unit}"
    return f"in {told}" if seconds > now else f"{told} ago"


def moment(seconds: float, now: float) -> str:
    """In UTC, and how far it is."""
    return f"{date(seconds)} ({relative(seconds, now)})"


def local(seconds: float) -> list[str]:
    """By the clock of this machine's zone; nothing where that is UTC."""
    try:
        told = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return []
    return [] if told == date(seconds) else [told]


def read_time(option: str, text: str) -> float:
    """Seconds since the epoch, of an option; a time without a zone is local. Raises CommandFailed."""
    try:
        return float(text) if text.replace(".", "", 1).isdigit() else datetime.fromisoformat(text).astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        fix = "Write it like 2026-05-04T13:00:00Z, or as seconds since 1970."
        raise CommandFailed(Exit.USAGE, f"{option}: {shown(text)} is not a time.", fix) from None
