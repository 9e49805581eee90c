"""When the keys are refreshed in a soak: so that the key of the rotation is one that somebody must search for."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak.plan import CALLERS_START, REFRESHES, ROTATION, WARM_UP, rhythm, spans

RUNS = 400
LENGTHS = [40, 60, 90, 120, 300, 600]
"""Seconds. In a shorter run jitter adds up over more refreshes, until the rotation begins."""


def _refreshes(seconds: float, rng: random.Random) -> list[float]:
    """When they come, from the end of the warm-up, if nobody searches for a key."""
    allowed, found = rhythm(seconds), [-CALLERS_START - WARM_UP]
    while found[-1] < seconds:
        pause = allowed.refresh_interval * rng.uniform(1 - allowed.jitter, 1 + allowed.jitter)
        found.append(found[-1] + max(pause, allowed.min_gap))
    return found


@pytest.mark.parametrize("seconds", LENGTHS)
def test_hardly_ever_does_a_refresh_bring_the_new_key_before_its_first_caller(seconds: float) -> None:
    rng, rotation = random.Random(6), spans(seconds)[ROTATION]
    early = [any(rotation.start <= each <= rotation.middle for each in _refreshes(seconds, rng)) for _ in range(RUNS)]
    assert sum(early) <= RUNS / 10


@pytest.mark.parametrize("seconds", LENGTHS)
def test_the_keys_are_refreshed_about_twelve_times_in_a_run(seconds: float) -> None:
    assert REFRESHES * 0.8 <= seconds / rhythm(seconds).refresh_interval <= REFRESHES * 1.25
