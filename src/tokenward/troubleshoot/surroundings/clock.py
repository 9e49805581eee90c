"""How far this machine's clock is from a server's, by the Date of an answer (RFC 9110 section 6.6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from tokenward.finding import Finding

MAX_SKEW = 5.0
"""Seconds. Databricks allows none at the ends of tokens, and refuses their last 30 s; but Date counts whole seconds."""
MAX_DATE_CHARS = 64
"""Of a Date; real ones have 29."""
_SOURCE = "www.rfc-editor.org/rfc/rfc9110#section-6.6.1"
_EXPECTED = f"at most {MAX_SKEW:.0f} s apart"
_SYNCHRONISE = (
    "Synchronise this machine's clock (timedatectl; w32tm /resync; chronyc makestep): tokens would seem expired or early."
)


@dataclass(frozen=True, slots=True)
class Moment:
    """An answer's Date, and this machine's time before the request and after the answer, in seconds since the epoch."""

    date: str | None
    sent: float
    received: float

    @property
    def skew(self) -> float | None:
        """Seconds that this machine is ahead (negative: behind) at least; 0 if it may be right, None without a Date."""
        parsed = parsedate_tz(self.date) if self.date and len(self.date) <= MAX_DATE_CHARS else None
        if parsed is None:
            return None
        try:
            told = float(mktime_tz(parsed))
        except (ValueError, OverflowError):
            return None
        return max(0.0, self.sent - (told + 1)) or min(0.0, self.received - told)


def clock(moment: Moment) -> list[Finding]:
    """Whether the two clocks agree; nothing of a server that does not tell its time. Which is wrong, a third tells."""
    skew = moment.skew
    if skew is None:
        return []
    held = abs(skew) <= MAX_SKEW
    seen = "no difference" if skew == 0 else f"this machine is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
    return [Finding("clock", _EXPECTED, seen, held, "" if held else _SYNCHRONISE, _SOURCE)]


def no_clock() -> Finding:
    """Where no server told its time."""
    fix = "Compare this machine's clock with a time server's: a proxy may leave the Date out of answers."
    return Finding("clock", _EXPECTED, "no answer has a Date", None, fix, _SOURCE)
