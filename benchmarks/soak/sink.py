"""The way from the callers to the service: a pipe, and what is known of who kept whom waiting."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select

PIPE_BYTES = 1 << 20
"""A second of requests, so that a service that pauses does not hold its callers up; Linux's default is 64 KiB."""


class Sink:
    """The pipe to the service. `descriptor` is the end to write to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        with contextlib.suppress(AttributeError, OSError):  # Linux only, and an unprivileged limit may be lower
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def send(self, line: bytes) -> bool:
        """Write a line, however long the service takes; whether it was the service that had to be waited for."""
        waited = False
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                waited = True
                select.select([], [self._descriptor], [])
        return waited
