"""Starts the processes of a run, steers the issuer through the phases, and writes down what everybody says."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.soak.plan import CALLERS_START, KEYS, PHASES, ROTATION, WARM_UP, Door, Phase, Span, span_at
from benchmarks.soak.processes import PATIENCE, Child
from benchmarks.soak.record import Record
from benchmarks.soak.stats import rss_mb
from tokenward.testing import SigningKey
from tokenward.testing.keyfile import write_keys
from tokenward.testing.loopback import free_port

STEP = 0.02
"""Seconds between two looks at the clock."""
MEMORY_EVERY = 0.5
"""Seconds."""

Progress = Callable[[Record, float, Span | None], None]


class SoakFailed(Exception):
    """The run itself did not work: nothing can be said of the verifier."""


class Conductor:
    """One run with one driver. `progress` is told of every half second."""

    def __init__(self, seconds: float, driver: str, threads: int, progress: Progress) -> None:
        self.record = Record(driver, seconds)
        self._threads = threads
        self._progress = progress
        self.record.begin = time.monotonic()
        self._port = free_port()
        self._stack = ExitStack()
        self._keys = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="tokenward-soak-"))) / "keys.json"
        self._children: dict[str, Child] = {}
        self._issuer_told = threading.Semaphore(0)
        self._service_ready = threading.Event()

    def run(self) -> None:
        """The whole run; a KeyboardInterrupt ends it early, and comes out when all is ended. Raises SoakFailed."""
        try:
            write_keys(self._keys, [SigningKey.generate("ES256") for _ in range(KEYS)])
            self._start()
            self._conduct()
        finally:
            self.record.ended = min(max(self._now(), 0.0), self.record.seconds)
            self._end()

    # -- the processes -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._children["witness"] = Child("witness", [], self._witness_said)
        self._start_issuer("issuer")
        self._start_issuer("successor")
        self._open_issuer(PHASES[0])
        readable, writable = os.pipe()
        self._start_service(readable)
        self.record.begin = time.monotonic() + CALLERS_START + WARM_UP
        self.record.doors.append((self._now(), "up"))
        self._start_callers(writable)

    def _start_issuer(self, name: str) -> None:
        """The successor, too, before anything is measured: to start a process takes a second of a processor."""
        self._children[name] = Child("issuer", ["--port", str(self._port), "--keys", str(self._keys)], self._issuer_said)
        self._await_issuer()

    def _open_issuer(self, phase: Phase) -> None:
        self._publish(phase)
        self._command("listen")

    def _start_service(self, requests: int) -> None:
        arguments = ["--driver", self.record.driver, "--threads", str(self._threads), "--seconds", str(self.record.seconds)]
        arguments += ["--jwks-uri", f"http://127.0.0.1:{self._port}/jwks"]
        self._children["service"] = Child("service", arguments, self._service_said, stdin=requests)
        os.close(requests)
        if not self._service_ready.wait(PATIENCE):
            raise SoakFailed("the service did not start")

    def _start_callers(self, requests: int) -> None:
        arguments = ["--to", str(requests), "--begin", str(self.record.begin), "--seconds", str(self.record.seconds)]
        arguments += ["--keys", str(self._keys)]
        self._children["caller"] = Child("caller", arguments, self._callers_said, passing=[requests])
        os.close(requests)

    def _end(self) -> None:
        """Callers first, so that the service sees the end of its requests, and tells the rest."""
        for name in ("caller", "service", "issuer", "successor", "witness"):
            if name in self._children:
                self._children[name].end()
        self._stack.close()

    # -- what they say -------------------------------------------------------------------------------------------------

    def _service_said(self, line: str) -> None:
        told = json.loads(line)
        if "ready" in told:
            self._service_ready.set()
        else:
            self.record.service_told(told)

    def _callers_said(self, line: str) -> None:
        self.record.callers_told(json.loads(line))

    def _witness_said(self, line: str) -> None:
        self.record.witness_told(json.loads(line))

    def _issuer_said(self, line: str) -> None:
        match line.split():
            case ["asked", at]:
                self.record.issuer_asked(float(at))
            case _:
                self._issuer_told.release()

    # -- the phases ----------------------------------------------------------------------------------------------------

    def _conduct(self) -> None:
        current: Span | None = None
        measured = float("-inf")
        while (now := self._now()) < self.record.seconds:
            span = span_at(now, self.record.spans)
            if span is not None and span is not current:
                self._enter(span.phase, current.phase.issuer if current else "up")
                if span.number == ROTATION:
                    self.record.rotated = self._now()
                current = span
            if now >= measured + MEMORY_EVERY:
                measured = now
                self._look(now, span)
            time.sleep(STEP)
        self._look(self.record.seconds, None)
        self._children["caller"].finish()

    def _look(self, now: float, span: Span | None) -> None:
        memory = rss_mb(self._children["service"].pid)
        if self._children["service"].has_ended or memory is None:
            raise SoakFailed("the service has ended")
        self.record.memory.append((now, memory))
        self._progress(self.record, now, span)

    def _enter(self, phase: Phase, before: Door) -> None:
        if before == "dead" and phase.issuer != "dead":
            self._children["issuer"] = self._children.pop("successor")
            self._open_issuer(phase)
        elif phase.issuer == "dead":
            self._children["issuer"].kill()
        else:
            self._publish(phase)
        if phase.issuer != before:
            if phase.issuer != "dead":
                self._command("silent" if phase.issuer == "silent" else "answer")
            self.record.doors.append((self._now(), phase.issuer))

    def _publish(self, phase: Phase) -> None:
        self._command(f"publish {' '.join(map(str, phase.published))}")

    def _command(self, line: str) -> None:
        self._children["issuer"].say(line)
        self._await_issuer()

    def _await_issuer(self) -> None:
        if not self._issuer_told.acquire(timeout=PATIENCE):
            raise SoakFailed("the issuer does not answer its conductor")

    def _now(self) -> float:
        return time.monotonic() - self.record.begin
