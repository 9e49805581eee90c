"""`tokenward keys` as a process, and an issuer on loopback for it to look at."""

from __future__ import annotations

import os
import pty
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tokenward.testing import IssuerServer, LocalIssuer, OidcIssuer, SigningKey
from tokenward.testing.loopback import free_port

COMMAND = (sys.executable, "-m", "tokenward.cli", "keys")
DEADLINE = 60.0
"""Seconds until a test gives up on a process."""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def looked(environment: dict[str, str]) -> Run:
    """`looked(*arguments, NAME=value)` runs the command to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        env = environment | variables
        done = subprocess.run(
            [*COMMAND, *arguments],
            capture_output=True,
            text=True,
            env=env,
            timeout=DEADLINE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def oidc(new_key: Callable[[], SigningKey]) -> Iterator[OidcIssuer]:
    """An issuer at its own address."""
    port = free_port()
    issuer = LocalIssuer.oidc(f"http://127.0.0.1:{port}/idp/", new_key=new_key)
    with IssuerServer(issuer, port):
        yield issuer


class Watching:
    """A command that goes on, and what it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], out: int) -> None:
        self.process = process
        self._out = out
        self._parts: list[bytes] = []
        self._arrived: queue.Queue[None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while part := os.read(self._out, 4096):
                self._parts.append(part)
                self._arrived.put(None)
        except OSError:  # how Linux says that the terminal was closed
            return

    @property
    def text(self) -> str:
        return b"".join(self._parts).decode()

    def until(self, wanted: str) -> str:
        """Everything so far, once it holds the text."""
        end = time.monotonic() + DEADLINE
        while wanted not in self.text:
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.fail(f"{wanted!r} did not come; there is: {self.text}")
            try:
                self._arrived.get(timeout=0.2)
            except queue.Empty:
                continue
        return self.text

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: the exit code, and everything that was written."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(DEADLINE)
        self._reader.join(1.0)
        return code, self.text


Watch = Callable[..., "AbstractContextManager[Watching]"]


@pytest.fixture
def watched(environment: dict[str, str]) -> Watch:
    """`with watched(*arguments, terminal=True, script=..., NAME=value) as watching:` runs the command, in a pipe by default."""

    @contextmanager
    def running(*arguments: str, terminal: bool = False, script: str | None = None, **variables: str) -> Iterator[Watching]:
        ours, theirs = pty.openpty() if terminal else os.pipe()
        begin = COMMAND if script is None else (sys.executable, "-c", script, "keys")
        told = [*begin, *arguments, "--watch", "--interval", "1"]
        with subprocess.Popen(
            told, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.STDOUT, env=environment | variables
        ) as process:
            os.close(theirs)
            watching = Watching(process, ours)
            try:
                yield watching
            finally:
                process.kill()
        os.close(ours)

    return running
