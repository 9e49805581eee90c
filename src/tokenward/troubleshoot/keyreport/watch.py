"""Rotation as it happens: report after report, and what changed in between. It knows no clock; each report says when it is of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tokenward.keys.rhythm import Rhythm
from tokenward.troubleshoot.keyreport.key_row import KeyRow
from tokenward.troubleshoot.keyreport.report import KeyReport

What: TypeAlias = Literal["present", "added", "removed", "changed", "failed", "recovered"]

CHANGES: tuple[What, ...] = ("added", "removed", "changed")
MAX_EVENTS = 100
"""Kept for the screen, which shows fewer."""
NO_KID = "(no kid)"

_Published = Mapping[str, tuple[KeyRow, ...]]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `at` epoch seconds, `kid` for what concerns a key."""

    at: float
    what: What
    kid: str | None
    detail: str


@dataclass(slots=True)
class Watch:
    """What was published at the last good look, since when, and what happened. A failed look changes no key, as in a verifier.

    failures   looks that brought no keys
    since      epoch seconds, by kid; of keys that were there at the first look, that of the first look
    first_good, last_good  epoch seconds of the first and the last look that brought keys; None before there was one
    """

    looks: int = 0
    failures: int = 0
    last: KeyReport | None = None
    first_good: float | None = None
    last_good: float | None = None
    since: dict[str, float] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rows: tuple[KeyRow, ...] = ()
    counts: Counter[What] = field(default_factory=Counter)
    _failing: str = ""

    def observe(self, report: KeyReport) -> list[Event]:
        """Take in a report; what happened since the one before."""
        self.looks += 1
        found = self._failed(report) if report.verdict != "usable" else self._seen(report)
        self.last = report
        self.events = [*self.events, *found][-MAX_EVENTS:]
        self.counts.update(event.what for event in found)
        return found

    def _failed(self, report: KeyReport) -> list[Event]:
        """A failure that goes on is told once."""
        self.failures += 1
        before, self._failing = self._failing, report.failure or "no key is usable"
        return [] if before == self._failing else [Event(report.at, "failed", None, self._failing)]

    def _seen(self, report: KeyReport) -> list[Event]:
        first, old, new = self.first_good is None, _published(self.rows), _published(report.keys)
        found = [Event(report.at, "recovered", None, "keys are published again")] if self._failing else []
        found += [_came(report.at, kid, rows, first=first) for kid, rows in new.items() if kid not in old]
        found += [_changed(report.at, kid, old[kid], rows) for kid, rows in new.items() if old.get(kid, rows) != rows]
        found += [Event(report.at, "removed", kid, _still_serves(old[kid])) for kid in old if kid not in new]
        self.since = {kid: self.since.get(kid, report.at) for kid in new}
        self.first_good = report.at if first else self.first_good
        self.rows, self.last_good, self._failing = report.keys, report.at, ""
        return found


def _published(rows: Sequence[KeyRow]) -> _Published:
    found: dict[str, tuple[KeyRow, ...]] = {}
    for row in rows:
        kid = row.kid or NO_KID
        found[kid] = (*found.get(kid, ()), row)
    return found


def described(row: KeyRow) -> str:
    """A key in a few words."""
    usable = "usable" if row.usable else f"not usable: {row.why}"
    return f"{' '.join(part for part in (row.kty or 'no kty', row.size) if part)}, {usable}"


def line(event: Event, date: str) -> str:
    """An event in a line; `date` is its time as text."""
    what = event.what if event.kid is None else f"{event.what} {event.kid}"
    return f"{date} {what}: {event.detail}"


def summary(watch: Watch) -> str:
    """What came of a watch."""
    changes = ", ".join(f"{watch.counts[what]} {what}" for what in CHANGES)
    return f"{watch.looks} looks, {watch.failures} failed; keys: {changes}."


def _came(at: float, kid: str, rows: Sequence[KeyRow], *, first: bool) -> Event:
    return Event(at, "present" if first else "added", kid, "; ".join(described(row) for row in rows))


def _changed(at: float, kid: str, old: Sequence[KeyRow], new: Sequence[KeyRow]) -> Event:
    if [row.fingerprint for row in old] != [row.fingerprint for row in new]:
        return Event(at, "changed", kid, f"another public key under the same kid; {'; '.join(map(described, new))}")
    was, now = ("; ".join(map(described, rows)) for rows in (old, new))
    return Event(at, "changed", kid, f"{now} (was: {was})" if was != now else f"other members; {now}")


def _still_serves(old: Sequence[KeyRow]) -> str:
    if not any(row.usable for row in old):
        return "it was not usable"
    return f"tokenward lets it serve {Rhythm().removal_grace:.0f} s longer, in case replicas disagree"
