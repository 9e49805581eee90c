"""More requests than an issuer should hear of."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.decision import Unavailable, Unknown, Use
from tokenward.testing import faults

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
SECONDS = 60
A_SECOND = 15
"""Requests with a random kid in each second of the hand-wound clock."""


def flood(rig: Rig, kid_of: Callable[[int], str], seconds: int = SECONDS) -> list[float]:
    """Requests with unknown kids, a known caller among them each second; when each fetch was noticed, by the monotonic clock."""
    starts: list[float] = []
    fetches = rig.fetches
    for number in range(seconds * A_SECOND):
        assert not isinstance(rig.find(kid_of(number)), Use)
        if rig.fetches > fetches:
            assert not starts or rig.mono() - starts[-1] >= 30.0, "the cooldown"
            starts, fetches = [*starts, rig.mono()], rig.fetches
        if number % A_SECOND == 0:
            waits = rig.waits
            assert isinstance(rig.find(rig.kid), Use)
            assert rig.waits == waits, "a known caller does not wait"
            rig.pass_time(1)
    return starts


def random_kid(number: int) -> str:
    return f"{number:032x}" * 16


@pytest.mark.parametrize("fault", [pytest.param(None, id="well"), pytest.param(faults.down, id="down")])
def test_f29_a_flood_of_random_kids_keeps_the_cooldown_and_the_memory(open_rig: OpenRig, fault: Callable[[], Any] | None) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(60)
    if fault:
        rig.server.always(fault())
    flood(rig, random_kid, seconds=5)  # what is imported and cached once does not count
    rig.pass_time(300)
    gc.collect()
    tracemalloc.start()
    try:
        starts = flood(rig, random_kid)
        while not rig.events.empty():
            rig.told()
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert starts
    assert grown < 150_000, "900 kids of 512 characters would be 460 kB"


def test_f29_while_the_issuer_is_slow_few_strangers_wait_and_known_callers_do_not(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(60)
    slow = rig.hold()
    crowd = [rig.submit(random_kid(number)) for number in range(300)]
    most = max(asker.most_waiting for asker in rig.askers)
    for _ in range(20):
        assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: sum(request.done() for request in crowd) >= 300 - most)
    waits = rig.waits
    assert isinstance(rig.submit(rig.kid).result(20), Use)
    assert (rig.waits, rig.fetches) == (waits, 2)
    assert rig.source.status().waiting <= most
    slow.end()
    assert {type(request.result(20)) for request in crowd} == {Unavailable, Unknown}


def test_f30_one_unknown_kid_over_and_over_is_asked_for_less_and_less(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(60)
    starts: list[float] = []
    for _ in range(2000):
        before = rig.fetches
        assert rig.find("nobody") == Unknown()
        if rig.fetches > before:
            starts.append(rig.mono())
            rig.refreshed()
        rig.pass_time(1)
    pauses = [later - sooner for sooner, later in itertools.pairwise(starts)]
    assert pauses[:4] == [60.0, 120.0, 240.0, 300.0]
    assert set(pauses[4:]) == {300.0}


def test_f31_a_crowd_before_the_first_set_causes_one_fetch_and_parks_a_few(open_rig: OpenRig) -> None:
    rig = open_rig()
    slow = rig.hold()
    kid = rig.kid
    crowd = [rig.submit(kid) for _ in range(200)]
    most = max(asker.most_waiting for asker in rig.askers)
    least = min(asker.most_waiting for asker in rig.askers)
    rig.until(lambda: sum(request.done() for request in crowd) >= 200 - most)
    slow.end()
    answers = [request.result(20) for request in crowd]
    assert least <= sum(isinstance(answer, Use) for answer in answers) <= most
    assert {type(answer) for answer in answers} == {Use, Unavailable}
    assert rig.fetches == 1


def test_f31_who_waits_for_the_first_set_in_vain_waits_once_and_not_for_long(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.hurry(max_wait=0.1)
    slow, kid = rig.hold(), rig.kid
    assert isinstance(rig.find(kid), Unavailable)
    assert rig.waits == 1
    slow.end()
    rig.refreshed()
    assert isinstance(rig.find(kid), Use)
