"""What every driver does with a source's decisions: one suite over threads, asyncio and trio."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tokenward.keys.decision import Unavailable, Unknown, Use
from tokenward.keys.events import KeysAwaited, KeysRefreshed, KeysRefreshFailed
from tokenward.keys.location import JwksUri
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.keys.threads import MAX_PATIENT, SHORT_WAIT, ThreadDriver

MakeSource = Callable[..., KeySource]
Eventually = Callable[[Callable[[], bool]], None]
World = Any  # ThreadWorld or LoopWorld of this folder's conftest, which share one shape

PATIENT = Rhythm(max_wait=60.0, fetch_timeout=60.0)
HURRIED = Rhythm(min_gap=0.01, backoff=0.01, backoff_max_empty=0.02)


@pytest.fixture
def source(make_source: MakeSource) -> KeySource:
    return make_source()


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_cold_request_waits_for_the_fetch_it_started(world: World, source: KeySource, eventually: Eventually) -> None:
    driver = world.driver(source)
    world.issuer.gate.clear()
    request = world.submit(driver, source, "a")
    eventually(lambda: source.status().waits == 1)
    world.issuer.gate.set()
    assert isinstance(request.result(10), Use)
    assert world.issuer.calls == source.status().fetches == source.status().waits == 1


def test_a_crowd_of_cold_requests_starts_one_fetch_and_parks_no_more_than_the_limit(
    world: World, source: KeySource, eventually: Eventually
) -> None:
    driver = world.driver(source)
    world.issuer.gate.clear()
    crowd = [world.submit(driver, source, "a") for _ in range(world.crowd)]
    refused = world.crowd - world.most_waiting
    eventually(lambda: sum(request.done() for request in crowd) == refused)
    world.issuer.gate.set()
    answers = [request.result(10) for request in crowd]
    assert sum(isinstance(answer, Use) for answer in answers) == world.most_waiting
    assert answers.count(Unavailable(1.0)) == refused
    assert world.issuer.calls == 1


def test_waiting_requests_are_woken_by_the_answer_and_not_by_the_clock(
    world: World, make_source: MakeSource, eventually: Eventually
) -> None:
    source = make_source(Rhythm(max_wait=60.0, fetch_timeout=60.0))
    driver = world.driver(source)
    world.issuer.gate.clear()
    waiting = [world.submit(driver, source, kid) for kid in ("a", "b", "a")]
    eventually(lambda: source.status().waits == 3)
    world.issuer.gate.set()
    assert all(isinstance(request.result(10), Use) for request in waiting)


def test_waiting_requests_are_woken_by_a_failure_too(world: World, make_source: MakeSource, eventually: Eventually) -> None:
    source = make_source(Rhythm(max_wait=60.0, fetch_timeout=60.0))
    driver = world.driver(source)
    world.issuer.gate.clear()
    world.issuer.error = OSError()
    waiting = [world.submit(driver, source, "a") for _ in range(3)]
    eventually(lambda: source.status().waits == 3)
    world.issuer.gate.set()
    assert all(isinstance(request.result(10), Unavailable) for request in waiting)


def test_a_request_waits_at_most_once_and_at_most_max_wait(world: World, make_source: MakeSource) -> None:
    source = make_source(Rhythm(max_wait=0.05))
    driver = world.driver(source)
    world.issuer.gate.clear()
    begin = time.monotonic()
    assert world.find(driver, source, "a") == Unavailable(1.0)
    assert 0.04 <= time.monotonic() - begin < 5
    assert source.status().waits == 1


def test_a_request_that_gave_up_makes_room_for_another(world: World, make_source: MakeSource, eventually: Eventually) -> None:
    source = make_source(Rhythm(max_wait=0.02))
    driver = world.driver(source)
    world.issuer.gate.clear()
    for expected in (1, 2):
        crowd = [world.submit(driver, source, "a") for _ in range(world.most_waiting)]
        eventually(lambda crowd=crowd: all(request.done() for request in crowd))  # type: ignore[misc]
        assert source.status().waits == expected * world.most_waiting


def test_a_refresh_never_makes_a_known_kid_wait(world: World, source: KeySource, clock: Any, eventually: Eventually) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(7200)
    world.issuer.gate.clear()
    answers = [world.find(driver, source, kid) for kid in ("a", "b") * 10]
    assert all(isinstance(answer, Use) for answer in answers)
    eventually(lambda: world.issuer.calls == 2)
    status = source.status()
    assert (status.waits, status.keys, status.fetch) == (0, "stale", "in_flight")
    world.issuer.gate.set()
    eventually(lambda: source.status().keys == "fresh")


def test_a_kid_that_was_rotated_in_is_known_after_one_wait(world: World, source: KeySource, clock: Any) -> None:
    driver = world.driver(source)
    world.find(driver, source, "a")
    clock.pass_time(60)
    world.issuer.publish("a", "n")
    assert isinstance(world.find(driver, source, "n"), Use)
    assert world.issuer.calls == 2
    assert world.issuer.asked[-1].no_cache


def test_a_kid_that_nobody_published_is_unknown_after_one_wait(world: World, source: KeySource, clock: Any) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    assert world.find(driver, source, "x") == Unknown()
    assert world.find(driver, source, "x") == Unknown()
    assert world.issuer.calls == 2
    assert source.status().waits <= 1, "none, where the answer is there before it waits"


def test_known_kids_serve_while_junk_fills_the_waiting_room(
    world: World, source: KeySource, clock: Any, eventually: Eventually
) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.gate.clear()
    junk = [world.submit(driver, source, f"junk-{number}") for number in range(world.most_waiting_beside_keys)]
    eventually(lambda: source.status().waits == world.most_waiting_beside_keys)
    assert isinstance(world.find(driver, source, "a"), Use)
    assert world.find(driver, source, "another") == Unavailable(1.0)
    world.issuer.gate.set()
    assert {type(request.result(10)) for request in junk} == {Unknown}


def test_junk_holds_up_a_known_caller_in_a_pool_of_four_threads_for_a_moment_at_most(
    make_source: MakeSource, issuer: Any, eventually: Eventually
) -> None:
    source = make_source(PATIENT, real_time=True)
    driver = ThreadDriver([source], issuer.fetch)
    driver.find(source, "a")
    issuer.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        junk = [pool.submit(driver.find, source, f"junk-{number}") for number in range(200)]
        begin = time.monotonic()
        known = [pool.submit(driver.find, source, "a") for _ in range(20)]
        assert all(isinstance(request.result(10), Use) for request in known)
        waited = time.monotonic() - begin
        eventually(lambda: sum(not request.done() for request in junk) == MAX_PATIENT)
        issuer.gate.set()
    driver.close()
    assert waited < source.rhythm.min_gap + SHORT_WAIT + 5, "seconds, where a request may wait 60"
    assert {type(request.result(10)) for request in junk} == {Unknown, Unavailable}


def test_in_an_outage_every_attempt_but_the_first_holds_up_two_threads_at_most(
    make_source: MakeSource, issuer: Any, eventually: Eventually, clock: Any
) -> None:
    source = make_source(PATIENT)
    driver = ThreadDriver([source], issuer.fetch)
    assert driver.warm_up(10.0)
    clock.pass_time(60)
    lease = source.force()
    assert lease is not None
    source.finish(lease, FetchFailed("connect"))
    clock.pass_time(300)
    issuer.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        junk = [pool.submit(driver.find, source, f"junk-{number}") for number in range(50)]
        eventually(lambda: sum(not request.done() for request in junk) == MAX_PATIENT)
        assert {request.result(10) for request in junk if request.done()} == {Unavailable(source.rhythm.min_gap)}
        assert source.status().waiting == MAX_PATIENT
        assert source.status().waits == MAX_PATIENT
        assert isinstance(pool.submit(driver.find, source, "a").result(10), Use)
        issuer.gate.set()
    driver.close()


def test_a_burst_of_tokens_with_a_new_key_all_pass_after_one_fetch(world: World, source: KeySource, clock: Any) -> None:
    driver = world.driver(source)
    world.find(driver, source, "a")
    clock.pass_time(60)
    world.issuer.publish("a", "n")
    world.issuer.gate.clear()
    burst = [world.submit(driver, source, "n") for _ in range(10)]
    world.issuer.gate.set()
    assert {type(request.result(10)) for request in burst} == {Use}
    assert world.issuer.calls == 2


def test_nobody_joins_a_fetch_that_hangs(world: World, source: KeySource, clock: Any, eventually: Eventually) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.gate.clear()
    first = world.submit(driver, source, "x")
    eventually(lambda: source.status().waits == 1)
    clock.pass_time(source.rhythm.max_wait)
    begin = time.monotonic()
    assert world.find(driver, source, "y") == Unavailable(source.rhythm.lease - source.rhythm.max_wait)
    assert isinstance(world.find(driver, source, "a"), Use)
    assert time.monotonic() - begin < 5
    assert source.status().waits == 1
    world.issuer.gate.set()
    assert first.result(10) == Unknown()


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(FetchFailed("dns", "no such host"), "dns", id="a failure of the port"),
        pytest.param(OSError("a secret"), "other", id="OSError"),
        pytest.param(ValueError("a secret"), "other", id="ValueError"),
        pytest.param(RecursionError(), "other", id="RecursionError"),
        pytest.param(MemoryError(), "other", id="MemoryError"),
        pytest.param(StopAsyncIteration(), "other", id="StopAsyncIteration"),
        pytest.param(ExceptionGroup("several", [OSError(), ValueError()]), "other", id="a group"),
    ],
)
def test_whatever_a_fetch_raises_is_a_failed_fetch_and_the_next_one_counts(
    world: World, make_source: MakeSource, clock: Any, error: Exception, kind: str
) -> None:
    events: list[Any] = []
    source = make_source(observer=events.append)
    driver = world.driver(source)
    world.issuer.error = error
    assert isinstance(world.find(driver, source, "a"), Unavailable)
    assert (source.status().last_failure, source.status().fetch) == (kind, "backoff")
    assert "secret" not in repr(events)
    world.issuer.error = None
    clock.pass_time(2)
    assert isinstance(world.find(driver, source, "a"), Use)


@pytest.mark.parametrize("nonsense", [None, "text", 5, b"{}"], ids=["None", "text", "a number", "bytes"])
def test_whatever_a_fetch_answers_is_a_failed_fetch(world: World, source: KeySource, nonsense: object) -> None:
    world.issuer.response = nonsense
    assert isinstance(world.find(world.driver(source), source, "a"), Unavailable)
    assert source.status().last_failure == "other"


def test_a_fetch_that_hangs_is_over_at_its_total_deadline(world: World, make_source: MakeSource, eventually: Eventually) -> None:
    source = make_source(Rhythm(fetch_timeout=0.05, lease_grace=60.0, max_wait=0.01))
    world.issuer.gate.clear()
    world.find(world.driver(source), source, "a")
    if world.kind == "threads":  # a thread cannot be cancelled: the fetch itself must look at its timeout
        assert 0 < world.issuer.asked[0].timeout <= 0.05
    else:
        eventually(lambda: source.status().last_failure == "timeout")


def test_an_answer_after_the_lease_ended_is_dropped(
    world: World, make_source: MakeSource, clock: Any, eventually: Eventually
) -> None:
    source = make_source(Rhythm(max_wait=0.2))
    world.issuer.gate.clear()
    request = world.submit(world.driver(source), source, "a")
    eventually(lambda: world.issuer.calls == 1)
    clock.pass_time(source.rhythm.lease)
    world.issuer.gate.set()
    assert isinstance(request.result(10), Unavailable)
    assert not source.ready


def test_an_observer_that_raises_harms_nothing(world: World, make_source: MakeSource, clock: Any) -> None:
    def observer(event: object) -> None:
        raise RuntimeError(str(event))

    source = make_source(observer=observer)
    driver = world.driver(source)
    world.issuer.error = OSError()
    assert isinstance(world.find(driver, source, "a"), Unavailable)
    world.issuer.error = None
    clock.pass_time(2)
    assert isinstance(world.find(driver, source, "a"), Use)


def test_an_observer_may_ask_the_source(world: World, make_source: MakeSource) -> None:
    seen: list[object] = []

    def observer(_event: object) -> None:
        seen.extend([asked.decide("a"), asked.status().keys])

    asked = make_source(observer=observer)
    world.find(world.driver(asked), asked, "a")
    assert isinstance(seen[0], Use)
    assert seen[1] == "fresh"


def test_the_context_of_a_request_does_not_leak_into_the_fetch(world: World, source: KeySource) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("span", default="none")
    seen: list[str] = []

    class Recorder(list[object]):
        def append(self, value: object) -> None:
            seen.append(variable.get())
            super().append(value)

    world.issuer.asked = Recorder()
    variable.set("of the request")
    world.find(world.driver(source), source, "a")
    assert seen == ["none"]


# -- warming up --------------------------------------------------------------------------------------------------------


def test_warming_up_fetches_every_source(world: World, make_source: MakeSource) -> None:
    sources = [make_source(), make_source()]
    assert world.warm_up(world.driver(*sources), 10.0).result(10)
    assert [source.ready for source in sources] == [True, True]
    assert world.issuer.calls == 2


def test_warming_up_without_sources_is_done(world: World) -> None:
    assert world.warm_up(world.driver(), 10.0).result(10)


def test_warming_up_again_fetches_nothing(world: World, source: KeySource) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    assert world.warm_up(driver, 10.0).result(10)
    assert world.issuer.calls == 1


@pytest.mark.parametrize("hanging", [True, False], ids=["the issuer hangs", "the issuer refuses"])
def test_warming_up_gives_up_after_its_time(world: World, source: KeySource, hanging: bool) -> None:
    world.issuer.error = OSError()
    if hanging:
        world.issuer.gate.clear()
    begin = time.monotonic()
    assert not world.warm_up(world.driver(source), 0.1).result(10)
    assert time.monotonic() - begin < 5


def test_warming_up_tries_again_until_the_issuer_is_there(world: World, make_source: MakeSource, eventually: Eventually) -> None:
    source = make_source(HURRIED, real_time=True)
    world.issuer.error = OSError()
    warming = world.warm_up(world.driver(source), 10.0)
    eventually(lambda: source.status().failures >= 3)
    world.issuer.error = None
    assert warming.result(10)


def test_a_start_with_the_waiting_room_full_disturbs_nobody(
    world: World, make_source: MakeSource, eventually: Eventually
) -> None:
    source = make_source(Rhythm(max_wait=30.0, fetch_timeout=30.0, min_gap=0.05))
    driver = world.driver(source)
    world.issuer.gate.clear()
    waiting = [world.submit(driver, source, "a") for _ in range(world.most_waiting)]
    eventually(lambda: source.status().waits == world.most_waiting)
    starting = [world.warm_up(driver, 10.0) for _ in range(3)]
    assert world.find(driver, source, "a") == Unavailable(0.05)
    world.issuer.gate.set()
    before = time.monotonic()
    assert all(waiter.result(10) for waiter in (*waiting, *starting))
    assert time.monotonic() - before < 10


class Neighbour:
    """A second issuer, beside the world's: it answers with the same keys, after as many failures as it is told to have."""

    def __init__(self, world: World, failures: int = 0) -> None:
        self.location = JwksUri("https://neighbour.example/keys")
        self._failures, self._document = failures, world.issuer.response
        self._fetch, self._fetch_async = world.issuer.fetch, world.issuer.fetch_async
        world.issuer.fetch, world.issuer.fetch_async = self.fetch, self.fetch_async

    def fetch(self, request: FetchRequest) -> FetchResponse:
        return self._answer() if request.url == self.location.url else self._fetch(request)

    async def fetch_async(self, request: FetchRequest) -> FetchResponse:
        return self._answer() if request.url == self.location.url else await self._fetch_async(request)

    def _answer(self) -> FetchResponse:
        self._failures -= 1
        return self._document if self._failures < 0 else FetchResponse(503, {}, b"")


@pytest.mark.parametrize("hanging", [True, False], ids=["the issuer hangs", "the issuer refuses"])
def test_a_dead_issuer_starves_no_other_of_its_attempts_at_a_start(
    world: World, make_source: MakeSource, eventually: Eventually, hanging: bool
) -> None:
    neighbour = Neighbour(world, failures=3)
    dead = make_source(HURRIED, real_time=True)
    well = make_source(HURRIED, real_time=True, location=neighbour.location)
    world.issuer.error = OSError()
    if hanging:
        world.issuer.gate.clear()
    warming = world.warm_up(world.driver(dead, well), 60.0)
    eventually(lambda: well.ready)
    assert (well.status().fetches, dead.ready, warming.done()) == (4, False, False)
    assert len(dead._waiters._others) <= 1, "each look leaves before the next"
    world.issuer.error = None
    world.issuer.gate.set()
    assert warming.result(10)


def test_a_start_that_is_cancelled_leaves_nobody_waiting(loops: World, make_source: MakeSource, eventually: Eventually) -> None:
    sources = [make_source(PATIENT), make_source(PATIENT)]
    loops.issuer.gate.clear()
    warming = loops.warm_up(loops.driver(*sources), 60.0)
    eventually(lambda: all(source._waiters._others for source in sources))
    warming.cancel()
    eventually(lambda: not any(source._waiters._others for source in sources))


def test_a_start_whose_verifier_is_closed_waits_for_no_further_attempt(
    make_source: MakeSource, issuer: Any, eventually: Eventually
) -> None:
    source = make_source(Rhythm(min_gap=50.0, fetch_timeout=60.0, max_wait=60.0), real_time=True)
    issuer.error = OSError()
    driver = ThreadDriver([source], issuer.fetch)
    with ThreadPoolExecutor(1) as pool:
        warming = pool.submit(driver.warm_up, 60.0)
        eventually(lambda: source.status().failures == 1)
        driver.close()
        assert not warming.result(30)


@pytest.mark.parametrize("hanging", [True, False], ids=["the issuer hangs", "the issuer refuses"])
def test_a_start_without_keys_is_told_once_for_each_source(world: World, make_source: MakeSource, hanging: bool) -> None:
    events: list[Any] = []
    sources = [make_source(observer=events.append), make_source(observer=events.append)]
    world.issuer.error = OSError()
    if hanging:
        world.issuer.gate.clear()
    assert not world.warm_up(world.driver(*sources), 0.1).result(10)
    awaited = [event for event in events if isinstance(event, KeysAwaited)]
    assert [event.source for event in awaited] == [source.name for source in sources]
    assert all(0.1 <= event.seconds < 5 for event in awaited)


@pytest.mark.parametrize("error", [None, OSError()], ids=["the issuer is well", "the issuer refuses"])
def test_a_start_that_would_not_wait_begins_the_fetch_and_has_not_waited_in_vain(
    world: World, make_source: MakeSource, eventually: Eventually, error: Exception | None
) -> None:
    events: list[Any] = []
    source = make_source(observer=events.append)
    world.issuer.error = error
    world.issuer.gate.clear()
    assert not world.warm_up(world.driver(source), 0.0).result(10)
    world.issuer.gate.set()
    eventually(lambda: len(events) == 1)
    assert isinstance(events[0], KeysRefreshFailed if error else KeysRefreshed)


def test_a_start_with_keys_tells_of_the_fetch_only(world: World, make_source: MakeSource) -> None:
    events: list[Any] = []
    assert world.warm_up(world.driver(make_source(observer=events.append)), 10.0).result(10)
    assert [type(event) for event in events] == [KeysRefreshed]


# -- an operator asks --------------------------------------------------------------------------------------------------


def test_an_operators_refresh_fetches_every_source_now_and_past_caches(world: World, make_source: MakeSource, clock: Any) -> None:
    sources = [make_source(), make_source()]
    driver = world.driver(*sources)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.publish("n", "m")
    assert world.refresh(driver, 10.0).result(10)
    assert world.issuer.calls == 4
    assert all(request.no_cache for request in world.issuer.asked[2:])
    assert all(source.in_hand("n", clock.wall) for source in sources)


def test_an_operators_refresh_of_an_empty_source_fetches_it(world: World, source: KeySource) -> None:
    assert world.refresh(world.driver(source), 10.0).result(10)
    assert source.ready


def test_an_operators_refresh_without_sources_is_done(world: World) -> None:
    assert world.refresh(world.driver(), 10.0).result(10)


def test_an_operators_refresh_that_fails_says_so_is_not_repeated_and_leaves_the_keys(
    world: World, make_source: MakeSource, clock: Any
) -> None:
    events: list[Any] = []
    source = make_source(observer=events.append)
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.error = OSError()
    assert not world.refresh(driver, 10.0).result(10)
    assert world.issuer.calls == 2
    assert isinstance(world.find(driver, source, "a"), Use)
    assert [type(event) for event in events] == [KeysRefreshed, KeysRefreshFailed]
    assert events[-1].why == "forced"


def test_an_operators_refresh_ends_the_backoff(world: World, source: KeySource, clock: Any) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(2 * 3600)
    lease = source.tick()
    assert lease is not None
    source.finish(lease, FetchFailed("status", retry_after=60.0))
    clock.pass_time(1)
    assert source.status().fetch == "backoff"
    assert world.refresh(driver, 10.0).result(10)
    assert source.status().keys == "fresh"


def test_an_operators_refresh_waits_for_a_fetch_under_way_and_then_makes_its_own(
    world: World, make_source: MakeSource, eventually: Eventually
) -> None:
    source = make_source(Rhythm(min_gap=0.01), real_time=True)
    driver = world.driver(source)
    world.issuer.gate.clear()
    cold = world.submit(driver, source, "a")
    eventually(lambda: world.issuer.calls == 1)
    asked = world.refresh(driver, 10.0)
    eventually(lambda: bool(source._waiters._others))
    world.issuer.gate.set()
    assert asked.result(10)
    assert isinstance(cold.result(10), Use)
    assert world.issuer.calls == 2


def test_an_operators_refresh_of_one_source_waits_for_no_fetch_of_another(
    world: World, make_source: MakeSource, clock: Any, eventually: Eventually
) -> None:
    neighbour = Neighbour(world)
    rhythm = Rhythm(min_gap=0.01, max_wait=60.0, fetch_timeout=60.0)
    hanging, well = make_source(rhythm), make_source(rhythm, location=neighbour.location)
    driver = world.driver(hanging, well)
    world.find(driver, well, "a")
    world.issuer.gate.clear()
    cold = world.submit(driver, hanging, "a")
    eventually(lambda: hanging.status().fetch == "in_flight")
    asked = world.refresh(driver, 60.0)
    eventually(lambda: bool(hanging._waiters._others))
    assert well.status().fetches == 1, "its gap is not over"
    clock.pass_time(1)
    eventually(lambda: well.status().generation == 2)
    assert not asked.done()
    world.issuer.gate.set()
    assert asked.result(10)
    assert isinstance(cold.result(10), Use)


def test_an_operators_refresh_waits_out_the_gap_between_two_fetches(world: World, make_source: MakeSource) -> None:
    source = make_source(Rhythm(min_gap=0.05), real_time=True)
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    assert world.refresh(driver, 10.0).result(10)
    assert world.issuer.calls == 2


def test_an_operators_refresh_gives_up_after_its_time(world: World, source: KeySource, clock: Any) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.gate.clear()
    begin = time.monotonic()
    assert not world.refresh(driver, 0.1).result(10)
    assert time.monotonic() - begin < 5
    assert isinstance(world.find(driver, source, "a"), Use)


def test_operators_and_starts_take_no_requests_place(world: World, source: KeySource, clock: Any, eventually: Eventually) -> None:
    driver = world.driver(source)
    world.warm_up(driver, 10.0).result(10)
    clock.pass_time(60)
    world.issuer.gate.clear()
    asked = [world.refresh(driver, 3.0) for _ in range(world.most_waiting_beside_keys)]  # real seconds, of a busy machine
    eventually(lambda: len(source._waiters._others) == world.most_waiting_beside_keys)
    waiting = [world.submit(driver, source, "n") for _ in range(world.most_waiting_beside_keys)]
    eventually(lambda: source.status().waits == world.most_waiting_beside_keys)
    world.issuer.publish("a", "n")
    world.issuer.gate.set()
    assert all(isinstance(request.result(10), Use) for request in waiting)
    assert [request.result(10) for request in asked].count(True) == 1, "only one may fetch while the gap lasts"
