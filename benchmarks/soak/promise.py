"""The most fetches that a `Rhythm` lets one source start in so many seconds, whatever callers send. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

from tokenward.keys.rhythm import Rhythm


def most_fetches(rhythm: Rhythm, seconds: float, *, answered: bool, news: int = 0, vanished: bool = False) -> int:
    """How many at most.

    answered  the issuer answers: its set is refreshed by the clock, and fruitless misses double their pause; otherwise every
              fetch fails, and they all, misses too, obey the backoff
    news      how many times the issuer publishes a new key meanwhile, since each begins the doubling anew
    vanished  a key that the issuer has withdrawn still serves, so that the set is looked at again
    """
    ever = _starts(repeat(rhythm.min_gap), seconds)
    if not answered:
        return min(_starts(_backoffs(rhythm), seconds), ever)
    return min(_starts(repeat(_scheduled(rhythm, vanished)), seconds) + _starts(_cooldowns(rhythm, news), seconds), ever)


def _starts(pauses: Iterable[float], seconds: float) -> int:
    """One at the beginning, and one after each pause that is over in time."""
    count, passed = 1, 0.0
    for pause in pauses:
        passed += pause
        if passed > seconds:
            break
        count += 1
    return count


def _scheduled(rhythm: Rhythm, vanished: bool) -> float:
    """The shortest pause between refreshes."""
    refresh = rhythm.refresh_interval * (1 - rhythm.jitter)
    return max(min(refresh, rhythm.confirm_after) if vanished else refresh, rhythm.min_gap)


def _backoffs(rhythm: Rhythm) -> Iterator[float]:
    """The shortest that jitter makes of them, for keys in hand; the fetches themselves may take no time."""
    pause = rhythm.backoff
    while True:
        yield max(pause / 2, rhythm.min_gap)
        pause = min(pause * 2, rhythm.backoff_max)


def _cooldowns(rhythm: Rhythm, news: int) -> Iterator[float]:
    """The shortest first: each new key allows every step of the doubling once more."""
    pause = rhythm.miss_cooldown
    while True:
        for _ in range(news + 1):
            yield pause
        pause = min(pause * 2, rhythm.miss_cooldown_max)
