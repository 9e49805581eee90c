"""What must be made new in a child process after a fork: locks that a thread of the parent may hold, and its fetches."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    def forked(self) -> None:
        """Run in the child, before anything else does."""


_live: weakref.WeakSet[Forkable] = weakref.WeakSet()


def on_fork(holder: Forkable) -> None:
    """Have `holder.forked()` called in every child process for as long as it lives."""
    _live.add(holder)


def _in_child() -> None:
    for holder in list(_live):
        holder.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
