"""The state machine's decisions one by one, and what they add up to over hours. No clock, no lock, no network."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import pytest

from tokenward.keys.decision import Decision, Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.freshness import Freshness
from tokenward.keys.keyset import KeySet, read_keyset
from tokenward.keys.rhythm import Rhythm

HOUR, DAY = 3600.0, 86400.0
MakeJwk = Callable[..., dict[str, object]]


class Story:
    """A machine and its two clocks. Kids are letters; `"b'"` is kid b with other material."""

    def __init__(self, okp_jwk: MakeJwk, seed: int = 1, rhythm: Rhythm | None = None) -> None:
        self.okp_jwk = okp_jwk
        self.machine = Freshness(rhythm or Rhythm(), random.Random(seed))
        self.mono, self.wall = 1000.0, 1.7e9
        self.starts: list[float] = []

    def keyset(self, kids: str) -> KeySet:
        return read_keyset({"keys": [self.okp_jwk(kid[0], kid[1:]) for kid in kids.split()]})

    def after(self, seconds: float) -> Story:
        self.mono += seconds
        self.wall += seconds
        return self

    def lookup(self, kid: str | None, *, may_wait: bool = True, has_asked: bool = False) -> Decision:
        return self.machine.lookup(kid, self.mono, self.wall, may_wait=may_wait, has_asked=has_asked)

    def start(self, kid: str | None) -> Lease:
        """The fetch that a lookup starts, in front of the request or behind it."""
        decision = self.lookup(kid)
        lease = started(decision)
        assert lease is not None, decision
        return lease

    def fetched(self, lease: Lease, kids: str, max_age: float | None = None) -> bool:
        return self.machine.fetched(lease, self.keyset(kids), self.mono, self.wall, max_age=max_age)

    def failed(self, lease: Lease, retry_after: float | None = None) -> bool:
        return self.machine.failed(lease, self.mono, self.wall, retry_after=retry_after)

    def tick(self) -> Lease | None:
        return self.machine.tick(self.mono, self.wall)

    def holding(self, kids: str) -> Story:
        assert self.fetched(self.start("a"), kids)
        return self

    def serves(self, kid: str | None) -> bool:
        return isinstance(self.lookup(kid, may_wait=False), Use)

    def each_second(self, seconds: int, kid: str, answer: Callable[[Lease], object]) -> list[Decision]:
        """One lookup a second; every fetch that starts is answered at once, and the request asks again if it waited."""
        decisions = []
        for _ in range(seconds):
            decision = self.after(1.0).lookup(kid)
            lease = started(decision)
            if lease is not None:
                self.starts.append(self.mono)
                answer(lease)
            decisions.append(self.lookup(kid, may_wait=False) if isinstance(decision, Wait) else decision)
        return decisions


def started(decision: Decision) -> Lease | None:
    if isinstance(decision, Use):
        return decision.start
    return decision.lease if isinstance(decision, Wait) and decision.start else None


@pytest.fixture
def story(okp_jwk: MakeJwk) -> Story:
    return Story(okp_jwk)


# -- no usable key: EMPTY and DEAD -------------------------------------------------------------------------------------


def test_the_first_request_starts_a_fetch_and_waits_for_it(story: Story) -> None:
    decision = story.lookup("a")
    assert isinstance(decision, Wait)
    assert decision.start
    assert decision.lease.why == "cold"
    assert decision.until == story.mono + story.machine.rhythm.max_wait


def test_later_requests_wait_for_the_same_fetch(story: Story) -> None:
    lease = story.start("a")
    assert story.after(4.0).lookup("b") == Wait(lease, story.mono + story.machine.rhythm.max_wait, start=False)


def test_no_request_waits_beyond_the_deadline_of_the_fetch(okp_jwk: MakeJwk) -> None:
    story = Story(okp_jwk, rhythm=Rhythm(max_wait=8.0))
    lease = story.start("a")
    assert story.after(7.0).lookup("b") == Wait(lease, lease.deadline, start=False)


@pytest.mark.parametrize("may_wait", [pytest.param(True, id="who just came"), pytest.param(False, id="who has waited")])
@pytest.mark.parametrize("keys", ["", "a"], ids=["without keys", "beside keys"])
def test_nobody_joins_a_fetch_that_hangs(story: Story, keys: str, may_wait: bool) -> None:
    if keys:
        story.holding(keys).after(31)
    lease = story.start("x")
    assert isinstance(story.after(4.9).lookup("y"), Wait)
    hanging = story.after(0.1).lookup("y", may_wait=may_wait)
    assert hanging == Unavailable(lease.deadline - story.mono)
    assert story.fetched(lease, "a y"), "the fetch itself may still succeed"
    assert story.serves("y")


def test_a_fetch_that_starts_a_moment_later_may_be_joined_a_moment_longer(story: Story) -> None:
    story.holding("a").after(31)
    assert story.fetched(story.start("x"), "a")
    story.after(60)
    refresh = story.machine.force(story.mono, story.wall)
    assert refresh is not None
    assert story.fetched(refresh, "a")
    lease = story.after(0.5).start("x")
    assert lease.start == story.mono + 0.5
    assert isinstance(story.after(5.4).lookup("y"), Wait)
    assert isinstance(story.after(0.1).lookup("y"), Unavailable)


def test_a_kid_in_hand_serves_while_a_fetch_hangs(story: Story) -> None:
    story.holding("a").after(31)
    story.start("x")
    assert isinstance(story.after(8.0).lookup("a"), Use)


def test_a_request_that_has_waited_never_waits_or_starts_anything(story: Story) -> None:
    assert story.lookup("a", may_wait=False) == Unavailable(story.machine.rhythm.min_gap)
    assert story.machine.lease is None
    story.start("a")
    assert isinstance(story.lookup("a", may_wait=False), Unavailable)


def test_without_keys_a_failed_fetch_is_answered_at_once_until_the_backoff_ends(story: Story) -> None:
    story.failed(story.start("a"))
    decision = story.lookup("a")
    assert isinstance(decision, Unavailable)
    assert started(story.after(decision.retry_after).lookup("a")) is not None


def test_keys_that_are_too_old_are_never_used_and_one_fetch_brings_them_back(story: Story) -> None:
    story.holding("a b")
    assert isinstance(story.after(DAY - 60).lookup("b"), Use)
    story.failed(story.machine.lease or story.start("a"))
    decision = story.after(120).lookup("b")
    assert isinstance(decision, Wait)
    assert decision.lease.why == "cold"
    assert story.fetched(decision.lease, "a b")
    assert story.serves("b")


def test_dead_keys_behind_a_closed_gate_are_unavailable(story: Story) -> None:
    story.holding("a")
    story.after(DAY)
    story.failed(story.start("a"))
    assert isinstance(story.lookup("a"), Unavailable)


# -- keys in hand ------------------------------------------------------------------------------------------------------


def test_a_fresh_key_is_used_and_starts_nothing(story: Story) -> None:
    decision = story.holding("a b").after(60).lookup("b")
    assert isinstance(decision, Use)
    assert decision.start is None
    assert [key.kid for key in decision.keys] == ["b"]


def test_a_stale_key_is_used_at_once_and_refreshed_behind_the_request(story: Story) -> None:
    decision = story.holding("a").after(1.2 * HOUR).lookup("a")
    assert isinstance(decision, Use)
    assert decision.start is not None
    assert decision.start.why == "refresh"


def test_a_stale_key_is_used_while_a_refresh_is_under_way_or_has_failed(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    lease = story.start("a")
    assert isinstance(story.lookup("a"), Use)
    story.failed(lease)
    decision = story.lookup("a")
    assert isinstance(decision, Use)
    assert decision.start is None


def test_an_unknown_kid_starts_one_fetch_which_others_join(story: Story) -> None:
    story.holding("a").after(31)
    first, second = story.lookup("x"), story.lookup("y")
    assert isinstance(first, Wait)
    assert (first.start, first.lease.why) == (True, "miss")
    assert second == Wait(first.lease, first.until, start=False)


def test_an_unknown_kid_within_the_cooldown_is_a_definite_no_after_a_good_fetch(story: Story) -> None:
    story.holding("a").after(60)
    assert story.fetched(story.start("x"), "a n")
    assert story.after(29).lookup("x") == Unknown()


def test_an_unknown_kid_is_a_definite_no_to_a_request_that_has_waited_for_a_good_fetch(story: Story) -> None:
    assert story.holding("a").after(60).lookup("x", may_wait=False, has_asked=True) == Unknown()


@pytest.mark.parametrize(
    "why",
    [pytest.param("refresh", id="a refresh"), pytest.param("forced", id="an operator's"), pytest.param("cold", id="the first")],
)
def test_who_joined_a_fetch_that_began_before_is_told_no_definite_no_and_searches_when_he_comes_again(
    story: Story, why: str
) -> None:
    """The issuer may have put the key in its set while that answer was on its way."""
    story = story if why == "cold" else story.holding("a").after(2 * HOUR)
    lease = story.machine.force(story.mono, story.wall) if why == "forced" else story.start("a")
    assert lease is not None
    assert lease.why == why
    assert isinstance(story.after(0.1).lookup("n"), Wait)
    assert story.after(0.1).fetched(lease, "a")
    assert story.lookup("n", may_wait=False) == Unavailable(story.machine.rhythm.min_gap)
    search = story.after(1.1).start("n")
    assert search.why == "miss"
    assert story.fetched(search, "a n")
    assert isinstance(story.lookup("n"), Use)


def test_who_joined_a_search_for_another_kid_is_told_a_definite_no_in_its_cooldown(story: Story) -> None:
    lease = story.holding("a").after(60).start("x")
    assert story.fetched(lease, "a")
    assert story.lookup("y", may_wait=False) == Unknown()


def test_who_joined_a_refresh_in_the_cooldown_of_a_search_is_told_a_definite_no(story: Story) -> None:
    story.holding("a").after(2 * HOUR - 10)
    assert story.fetched(story.start("x"), "a", max_age=0.0)
    refresh = story.machine.force(story.after(2).mono, story.wall)
    assert refresh is not None
    assert story.fetched(refresh, "a")
    assert story.lookup("y", may_wait=False) == Unknown()


@pytest.mark.parametrize(
    ("why", "kid"), [pytest.param("miss", "n", id="a search for a kid"), pytest.param("refresh", "a", id="a refresh")]
)
def test_a_child_of_a_process_that_was_asking_asks_itself(story: Story, why: str, kid: str) -> None:
    lease = story.holding("a").after(2 * HOUR if why == "refresh" else 60).start(kid)
    assert lease.why == why
    story.machine.forked()
    own = story.after(0.5).lookup("n")
    assert isinstance(own, Wait)
    assert own.start
    assert story.after(1).fetched(own.lease, "a n")
    assert isinstance(story.lookup("n"), Use)


@pytest.mark.parametrize("moment", ["_count_fruit", "_succeeding", "_look_again", "_publish"])
def test_a_child_that_is_forked_while_the_answer_is_taken_is_sure_of_no_key_that_it_lacks(
    story: Story, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    lease, step = story.holding("a").after(60).start("n"), getattr(Freshness, moment)
    children: list[Freshness] = []

    def forking(self: Freshness, *arguments: object) -> object:
        children.append(copy.copy(self))
        return step(self, *arguments)

    monkeypatch.setattr(Freshness, moment, forking)
    assert story.fetched(lease, "a n")
    monkeypatch.undo()
    for story.machine in children:
        story.machine.forked()
        assert not isinstance(story.lookup("n"), Unknown)
    assert children


def test_what_was_cut_off_is_forgotten_at_the_next_good_fetch(story: Story) -> None:
    story.holding("a").after(60)
    story.machine.given_up(story.start("x"), story.mono, story.wall)
    assert isinstance(story.lookup("x"), Unavailable)
    assert story.after(31).fetched(story.start("x"), "a")
    assert story.lookup("x") == Unknown()


def test_a_second_look_that_was_cut_off_comes_again_after_its_time_and_not_at_once(story: Story) -> None:
    assert story.holding("a b").after(2 * HOUR).fetched(story.start("a"), "a")
    look = story.after(20).tick()
    assert look is not None
    story.machine.given_up(look, story.mono, story.wall)
    assert story.after(19).tick() is None
    assert story.after(1.5).tick() is not None


# -- keys from elsewhere -----------------------------------------------------------------------------------------------


def seeded(story: Story, kids: str, age: float, max_age: float | None = None) -> bool:
    return story.machine.seeded(story.keyset(kids), age, story.mono, story.wall, max_age=max_age)


def test_a_key_that_is_not_in_a_seed_serves_on_as_one_that_vanished(story: Story) -> None:
    """Issuers answer from replicas that disagree, in other processes as well."""
    assert seeded(story.holding("a b").after(7), "a", age=2)
    assert story.after(89).serves("b")
    assert not story.after(1.5).serves("b")


def test_the_set_is_looked_at_again_after_a_seed_without_a_key(story: Story) -> None:
    assert seeded(story.holding("a b").after(7), "a", age=2)
    assert story.after(19).tick() is None
    assert story.after(1.5).tick() is not None


@pytest.mark.parametrize("comes", [pytest.param("fetch", id="a fetch"), pytest.param("seed", id="a seed")])
def test_a_key_that_vanished_serves_no_longer_than_its_own_set_would_have(story: Story, comes: str) -> None:
    story.holding("a b").after(DAY - 10)
    if comes == "seed":
        assert seeded(story, "a", age=2)
    else:
        assert story.fetched(story.start("a"), "a")
    assert story.after(9).serves("b")
    assert not story.after(1.5).serves("b")
    assert story.serves("a")


def test_a_set_that_has_died_lends_no_key_to_the_next_one(story: Story) -> None:
    story.holding("a b").after(DAY + 1)
    assert story.fetched(story.start("a"), "a")
    assert not story.serves("b")


def test_a_seed_is_refreshed_when_its_server_wished_within_the_limits_of_the_rhythm(story: Story) -> None:
    assert seeded(story, "a", age=100, max_age=400)
    assert story.after(250).tick() is None, "400 s, less a tenth, after it was fetched"
    assert story.after(100).tick() is not None


def test_a_fetch_that_failed_after_a_seed_did_not_bring_the_seed_s_keys(story: Story) -> None:
    assert seeded(story, "a", age=100)
    snapshot = story.machine.snapshot
    assert snapshot is not None
    lease = story.machine.force(story.mono, story.wall)
    assert lease is not None
    assert story.failed(lease)
    assert snapshot.lease < lease.number


def test_a_key_that_is_new_just_after_a_refresh_is_found_at_once(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    decision = story.lookup("n")
    assert isinstance(decision, Wait)
    assert decision.start
    assert decision.lease.start == story.mono + story.machine.rhythm.min_gap  # the fetch waits out the gap, not the caller
    assert story.fetched(decision.lease, "a n")
    assert story.serves("n")


def test_an_unknown_kid_is_unavailable_after_a_failed_fetch(story: Story) -> None:
    story.holding("a").after(31)
    story.failed(story.start("x"))
    decision = story.after(3).lookup("x")
    assert isinstance(decision, Unavailable)
    assert decision.retry_after == pytest.approx(27)


def test_a_token_without_kid_is_served_by_the_only_key_of_a_set(story: Story) -> None:
    story.holding("a")
    assert story.serves(None)
    story.after(31)
    assert story.fetched(story.start("x"), "a b")
    assert not story.serves(None)


# -- who may start what ------------------------------------------------------------------------------------------------


def test_a_tick_fetches_what_was_never_fetched_and_what_is_stale_and_nothing_else(story: Story) -> None:
    lease = story.tick()
    assert lease is not None
    assert story.tick() is None
    assert story.fetched(lease, "a")
    assert story.after(60).tick() is None
    stale = story.after(1.2 * HOUR).tick()
    assert stale is not None
    assert stale.why == "tick"


def test_a_tick_respects_the_backoff(story: Story) -> None:
    story.failed(story.start("a"))
    assert story.tick() is None
    assert story.after(2.0).tick() is not None


def test_an_operator_may_force_a_fetch_but_not_a_second_one_and_not_a_storm(story: Story) -> None:
    story.holding("a")
    assert story.machine.force(story.mono, story.wall) is None
    lease = story.after(1.0).machine.force(story.mono, story.wall)
    assert lease is not None
    assert lease.why == "forced"
    assert story.after(2.0).machine.force(story.mono, story.wall) is None


def test_the_cooldown_counts_from_a_failed_attempt_too(story: Story) -> None:
    story.holding("a").after(31)
    story.failed(story.start("x"))
    refused = [story.after(1).lookup("x") for _ in range(29)]
    assert {type(decision) for decision in refused} == {Unavailable}
    assert isinstance(story.after(1).lookup("x"), Wait)


# -- leases: dead threads, closed loops, forks, late answers (F36, F40) ------------------------------------------------


def test_a_fetch_that_never_answers_is_over_at_its_deadline(story: Story) -> None:
    lease = story.start("a")
    story.after(lease.deadline - story.mono)
    assert isinstance(story.lookup("a"), Unavailable)
    assert story.machine.failures == 1
    assert started(story.after(1.0).lookup("a")) is not None


def test_a_late_answer_is_dropped_before_and_after_a_newer_success(story: Story) -> None:
    late = story.start("a")
    assert not story.after(11).fetched(late, "z")
    newer = story.after(2).start("a")
    assert not story.fetched(late, "z")
    assert story.fetched(newer, "a")
    assert not story.fetched(late, "z")
    assert not story.failed(late)
    assert (story.serves("a"), story.serves("z"), story.machine.failures) == (True, False, 0)


def test_a_child_process_serves_from_its_keys_at_once_and_fetches_for_itself(story: Story) -> None:
    story.holding("a").after(31)
    of_the_parent = story.start("x")
    story.machine.forked()
    assert isinstance(story.lookup("a"), Use)
    own = story.after(31).start("x")
    assert not story.fetched(of_the_parent, "z")
    assert story.fetched(own, "a x")


def test_a_child_forked_before_any_key_came_fetches_for_itself(story: Story) -> None:
    story.start("a")
    story.machine.forked()
    assert story.lookup("a") == Unavailable(story.machine.rhythm.min_gap)
    assert story.fetched(story.after(1).start("a"), "a")


def test_a_child_forked_during_the_backoff_keeps_to_it(story: Story) -> None:
    story.failed(story.start("a"))
    story.machine.forked()
    assert isinstance(story.lookup("a"), Unavailable)


def test_a_fetch_that_was_cut_off_is_no_failure_and_may_be_made_again(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    lease = story.start("a")
    assert story.machine.given_up(lease, story.mono, story.wall)
    assert not story.machine.given_up(lease, story.mono, story.wall)
    assert (story.machine.failures, story.serves("a")) == (0, True)
    assert story.after(story.machine.rhythm.min_gap).tick() is not None


@pytest.mark.parametrize("joined", [pytest.param(False, id="its own"), pytest.param(True, id="a refresh that it joined")])
def test_a_kid_whose_fetch_was_cut_off_is_never_a_definite_no(story: Story, joined: bool) -> None:
    story.holding("a").after(2 * HOUR if joined else 31)
    lease = story.start("a" if joined else "n")
    assert isinstance(story.lookup("n"), Wait)
    assert story.machine.given_up(lease, story.mono, story.wall)
    assert isinstance(story.lookup("n", may_wait=False), Unavailable)
    assert isinstance(story.lookup("n"), Wait if joined else Unavailable)


# -- outages (F08, F09, F43, F44) --------------------------------------------------------------------------------------


def test_known_keys_serve_through_an_outage_of_a_day_with_few_attempts(story: Story) -> None:
    story.holding("a")
    decisions = story.each_second(int(DAY) - 1, "a", story.failed)
    assert all(isinstance(decision, Use) for decision in decisions)
    assert min(b - a for a, b in zip(story.starts[8:], story.starts[9:], strict=False)) >= 30
    assert not story.after(60).serves("a")


def test_without_keys_an_outage_is_answered_at_once_and_ends_within_41_seconds(story: Story) -> None:
    decisions = story.each_second(180, "a", story.failed)
    assert {type(decision) for decision in decisions} == {Unavailable}
    assert len(story.starts) < 30
    recovery = story.each_second(41, "a", lambda lease: story.fetched(lease, "a"))
    assert isinstance(recovery[-1], Use)


def test_processes_that_fail_together_come_back_apart(okp_jwk: MakeJwk) -> None:
    pauses = set()
    for seed in range(20):
        story = Story(okp_jwk, seed)
        for _ in range(5):
            story.failed(story.after(61).start("a"))
        pauses.add(story.machine.next_attempt(story.mono, story.wall))
    assert len(pauses) == 20
    assert all(pause is not None and 8 <= pause <= 16 for pause in pauses)


@pytest.mark.parametrize(
    ("wished", "granted"),
    [
        pytest.param(None, (0.5, 1.0), id="no Retry-After"),
        pytest.param(5.0, (5.0, 5.0), id="5 seconds"),
        pytest.param(1e9, (30.0, 30.0), id="thirty years"),
        pytest.param(0.0, (0.5, 1.0), id="0"),
    ],
)
def test_retry_after_counts_up_to_the_limit_without_keys(
    story: Story, wished: float | None, granted: tuple[float, float]
) -> None:
    story.failed(story.start("a"), wished)
    pause = story.machine.not_before - story.mono
    assert granted[0] - 1e-6 <= pause <= granted[1] + 1e-6


def test_retry_after_counts_up_to_the_higher_limit_with_keys(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    story.failed(story.start("a"), 1e9)
    assert story.machine.not_before - story.mono == pytest.approx(60)


# -- clocks and intervals (F22, F23, F45) ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_age", "about"),
    [
        pytest.param(None, HOUR, id="none given"),
        pytest.param(0.0, 300, id="0"),
        pytest.param(15.0, 300, id="15 seconds"),
        pytest.param(900.0, 900, id="a quarter of an hour"),
        pytest.param(30 * DAY, HOUR, id="30 days"),
    ],
)
def test_a_servers_max_age_may_only_shorten_the_interval_down_to_the_floor(
    okp_jwk: MakeJwk, max_age: float | None, about: float
) -> None:
    intervals = set()
    for seed in range(20):
        story = Story(okp_jwk, seed)
        assert story.fetched(story.start("a"), "a", max_age)
        assert story.machine.snapshot is not None
        intervals.add(story.machine.snapshot.interval)
    assert len(intervals) == 20, "processes that start together must part company"
    assert 0.9 * about <= min(intervals) <= max(intervals) <= 1.1 * about


@pytest.mark.parametrize("jump", [pytest.param(-2 * HOUR, id="two hours back"), pytest.param(2 * HOUR, id="two hours on")])
def test_a_wall_clock_that_jumps_costs_at_most_one_fetch_and_no_request(story: Story, jump: float) -> None:
    story.holding("a")
    story.wall += jump
    decisions = story.each_second(60, "a", lambda lease: story.fetched(lease, "a"))
    assert all(isinstance(decision, Use) for decision in decisions)
    assert len(story.starts) <= 1


def test_a_wall_clock_a_day_ahead_ends_the_keys_and_one_fetch_brings_them_back(story: Story) -> None:
    story.holding("a")
    story.wall += 25 * HOUR
    assert not story.serves("a")
    assert story.fetched(story.after(1).start("a"), "a")
    assert story.serves("a")


def test_a_wall_clock_turned_back_does_not_prolong_the_keys(story: Story) -> None:
    story.holding("a").after(20 * HOUR)
    story.wall -= 20 * HOUR
    story.failed(story.start("a"))
    assert not story.after(5 * HOUR).serves("a")


def test_a_suspended_machine_does_not_prolong_the_keys(story: Story) -> None:
    story.holding("a")
    story.wall += DAY
    assert not story.serves("a")


def test_a_wall_jump_with_the_issuer_down_retries_by_the_monotonic_clock(story: Story) -> None:
    story.holding("a")
    story.wall += 2 * HOUR
    decisions = story.each_second(600, "a", story.failed)
    assert all(isinstance(decision, Use) for decision in decisions)
    assert min(b - a for a, b in zip(story.starts, story.starts[1:], strict=False)) >= 29


def test_a_burst_after_three_idle_hours_waits_for_nothing_and_fetches_once(story: Story) -> None:
    story.holding("a").after(3 * HOUR)
    decisions = [story.lookup("a") for _ in range(500)]
    assert all(isinstance(decision, Use) for decision in decisions)
    assert [started(decision) is not None for decision in decisions].count(True) == 1


def test_the_age_is_that_of_the_older_clock(story: Story) -> None:
    assert story.machine.age(story.mono, story.wall) is None
    story.holding("a").after(10)
    story.wall += 50
    assert story.machine.age(story.mono, story.wall) == 60


# -- rotation (F25 to F28) ---------------------------------------------------------------------------------------------


def test_after_an_unannounced_rotation_the_first_new_kid_waits_once_and_old_kids_end_after_the_grace(story: Story) -> None:
    story.holding("a b").after(600)
    decision = story.lookup("n")
    assert isinstance(decision, Wait)
    assert story.fetched(decision.lease, "n m")
    assert story.serves("n")
    assert story.serves("a")
    assert not story.after(90).serves("a")


def test_new_material_under_an_old_kid_replaces_the_old_at_once(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    before = story.lookup("b")
    assert isinstance(before, Use)
    assert before.start is not None
    assert story.fetched(before.start, "a b'")
    after = story.lookup("b")
    assert isinstance(after, Use)
    assert len(after.keys) == 1
    assert after.keys != before.keys


def test_a_key_that_did_not_change_stays_the_same_object(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    before = story.lookup("a")
    assert isinstance(before, Use)
    assert before.start is not None
    assert story.fetched(before.start, "a b'")
    after = story.lookup("a")
    assert isinstance(after, Use)
    assert after.keys[0] is before.keys[0]


def test_a_withdrawn_key_is_looked_for_again_before_it_goes(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    assert story.after(19).tick() is None
    confirming = story.after(1).tick()
    assert confirming is not None
    assert story.fetched(confirming, "a b")
    assert story.after(200).serves("b")


@pytest.mark.parametrize("answer", ["healthy", "down"])
def test_a_withdrawn_key_ends_with_the_grace_whether_the_issuer_lives_or_not(story: Story, answer: str) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    react = story.failed if answer == "down" else lambda lease: story.fetched(lease, "a")
    before = story.each_second(89, "b", react)
    after = story.each_second(3, "b", react)
    assert all(isinstance(decision, Use) for decision in before)
    assert not any(isinstance(decision, Use) for decision in after)


def test_a_second_look_that_fails_is_repeated_before_the_key_goes(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    story.after(20)
    story.failed(story.start("a"))
    decisions = story.each_second(60, "a", lambda lease: story.fetched(lease, "a b"))
    assert all(isinstance(decision, Use) for decision in decisions)
    assert len(story.starts) == 1
    assert story.after(60).serves("b")


def test_a_second_look_that_never_comes_back_is_repeated_before_the_key_goes(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    story.after(20).start("a")
    story.after(story.machine.rhythm.lease)
    decisions = story.each_second(50, "a", lambda lease: story.fetched(lease, "a b"))
    assert all(isinstance(decision, Use) for decision in decisions)
    assert len(story.starts) == 1
    assert story.after(60).serves("b")


def test_a_second_look_that_never_comes_back_is_not_repeated_once_the_key_is_gone(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    story.after(85).start("a")
    story.after(story.machine.rhythm.lease)
    story.each_second(60, "a", lambda lease: story.fetched(lease, "a"))
    assert story.starts == []


def test_a_child_that_is_forked_during_the_second_look_takes_its_own(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    story.after(20).start("a")
    story.machine.forked()
    assert story.fetched(story.after(story.machine.rhythm.min_gap).start("a"), "a b")
    assert story.after(90).serves("b")


def test_replicas_that_disagree_never_cost_a_listed_key_its_service(okp_jwk: MakeJwk) -> None:
    refused = 0
    for seed in range(10):
        story, dice = Story(okp_jwk, seed).holding("a b"), random.Random(seed)

        def answer(lease: Lease, story: Story = story, dice: random.Random = dice) -> object:
            return story.fetched(lease, "a" if dice.random() < 0.3 else "a b")

        decisions = story.each_second(3000, "b", answer)
        refused += sum(not isinstance(decision, Use) for decision in decisions)
    assert refused == 0


# -- floods (F30, F31) -------------------------------------------------------------------------------------------------


def test_the_same_unknown_kid_again_and_again_costs_a_fetch_each_five_minutes(story: Story) -> None:
    story.holding("a")
    story.each_second(3600, "x", lambda lease: story.fetched(lease, "a"))
    gaps = [b - a for a, b in zip(story.starts, story.starts[1:], strict=False)]
    assert gaps[:3] == pytest.approx([60, 120, 240], abs=2)
    assert min(gaps[4:]) >= 299


def test_a_fetch_that_brings_a_new_key_ends_the_long_cooldown(story: Story) -> None:
    story.holding("a")
    story.each_second(1200, "x", lambda lease: story.fetched(lease, "a"))
    story.after(300)
    assert story.fetched(story.start("n"), "a n")
    assert started(story.after(31).lookup("x")) is not None


def test_a_flood_without_keys_starts_one_fetch(story: Story) -> None:
    decisions = [story.lookup(f"junk-{number}") for number in range(500)]
    assert all(isinstance(decision, Wait) for decision in decisions)
    assert [started(decision) is not None for decision in decisions].count(True) == 1


def test_a_flood_of_unknown_kids_never_gates_a_known_one(story: Story) -> None:
    story.holding("a")
    for number in range(5000):
        story.after(0.01).lookup(f"junk-{number}")
        assert isinstance(story.lookup("a"), Use)


# -- the hit path ------------------------------------------------------------------------------------------------------


def test_the_view_names_the_time_until_which_nothing_needs_deciding(story: Story) -> None:
    story.holding("a")
    machine = story.machine
    assert machine.snapshot is not None
    assert machine.view.keys is machine.snapshot.keys
    assert machine.view.until_mono == story.mono + machine.snapshot.interval
    assert machine.view.until_wall == story.wall + machine.snapshot.interval


def test_the_view_stays_open_through_an_outage_with_keys_in_hand(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    story.failed(story.start("a"))
    assert story.machine.view.until_mono == story.machine.not_before


def test_the_view_ends_with_the_lease_of_a_fetch_so_that_its_end_is_noticed(story: Story) -> None:
    story.holding("a").after(2 * HOUR)
    lease = story.start("a")
    assert story.machine.view.until_mono == lease.deadline


def test_the_view_opens_again_once_a_withdrawn_key_is_gone(story: Story) -> None:
    story.holding("a b").after(2 * HOUR)
    assert story.fetched(story.start("a"), "a")
    story.each_second(200, "a", story.failed)
    assert isinstance(story.lookup("a"), Use)
    assert story.mono < story.machine.view.until_mono
    assert "b" not in story.machine.view.keys
