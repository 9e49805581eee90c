"""How far this machine's clock is from a server's, by the Date of an answer (RFC 9110 section 6.6.1).

Everywhere a difference is the seconds that this machine is ahead; it is negative if this machine is behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import mktime_tz, parsedate_tz

from tokenward.finding import Finding

MAX_SKEW = 5.0
"""Seconds. Databricks allows none at the ends of tokens, and refuses their last 30 s; but Date counts whole seconds."""
MAX_DATE_CHARS = 64
"""Of a Date; real ones have 29."""
MAX_AGE_DIGITS = 10
"""Of an Age; RFC 9111 section 1.2.2 stops at 2^31."""
_SOURCE = "RFC 9110 section 6.6.1"
_EXPECTED = f"at most {MAX_SKEW:.0f} s apart"
_SYNCHRONISE = (
    "Synchronise this machine's clock (timedatectl; w32tm /resync; chronyc makestep): tokens would seem expired or early."
)


@dataclass(frozen=True, slots=True)
class Moment:
    """An answer's Date and Age, and this machine's time before the request and after the answer, in seconds since the epoch."""

    date: str | None
    sent: float
    received: float
    age: str | None = None

    @property
    def skew(self) -> float | None:
        """Seconds that this machine is ahead (negative: behind) at least; 0 if it may be right, None without a Date."""
        told = self._told()
        return None if told is None else max(0.0, self.sent - (told + 1)) or min(0.0, self.received - told)

    def _told(self) -> float | None:
        """The server's time. A cache on the way repeats the Date of old; its Age says how old (RFC 9111 section 5.1)."""
        parsed = parsedate_tz(self.date) if self.date and len(self.date) <= MAX_DATE_CHARS else None
        age = (self.age or "0").strip()
        if parsed is None or not (age.isascii() and age.isdigit() and len(age) <= MAX_AGE_DIGITS):
            return None
        try:
            return float(mktime_tz(parsed)) + int(age)
        except (ValueError, OverflowError):
            return None


def moment_of(headers: Mapping[str, str], sent: float, received: float) -> Moment:
    """The moment of an answer with these headers, whose names are lower case."""
    return Moment(headers.get("date"), sent, received, headers.get("age"))


def differs(skew: float | None) -> bool:
    """Whether two clocks are further apart than is worth no word."""
    return skew is not None and abs(skew) > MAX_SKEW


def in_words(skew: float, whose: str) -> str:
    """A difference in words; `whose` is the server, such as "the issuer"."""
    return f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} {whose}'s"


def clock(moment: Moment) -> list[Finding]:
    """Whether the two clocks agree; nothing of a server that does not tell its time. Which is wrong, a third tells."""
    skew = moment.skew
    if skew is None:
        return []
    held = not differs(skew)
    seen = "no difference" if skew == 0 else in_words(skew, "the server")
    return [Finding("clock", _EXPECTED, seen, held, "" if held else _SYNCHRONISE, _SOURCE)]


def no_clock() -> Finding:
    """Where no server told its time."""
    fix = "Compare this machine's clock with a time server's: a proxy may leave the Date out of answers."
    return Finding("clock", _EXPECTED, "no answer has a Date", None, fix, _SOURCE)
