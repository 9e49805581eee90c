"""Many callers at once, phase after phase, and what became of each request and of each worker's keys."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

CALLERS = 8
"""Threads that call: four for each worker, so that every worker always has somebody waiting for it."""
REQUESTS = 300
"""Of each phase, at least; and of its second half, after something has happened in the first."""
QUICK = {
    "refresh_interval": 0.5,
    "refresh_floor": 0.5,
    "min_gap": 0.1,
    "miss_cooldown": 1.0,
    "backoff": 0.2,
    "backoff_max_empty": 1.0,
    "backoff_max": 1.0,
}
"""A rhythm in which an hour is half a second. Patience and grace are as they are."""
COLUMNS = ("phase", "requests", "200", "401", "wrong", "waits", "hits", "fetches")
SEARCHES = ("miss_waited", "unknown", "unavailable", "waiters_full")
"""Lookups that did not find their key in hand."""

Caller: TypeAlias = tuple[str, str | None, int]
"""What somebody calls with: its name, the token, and the status that is right."""
Statuses: TypeAlias = dict[int, list[dict[str, Any]]]


@dataclass
class Phase:
    """One part of a load. `wrong` names each answer that was not the right one."""

    name: str
    callers: Sequence[Caller]
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    deltas: Counter[str] = field(default_factory=Counter)
    until: int = REQUESTS
    over: bool = False

    @property
    def requests(self) -> int:
        return self.answers.total()

    def go_on(self, callers: Sequence[Caller]) -> None:
        """With these callers, for as many requests again."""
        self.callers, self.until = callers, self.requests + REQUESTS

    def flaws(self) -> list[str]:
        """What must not be, in words: none is the only good answer."""
        found = self.wrong[:10] + [f"{self.deltas[name]} {name}" for name in ("waits", *SEARCHES) if self.deltas[name]]
        if self.deltas["hits"] < self.answers[200]:
            found.append("somebody was let in without a look at the keys")
        return found

    def row(self) -> tuple[str, ...]:
        counted = (self.requests, self.answers[200], self.answers[401], len(self.wrong))
        return (self.name, *map(str, counted), *(str(self.deltas[name]) for name in ("waits", "hits", "fetches")))


class Load:
    """Calls a service, and keeps the books."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.phases: list[Phase] = []
        self.workers = service.statuses()

    @contextlib.contextmanager
    def phase(self, name: str, callers: Sequence[Caller]) -> Iterator[Phase]:
        """Calls while the block runs, and goes on until there were enough requests."""
        phase, before = Phase(name, callers), self.service.statuses()
        threads = [threading.Thread(target=self._call, args=(phase, number), daemon=True) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield phase
        finally:
            phase.over = True
            for thread in threads:
                thread.join()
        phase.deltas = _grown(before, self.service.statuses())
        self.phases.append(phase)

    def everywhere(self, holds: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether it holds for every source of keys of every worker."""
        return all(holds(source) for sources in self.service.statuses().values() for source in sources)

    def _call(self, phase: Phase, number: int) -> None:
        for turn in itertools.count(number):
            if phase.over and phase.requests >= phase.until:
                return
            name, token, right = phase.callers[turn % len(phase.callers)]
            try:
                status = self.service.get(token).status
            except (OSError, ValueError) as exc:
                status, name = 0, f"{name}: {type(exc).__name__}"
            phase.answers[status] += 1
            if status != right:
                phase.wrong.append(f"{name}: {status}")


def _grown(before: Statuses, after: Statuses) -> Counter[str]:
    grown = _sums(after)
    grown.subtract(_sums(before))
    return grown


def _sums(statuses: Statuses) -> Counter[str]:
    """What all sources of all workers have counted together."""
    sums: Counter[str] = Counter()
    for source in itertools.chain.from_iterable(statuses.values()):
        lookups = source["counts"]["lookups"]
        sums.update(waits=source["waits"], fetches=source["fetches"], hits=lookups["hit"] + lookups["hit_stale"])
        sums.update({name: lookups.get(name, 0) for name in SEARCHES})
    return sums


# -- the story that every server is told -------------------------------------------------------------------------------


@pytest.fixture
def endure(
    serve: Callable[..., Any], issuer_process: Any, request: pytest.FixtureRequest, until: Callable[[Callable[[], bool]], None]
) -> Callable[..., list[Phase]]:
    """`endure(server, app, *options)`: keys rotate, the issuer dies and returns, and callers call all the time."""

    def run(server: str, app: str, *options: str) -> list[Phase]:
        service = serve(server, app, issuer_process.environment, *options, workers=2, rhythm=QUICK)
        load = Load(service)
        until(lambda: load.everywhere(lambda source: source["usable"] > 0))
        for phase in _story(load, issuer_process, until):
            request.node.user_properties.append(("load", phase.row()))
        print(*_table(request.node.name, [phase.row() for phase in load.phases]), sep="\n")
        assert service.statuses().keys() == load.workers.keys(), "a worker was replaced"
        return load.phases

    return run


def _story(load: Load, issuer: Any, until: Callable[[Callable[[], bool]], None]) -> list[Phase]:
    first = _callers(issuer)
    with load.phase("quiet", first):
        pass
    for number in (1, 2, 3):
        first = _rotated(load, issuer, until, f"rotation {number}", first)
    with load.phase("outage", first) as outage:
        issuer.kill()
        until(lambda: load.everywhere(lambda source: source["failures"] > 0))
        outage.go_on(first)
    with load.phase("return", first) as back:
        issuer.start()
        until(lambda: load.everywhere(lambda source: source["failures"] == 0))
        back.go_on(first)
    _rotated(load, issuer, until, "rotation 4", first)
    return load.phases


def _rotated(load: Load, issuer: Any, until: Callable[[Callable[[], bool]], None], name: str, old: list[Caller]) -> list[Caller]:
    """A new key, which is listed for as long as everybody needs to see it, and signs then."""
    with load.phase(name, old) as phase:
        kid = issuer.control("rotate")["kid"]
        until(lambda: load.everywhere(lambda source: kid in source["kids"]))
        new = _callers(issuer)
        phase.go_on([*old[:8], *new])
    return new


def _callers(issuer: Any) -> list[Caller]:
    """Callers whose tokens the newest key signs, and others who should not get in."""
    callers: list[Caller] = [
        (f"good, v{version}", issuer.token(version=version, claims={"n": n}), 200) for n in range(6) for version in ("1.0", "2.0")
    ]
    callers += [("expired", issuer.token(lifetime=-60, version=version), 401) for version in ("1.0", "2.0")]
    callers += [("forged", issuer.token(key="stranger", version=version), 401) for version in ("1.0", "2.0")]
    callers += [
        ("of another API", issuer.token(audience="api://another"), 401),
        ("no token", None, 401),
        ("garbage", "e.y.J", 401),
    ]
    return callers


# -- the books ---------------------------------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table of each server: phase, requests, and what became of them."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            if rows := [row for name, row in getattr(report, "user_properties", ()) if name == "load"]:
                terminalreporter.section(report.nodeid.rpartition("::")[2])
                terminalreporter.write_line("\n".join(_table("", rows)))


def _table(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [COLUMNS, *rows]
    return [title, *("".join(cell.ljust(12) if n == 0 else cell.rjust(10) for n, cell in enumerate(line)) for line in lines)]
