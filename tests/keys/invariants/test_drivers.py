"""Both drivers under random traces, on threads, asyncio and trio, keep every rule that they can break."""

from __future__ import annotations

import pytest

from .explorer import Exploration
from .traffic import STEPS, traffic_of
from .world import Kind

TRACES = 25

pytestmark = pytest.mark.no_cover  # a line that runs by chance is not tested
on_loops = pytest.mark.parametrize("explored", ["asyncio", "trio"], indirect=True)


@pytest.fixture(scope="module", params=["threads", "asyncio", "trio"])
def explored(request: pytest.FixtureRequest) -> Exploration:
    kind: Kind = request.param
    return Exploration(traffic_of(kind), TRACES, STEPS)


def test_i1_a_usable_key_is_used_at_once_and_by_whoever_waited_for_it(explored: Exploration) -> None:
    explored.require_held("I1")


def test_i2_every_fetch_has_a_lease_of_its_own_and_one_is_in_flight(explored: Exploration) -> None:
    explored.require_held("I2")


def test_i3_fetches_keep_their_distance(explored: Exploration) -> None:
    explored.require_held("I3")


def test_i4_no_key_serves_beyond_its_time(explored: Exploration) -> None:
    explored.require_held("I4")


def test_i5_only_a_good_answer_in_time_changes_the_keys(explored: Exploration) -> None:
    explored.require_held("I5")


def test_i6_few_requests_wait_and_none_for_long(explored: Exploration) -> None:
    explored.require_held("I6")


def test_i7_nobody_is_kept_as_waiting_who_does_not_wait(explored: Exploration) -> None:
    explored.require_held("I7")


def test_i8_a_fetch_that_is_over_gives_its_lease_back_however_it_ended(explored: Exploration) -> None:
    explored.require_held("I8")


@on_loops
def test_i9_no_lock_is_held_while_a_task_awaits(explored: Exploration) -> None:
    explored.require_held("I9")


def test_i10_a_fetch_lives_on_when_its_request_is_cancelled_and_knows_nothing_of_it(explored: Exploration) -> None:
    explored.require_held("I10")


@on_loops
def test_i11_a_call_on_the_loops_thread_waits_for_threads_alone(explored: Exploration) -> None:
    explored.require_held("I11")


def test_i12_a_definite_no_needs_current_keys(explored: Exploration) -> None:
    explored.require_held("I12")


def test_i13_the_keys_are_back_soon_after_the_issuer(explored: Exploration) -> None:
    explored.require_held("I13")
