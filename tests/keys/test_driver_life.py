"""How fetches and tickers live and die with threads, tasks, loops and processes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Any, Literal

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from tokenward.keys import aio, loops, threads
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Lease, Unavailable, Use, Wait
from tokenward.keys.location import Discovery
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.keys.threads import ThreadDriver

MakeSource = Callable[..., KeySource]
Eventually = Callable[[Callable[[], bool]], None]
World = Any  # ThreadWorld or LoopWorld of this folder's conftest
Issuer = Any  # its ScriptedIssuer
Clock = Any  # its HandWoundClock

PATIENT = Rhythm(max_wait=60.0, fetch_timeout=60.0)


@pytest.fixture
def source(make_source: MakeSource) -> KeySource:
    return make_source(PATIENT)


def tickers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "tokenward-ticker"}


# -- cancelled requests ------------------------------------------------------------------------------------------------


def test_cancelling_the_request_that_started_a_fetch_cancels_nothing_else(
    loops: World, source: KeySource, eventually: Eventually
) -> None:
    driver = loops.driver(source)
    loops.issuer.gate.clear()
    first = loops.submit(driver, source, "a")
    eventually(lambda: loops.issuer.calls == 1)
    second = loops.submit(driver, source, "b")
    eventually(lambda: source.status().waits == 2)
    first.cancel()
    loops.issuer.gate.set()
    assert isinstance(second.result(10), Use)
    assert loops.issuer.calls == 1
    with pytest.raises(CancelledError):
        first.result(10)


def test_cancelling_every_request_still_brings_the_keys_and_leaves_nobody_waiting(
    loops: World, source: KeySource, eventually: Eventually
) -> None:
    driver = loops.driver(source)
    loops.issuer.gate.clear()
    for expected in (1, 2):
        crowd = [loops.submit(driver, source, "a") for _ in range(loops.most_waiting)]
        eventually(lambda expected=expected: source.status().waits == expected * loops.most_waiting)  # type: ignore[misc]
        for request in crowd:
            request.cancel()
        eventually(lambda crowd=crowd: all(request.done() for request in crowd))  # type: ignore[misc]
        loops.portal.call(anyio.lowlevel.checkpoint)
        loops.portal.call(anyio.lowlevel.checkpoint)
    loops.issuer.gate.set()
    eventually(lambda: source.ready)
    assert loops.issuer.calls == 1


# -- loops that end ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_loop_that_ends_during_a_fetch_gives_its_lease_back_and_a_new_loop_fetches(
    issuer: Issuer, source: KeySource, clock: Clock, eventually: Eventually, kind: Literal["asyncio", "trio"]
) -> None:
    driver = AsyncDriver([source], issuer.fetch_async)
    issuer.gate.clear()
    with start_blocking_portal(kind) as portal:
        portal.start_task_soon(driver.find, source, "a")
        eventually(lambda: issuer.calls == 1)
        portal.call(portal.stop, True)
    told = source.status()
    assert (told.fetch, told.failures, told.last_failure, told.counts.fetches) == (
        "idle",
        0,
        "cancelled",
        {"cold": {"cancelled": 1}},
    )
    issuer.gate.set()
    clock.pass_time(1)
    with start_blocking_portal(kind) as portal:
        assert isinstance(portal.call(driver.find, source, "a"), Use)


def test_a_loop_closed_without_a_goodbye_blocks_nobody_beyond_its_lease(
    issuer: Issuer, make_source: MakeSource, clock: Clock
) -> None:
    source = make_source(Rhythm(max_wait=0.01))
    driver = AsyncDriver([source], _never_answers)
    dead = asyncio.new_event_loop()
    dead.run_until_complete(driver.find(source, "a"))
    left = asyncio.all_tasks(dead)
    dead.close()
    driver = AsyncDriver([source], issuer.fetch_async)
    assert isinstance(asyncio.run(driver.find(source, "a")), Unavailable)
    clock.pass_time(source.rhythm.lease)
    asyncio.run(driver.find(source, "a"))
    clock.pass_time(1)
    assert isinstance(asyncio.run(driver.find(source, "a")), Use)
    for task in left:  # what is left of the dead loop is put away, so that nothing is printed about it
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        task.get_coro().close()
        loops._tasks.discard(task)


def test_a_thread_that_may_not_wait_looks_once_more(
    make_source: MakeSource, clock: Clock, okp_jwk: Callable[..., dict[str, object]]
) -> None:
    """Keys may have come since it was decided that there is something to wait for."""
    keys = json.dumps({"keys": [okp_jwk("a")]}).encode()

    class Late(ThreadDriver):
        def _end_of(self, wait: Wait, source: KeySource, *, is_patient: bool) -> float | None:
            source.seed(keys, clock.time())
            return None

    source = make_source(Rhythm())
    assert isinstance(source.decide("a"), Wait), "somebody else fetches"
    assert isinstance(Late([source], _fails).find(source, "a"), Use)


def _fails(_request: object) -> Any:
    raise OSError


class Impatient:
    """A lock that a thread cannot wait for without end, not even for itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.release = self._lock.release

    def acquire(self, *, blocking: bool) -> bool:
        return self._lock.acquire(blocking=blocking)

    def __enter__(self) -> None:
        assert self._lock.acquire(timeout=1), "a thread waits for itself"

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_a_waiter_that_the_collector_finds_blocks_nobody(issuer: Issuer, make_source: MakeSource, clock: Clock) -> None:
    """Its loop was closed, and the collector comes while a thread holds the source's lock: any allocation may bring it."""
    source = make_source(Rhythm())
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(AsyncDriver([source], _never_answers).find(source, "a"))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]
    clock.pass_time(120)
    later = source.tick()
    assert later is not None
    source.give_up(later)  # the end of a later fetch lets go of whoever was to be woken
    gone = weakref.ref(waiting)
    del waiting, loop
    source._lock = Impatient()  # type: ignore[assignment]
    with source._lock:
        gc.collect()
        loops._drop_tasks_of_closed_loops()
        gc.collect()
    assert gone() is None
    assert source.status().waiting == 0


def test_tasks_of_loops_that_are_closed_are_dropped_when_the_next_begins(
    issuer: Issuer, make_source: MakeSource, clock: Clock
) -> None:
    source, begun = make_source(Rhythm()), len(loops._tasks)
    for _ in range(5):
        loop = asyncio.new_event_loop()
        loop.create_task(AsyncDriver([source], _never_answers).find(source, "a"))._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()
        clock.pass_time(120)
    assert len(loops._tasks) == begun + 1
    loops._drop_tasks_of_closed_loops()
    assert len(loops._tasks) == begun


def test_a_client_that_cancels_itself_has_failed(make_source: MakeSource, clock: Clock) -> None:
    async def cancels_itself(_request: object) -> Any:
        raise asyncio.CancelledError

    source = make_source(Rhythm())
    driver, asked = AsyncDriver([source], cancels_itself), []
    for _ in range(3):
        asked.append(asyncio.run(driver.find(source, "a")))
        clock.pass_time(0.1)
    told = source.status()
    assert (told.failures, told.fetch, told.fetches) == (1, "backoff", 1)
    assert all(isinstance(answer, Unavailable) for answer in asked)


@pytest.mark.parametrize("moment", ["at its deadline", "with its loop"])
def test_a_trio_client_with_a_nursery_ends_no_service_and_is_cut_off_as_any_other(make_source: MakeSource, moment: str) -> None:
    """A nursery wraps what ends it in a group, beside what its tasks raise as they are cancelled."""
    import trio

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise OSError

    async def with_a_nursery(_request: object) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stubborn)
            nursery.start_soon(trio.sleep_forever)
            begun.set()

    async def ask() -> None:
        await AsyncDriver([source], with_a_nursery).warm_up(0.05 if moment == "at its deadline" else 0)
        await begun.wait()
        if moment == "at its deadline":
            while source.status().fetch == "in_flight":  # noqa: ASYNC110  # nothing else says so
                await trio.sleep(0.01)

    begun, source = trio.Event(), make_source(Rhythm(fetch_timeout=0.2, min_gap=0.1))
    trio.run(ask)
    told = source.status()
    ended = (told.fetch, told.failures, told.last_failure)
    assert ended == (("backoff", 1, "other") if moment == "at its deadline" else ("idle", 0, "cancelled"))


def test_a_task_factory_that_knows_no_context_is_good_enough(issuer: Issuer, source: KeySource) -> None:
    async def ask() -> Any:
        asyncio.get_running_loop().set_task_factory(lambda loop, job: asyncio.Task(job, loop=loop))
        return await AsyncDriver([source], issuer.fetch_async).find(source, "a")

    assert isinstance(asyncio.run(ask()), Use)


async def _never_answers(_request: object) -> Any:
    await asyncio.get_running_loop().create_future()


def test_a_wake_up_call_to_a_loop_that_is_closed_is_harmless() -> None:
    async def signal() -> loops.Signal:
        return loops.current_loop().signal()

    asyncio.run(signal()).set()
    import trio

    trio.run(signal).set()


def test_a_signal_set_twice_is_set(loops: World) -> None:
    async def main() -> list[bool]:
        from tokenward.keys.loops import current_loop

        signal = current_loop().signal()
        before = await signal.wait(0.0)
        signal.set()
        signal.set()
        return [before, await signal.wait(5.0), await signal.wait(0.0)]

    assert loops.portal.call(main) == [False, True, True]


def test_a_running_fetch_is_held_by_the_driver_and_survives_the_garbage_collector(
    loops: World, source: KeySource, eventually: Eventually
) -> None:
    loops.issuer.gate.clear()
    request = loops.submit(loops.driver(source), source, "a")
    eventually(lambda: loops.issuer.calls == 1)
    gc.collect()
    loops.issuer.gate.set()
    assert isinstance(request.result(10), Use)


# -- threads and loops over one source ---------------------------------------------------------------------------------


@pytest.mark.parametrize("starter", ["thread", "task"])
def test_threads_and_tasks_wake_each_other(
    loops: World, thread_requests: World, source: KeySource, eventually: Eventually, starter: str
) -> None:
    issuer = loops.issuer
    first, second = (thread_requests, loops) if starter == "thread" else (loops, thread_requests)
    issuer.gate.clear()
    waiting = [first.submit(first.driver(source), source, "a")]
    eventually(lambda: issuer.calls == 1)
    waiting.append(second.submit(second.driver(source), source, "b"))
    eventually(lambda: source.status().waits == 2)
    issuer.gate.set()
    assert all(isinstance(request.result(10), Use) for request in waiting)
    assert issuer.calls == 1


def test_two_loops_and_threads_share_one_fetch(
    issuer: Issuer, thread_requests: World, source: KeySource, eventually: Eventually
) -> None:
    driver = AsyncDriver([source], issuer.fetch_async)
    issuer.gate.clear()
    with start_blocking_portal("asyncio") as one, start_blocking_portal("trio") as two:
        waiting = [portal.start_task_soon(driver.find, source, "a") for portal in (one, two)]
        waiting.append(thread_requests.submit(thread_requests.driver(source), source, "a"))
        eventually(lambda: source.status().waits == 3)
        issuer.gate.set()
        assert all(isinstance(request.result(10), Use) for request in waiting)
    assert issuer.calls == 1


# -- threads that cannot start, or end badly ---------------------------------------------------------------------------


def test_a_thread_that_cannot_start_is_a_failed_fetch(
    issuer: Issuer, source: KeySource, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    driver = ThreadDriver([source], issuer.fetch)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        assert isinstance(driver.find(source, "a"), Unavailable)
        assert source.status().last_failure == "not_started"
    clock.pass_time(1)
    assert isinstance(driver.find(source, "a"), Use)
    driver.close()


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(SystemExit(), id="SystemExit"),
        pytest.param(StopIteration(), id="StopIteration"),
    ],
)
def test_a_fetch_thread_that_ends_badly_gives_its_lease_back(
    issuer: Issuer, make_source: MakeSource, error: BaseException
) -> None:
    source = make_source(Rhythm(max_wait=0.2))
    driver = ThreadDriver([source], issuer.fetch)
    issuer.error = error
    assert isinstance(driver.find(source, "a"), Unavailable)
    driver.close()
    assert source.status().last_failure == "other"


def test_a_fetch_that_raises_stop_iteration_before_it_awaits_gives_its_lease_back(make_source: MakeSource) -> None:
    def fetch(_request: object) -> Awaitable[Any]:
        raise StopIteration

    source = make_source(Rhythm(max_wait=0.2))
    asyncio.run(AsyncDriver([source], fetch).find(source, "a"))
    assert source.status().last_failure == "other"


def test_a_fetch_by_thread_makes_no_second_request_after_the_total_deadline(
    issuer: Issuer, make_source: MakeSource, eventually: Eventually
) -> None:
    location = Discovery("https://idp.example/d", frozenset({"https://idp.example"}))
    source = make_source(Rhythm(fetch_timeout=0.05, lease_grace=60.0, max_wait=0.01), location=location)
    issuer.answer({"issuer": "https://idp.example", "jwks_uri": "https://idp.example/keys"})
    issuer.gate.clear()
    driver = ThreadDriver([source], issuer.fetch)
    driver.find(source, "a")
    threading.Event().wait(0.06)
    issuer.gate.set()
    eventually(lambda: source.status().last_failure == "timeout")
    assert issuer.calls == 1
    driver.close()


# -- tickers -----------------------------------------------------------------------------------------------------------


def test_the_tickers_refresh_without_any_request_until_they_are_stopped(
    world: World, source: KeySource, clock: Clock, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    monkeypatch.setattr(aio, "TICK", 0.005)
    ticks: list[float] = []
    tick = source.tick

    def counted() -> Lease | None:
        ticks.append(clock.mono)
        return tick()

    monkeypatch.setattr(source, "tick", counted)
    driver = world.driver(source)
    stop = world.portal.call(_ticking, driver) if world.kind != "threads" else None
    world.find(driver, source, "a")
    clock.pass_time(2 * 3600)
    eventually(lambda: world.issuer.calls == 2)
    (stop.set if stop else driver.close)()
    eventually(lambda: _quiet(ticks))


async def _ticking(driver: AsyncDriver) -> loops.Signal:
    return driver.start_ticking()


def _quiet(ticks: list[float]) -> bool:
    before = len(ticks)
    threading.Event().wait(0.05)
    return len(ticks) == before


def test_a_driver_that_is_forgotten_ends_its_ticker(
    issuer: Issuer, source: KeySource, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    others = tickers()
    driver = ThreadDriver([source], issuer.fetch)
    driver.find(source, "a")
    assert len(tickers() - others) == 1
    forgotten = weakref.ref(driver)
    del driver
    eventually(lambda: forgotten() is None)
    eventually(lambda: not tickers() - others)


def test_closing_twice_stops_the_ticker_and_nothing_else(
    issuer: Issuer, source: KeySource, clock: Clock, eventually: Eventually
) -> None:
    others = tickers()
    driver = ThreadDriver([source], issuer.fetch)
    driver.find(source, "a")
    driver.close()
    driver.close()
    eventually(lambda: not tickers() - others)
    clock.pass_time(60)
    issuer.publish("a", "n")
    assert isinstance(driver.find(source, "n"), Use)
    assert not tickers() - others


def test_a_ticker_that_another_replaced_ends(
    issuer: Issuer, source: KeySource, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    others = tickers()
    driver = ThreadDriver([source], issuer.fetch)
    driver.find(source, "a")
    replaced = next(iter(tickers() - others))
    driver._ticker = None  # as when two requests find no ticker at the same moment
    driver.find(source, "a")
    eventually(lambda: not replaced.is_alive())
    assert len(tickers() - others) == 1
    driver.close()


# -- forks -------------------------------------------------------------------------------------------------------------


FORKED = """
    import base64, json, os, sys, threading
    from tokenward.keys.decision import Use
    from tokenward.keys.location import JwksUri
    from tokenward.keys.port import FetchResponse
    from tokenward.keys.rhythm import Rhythm
    from tokenward.keys.source import KeySource
    from tokenward.keys.threads import ThreadDriver

    moment, now = sys.argv[1], [1000.0]
    x = base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=").decode()
    keys = [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x} for kid in "ab"]
    hanging, failing, arrived = False, False, threading.Event()

    def fetch(request):
        arrived.set()
        if hanging:
            threading.Event().wait(30)
        if failing:
            raise OSError
        return FetchResponse(200, {}, json.dumps({"keys": keys}).encode())

    source = KeySource(JwksUri("https://idp.example/"), rhythm=Rhythm(), clock=lambda: now[0], monotonic=lambda: now[0])
    driver = ThreadDriver([source], fetch)
    assert isinstance(driver.find(source, "a"), Use)
    now[0] += 7200
    arrived.clear()
    if moment == "in flight":
        hanging = True
        driver.find(source, "a")
        arrived.wait(10)
    elif moment == "backoff":
        failing = True
        driver.find(source, "a")
        while source.status().fetch != "backoff":
            pass
    elif moment == "lock held":
        def hold():
            with source._lock:
                arrived.set()
                threading.Event().wait(30)
        threading.Thread(target=hold, daemon=True).start()
        arrived.wait(10)
    child = os.fork()
    if child == 0:
        hanging = failing = False
        assert source.in_hand("a", now[0]) or isinstance(driver.find(source, "a"), Use), "the child does not serve"
        while source.status().fetch == "in_flight":
            pass
        now[0] += 61
        keys.append({"kty": "OKP", "crv": "Ed25519", "kid": "n", "x": x})
        assert isinstance(driver.find(source, "n"), Use), "the child cannot fetch"
        os._exit(42)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("moment", ["idle", "in flight", "backoff", "lock held"])
def test_a_child_process_serves_at_once_and_can_fetch(moment: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKED), moment]
    finished = subprocess.run(command, capture_output=True, timeout=30, check=False)  # our own script
    assert (finished.returncode, finished.stderr) == (42, b"")


def test_where_no_loop_runs_an_async_driver_begins_nothing_and_says_what_to_use(issuer: Issuer, source: KeySource) -> None:
    driver = AsyncDriver([source], issuer.fetch_async)
    with pytest.raises(RuntimeError, match="use a Verifier here"):
        driver.start_due()
    assert source.pending()[0] is None
