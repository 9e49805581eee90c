"""What a rhythm may be: each field a time, and no two of them at odds."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest

from tokenward.errors import PolicyError
from tokenward.keys.rhythm import MOST, Rhythm

FIELDS = [field.name for field in fields(Rhythm)]
NO_TIMES = [
    pytest.param(-1, id="negative"),
    pytest.param(-0.001, id="a little negative"),
    pytest.param(float("nan"), id="NaN"),
    pytest.param(float("inf"), id="infinite"),
    pytest.param(float("-inf"), id="infinitely negative"),
    pytest.param(MOST + 1, id="too long"),
    pytest.param(True, id="True"),
    pytest.param(False, id="False"),
    pytest.param(None, id="None"),
    pytest.param("5", id="text"),
    pytest.param([5], id="a list"),
    pytest.param(5j, id="complex"),
]


@pytest.mark.parametrize("value", NO_TIMES)
@pytest.mark.parametrize("field", FIELDS)
def test_every_field_is_a_time(field: str, value: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        Rhythm(**{field: value})
    assert caught.value.field == field
    assert caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"refresh_interval": 0, "refresh_floor": 0}, "refresh_interval", id="refreshing without end"),
        pytest.param({"min_gap": 0}, "min_gap", id="no gap between fetches"),
        pytest.param({"fetch_timeout": 0}, "fetch_timeout", id="no time to fetch"),
        pytest.param({"max_wait": 0}, "max_wait", id="no time to wait"),
        pytest.param({"jitter": 1}, "jitter", id="all of the interval"),
        pytest.param({"jitter": 1.5}, "jitter", id="more than the interval"),
        pytest.param({"refresh_interval": 299}, "refresh_interval", id="refresh below its floor"),
        pytest.param({"miss_cooldown_max": 29}, "miss_cooldown_max", id="a cooldown that shrinks"),
        pytest.param({"backoff": 31}, "backoff_max_empty", id="a backoff above its limit"),
        pytest.param({"backoff_max": 29}, "backoff_max", id="a shorter backoff with keys than without"),
        pytest.param({"max_stale": 3600}, "max_stale", id="keys that end when they are due"),
        pytest.param({"max_stale": 3960}, "max_stale", id="keys that end with the jitter"),
        pytest.param({"min_gap": 11}, "min_gap", id="a gap as long as a lease"),
        pytest.param({"confirm_after": 90}, "confirm_after", id="a second look when the key is gone"),
        pytest.param({"removal_grace": 20}, "confirm_after", id="a grace that ends before the second look"),
    ],
)
def test_times_that_contradict_each_other_are_refused(change: dict[str, float], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Rhythm(**change)
    assert caught.value.field == field
    assert caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({}, id="as it comes"),
        pytest.param({"jitter": 0}, id="no jitter"),
        pytest.param({"jitter": 0.99}, id="much jitter"),
        pytest.param({"refresh_floor": 3600}, id="an interval that no server shortens"),
        pytest.param({"max_stale": 3961}, id="keys that just last"),
        pytest.param({"backoff": 0, "miss_cooldown": 0, "lease_grace": 0}, id="zeros that min_gap still bounds"),
        pytest.param({"removal_grace": 0}, id="no grace, and so no second look"),
        pytest.param({"confirm_after": 89}, id="a late second look"),
        pytest.param({"backoff": 30, "backoff_max": 30}, id="a backoff that does not grow"),
        pytest.param({"max_stale": MOST}, id="keys of a week"),
        pytest.param({"refresh_interval": 3, "refresh_floor": 3, "miss_cooldown": 0.5, "backoff": 0.5}, id="in a hurry"),
    ],
)
def test_other_times_are_taken(change: dict[str, float]) -> None:
    rhythm = Rhythm(**change)
    assert {name: getattr(rhythm, name) for name in change} == change
    assert {type(getattr(rhythm, name)) for name in FIELDS} == {float}


def test_a_rhythm_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        Rhythm().max_wait = 0.0  # type: ignore[misc]


def test_a_lease_outlives_its_fetch() -> None:
    assert Rhythm(fetch_timeout=4, lease_grace=2).lease == 6.0


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["a huge number", "a huge negative number"])
def test_a_number_beyond_all_floats_is_refused_too(value: int) -> None:
    for field in FIELDS:
        with pytest.raises(PolicyError):
            Rhythm(**{field: value})
