"""How often the token endpoint is asked: once for each distinct token, however many requests bring it at one time."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from benchmarks.checks import Check
from benchmarks.gateway.callers import MANY, caller, name_of
from benchmarks.gateway.nginx import ECHO
from benchmarks.gateway.scene import scene
from benchmarks.gateway.verdicts import GUARDED, bearer, client, who_arrived
from benchmarks.report import Row
from benchmarks.run import Run

NAME = "exchanges / distinct tokens"
BUDGET = 1.0
FEW = 20
AT_ONCE, TIMES = 32, 4
"""Requests at one time, and requests of each caller, the first of which come together."""


def exchanges(run: Run) -> list[Row]:
    """A gateway that has just started, and callers whom it has never seen."""
    count = MANY if run.timing else FEW
    with scene(run, count) as around:
        server = around.app("apps:exchange", around.fast_upstream())
        start = time.perf_counter()
        with client() as asking, ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda number: _ask(asking, server.url, number), _turns(count)))
        seconds = time.perf_counter() - start
        made = Counter(exchange.subject for exchange in around.workspace.exchanges if not exchange.reason)
    wrong = len(found) - found.count("exchanged")
    right = made == Counter(name_of(number) for number in range(count))
    run.check([Check(NAME, GUARDED, f"{len(found)} requests of {count} callers", "0 wrong answers", f"{wrong} wrong answers")])
    run.check([Check(NAME, GUARDED, "exchanges", "one for each caller", "one for each caller" if right else f"{made.total()}")])
    if not run.timing:
        return []
    asked = f"{count:,} callers and {len(found):,} requests, {AT_ONCE} at a time, in {seconds:.1f} s"
    note = f"{made.total():,} exchanges for {asked}"
    return [Row(NAME, made.total() / count, BUDGET, unit="times", details={"seconds": seconds}, note=note)]


def _turns(count: int) -> list[int]:
    """Each caller several times in a row, so that the requests meet while the exchange is under way."""
    return [number for number in range(count) for _ in range(TIMES)]


def _ask(asking: httpx.Client, url: str, number: int) -> str:
    answer = asking.get(f"{url}{ECHO}", headers=bearer(caller(number)))
    return who_arrived(answer, number)
