"""A source of keys: what it tells of itself, and whom it wakes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.events import KeysRefreshed, KeysRefreshFailed, KeyStatus
from tokenward.keys.freshness import Lease, Unavailable, Use, Wait
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.keys.location import Discovery, JwksUri, Static
from tokenward.keys.port import FetchFailed
from tokenward.keys.source import KeySource, StaticSource

MakeJwk = Callable[..., dict[str, object]]
MakeSource = Callable[..., KeySource]
URL = "https://idp.example/keys"


@pytest.fixture
def loaded(okp_jwk: MakeJwk) -> Callable[..., Loaded]:
    def make(*kids: str | None, bad: int = 0) -> Loaded:
        return Loaded(read_keyset({"keys": [okp_jwk(kid) for kid in kids] + [None] * bad}), None, None)

    return make


@pytest.fixture
def events() -> list[object]:
    return []


@pytest.fixture
def source(make_source: MakeSource, events: list[object]) -> KeySource:
    return make_source(observer=events.append)


def started(source: KeySource, kid: str = "a") -> Lease:
    decision = source.decide(kid)
    assert isinstance(decision, Wait)
    return decision.lease


# -- status, in the words of the design --------------------------------------------------------------------------------


def test_a_source_tells_its_state_in_plain_words(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    def words() -> tuple[str, str, bool]:
        status = source.status()
        return status.keys, status.fetch, source.ready

    assert words() == ("empty", "idle", False)
    lease = started(source)
    assert words() == ("empty", "in_flight", False)
    source.finish(lease, loaded("a", "b"))
    assert words() == ("fresh", "idle", True)
    clock.pass_time(7200)
    assert words() == ("stale", "idle", True)
    refresh = source.tick()
    assert refresh is not None
    source.finish(refresh, FetchFailed("dns"))
    assert words() == ("stale", "backoff", True)
    clock.pass_time(86400)
    assert words() == ("dead", "idle", False)


def test_a_lease_that_ran_out_is_not_in_flight(source: KeySource, clock: Any) -> None:
    lease = started(source)
    assert source.pending() == (lease, 0.0)
    clock.pass_time(source.rhythm.lease)
    assert source.status().fetch == "idle"
    assert source.pending() == (None, 0.0)


def test_the_status_counts_keys_failures_waits_and_fetches(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(started(source), loaded("a", "b"))
    clock.pass_time(7200)
    refresh = source.tick()
    assert refresh is not None
    source.loading(refresh)
    source.finish(refresh, FetchFailed("tls", retry_after=7.0))
    assert source.status() == KeyStatus(URL, "stale", "backoff", 2, 7200.0, 1, "tls", 7.0, 0, 1)


def test_keys_from_the_configuration_are_there_and_never_age(okp_jwk: MakeJwk) -> None:
    source = StaticSource(Static(read_keyset({"keys": [okp_jwk("a")]})))
    keys = source.in_hand("a", 0.0)
    assert keys
    assert source.in_hand(None, 9e99) == keys
    assert source.in_hand("x", 0.0) == ()
    assert source.age() is None
    assert source.cloud_instance_name is None
    assert source.status() == KeyStatus("configuration", "static", "none", 1, None, 0, None, None, 0, 0)


def test_a_source_is_named_by_its_address() -> None:
    assert Discovery(URL, frozenset({"https://idp.example"})).name == JwksUri(URL).name == URL


# -- events ------------------------------------------------------------------------------------------------------------


def test_a_good_fetch_is_told_with_what_it_changed(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[object]
) -> None:
    lease = started(source)
    clock.pass_time(0.25)
    source.finish(lease, loaded("a", bad=2))
    clock.pass_time(60)
    source.finish(started(source, "b"), loaded("b", "c"))
    first, second = events
    assert first == KeysRefreshed(URL, "cold", 0.25, 1, 1, 0, {"not_an_object": 2})
    assert second == KeysRefreshed(URL, "miss", 0.0, 2, 2, 1, {})


def test_a_failed_fetch_is_told_with_what_is_left(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[object]
) -> None:
    source.finish(started(source), FetchFailed("dns", "no such host", retry_after=5.0))
    clock.pass_time(5)
    source.finish(started(source), loaded("a"))
    clock.pass_time(60)
    source.finish(started(source, "x"), FetchFailed("status", "HTTP 500", status=500, retry_after=5.0))
    assert events[0] == KeysRefreshFailed(URL, "cold", "dns", "no such host", 1, 5.0, None, False)
    assert events[2] == KeysRefreshFailed(URL, "miss", "status", "HTTP 500", 1, 5.0, 60.0, True)


def test_a_late_result_is_not_told_and_wakes_nobody(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[object]
) -> None:
    lease = started(source)
    clock.pass_time(source.rhythm.lease)
    source.finish(lease, loaded("a"))
    source.finish(lease, FetchFailed("dns"))
    assert events == []
    assert not source.ready


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_whoever_waits_is_woken_once_when_the_fetch_is_settled(source: KeySource, loaded: Callable[..., Loaded]) -> None:
    woken: list[str] = []
    lease = started(source)

    def first() -> None:
        woken.append("first")

    def gone() -> None:
        woken.append("gone")

    assert source.wait_for(lease, first, 2)
    assert source.wait_for(lease, gone, 2)
    assert not source.wait_for(lease, first, 2)
    source.stop_waiting(gone)
    source.stop_waiting(gone)
    assert woken == []
    source.finish(lease, loaded("a"))
    assert woken == ["first"]


def test_waiting_for_a_fetch_that_is_settled_ends_at_once(source: KeySource, loaded: Callable[..., Loaded]) -> None:
    woken: list[int] = []
    lease = started(source)
    source.finish(lease, loaded("a"))
    assert source.wait_for(lease, lambda: woken.append(1), 1)
    assert woken == [1]


def test_who_has_waited_is_never_told_to_wait(source: KeySource) -> None:
    started(source)
    assert source.decide_finally("a") == Unavailable(source.rhythm.min_gap)


def test_a_wait_is_counted_on_the_sources_own_clock(source: KeySource, clock: Any) -> None:
    assert source.seconds_until(clock.mono + 3) == 3
    assert source.seconds_until(clock.mono - 3) == 0


# -- the hit path ------------------------------------------------------------------------------------------------------


def test_keys_in_hand_are_those_of_a_decision(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    assert source.in_hand("a", clock.wall) is None
    source.finish(started(source), loaded("a", "b"))
    decision = source.decide("a")
    assert isinstance(decision, Use)
    assert source.in_hand("a", clock.wall) == decision.keys
    assert source.in_hand("x", clock.wall) is None
    clock.pass_time(7200)
    assert source.in_hand("a", clock.wall) is None


def test_keys_in_hand_look_at_both_clocks(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(started(source), loaded("a"))
    assert source.in_hand("a", clock.wall + 7200) is None
    clock.mono += 7200
    assert source.in_hand("a", clock.wall) is None


def test_the_hit_path_takes_no_lock(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(started(source), loaded("a"))
    with source._lock:  # whoever needed it now would hang
        assert source.in_hand("a", clock.wall)
        assert source.cloud_instance_name is None
        assert source.age() == 0.0


def test_an_operator_can_force_a_fetch_which_steps_past_caches(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded]
) -> None:
    source.finish(started(source), loaded("a"))
    clock.pass_time(1)
    lease = source.force()
    assert lease is not None
    assert next(source.loading(lease)).no_cache


def test_a_child_process_has_a_lock_of_its_own_and_nobody_waiting(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded]
) -> None:
    woken: list[int] = []
    source.finish(started(source), loaded("a"))
    clock.pass_time(60)
    lease = started(source, "x")
    source.wait_for(lease, lambda: woken.append(1), 1)
    source._lock.acquire()  # by a thread of the parent, at the moment of the fork
    source.forked()
    assert isinstance(source.decide("a"), Use)
    assert source.status().fetch == "idle"
    source.finish(lease, loaded("z"))
    assert (woken, source.in_hand("z", clock.wall)) == ([], None)
