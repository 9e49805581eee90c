"""Clocks that jump or stand still, and processes that idle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys import aio, threads
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Unavailable, Use
from tokenward.keys.loops import Signal
from tokenward.keys.rhythm import Rhythm

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
HOUR = 3600.0
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("hours", "fetches"),
    [
        pytest.param(-2, 0, id="back by 2 h"),
        pytest.param(0.5, 0, id="on by half an hour"),
        pytest.param(2, 1, id="on by 2 h"),
        pytest.param(25, 1, id="on by 25 h"),
    ],
)
def test_f23_a_jump_of_the_wall_clock_costs_one_fetch_at_most(open_rig: OpenRig, hours: float, fetches: int) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(300)
    rig.wall.advance(hours * HOUR)
    for _ in range(20):
        assert isinstance(rig.find(rig.kid), Use)
        while not rig.events.empty() or rig.source.status().fetch == "in_flight":
            rig.refreshed()
        rig.pass_time(60)
    assert rig.fetches == 1 + fetches


@pytest.mark.parametrize("clock", ["mono", "wall"])
def test_f23_keys_die_by_whichever_clock_says_so_first(open_rig: OpenRig, clock: str) -> None:
    rig = open_rig()
    rig.warm()
    rig.issuer.fail("down")
    rig.pass_time(60)
    getattr(rig, clock).advance(DAY - 61)
    assert isinstance(rig.find(rig.kid), Use)
    rig.failed()
    getattr(rig, clock).advance(1)
    assert isinstance(rig.find(rig.kid), Unavailable)
    assert rig.source.status().keys == "dead"


def test_f23_a_wall_clock_that_was_turned_back_prolongs_no_key(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.issuer.fail("down")
    rig.pass_time(DAY - HOUR)
    rig.wall.advance(-12 * HOUR)
    assert isinstance(rig.find(rig.kid), Use)
    rig.failed()
    rig.pass_time(HOUR)
    assert isinstance(rig.find(rig.kid), Unavailable)


async def _ticking(driver: AsyncDriver) -> Signal:
    return driver.start_ticking()


def test_f45_with_the_ticker_keys_are_fresh_after_any_time_without_requests(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.01)
    monkeypatch.setattr(aio, "TICK", 0.01)
    rig = open_rig()
    asker, driver = rig.askers[0], rig.drivers[0]
    stop = asker.submit(_ticking, driver).result(20) if asker.kind != "threads" else None
    rig.warm()
    rig.pass_time(3 * HOUR)
    assert rig.refreshed().why == "tick"
    before = rig.fetches
    assert all(isinstance(rig.find(rig.kid), Use) for _ in range(500))
    assert (rig.fetches, rig.source.status().keys) == (before, "fresh")
    if stop is not None:
        asker.submit(_set, stop).result(20)


async def _set(stop: Signal) -> None:
    stop.set()


def test_f45_without_the_ticker_a_burst_after_idling_causes_one_fetch_and_no_wait(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(3 * HOUR)
    slow = rig.hold()
    burst = [rig.submit(rig.kid) for _ in range(500)]
    assert all(isinstance(request.result(20), Use) for request in burst)
    assert (rig.fetches, rig.waits) == (2, 1)
    slow.end()
    rig.refreshed()


def test_f50_workers_that_start_at_once_part_company(open_rig: OpenRig) -> None:
    first = open_rig(Rhythm())
    first.warm()
    workers = [first, *(open_rig(Rhythm(), share=first) for _ in range(15))]
    for worker in workers[1:]:
        worker.warm()
    assert len(first.server.asked) == 16, "each for itself"
    due: list[float] = []
    for worker in workers:
        start = worker.mono()
        while worker.source.status().fetches == 1:
            worker.pass_time(10)
            assert isinstance(worker.find(worker.kid), Use)
            if worker.source.status().fetch == "in_flight":
                worker.refreshed()
        due.append(worker.mono() - start)
    assert min(due) >= HOUR * 0.9
    assert max(due) <= HOUR * 1.1 + 10
    assert len(set(due)) > 8, "spread over twelve minutes, in steps of ten seconds"
