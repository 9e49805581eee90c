"""A process of the demo: started, watched, and stopped whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

LAST_WORDS = 2.0
"""Seconds for what an ended process wrote to be read."""
STOP = 5.0
"""Seconds that a process may take to end in good order."""
Event = dict[str, Any]


class DemoError(Exception):
    """The demo cannot go on; the text says why, and what to do next."""


class Child:
    """A Python module as a process. What it prints on standard output, one JSON object a line, is in `events`."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self.name = name
        self.events: deque[Event] = deque(maxlen=1000)
        self._on_event = on_event
        self._errors: deque[str] = deque(maxlen=20)
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "demo.tethered", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            text=True,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops its children one after the other
        )
        self._readers = [
            self._follow(self._process.stdout, self._read_event),
            self._follow(self._process.stderr, self._errors.append),
        ]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_for(self, wanted: Callable[[Event], bool], seconds: float) -> Event | None:
        """The first event of this kind, or None if none comes in time, or the process has ended."""
        until = time.monotonic() + seconds
        with self._news:
            while True:
                found = next((event for event in self.events if wanted(event)), None)
                if found is not None or time.monotonic() >= until or not self.running:
                    return found
                self._news.wait(min(0.1, max(until - time.monotonic(), 0.0)))

    def failure(self, problem: str) -> DemoError:
        """The error to raise, with the last that the process said, which may still be on its way if it has ended."""
        for reader in self._readers:
            reader.join(0.0 if self.running else LAST_WORDS)
        said = "".join(f"\n    {line.rstrip()}" for line in self._errors) or " nothing"
        fix = "Next: mend what it says, or install anew (remove .venv and run scripts/demo)."
        return DemoError(f"{self.name} {problem}. It said:{said}\n{fix}")

    def stop(self) -> None:
        """End it in good order, or by force."""
        self._process.terminate()
        try:
            self._process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.kill()
        self._release()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()
        self._release()

    def _release(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _follow(self, stream: IO[str] | None, take: Callable[[str], object]) -> threading.Thread:
        def _read(lines: IO[str]) -> None:
            with lines:
                for line in lines:
                    take(line)

        reader = threading.Thread(target=_read, args=(stream,), daemon=True)
        reader.start()
        return reader

    def _read_event(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._errors.append(line)
            return
        with self._news:
            self.events.append(event)
            self._news.notify_all()
        if self._on_event is not None:
            self._on_event(event)
