"""How sure a ratio of two p99 is: the bootstrap (Efron 1979), by seconds, since who called in the same one shared its mood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from benchmarks.soak.stats import quantile

PART = 0.99
TAIL = 0.9
"""Only what is above this quantile can be the p99 of a sample of blocks, but by a chance that does not occur."""
SAMPLES = 400
SURE = 0.9
"""The part of all samples whose ratio is between `low` and `high`: one in twenty is lower, one in twenty higher."""
SEED = 1979
"""Fixed, so that the same latencies have the same interval."""

Block = Sequence[int]
"""The latencies of a second."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Of p99 to another p99, and between what it lies in nine of ten samples. NaN if nobody knows."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def is_known(self) -> bool:
        return not math.isnan(self.value)


def ratio_of(these: Sequence[Block], those: Sequence[Block]) -> Ratio:
    """Of the p99 of these to that of those. Neither may be without latencies."""
    rng = Random(SEED)
    above, below = _Blocks(these), _Blocks(those)
    found = sorted(above.sample(rng) / below.sample(rng) for _ in range(SAMPLES))
    beyond = round(SAMPLES * (1 - SURE) / 2)
    return Ratio(above.p99 / below.p99, found[beyond], found[-beyond - 1])


class _Blocks:
    """Blocks, of which only the longest latencies are kept."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        everything = [latency for block in blocks for latency in block]
        self.p99 = quantile(everything, PART)
        self._least = quantile(everything, TAIL)
        self._blocks = [(len(block), [latency for latency in block if latency >= self._least]) for block in blocks]

    def sample(self, rng: Random) -> float:
        """The p99 of as many blocks, each drawn from all of them."""
        drawn = rng.choices(self._blocks, k=len(self._blocks))
        number, longest = sum(count for count, _ in drawn), sorted(latency for _, tail in drawn for latency in tail)
        above = number - math.ceil(PART * number)
        return longest[-above - 1] if above < len(longest) else self._least
