"""A process of a run, and the thread that reads what it says."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

PATIENCE = 30.0
"""Seconds in which a process starts, or ends, on a machine that has much else to do."""


class Child:
    """`python -m module arguments`, in a session of its own: a Ctrl-C at the terminal is the conductor's affair.

    Each line of its standard output is given to `told`, in a thread. Its standard input is a pipe, unless `stdin` is another's
    end of one; it ends when that is closed.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        told: Callable[[str], None],
        *,
        stdin: int = subprocess.PIPE,
        passing: Sequence[int] = (),
    ) -> None:
        command = [sys.executable, "-m", f"benchmarks.soak.{module}", *arguments]
        self.name = module
        self._process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, text=True, pass_fds=passing, start_new_session=True
        )
        self.pid = self._process.pid
        self._reader = threading.Thread(target=self._read, args=(told,), daemon=True)
        self._reader.start()

    def say(self, line: str) -> None:
        """Tell it something, if it is still there."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.write(f"{line}\n")
                self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait()

    def finish(self) -> None:
        """Wait until it ends by itself, for as long as one may."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)

    def end(self) -> None:
        """Let it end, and read what it says last; kill it if it does not."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(PATIENCE)

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def _read(self, told: Callable[[str], None]) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                told(line)
