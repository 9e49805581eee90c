"""Ctrl-C, which a terminal sends to every process at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended: 128 and the number of the signal."""


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes that are started meanwhile never hear of it: whoever starts them ends them. In this one it only comes later."""
    resource_tracker.ensure_running()  # else it is started by the first of them, and unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
