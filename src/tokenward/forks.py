"""What a fork must not break: locks that a thread of the parent may hold, its fetches, and what it was about to say."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

PATIENCE = 1.0
"""Seconds that a fork waits for what is `undivided`: a log that hangs must not hang whoever forks."""


class Forkable(Protocol):
    def forked(self) -> None:
        """Run in the child, before anything else does."""


_live: weakref.WeakSet[Forkable] = weakref.WeakSet()
_door = threading.RLock()  # a fork holds it: whoever speaks without a pause would else starve the fork
_speaking: set[int] = set()  # threads
_silence = threading.Condition()


def on_fork(holder: Forkable) -> None:
    """Have `holder.forked()` called in every child process for as long as it lives."""
    _live.add(holder)


@contextmanager
def undivided() -> Iterator[None]:
    """No other thread's fork falls in the middle of this block, for `PATIENCE` seconds at most.

    It is for calls of code that is not ours and may take a lock that no child could ever take again: structlog's own printer
    holds one while it prints. Threads do not wait for each other here.
    """
    thread = threading.get_ident()
    if thread in _speaking:
        yield
        return
    try:  # from here on: a Ctrl-C in between must not leave this thread among those whom each fork waits for
        with _door:
            _speaking.add(thread)
        yield
    finally:
        with (silence := _silence):  # a signal's handler may fork right here, and the child has another
            _speaking.discard(thread)
            silence.notify_all()


def _before() -> None:
    """Let nobody begin to speak, and wait for whoever does."""
    thread = threading.get_ident()
    _door.acquire()
    with _silence:
        _silence.wait_for(lambda: _speaking <= {thread}, PATIENCE)


def _in_parent() -> None:
    _door.release()


def _in_child() -> None:
    global _door, _silence  # new ones: other threads may have held the old
    _door, _silence = threading.RLock(), threading.Condition()
    _speaking.intersection_update({threading.get_ident()})
    for holder in list(_live):
        holder.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
