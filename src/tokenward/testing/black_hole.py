"""An address at which connections neither come about nor are refused."""

from __future__ import annotations

import contextlib
import socket

_A_LITTLE = 0.05
"""Seconds without an answer from this machine itself, after which there will be none."""
_MOST = 16
"""Connections that are made to fill a queue of length 0; Linux takes one or two."""


class BlackHole:
    """Listens with a queue that is full already: the system then drops whoever else knocks (listen(2)), as firewalls do.

    So it is on Linux. Raises OSError if the address is taken, or if the system refuses in place of dropping.
    """

    def __init__(self, address: tuple[str, int]) -> None:
        self._sockets = [socket.create_server(address, backlog=0)]
        for _ in range(_MOST):
            if not self._fill(address):
                return
        self.close()
        raise OSError("this system takes every connection, however full the queue is")

    def close(self) -> None:
        """Give the address back, and close what was in the queue."""
        for each in self._sockets:
            each.close()

    def _fill(self, address: tuple[str, int]) -> bool:
        filler = socket.socket()
        filler.settimeout(_A_LITTLE)
        self._sockets.append(filler)
        with contextlib.suppress(TimeoutError):
            filler.connect(address)
            return True
        return False
