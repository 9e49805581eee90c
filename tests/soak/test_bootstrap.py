"""How sure the soak is of a ratio: it draws whole seconds, and its short cut finds what the long way finds."""

from __future__ import annotations

from random import Random

import pytest

from benchmarks.soak.bootstrap import PART, SAMPLES, SEED, Block, ratio_of
from benchmarks.soak.stats import quantile


def _seconds(mood: float, *, number: int = 40, seed: int = 7) -> list[list[int]]:
    """Each second has a mood, which all who called in it shared."""
    rng = Random(seed)
    moods = [rng.gauss(1.0, mood) ** 2 for _ in range(number)]
    return [[int(500 + each * rng.expovariate(1 / 400)) for _ in range(250)] for each in moods]


def _by_the_long_way(these: list[list[int]], those: list[list[int]]) -> list[float]:
    rng = Random(SEED)
    return sorted(_p99(rng.choices(these, k=len(these))) / _p99(rng.choices(those, k=len(those))) for _ in range(SAMPLES))


def _p99(blocks: list[list[int]]) -> float:
    return quantile([latency for block in blocks for latency in block], PART)


@pytest.mark.parametrize("mood", [pytest.param(0.05, id="calm"), pytest.param(0.6, id="moody")])
def test_an_interval_is_that_of_nine_in_ten_samples_of_whole_seconds(mood: float) -> None:
    these, those = _seconds(mood), _seconds(mood, seed=8)
    ratio, samples = ratio_of(these, those), _by_the_long_way(these, those)
    assert ratio.value == _p99(these) / _p99(those)
    assert (ratio.low, ratio.high) == (samples[20], samples[-21])


def test_seconds_in_another_mood_make_the_interval_wider() -> None:
    calm, moody = (ratio_of(_seconds(mood), _seconds(mood, seed=8)) for mood in (0.05, 0.6))
    assert calm.high - calm.low < (moody.high - moody.low) / 2


@pytest.mark.parametrize("those", [pytest.param([[7]], id="a single latency"), pytest.param([[1, 2], [3]], id="a few")])
def test_a_few_latencies_have_a_ratio_too(those: list[Block]) -> None:
    ratio = ratio_of(those, those)
    assert ratio.value == 1
    assert ratio.low <= 1 <= ratio.high
