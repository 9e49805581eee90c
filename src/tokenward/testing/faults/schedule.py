"""Which fault a request meets."""

from __future__ import annotations

import threading
from collections import deque

from tokenward.testing.faults.fault import Fault


class Schedule:
    """Faults for the next requests, one each, and faults for all of them; those of a path are for requests for it alone.

    Those for the next requests go first, in their order; then that of the path, then that of every path.
    """

    def __init__(self) -> None:
        self._next: deque[tuple[str | None, Fault]] = deque()
        self._always: dict[str | None, Fault] = {}
        self._given: dict[int, Fault] = {}
        self._lock = threading.Lock()

    def add(self, faults: tuple[Fault, ...], path: str | None) -> None:
        """For the next requests."""
        with self._lock:
            self._next.extend((path, fault) for fault in faults)

    def always(self, fault: Fault, path: str | None) -> None:
        """For all requests."""
        with self._lock:
            self._always[path] = fault

    def clear(self) -> None:
        """Forget all of them, and end those that were given."""
        with self._lock:
            given = [*self._given.values(), *self._always.values()]
            self._given, self._always = {}, {}
            self._next.clear()
        for fault in given:
            fault.end()

    @property
    def of_the_server(self) -> Fault | None:
        """The fault for every request, if there is one."""
        return self._always.get(None)

    def of_connection(self) -> Fault | None:
        """The fault of a new connection, before it is known what is asked for."""
        with self._lock:
            if self._next and self._next[0][1].handshake != "good":
                return self._noted(self._next.popleft()[1])
            always = self._always.get(None)
            return self._noted(always) if always and always.handshake != "good" else None

    def of_request(self, path: str) -> Fault | None:
        """The fault of a request for this path."""
        with self._lock:
            for number, (wanted, fault) in enumerate(self._next):
                if wanted in (None, path):
                    del self._next[number]
                    return self._noted(fault)
            return self._noted(self._always.get(path) or self._always.get(None))

    def _noted(self, fault: Fault | None) -> Fault | None:
        if fault is not None:
            self._given[id(fault)] = fault
        return fault
