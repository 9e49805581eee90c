"""The end of a stand-in that runs as a process: SIGINT or SIGTERM, at whatever moment it comes."""

from __future__ import annotations

import signal
from queue import SimpleQueue


class StopSignal:
    """Takes SIGINT and SIGTERM over for the whole process; make it in the main thread, before anybody is told to stop it.

    Not a threading.Event: its lock may be held by `wait` at the very moment at which the handler, in the same thread, would take
    it, and then neither goes on. A SimpleQueue's `put` may interrupt its `get` (docs.python.org/3/library/queue.html).
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[int] = SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda told, _frame: self._told.put(told))

    def wait(self) -> None:
        """Return once one of the two has come, even if it came before."""
        self._told.get()
