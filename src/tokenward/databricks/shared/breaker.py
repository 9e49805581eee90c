"""When to leave a store alone that has failed: all of that state, in this file. It knows no clock and no lock."""

from __future__ import annotations

from dataclasses import dataclass

PAUSE = 5.0
"""Seconds in which nobody asks a store that has failed; then one caller does, and the others go on without it."""


@dataclass(slots=True)
class Breaker:
    """Closed while the store works. `mono` is a monotonic clock, in seconds."""

    pause: float = PAUSE
    lost_at: float | None = None
    _again_at: float = 0.0

    def allows(self, mono: float) -> bool:
        """Whether this caller may ask. After a pause it is the one who tries, and the next pause begins for all others."""
        if self.lost_at is None:
            return True
        if mono < self._again_at:
            return False
        self._again_at = mono + self.pause
        return True

    def failed(self, mono: float) -> bool:
        """It did not work; True if that is news."""
        self._again_at = mono + self.pause
        if self.lost_at is not None:
            return False
        self.lost_at = mono
        return True

    def worked(self, mono: float) -> float | None:
        """It worked; the seconds that it had not, if that is news."""
        if self.lost_at is None:
            return None
        lost, self.lost_at = mono - self.lost_at, None
        return lost
