"""Interleaved rounds under wrk. Each run follows one of what it is measured against, so that both had the same machine."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gateway.callers import callers
from benchmarks.gateway.nginx import OK
from benchmarks.gateway.process import cpu_seconds
from benchmarks.gateway.scene import Scene
from benchmarks.gateway.servers import Server
from benchmarks.gateway.verdicts import bearer, client
from benchmarks.gateway.wrk import Measured, wrk
from benchmarks.report import Row
from benchmarks.run import Run

SECONDS = 1.0
"""Of one run: short, so that a pair shares the machine's mood."""
AT_ONCE = 16


@dataclass(eq=False)
class Subject:
    """What is put under load, and how it fared.

    base    the subject that it is measured against
    others  servers whose processor time it uses, too
    keeps   it forgets callers within a round, so it sees all of them before each run; measured is the steady state
    """

    name: str
    server: Server
    callers: int = 1
    base: Subject | None = None
    budget: float | None = None
    others: Sequence[Server] = ()
    keeps: bool = False
    runs: list[Measured] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)

    def warm(self) -> None:
        """Every caller once, so that all of them were seen. Raises httpx.HTTPError for any answer that is no 2xx."""
        url = f"{self.server.url}{OK}"
        with client() as asking, ThreadPoolExecutor(AT_ONCE) as pool:
            for answer in pool.map(lambda token: asking.get(url, headers=bearer(token)), callers(self.callers)):
                answer.raise_for_status()

    def load(self, around: Scene, *, counts: bool) -> float:
        """One run; its requests per second."""
        before = self._cpu_seconds()
        measured = wrk(f"{self.server.url}{OK}", around.tokens(self.callers), SECONDS)
        if counts:
            self.runs.append(measured)
            self.cpu += [] if before is None else [((self._cpu_seconds() or 0) - before) / measured.requests * 1e6]
        return measured.rate

    def _cpu_seconds(self) -> float | None:
        found = [cpu_seconds(server.pid) for server in (self.server, *self.others)]
        return None if None in found else sum(each for each in found if each is not None)


def interleaved(run: Run, around: Scene, subjects: Sequence[Subject]) -> None:
    """After one round that is not counted; and after every caller was seen."""
    for subject in subjects:
        subject.warm()
    for number in range(run.rounds + 1):
        run.say(f"  wrk, round {number} of {run.rounds}")
        for subject in subjects:
            if subject.base is None:
                continue
            if subject.keeps:
                subject.warm()
            base = subject.base.load(around, counts=number > 0)
            rate = subject.load(around, counts=number > 0)
            subject.ratios += [rate / base] if number else []


def row_of(subject: Subject) -> Row:
    rate = statistics.median(run.rate for run in subject.runs)
    cpu = statistics.median(subject.cpu) if subject.cpu else None
    columns: dict[str, float | str] = {
        "range": f"{min(subject.ratios):.2f}-{max(subject.ratios):.2f}" if subject.ratios else "",
        "requests/s": f"{rate:,.0f}",
        "p50 ms": f"{statistics.median(run.p50 for run in subject.runs):.2f}",
        "p99 ms": f"{statistics.median(run.p99 for run in subject.runs):.2f}",
        "CPU us": "" if cpu is None else f"{cpu:.0f}",
    }
    details: dict[str, Any] = {"of": subject.base.name if subject.base else None, "ratios": subject.ratios, "cpu_us": subject.cpu}
    details["runs"] = [vars(measured) for measured in subject.runs]
    ratio = statistics.median(subject.ratios) if subject.ratios else 1.0
    return Row(subject.name, ratio, subject.budget, "times", "at least", 1e6 / rate, columns, details)
