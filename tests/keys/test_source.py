"""A source of keys: what it tells of itself, and whom it wakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.counts import KeyCounts
from tokenward.keys.decision import Lease, Unavailable, Use, Wait
from tokenward.keys.events import KeysAwaited, KeysRefreshed, KeysRefreshFailed
from tokenward.keys.keyset import read_keyset
from tokenward.keys.loading import Loaded
from tokenward.keys.location import Discovery, JwksUri, Static
from tokenward.keys.port import FetchFailed
from tokenward.keys.source import KeySource
from tokenward.keys.static import StaticSource
from tokenward.keys.status import KeyStatus

MakeJwk = Callable[..., dict[str, object]]
MakeSource = Callable[..., KeySource]
Sow = Callable[..., bool]
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


@pytest.fixture
def sow(okp_jwk: MakeJwk) -> Sow:
    """Keys that were fetched elsewhere a minute ago."""

    def seed(source: KeySource, clock: Any, *kids: str) -> bool:
        return source.seed(json.dumps({"keys": [okp_jwk(kid) for kid in kids]}).encode(), clock.wall - 60)

    return seed


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


def test_a_start_looks_again_as_soon_as_a_fetch_may_start(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    """Once the keys are dead, the longer backoff of better days counts no more."""
    source.finish(started(source), loaded("a"))
    clock.pass_time(86395)
    refresh = source.tick()
    assert refresh is not None
    source.finish(refresh, FetchFailed("status", retry_after=60.0))
    clock.pass_time(6)
    status = source.status()
    assert (status.keys, status.next_attempt) == ("dead", 35.0)
    assert source.pending() == (None, 35.0)


def test_the_status_counts_keys_failures_waits_and_fetches(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    source.finish(started(source), loaded("a", "b"))
    clock.pass_time(7200)
    refresh = source.tick()
    assert refresh is not None
    source.loading(refresh)
    source.finish(refresh, FetchFailed("tls", retry_after=7.0))
    assert source.status() == KeyStatus(
        source=URL,
        keys="stale",
        fetch="backoff",
        usable=2,
        kids=("a", "b"),
        generation=1,
        age=7200.0,
        interval=source.status().interval,
        serves_for=79200.0,
        next_attempt=7.0,
        failures=1,
        last_failure="tls",
        fetches=1,
        counts=KeyCounts({"hit": 0, "hit_stale": 0}, {"cold": {"ok": 1}, "tick": {"tls": 1}}, 0, {}, 1),
    )


def test_keys_from_the_configuration_are_there_and_never_age(okp_jwk: MakeJwk) -> None:
    source = StaticSource(Static(read_keyset({"keys": [okp_jwk("a")]})))
    keys = source.in_hand("a", 0.0)
    assert keys
    assert source.in_hand(None, 9e99) == keys
    assert source.in_hand("x", 0.0) == ()
    assert source.age() is None
    assert source.cloud_instance_name is None
    assert source.status() == KeyStatus(source="configuration", keys="static", fetch="none", usable=1, kids=("a",))


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


def test_a_late_result_wakes_nobody_and_only_the_end_of_its_lease_is_told(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[Any]
) -> None:
    woken: list[int] = []
    lease = started(source)
    source.wait_for(lease, lambda: woken.append(1), 1)
    clock.pass_time(source.rhythm.lease)
    source.finish(lease, loaded("a"))
    source.finish(lease, FetchFailed("dns"))
    assert [event.kind for event in events] == ["timeout"]
    assert woken == []
    assert not source.ready


@pytest.mark.parametrize(
    "look",
    [
        pytest.param(lambda source: source.decide("x"), id="a request"),
        pytest.param(lambda source: source.decide_finally("x", has_asked=True), id="a request that has waited"),
        pytest.param(lambda source: source.tick(), id="the ticker"),
        pytest.param(lambda source: source.force(), id="an operator"),
    ],
)
def test_a_fetch_that_never_comes_back_is_told_once_by_whoever_looks_next(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[object], look: Callable[[KeySource], object]
) -> None:
    source.finish(started(source), loaded("a"))
    clock.pass_time(60)
    started(source, "x")
    clock.pass_time(source.rhythm.lease)
    for _ in range(3):
        look(source)
    told = [event for event in events if isinstance(event, KeysRefreshFailed)]
    assert [(event.why, event.kind, event.failures, event.age, event.usable) for event in told] == [
        ("miss", "timeout", 1, 60 + source.rhythm.lease, True)
    ]
    assert source.status().last_failure == "timeout"


def test_a_lease_that_a_fork_ended_is_no_failure(source: KeySource, clock: Any, events: list[object]) -> None:
    started(source)
    source.forked()
    clock.pass_time(source.rhythm.lease)
    source.tick()
    assert events == []


@pytest.mark.parametrize("failing", [pytest.param(True, id="an answer"), pytest.param(False, id="no answer")])
def test_the_last_failure_is_forgotten_after_a_success(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], failing: bool
) -> None:
    lease = started(source)
    if failing:
        source.finish(lease, FetchFailed("dns"))
    clock.pass_time(source.rhythm.lease)
    source.tick()
    assert source.status().last_failure == ("dns" if failing else "timeout")
    clock.pass_time(2)
    lease = source.pending()[0] or started(source)
    source.finish(lease, loaded("a"))
    assert (source.status().failures, source.status().last_failure) == (0, None)


def test_a_key_counts_as_removed_once_and_as_added_when_it_returns(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[Any]
) -> None:
    for kids in ("ab", "a", "a", "ab", "ab", "b"):
        lease = source.force()
        assert lease is not None
        source.finish(lease, loaded(*kids))
        clock.pass_time(5)
    changes = [(event.added, event.removed) for event in events]
    assert changes == [(2, 0), (0, 1), (0, 0), (1, 0), (0, 0), (0, 1)]


def test_a_start_in_vain_is_told(source: KeySource, events: list[object]) -> None:
    source.awaited_in_vain(10.0)
    assert events == [KeysAwaited(URL, 10.0)]


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_fork_while_somebody_leaves_breaks_no_lock(source: KeySource) -> None:
    """A signal's handler may fork anywhere; the child has another lock than the one that was taken."""

    class ForksWhenTaken:
        def __init__(self, lock: Any) -> None:
            self.lock = lock

        def acquire(self, *, blocking: bool) -> bool:
            source.forked()
            return bool(self.lock.acquire(blocking=blocking))

        def release(self) -> None:
            self.lock.release()

    before = source._lock
    source._lock = ForksWhenTaken(before)  # type: ignore[assignment]
    source.stop_waiting(lambda: None)
    assert isinstance(source._lock, type(before)), "it has forked"
    assert not before.locked()
    assert source.status().waiting == 0


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


def test_waiting_for_a_kid_that_a_seed_has_brought_meanwhile_ends_at_once(source: KeySource, clock: Any, sow: Sow) -> None:
    woken: list[str] = []
    lease = started(source)
    assert sow(source, clock, "a")
    assert source.wait_for(lease, lambda: woken.append("a"), 1, kid="a")
    assert source.wait_for(lease, lambda: woken.append("n"), 1, kid="n")
    assert (woken, source.status().waiting) == (["a"], 1)


def test_who_has_waited_is_never_told_to_wait(source: KeySource) -> None:
    started(source)
    assert source.decide_finally("a", has_asked=True) == Unavailable(source.rhythm.min_gap)


def test_a_wait_is_counted_on_the_sources_own_clock(source: KeySource, clock: Any) -> None:
    assert source.seconds_until(clock.mono + 3) == 3
    assert source.seconds_until(clock.mono - 3) == 0


def test_an_operator_who_waits_counts_as_no_request_and_is_woken_like_one(
    source: KeySource, loaded: Callable[..., Loaded]
) -> None:
    woken: list[str] = []
    lease = started(source)

    def operator() -> None:
        woken.append("operator")

    def request() -> None:
        woken.append("request")

    def gone() -> None:
        woken.append("gone")

    assert source.wait_for(lease, operator)
    assert source.wait_for(lease, gone)
    assert source.wait_for(lease, request, 1)
    assert not source.wait_for(lease, request, 1)
    source.stop_waiting(gone)
    source.finish(lease, loaded("a"))
    assert woken == ["request", "operator"]
    assert source.status().waits == 1


def test_keys_are_known_by_the_lease_that_brought_them(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    cold = started(source)
    assert not source.brought_by(cold)
    source.finish(cold, loaded("a"))
    clock.pass_time(1)
    forced = source.force()
    assert forced is not None
    assert source.brought_by(cold)
    assert not source.brought_by(forced)
    source.finish(forced, FetchFailed("dns"))
    assert not source.brought_by(forced)


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


def test_the_hit_path_asks_again_once_a_lease_is_over_so_that_a_lapse_is_told_by_known_callers(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[Any]
) -> None:
    source.finish(started(source), loaded("a"))
    clock.pass_time(7200)
    assert isinstance(source.decide("a"), Use)
    assert source.in_hand("a", clock.wall)
    clock.pass_time(source.rhythm.lease)
    assert source.in_hand("a", clock.wall) is None
    assert isinstance(source.decide("a"), Use)
    assert [event.kind for event in events[1:]] == ["timeout"]


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
    source.wait_for(lease, lambda: woken.append(1), 1, kid="x")
    source._lock.acquire()  # by a thread of the parent, at the moment of the fork
    source.forked()
    assert isinstance(source.decide("a"), Use)
    assert source.status().fetch == "idle"
    source.finish(lease, loaded("z"))
    assert (woken, source.in_hand("z", clock.wall)) == ([], None)


def test_nobody_of_the_parent_waits_in_a_child_process(source: KeySource, clock: Any, loaded: Callable[..., Loaded]) -> None:
    woken: list[str] = []
    of_the_parent = started(source)
    source.wait_for(of_the_parent, lambda: woken.append("a request of the parent"), 1)
    source.wait_for(of_the_parent, lambda: woken.append("an operator of the parent"))
    source.forked()
    assert (source.status().waiting, source.status().waits) == (0, 0)
    clock.pass_time(source.rhythm.min_gap)
    own = started(source)
    assert source.wait_for(own, lambda: woken.append("its own"), 1), "the parent's take no place"
    source.finish(own, loaded("a"))
    assert woken == ["its own"]


# -- seeds and requests that wait --------------------------------------------------------------------------------------


def test_a_seed_wakes_the_requests_that_wait_for_its_keys_and_no_others(source: KeySource, clock: Any, okp_jwk: MakeJwk) -> None:
    lease = started(source)
    woken: list[str] = []
    source.wait_for(lease, lambda: woken.append("a"), 8, "a")
    source.wait_for(lease, lambda: woken.append("b"), 8, "b")
    source.wait_for(lease, lambda: woken.append("a start"))
    assert source.seed(json.dumps({"keys": [okp_jwk("a"), okp_jwk("c")]}).encode(), clock.time() - 60)
    assert woken == ["a", "a start"]
    assert isinstance(source.decide_finally("a", has_asked=True), Use)
    assert source.status().waiting == 1
    source.give_up(lease)
    assert woken == ["a", "a start", "b"]


def test_who_stops_waiting_never_waits_for_the_lock(source: KeySource) -> None:
    """The collector may end a coroutine while this very thread holds it."""
    lease, wakes = started(source), [lambda: None, lambda: None]
    for wake in wakes:
        source.wait_for(lease, wake, 2, "a")
    with source._lock:
        source.stop_waiting(wakes[0])
    assert source.status().waiting == 1
    assert source.wait_for(lease, lambda: None, 2, "a"), "the place is free"


# -- fetches that are cut off ------------------------------------------------------------------------------------------


def test_a_fetch_that_is_cut_off_is_no_failure_of_the_issuer_and_is_told_once(
    source: KeySource, clock: Any, loaded: Callable[..., Loaded], events: list[Any]
) -> None:
    source.finish(started(source), loaded("a"))
    clock.pass_time(7200)
    for _ in range(3):
        decision = source.decide("a")
        assert isinstance(decision, Use)
        assert decision.start is not None
        source.give_up(decision.start)
        clock.pass_time(2)
    told = source.status()
    assert (told.failures, told.last_failure, told.fetch) == (0, "cancelled", "idle")
    assert told.counts.fetches["refresh"] == {"cancelled": 3}
    assert [event.kind for event in events[1:]] == ["cancelled"]
    assert isinstance(source.decide("new"), Wait), "a new kid may still cause a fetch, which its request awaits"


def test_a_fetch_that_is_cut_off_after_its_time_changes_nothing(source: KeySource, clock: Any) -> None:
    lease = started(source)
    clock.pass_time(source.rhythm.lease)
    source.give_up(lease)
    told = source.status()
    assert (told.failures, told.last_failure, told.counts.leases_expired) == (1, "timeout", 1)
