"""What is counted together: rejections of one code, issuer, client and hint, and events around them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tokenward.troubleshoot.logs.event import Around, Rejected
from tokenward.troubleshoot.logs.window import SLOT, WINDOW, Window, spread

MAX_TOKENS = 100
"""Fingerprints that are told apart in a group: one token again and again, a few, or many is all that must be seen."""
Kind: TypeAlias = Literal["logged", "summed", "others"]
Key: TypeAlias = tuple[str, str | None, str | None, str]


class Span:
    """When something was seen: first, last, and since when without a pause as long as the window."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last: float | None = None
        self.since: float | None = None

    def see(self, at: float | None) -> None:
        """Take in one time."""
        if at is None:
            return
        if self.last is None or at - self.last > WINDOW:
            self.since = at
        self.first = at if self.first is None else min(at, self.first)
        self.last = at if self.last is None else max(at, self.last)


class Group(Span):
    """Rejections of one kind.

    `kind` is "logged" for what was logged one by one; "summed" for what a flood was summed up to, of which only the code is
    known; and "others" for groups of one code that were too many to be kept apart.
    """

    def __init__(self, key: Key, kind: Kind = "logged") -> None:
        super().__init__()
        self.code, self.issuer, self.client, self.hint = key
        self.kind: Kind = kind
        self.docs = ""
        self.count = 0
        self.tokens: set[int] = set()
        self.recent = Window()

    def add(self, event: Rejected) -> None:
        """Count one rejection."""
        self._count(1, event.at, 0.0)
        self.docs = event.docs or self.docs
        if event.fingerprint is not None and len(self.tokens) < MAX_TOKENS:
            self.tokens.add(event.fingerprint)

    def add_sum(self, count: int, at: float | None, seconds: float) -> None:
        """Count what was summed up."""
        self._count(count, at, seconds)

    def take_in(self, other: Group) -> None:
        """Count what is no longer a group of its own; of what it was lately only the last moment is known."""
        self.docs = self.docs or other.docs
        for at in (other.first, other.last):
            self.see(at)
        self._count(other.count, other.last, 0.0)

    def lately(self, until: float | None) -> int:
        """How many in the window that ends then."""
        return 0 if until is None else self.recent.count(until)

    def _count(self, count: int, at: float | None, seconds: float) -> None:
        self.count += count
        if at is None:
            return
        for part_at, part in spread(count, at, seconds, SLOT):
            self.see(part_at)
            self.recent.add(part_at, part)


class Nearby(Span):
    """Events of one kind that are no rejections, such as failed fetches of one issuer's keys."""

    def __init__(self, event: Around) -> None:
        super().__init__()
        self.name, self.of, self.why, self.hint = event.name, event.of, event.why, event.hint
        self.count = 0

    def add(self, event: Around) -> None:
        """Count one; the latest hint is kept."""
        self.count += 1
        self.hint = event.hint or self.hint
        self.see(event.at)
