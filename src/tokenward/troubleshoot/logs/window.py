"""How many lately: a count over the last minutes, in a few numbers however many there are."""

from __future__ import annotations

from collections.abc import Iterator

WINDOW = 300.0
"""Seconds that are lately: long enough to see a rate, short enough that an incident of now fills it."""
SLOT = 10.0
"""Seconds that are counted together."""
PIECES = 360
"""Parts into which a sum is spread at most: an hour in slots."""


class Window:
    """Counts by slots of time; old slots are forgotten as new ones come, and what comes late is counted while it is in time."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}

    def add(self, at: float, count: int = 1) -> None:
        """Count something of that time."""
        slot = int(at // SLOT)
        self._slots[slot] = self._slots.get(slot, 0) + count
        if len(self._slots) > 2 * WINDOW / SLOT:
            self._forget(max(self._slots))

    def count(self, until: float) -> int:
        """How many in the window that ends then."""
        last = int(until // SLOT)
        return sum(count for slot, count in self._slots.items() if last - WINDOW / SLOT < slot <= last)

    def _forget(self, last: int) -> None:
        self._slots = {slot: count for slot, count in self._slots.items() if slot > last - WINDOW / SLOT}


def spread(count: int, at: float, seconds: float, step: float) -> Iterator[tuple[float, int]]:
    """A sum of the `seconds` before `at`, as evenly over steps of time as whole numbers allow: nobody knows it better."""
    pieces = max(1, min(PIECES, round(seconds / step)))
    for piece in range(pieces):
        part = count * (piece + 1) // pieces - count * piece // pieces
        if part:
            yield at - seconds * (pieces - piece - 0.5) / pieces, part
