"""Many callers at once, phase after phase, and what became of each request and of each worker's keys."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest

CALLERS = 8
"""Threads that call: four for each worker, so that every worker always has somebody waiting for it."""
REQUESTS = 300
"""Of each phase, at least; and of its second half, after something has happened in the first."""
BREATH = 0.05
"""Seconds between two requests of a caller where there were enough, so that what the phase waits for can happen."""
QUICK = {
    "refresh_interval": 0.5,
    "refresh_floor": 0.5,
    "min_gap": 0.1,
    "miss_cooldown": 1.0,
    "backoff": 0.2,
    "backoff_max_empty": 1.0,
    "backoff_max": 1.0,
    "removal_grace": 1.0,
    "confirm_after": 0.5,
}
"""A rhythm in which an hour is half a second, and a key that was withdrawn serves a second longer. Patience is as it is."""
LONG = 600.0
"""Seconds that an answer is held back: until the test says otherwise, or the fetch is given up."""
ON_ITS_WAY = 0.2
"""Seconds that an answer takes, so that others come while somebody waits for it."""
CROWD = 100
"""Requests beside those that wait: more than the app's watch must see come."""
AS_SHIPPED: dict[str, float] = {}
"""The rhythm of whoever sets none: the next refresh is an hour away."""
COLUMNS = ("phase", "requests", "200", "401", "503", "wrong", "waits", "waits seen", "hits", "fetches")
AGAIN = 10
"""Times that somebody comes again who is told to: of each worker once would do, if none were slower than its cooldown."""
SEARCHES = ("miss_waited", "unknown", "unavailable", "waiters_full")
"""Lookups that did not find their key in hand."""

Caller: TypeAlias = tuple[str, str | None, int]
"""What somebody calls with: its name, the token, and the status that is right."""
Told: TypeAlias = dict[int, dict[str, Any]]
Until: TypeAlias = Callable[[Callable[[], bool]], None]


@dataclass
class Phase:
    """One part of a load. `wrong` names each answer that was not the right one.

    `must_search` are the requests whose token has a key that their worker does not have; `may_search` are these and others, of
    which nobody can say. Their tokens name the key `sought`.
    """

    callers: Sequence[Caller]
    name: str = ""
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    deltas: Counter[str] = field(default_factory=Counter)
    must_search: int = 0
    may_search: int = 0
    sought: str = ""
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
        told, searches = self.deltas, sum(self.deltas[name] for name in SEARCHES)
        least, most = self.must_search, self.may_search
        flaws = {
            f"{told['waits']} waits": told["waits"] > most,
            f"{told['waits seen']} waits seen": not told["waits seen"] == told[f"waits seen: {self.sought}"] <= told["waits"],
            f"{searches} searches, not {least} to {most}": not least <= searches <= most,
            "somebody was let in without a look at the keys": told["hits"] + told["miss_waited"] < self.answers[200],
            "somebody was served whom nobody watched": told["requests"] < self.requests,
        }
        return self.wrong[:10] + [flaw for flaw, holds in flaws.items() if holds]

    def row(self) -> tuple[str, ...]:
        counted = (self.requests, *(self.answers[status] for status in (200, 401, 503)), len(self.wrong))
        return (self.name, *map(str, counted), *(str(self.deltas[name]) for name in COLUMNS[6:]))


class Load:
    """Calls a service, and keeps the books."""

    def __init__(self, service: Any) -> None:
        self.service = service
        self.phases: list[Phase] = []
        self.workers = service.told()

    @contextlib.contextmanager
    def phase(self, callers: Sequence[Caller]) -> Iterator[Phase]:
        """Calls while the block runs, and goes on until there were enough requests."""
        phase, before = Phase(callers), self.service.told()
        threads = [threading.Thread(target=self._call, args=(phase, number), daemon=True) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield phase
        finally:
            phase.over = True
            for thread in threads:
                thread.join()
        phase.deltas = _grown(before, self.service.told())
        self.phases.append(phase)

    def everywhere(self, holds: Callable[[dict[str, Any]], bool]) -> bool:
        """Whether it holds for every source of keys of every worker."""
        return all(holds(source) for sources in self.service.statuses().values() for source in sources)

    def _call(self, phase: Phase, number: int) -> None:
        for turn in itertools.count(number):
            if phase.requests >= phase.until:
                if phase.over:
                    return
                time.sleep(BREATH)
            self.call(phase, *phase.callers[turn % len(phase.callers)])

    def at_once(self, phase: Phase, callers: Sequence[Caller]) -> None:
        """One request of each of them, who may have to search, or to come again: all together, beside those who call already,
        and beside a crowd without tokens, who come and go while anybody waits.
        """
        phase.may_search += len(callers)
        with ThreadPoolExecutor(2 * len(callers)) as pool:
            calls = [pool.submit(self.call, phase, *caller, 503) for caller in callers]
            calls += [pool.submit(self.call, phase, "no token", None, 401) for _ in range(CROWD)]
        for call in calls:
            call.result()

    def alone(self, phase: Phase, name: str, token: str | None, right: int) -> None:
        """One request with a key that its worker does not have, and others while the answer is 503: whoever joined a refresh
        that began before he came has not had his key looked for.
        """
        for rights in (*[(right, 503)] * AGAIN, (right,)):
            phase.must_search += 1
            phase.may_search += 1
            if self.call(phase, name, token, *rights) != 503:
                return

    def call(self, phase: Phase, name: str, token: str | None, *right: int) -> int:
        """One request, and what it was answered."""
        try:
            status: int = self.service.get(token).status
        except (OSError, ValueError) as exc:
            status, name = 0, f"{name}: {type(exc).__name__}"
        phase.answers[status] += 1
        if status not in right:
            phase.wrong.append(f"{name}: {status}")
        return status


def _grown(before: Told, after: Told) -> Counter[str]:
    grown = _sums(after)
    grown.subtract(_sums(before))
    return grown


def _sums(workers: Told) -> Counter[str]:
    """What all workers have counted together, for all of their sources of keys."""
    sums: Counter[str] = Counter()
    for told in workers.values():
        sums.update({"requests": told["requests"], "waits seen": sum(told["waits"].values())})
        sums.update({f"waits seen: {kid}": waits for kid, waits in told["waits"].items()})
    for source in itertools.chain.from_iterable(told["sources"] for told in workers.values()):
        lookups = source["counts"]["lookups"]
        sums.update(waits=source["waits"], fetches=source["fetches"], hits=lookups["hit"] + lookups["hit_stale"])
        sums.update({name: lookups.get(name, 0) for name in SEARCHES})
    return sums


# -- the story that every server is told -------------------------------------------------------------------------------


@pytest.fixture
def endure(serve: Callable[..., Any], issuer_process: Any, request: pytest.FixtureRequest, until: Until) -> Callable[..., Any]:
    """`endure(server, app, *options)`: keys rotate, the issuer dies and returns, and callers call all the time.

    `parts` are the only ones of the story to tell, and `mutant` is the defect that the workers have.
    """

    def run(server: str, app: str, *options: str, parts: Sequence[str] = STORY, mutant: str | None = None) -> list[Phase]:
        environment = issuer_process.environment | ({"GUARDED_MUTANT": mutant} if mutant else {})
        rhythm = AS_SHIPPED if "new key" in parts else QUICK
        service = serve(server, app, environment, *options, workers=2, rhythm=rhythm)
        load = Load(service)
        until(lambda: load.everywhere(lambda source: source["usable"] > 0))
        callers = _callers(issuer_process)
        for part in parts:
            callers = PARTS[part](load, issuer_process, until, callers)
            load.phases[-1].name = part
            request.node.user_properties.append(("load", load.phases[-1].row()))
        print(*_table(request.node.name, [phase.row() for phase in load.phases]), sep="\n")
        assert service.told().keys() == load.workers.keys(), "a worker was replaced"
        return load.phases

    return run


def _quiet(load: Load, issuer: Any, until: Until, callers: list[Caller]) -> list[Caller]:
    with load.phase(callers):
        pass
    return callers


def _rotation(load: Load, issuer: Any, until: Until, old: list[Caller]) -> list[Caller]:
    """A new key, whose tokens nobody has before every worker has seen it."""
    with load.phase(old) as phase:
        kid = issuer.control("rotate")["kid"]
        until(lambda: load.everywhere(lambda source: kid in source["kids"]))
        new = _callers(issuer)
        phase.go_on([*old[:8], *new])
    return new


def _new_key(load: Load, issuer: Any, until: Until, old: list[Caller]) -> list[Caller]:
    """A new key, whose tokens everybody has at once: no worker has seen it, and no refresh is due.

    Each source of each worker must be asked for it once. Until all of them have it, whoever comes may be told to come again.
    """
    with load.phase(old) as phase:
        issuer.control("fail", mode="slow", seconds=ON_ITS_WAY)
        phase.sought = kid = issuer.control("rotate")["kid"]
        new = _good(issuer)

        def all_have_it() -> bool:
            load.at_once(phase, new)
            return bool(phase.wrong) or load.everywhere(lambda source: kid in source["kids"])

        until(all_have_it)
        phase.must_search = sum(len(sources) for sources in load.service.statuses().values())
        issuer.control("recover")
        phase.go_on([*old, *new])
    return new


def _slow_answers(load: Load, issuer: Any, until: Until, callers: list[Caller]) -> list[Caller]:
    """Every worker fetches, and none gets an answer before many callers have got theirs."""
    with load.phase(callers) as phase:
        issuer.control("fail", mode="slow", seconds=LONG)
        until(lambda: load.everywhere(lambda source: source["fetch"] == "in_flight"))
        phase.go_on(callers)
        until(lambda: phase.requests >= phase.until)
        issuer.control("recover")
    return callers


def _outage(load: Load, issuer: Any, until: Until, callers: list[Caller]) -> list[Caller]:
    with load.phase(callers) as phase:
        issuer.kill()
        until(lambda: load.everywhere(lambda source: source["failures"] > 0))
        phase.go_on(callers)
    return callers


def _return(load: Load, issuer: Any, until: Until, callers: list[Caller]) -> list[Caller]:
    with load.phase(callers) as phase:
        issuer.start()
        until(lambda: load.everywhere(lambda source: source["failures"] == 0))
        phase.go_on(callers)
    return callers


def _withdrawal(load: Load, issuer: Any, until: Until, old: list[Caller]) -> list[Caller]:
    """The key that signed is gone, and with it the tokens that every worker knew.

    Whoever comes with one of these comes alone: of many who search at once, some are told to come back.
    """
    first, withdrawn = issuer.state["keys"][0], issuer.state["signing"]
    others = _good(issuer, key=first)
    with load.phase(others) as phase:
        kid = issuer.control("rotate", keep_old=False)["kid"]
        until(lambda: load.everywhere(lambda source: kid in source["kids"] and withdrawn not in source["kids"]))
        new = _callers(issuer)
        phase.go_on([*others, *new])
        phase.sought = withdrawn
        for name, token, _ in [caller for caller in old if caller[2] == 200] * 3:
            load.alone(phase, f"{name}, withdrawn", token, 401)
    return new


PARTS = {
    "quiet": _quiet,
    "rotation 1": _rotation,
    "slow answers": _slow_answers,
    "outage": _outage,
    "return": _return,
    "rotation 2": _rotation,
    "withdrawal": _withdrawal,
    "new key": _new_key,
}
"""Each takes the callers whose tokens the newest key signs, and returns those of the key that is the newest then."""
STORY = tuple(part for part in PARTS if part != "new key")
"""What is told in a quick rhythm; a refresh would bring the new key to workers that never look for one."""


def _good(issuer: Any, **options: str) -> list[Caller]:
    return [
        (f"good, v{version}", issuer.token(version=version, claims={"n": n}, **options), 200)
        for n in range(4)
        for version in ("1.0", "2.0")
    ]


def _callers(issuer: Any) -> list[Caller]:
    """Callers whose tokens the newest key signs, and others who should not get in."""
    callers = _good(issuer)
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
    return [title, *("".join(cell.ljust(12) if n == 0 else cell.rjust(11) for n, cell in enumerate(line)) for line in lines)]
