"""The most fetches that the soak allows: as many as the state machine can be driven to, and hardly more."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak.plan import rhythm
from benchmarks.soak.promise import most_fetches
from tokenward.keys.decision import Lease, Use, Wait
from tokenward.keys.freshness import Freshness
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.rhythm import Rhythm
from tokenward.testing import SigningKey

STEP = 0.05
WALL = 2_000_000_000.0


@pytest.fixture(scope="module")
def keyset() -> KeySet:
    return read_keyset({"keys": [SigningKey.generate("ES256", "known").jwk()]})


def _driven(rhythm: Rhythm, seconds: float, keyset: KeySet, *, answered: bool) -> int:
    """Fetches that begin while random and known kids come 20 times a second, and each is answered at once, or fails."""
    state, now = Freshness(rhythm, random.Random(6)), 1000.0
    state.seeded(keyset, rhythm.refresh_interval, now, WALL)  # a refresh is due, and a miss may begin a fetch
    starts, end = 0, now + seconds
    while now <= end:
        for kid in ("known", f"random-{now}"):
            decision = state.lookup(kid, now, WALL + now)
            lease: Lease | None = None
            if isinstance(decision, Wait):
                lease = decision.lease if decision.start else None
            elif isinstance(decision, Use):
                lease = decision.start
            if lease is not None:
                starts += 1
                _ = state.fetched(lease, keyset, now, WALL + now) if answered else state.failed(lease, now, WALL + now)
        now += STEP
    return starts


@pytest.mark.parametrize("answered", [pytest.param(True, id="issuer up"), pytest.param(False, id="issuer down")])
@pytest.mark.parametrize("seconds", [5, 11, 22, 60, 240, 900])
@pytest.mark.parametrize("whole", [pytest.param(60, id="a minute's rhythm"), pytest.param(600, id="ten minutes' rhythm")])
def test_a_flood_cannot_cause_more_fetches_than_allowed_and_comes_near_it(
    seconds: int, whole: int, answered: bool, keyset: KeySet
) -> None:
    allowed = rhythm(whole)
    most, driven = most_fetches(allowed, seconds, answered=answered), _driven(allowed, seconds, keyset, answered=answered)
    assert driven <= most
    assert driven >= most / 2, "an allowance of which nobody can use half would hide a defect"


def test_a_cooldown_that_does_not_hold_is_more_than_allowed(keyset: KeySet) -> None:
    loose = Rhythm(miss_cooldown=1, miss_cooldown_max=1)
    assert _driven(loose, 60, keyset, answered=True) > most_fetches(Rhythm(), 60, answered=True)


def test_a_backoff_that_does_not_grow_is_more_than_allowed(keyset: KeySet) -> None:
    loose = Rhythm(backoff=1, backoff_max_empty=1, backoff_max=1, refresh_interval=60, refresh_floor=60)
    allowed = Rhythm(refresh_interval=60, refresh_floor=60)
    assert _driven(loose, 60, keyset, answered=False) > most_fetches(allowed, 60, answered=False)


@pytest.mark.parametrize(
    ("seconds", "news", "most"),
    [
        pytest.param(20, 0, 2, id="a first refresh and a first miss"),
        pytest.param(61, 0, 3, id="the cooldown of 30 s is over"),
        pytest.param(89, 0, 3, id="it has doubled"),
        pytest.param(91, 0, 4, id="and is over again"),
        pytest.param(61, 1, 4, id="a new key has begun the doubling anew"),
    ],
)
def test_misses_are_allowed_as_the_cooldown_doubles(seconds: int, news: int, most: int) -> None:
    assert most_fetches(Rhythm(), seconds, answered=True, news=news) == most
