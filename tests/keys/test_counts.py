"""What is counted of a source, and in which words: every lookup once, every fetch once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.counts import KeyCounts, Tally
from tokenward.keys.decision import Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.keys.port import FetchFailed
from tokenward.keys.source import KeySource

MakeJwk = Callable[..., dict[str, object]]


@pytest.fixture
def source(make_source: Callable[..., KeySource]) -> KeySource:
    return make_source()


@pytest.fixture
def loaded(okp_jwk: MakeJwk) -> Callable[..., Loaded]:
    def make(*kids: str, bad: int = 0) -> Loaded:
        return Loaded(read_keyset({"keys": [okp_jwk(kid) for kid in kids] + [None] * bad}), None, None)

    return make


def counts(source: KeySource) -> KeyCounts:
    return source.status().counts


def asked(source: KeySource, kid: str) -> Wait:
    decision = source.decide(kid)
    assert isinstance(decision, Wait)
    return decision


def ticked(source: KeySource) -> Lease:
    lease = source.tick()
    assert lease is not None
    return lease


def test_each_lookup_counts_once_by_how_it_ended(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    wait = asked(source, "a")
    assert source.wait_for(wait.lease, lambda: None, 1)
    assert not source.wait_for(wait.lease, lambda: None, 1)
    assert isinstance(source.decide_finally("a", has_asked=True), Unavailable)
    source.finish(wait.lease, loaded("a"))
    assert isinstance(source.decide_finally("a", has_asked=True), Use)
    assert source.in_hand("a", clock.time())
    assert source.in_hand("b", clock.time()) is None
    clock.pass_time(60)
    source.finish(asked(source, "b").lease, loaded("a"))
    assert isinstance(source.decide("b"), Unknown)
    clock.pass_time(7200)
    assert isinstance(source.decide("a"), Use)
    assert source.in_hand("a", clock.time())
    assert counts(source).lookups == {
        "waiters_full": 1,
        "unavailable": 1,
        "miss_waited": 1,
        "hit": 1,
        "unknown": 1,
        "hit_stale": 2,
    }


def test_each_fetch_counts_once_by_why_it_began_and_how_it_ended(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded]
) -> None:
    source.finish(asked(source, "a").lease, loaded("a", bad=2))
    clock.pass_time(7200)
    source.finish(ticked(source), loaded("a"))
    clock.pass_time(7200)
    source.finish(ticked(source), FetchFailed("tls"))
    clock.pass_time(60)
    forgotten = ticked(source)
    clock.pass_time(source.rhythm.lease)
    source.finish(forgotten, loaded("a", "b"))
    clock.pass_time(60)
    source.finish(ticked(source), loaded("a", "b"))
    told = counts(source)
    assert told.fetches == {"cold": {"ok": 1}, "tick": {"unchanged": 1, "tls": 1, "late": 1, "ok": 1}}
    assert (told.leases_expired, told.keys_skipped, told.sets_changed) == (1, {"not_an_object": 2}, 2)


def test_a_key_that_was_replaced_under_its_kid_changes_the_set(source: KeySource, clock: Any, okp_jwk: MakeJwk) -> None:
    for material in ("first", "second"):
        source.finish(ticked(source), Loaded(read_keyset({"keys": [okp_jwk("a", material)]}), None, None))
        clock.pass_time(7200)
    assert counts(source).fetches == {"tick": {"ok": 2}}


def test_to_read_the_counts_does_not_change_them(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(asked(source, "a").lease, loaded("a"))
    source.in_hand("a", clock.time())
    assert [counts(source).lookups["hit"] for _ in range(3)] == [1, 1, 1]


def test_a_tally_loses_nothing_to_other_threads() -> None:
    tally, number = Tally(), 20_000
    threads = [threading.Thread(target=lambda: [tally.add() for _ in range(number)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    reads = [tally.read() for _ in range(100)]
    for thread in threads:
        thread.join()
    assert reads == sorted(reads)
    assert tally.read() == 4 * number


def test_the_status_tells_when_the_next_attempt_is_and_when_an_unknown_kid_may_cause_one(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded]
) -> None:
    wait = asked(source, "a")
    assert (source.status().fetch, source.status().next_attempt, source.status().cooling_down) == ("in_flight", None, None)
    source.finish(wait.lease, loaded("a"))
    fresh = source.status()
    assert fresh.next_attempt is not None
    assert 3240 <= fresh.next_attempt <= 3960
    assert (fresh.cooling_down, fresh.serves_for) == (None, source.rhythm.max_stale)
    clock.pass_time(60)
    source.finish(asked(source, "junk").lease, loaded("a"))
    assert source.status().cooling_down == source.rhythm.miss_cooldown * 2
    clock.pass_time(source.rhythm.max_stale)
    dead = source.status()
    assert (dead.keys, dead.usable, dead.kids, dead.serves_for, dead.next_attempt) == ("dead", 0, (), 0.0, 0.0)
    assert dead.cooling_down is None


def test_no_cooldown_is_told_of_keys_that_are_too_old_to_serve(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded]
) -> None:
    """It holds beside usable keys only; without any, the backoff alone says when the next attempt is."""
    source.finish(asked(source, "a").lease, loaded("a"))
    clock.pass_time(source.rhythm.max_stale - 10)
    source.finish(asked(source, "junk").lease, FetchFailed("dns"))
    assert source.status().cooling_down == source.rhythm.miss_cooldown
    clock.pass_time(10)
    assert (source.status().keys, source.status().cooling_down) == ("dead", None)


def test_a_child_process_counts_from_nothing(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    cold = asked(source, "a").lease
    source.loading(cold)
    source.wait_for(cold, lambda: None, 1)
    source.finish(cold, loaded("a", bad=1))
    assert source.in_hand("a", clock.time())
    clock.pass_time(7200)
    assert isinstance(source.decide("a"), Use)
    clock.pass_time(source.rhythm.lease)
    assert isinstance(source.decide("junk"), Unavailable)
    of_the_parent = source.status()
    assert (of_the_parent.fetches, of_the_parent.waits, of_the_parent.generation) == (1, 1, 1)
    assert of_the_parent.counts == KeyCounts(
        {"hit": 1, "hit_stale": 1, "unavailable": 1}, {"cold": {"ok": 1}}, 1, {"not_an_object": 1}, 1
    )
    source.forked()
    own = source.status()
    assert (own.fetches, own.waits, own.generation) == (0, 0, 0)
    assert own.counts == KeyCounts({"hit": 0, "hit_stale": 0}, {}, 0, {}, 0)
    assert isinstance(source.decide("a"), Use)
    assert source.in_hand("a", clock.time())
    assert counts(source).lookups == {"hit": 0, "hit_stale": 2}


def test_a_retired_key_is_not_among_the_usable_ones(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(asked(source, "a").lease, loaded("a", "b"))
    clock.pass_time(60)
    source.finish(asked(source, "c").lease, loaded("b"))
    assert set(source.status().kids) == {"a", "b"}
    clock.pass_time(source.rhythm.removal_grace)
    assert (source.status().kids, source.status().usable) == (("b",), 1)
