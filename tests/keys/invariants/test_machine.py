"""The state machine under random traces keeps every rule that it alone can break."""

from __future__ import annotations

import re

import pytest

from tokenward.keys.decision import Lease
from tokenward.keys.freshness import Freshness

from .explorer import Exploration, Rules, played, require_caught, shrunk, told
from .machine import STEPS, life_of

TRACES = 100

pytestmark = pytest.mark.no_cover  # a line that runs by chance is not tested


@pytest.fixture(scope="module")
def explored() -> Exploration:
    return Exploration(life_of(Freshness), TRACES, STEPS)


def test_i1_a_usable_key_is_used_at_once(explored: Exploration) -> None:
    explored.require_held("I1")


def test_i2_one_fetch_is_in_flight(explored: Exploration) -> None:
    explored.require_held("I2")


def test_i3_fetches_keep_their_distance(explored: Exploration) -> None:
    explored.require_held("I3")


def test_i4_no_key_serves_beyond_its_time(explored: Exploration) -> None:
    explored.require_held("I4")


def test_i5_only_a_good_answer_in_time_changes_the_keys(explored: Exploration) -> None:
    explored.require_held("I5")


def test_i6_a_request_waits_once_and_not_for_long(explored: Exploration) -> None:
    explored.require_held("I6")


def test_i7_the_state_holds_what_the_issuer_published(explored: Exploration) -> None:
    explored.require_held("I7")


def test_i8_no_lease_outlives_its_deadline(explored: Exploration) -> None:
    explored.require_held("I8")


def test_i12_a_definite_no_needs_current_keys(explored: Exploration) -> None:
    explored.require_held("I12")


def test_i13_the_keys_are_back_soon_after_the_issuer(explored: Exploration) -> None:
    explored.require_held("I13")


# -- what a failure says -----------------------------------------------------------------------------------------------


class NoKeysAfterAFailure(Freshness):
    def failed(self, lease: Lease, mono: float, wall: float, *, retry_after: float | None = None) -> bool:
        took = super().failed(lease, mono, wall, retry_after=retry_after)
        self.snapshot = None
        return took


def test_a_failure_names_rule_and_seed_and_the_few_steps_it_needs() -> None:
    play = life_of(NoKeysAfterAFailure)
    failed = require_caught(play, "I5", 10, STEPS)
    text = told(play, failed)
    assert re.match(
        r"I5: keys changed without a good answer\nseed \d+, after step \d+; with these \d steps alone:\n\d+: \+", text
    )
    assert len(shrunk(play, failed).rules.story) < len(failed.rules.story)


def test_a_rule_that_is_never_asked_about_is_not_held() -> None:
    def idle(rules: Rules, seed: int, steps: object) -> None:
        rules.require("I1", True, "nothing")

    exploration = Exploration(idle, 4, 1)
    exploration.require_held("I1")
    with pytest.raises(AssertionError, match="I2 was asked about 0 times only"):
        exploration.require_held("I2")


def test_a_fault_that_is_caught_by_another_rule_is_not_caught() -> None:
    with pytest.raises(AssertionError, match="none of 2 traces shows that I14 is broken"):
        require_caught(life_of(NoKeysAfterAFailure), "I14", 2, STEPS)


def test_any_other_exception_says_where_it_happened() -> None:
    def fails(rules: Rules, seed: int, steps: object) -> None:
        rules.story.append("a step")
        raise KeyError

    with pytest.raises(KeyError) as caught:
        played(fails, 7, range(1))
    assert caught.value.__notes__ == ["seed 7, 1 steps, the last: ['a step']"]
