"""Requests, tasks, threads, loops and processes that end in the middle."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any, cast

import pytest
import structlog
import trio
from anyio.from_thread import start_blocking_portal

from tokenward.keylog import log_key_event
from tokenward.keys import threads
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Unavailable, Use
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.threads import ThreadDriver
from tokenward.testing import faults

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
HOUR = 3600.0
PATIENT = Rhythm(max_wait=60.0, fetch_timeout=60.0)
"""Whoever waits is woken by the answer, or the test fails."""


# -- cancelled requests --------------------------------------------------------------------------------------------------


def cancellable(rig: Rig, kid: str) -> Any:
    """A request that is a task, whoever's turn it is."""
    number = next(number for number, asker in enumerate(rig.askers) if asker.kind != "threads")
    return rig.askers[number].submit(rig.drivers[number].find, rig.source, kid)


def test_f32_cancelling_the_request_that_started_a_fetch_cancels_nothing_else(open_rig: OpenRig) -> None:
    rig = open_rig(PATIENT)
    held, kid = rig.hold(), rig.kid
    first = cancellable(rig, kid)
    rig.until(lambda: len(rig.server.asked) == 1)
    others = [rig.submit(kid) for _ in range(4)]
    rig.until(lambda: rig.waits == 5)
    first.cancel()
    held.end()
    assert all(isinstance(request.result(20), Use) for request in others)
    assert len(rig.server.asked) == 1
    with pytest.raises(CancelledError):
        first.result(20)


def test_f33_cancelling_every_request_still_brings_the_keys(open_rig: OpenRig) -> None:
    rig = open_rig()
    held, kid = rig.hold(), rig.kid
    crowd = [cancellable(rig, kid) for _ in range(10)]
    rig.until(lambda: rig.waits == 10 and len(rig.server.asked) == 1)
    for request in crowd:
        request.cancel()
    rig.until(lambda: all(request.done() for request in crowd) and not rig.source.status().waiting)
    held.end()
    rig.refreshed()
    assert isinstance(rig.find(kid), Use)
    assert len(rig.server.asked) == 1


# -- loops ---------------------------------------------------------------------------------------------------------------


def test_f34_a_loop_that_ends_during_a_fetch_leaves_it_to_the_next_one(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    held = rig.hold()
    kind = "trio" if rig.askers[0].kind == "trio" else "asyncio"
    driver = AsyncDriver([rig.source], AsyncHttpxFetch(trust_env=False))
    with start_blocking_portal(kind) as portal:
        assert isinstance(portal.start_task_soon(driver.find, rig.source, rig.kid).result(20), Use)
        rig.until(lambda: len(rig.server.asked) == 2)
        portal.call(portal.stop, True)
    assert rig.failed().kind == "cancelled"
    held.end()
    rig.pass_time(2)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
    assert isinstance(asyncio.run(driver.find(rig.source, rig.kid)), Use)
    assert isinstance(trio.run(driver.find, rig.source, rig.kid), Use)


def test_f34_a_loop_that_ends_without_a_word_blocks_nobody_beyond_the_lease(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    assert rig.source.tick() is not None, "a lease that nobody will give back"
    rig.pass_time(rig.source.rhythm.lease)
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.failed().kind == "timeout"
    rig.pass_time(2)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()


def test_f35_two_loops_and_threads_are_woken_by_one_fetch(open_rig: OpenRig) -> None:
    rig = open_rig(PATIENT)
    held, kid = rig.hold(), rig.kid
    driver = AsyncDriver([rig.source], AsyncHttpxFetch(trust_env=False))
    with start_blocking_portal("asyncio") as one, start_blocking_portal("trio") as two:
        waiting = [rig.submit(kid) for _ in range(6)]
        waiting += [portal.start_task_soon(driver.find, rig.source, kid) for portal in (one, two) for _ in range(3)]
        rig.until(lambda: rig.waits == 12 and len(rig.server.asked) == 1)
        held.end()
        assert all(isinstance(request.result(20), Use) for request in waiting)
    assert len(rig.server.asked) == 1


def test_f38_a_lookup_on_a_loops_own_thread_has_a_thread_fetch_for_it(open_rig: OpenRig) -> None:
    rig = open_rig()
    driver = ThreadDriver([rig.source], HttpxFetch(trust_env=False))

    async def main() -> Any:
        return driver.find(rig.source, rig.kid)

    assert isinstance(asyncio.run(main()), Use)
    assert (rig.fetches, rig.waits) == (1, 1)
    driver.close()


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_f38_a_lookup_on_a_loops_own_thread_does_not_wait_for_a_fetch_of_that_loop(open_rig: OpenRig, kind: str) -> None:
    rig = open_rig()
    blocking = ThreadDriver([rig.source], HttpxFetch(trust_env=False))
    polite = AsyncDriver([rig.source], AsyncHttpxFetch(trust_env=False))
    held, kid = rig.hold(), rig.kid

    async def blocked() -> Any:
        return blocking.find(rig.source, kid)

    with start_blocking_portal(kind) as portal:
        first = portal.start_task_soon(polite.find, rig.source, kid)
        rig.until(lambda: len(rig.server.asked) == 1)
        before = rig.waits
        assert portal.call(blocked) == Unavailable(rig.source.rhythm.min_gap)
        assert rig.waits == before, "the loop would stand still for as long as it waits"
        held.end()
        assert isinstance(first.result(20), Use)
    blocking.close()


def test_f39_a_stalled_loop_fails_one_fetch_at_most(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    rig.hurry(0.1)
    held = rig.hold()
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: len(rig.server.asked) == 2)
    if rig.askers[0].kind != "threads":
        rig.askers[0].submit(_stall, held).result(20)
    else:
        rig.be_patient()
        held.end()
    first = rig.told()
    failures = rig.source.status().failures
    assert failures <= 1, first
    rig.be_patient()
    rig.pass_time(2 * HOUR)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
    assert rig.source.status().keys == "fresh"


async def _stall(held: Any) -> None:
    """Block the loop until the answer has come and the deadline is over."""
    held.end()
    threading.Event().wait(0.4)


def test_f39_a_fetch_by_thread_does_not_notice_a_stalled_loop(open_rig: OpenRig) -> None:
    rig = open_rig()
    stalled, over = threading.Event(), threading.Event()
    driver = ThreadDriver([rig.source], HttpxFetch(trust_env=False))

    async def stall() -> None:
        stalled.set()
        over.wait(30)

    with start_blocking_portal("trio" if rig.askers[0].kind == "trio" else "asyncio") as portal:
        stalling = portal.start_task_soon(stall)
        stalled.wait(20)
        assert isinstance(driver.find(rig.source, rig.kid), Use)
        over.set()
        stalling.result(20)
    driver.close()


# -- threads -------------------------------------------------------------------------------------------------------------


def test_f37_a_thread_that_cannot_be_started_is_a_failed_fetch(open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    rig = open_rig()
    driver = ThreadDriver([rig.source], HttpxFetch(trust_env=False))
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        assert isinstance(driver.find(rig.source, rig.kid), Unavailable)
    assert rig.failed().kind == "not_started"
    rig.pass_time(2)
    assert isinstance(rig.find(rig.kid), Use)
    driver.close()


def test_f37_a_thread_that_is_gone_without_a_word_blocks_nobody_beyond_its_lease(
    open_rig: OpenRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    driver = ThreadDriver([rig.source], HttpxFetch(trust_env=False))
    with monkeypatch.context() as patched:
        patched.setattr(threads, "_fetch_for", lambda *_: None)
        assert isinstance(driver.find(rig.source, rig.kid), Use)
    assert rig.source.status().fetch == "in_flight"
    rig.pass_time(rig.source.rhythm.lease)
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.failed().detail == "no answer, and the lease ran out"
    rig.pass_time(2)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
    driver.close()


def test_f37_a_thread_that_is_killed_gives_its_lease_back(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    driver, held = ThreadDriver([rig.source], HttpxFetch(trust_env=False)), rig.hold()
    before = set(threading.enumerate())
    assert isinstance(driver.find(rig.source, rig.kid), Use)
    rig.until(lambda: len(rig.server.asked) == 2)
    (fetching,) = (thread for thread in set(threading.enumerate()) - before if thread.name == "tokenward-fetch")
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(fetching.ident or 0), ctypes.py_object(SystemExit))
    held.end()
    assert rig.failed().kind == "other"
    assert rig.source.status().fetch == "backoff"
    driver.close()


AT_THE_END = """
    import sys, threading
    from tokenward.keys.fetch import HttpxFetch
    from tokenward.keys.location import JwksUri
    from tokenward.keys.rhythm import Rhythm
    from tokenward.keys.source import KeySource
    from tokenward.keys.threads import ThreadDriver
    from tokenward.testing import FaultServer, LocalIssuer, SigningKey, faults

    issuer = LocalIssuer.oidc(new_key=lambda: SigningKey.generate("EdDSA"))
    server = FaultServer(issuer).start()
    rhythm, clock = Rhythm(max_wait=0.1, fetch_timeout=300.0), lambda: 1.0
    source = KeySource(JwksUri(issuer.jwks_uri), rhythm=rhythm, clock=clock, monotonic=clock)
    driver = ThreadDriver([source], HttpxFetch(trust_env=False))
    server.always(faults.slow_headers())
    driver.find(source, "a")
    assert source.status().fetch == "in_flight"
"""


def test_f37_an_interpreter_that_ends_during_a_fetch_ends_quietly_and_at_once() -> None:
    finished = run_python(AT_THE_END)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, b"", b"")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_f54_what_ends_a_program_inside_a_fetch_gives_the_lease_back(
    open_rig: OpenRig, driver: str, error: type[BaseException]
) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    if driver == "threads":
        ending = ThreadDriver([rig.source], _raises(error))
        assert isinstance(ending.find(rig.source, rig.kid), Use)
        assert rig.failed().detail == error.__name__
        ending.close()
    else:
        with pytest.raises(error):  # it ends the loop, as it should
            asyncio.run(_find_and_stay(rig, AsyncDriver([rig.source], _raises_later(error))))
        assert rig.failed().kind == "other"
    assert rig.source.status().fetch == "backoff"
    rig.pass_time(2)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()


def _raises(error: type[BaseException]) -> Callable[[Any], Any]:
    def fetch(_request: Any) -> Any:
        raise error

    return fetch


def _raises_later(error: type[BaseException]) -> Callable[[Any], Any]:
    async def fetch(_request: Any) -> Any:
        raise error

    return fetch


async def _find_and_stay(rig: Rig, driver: AsyncDriver) -> None:
    await driver.find(rig.source, rig.kid)
    await asyncio.sleep(20)


@pytest.fixture
def collect() -> Iterator[Callable[[], None]]:
    """A full collection, of what this test made: that of all that a long test run holds could outlast the fetch's deadline."""

    def _collect() -> None:
        for _ in range(3):
            gc.collect()

    gc.collect()
    gc.freeze()
    yield _collect
    gc.unfreeze()


def test_f53_the_garbage_collector_ends_no_fetch(open_rig: OpenRig, collect: Callable[[], None]) -> None:
    rig = open_rig()
    held, kid = rig.hold(), rig.kid
    waiting = rig.submit(kid)
    rig.until(lambda: len(rig.server.asked) == 1)
    rig.drivers = ()
    collect()
    held.end()
    assert isinstance(waiting.result(20), Use)


def test_f53_the_garbage_collector_ends_no_fetch_that_even_its_loop_does_not_refer_to(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    real, orphans = AsyncHttpxFetch(trust_env=False), list[weakref.ref[asyncio.Future[None]]]()

    async def fetch(request: Any) -> Any:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        orphans.append(weakref.ref(future))
        await future
        del future
        return await real(request)

    async def main() -> None:
        assert isinstance(await AsyncDriver([rig.source], fetch).find(rig.source, rig.kid), Use)
        await asyncio.to_thread(rig.until, lambda: bool(orphans))
        gc.collect()
        future = orphans[0]()
        assert future is not None
        future.set_result(None)
        await asyncio.to_thread(rig.until, lambda: rig.source.status().fetch != "in_flight")

    asyncio.run(main())
    rig.refreshed()


# -- late answers, observers, fetches that ask -----------------------------------------------------------------------------


@pytest.mark.parametrize("newer", [pytest.param(False, id="after its lease"), pytest.param(True, id="after a newer one")])
def test_f40_a_late_answer_is_dropped(open_rig: OpenRig, newer: bool) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    held = faults.held()
    rig.server.next(held)
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: len(rig.server.asked) == 2)
    new = rig.issuer.rotate()
    rig.pass_time(rig.source.rhythm.lease)
    assert isinstance(rig.find(rig.issuer.keys[0].kid), Use)
    assert rig.failed().detail == "no answer, and the lease ran out"
    if newer:
        rig.pass_time(2)
        assert isinstance(rig.find(new.kid), Use)
        assert rig.refreshed().keys == 2
    before = rig.source.status()
    held.end()
    rig.until(lambda: not [thread for thread in threading.enumerate() if thread.name == "tokenward-fetch"])
    rig.settle()
    after = rig.source.status()
    assert replace(after, counts=before.counts) == before
    assert after.counts.fetches["refresh"] == {"late": 1}
    assert rig.events.empty()
    assert isinstance(rig.find(new.kid), Use if newer else Unavailable)


class Unwell:
    """A logger whose every method raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("the log is full")


@pytest.mark.parametrize("culprit", ["observer", "logger"])
def test_f41_an_observer_or_a_logger_that_raises_reaches_no_request(open_rig: OpenRig, culprit: str) -> None:
    told: list[Any] = []

    def observe(event: Any) -> None:
        told.append(event)
        if culprit == "observer":
            raise RuntimeError
        structlog.configure(wrapper_class=cast("Any", lambda *_, **__: Unwell()))
        try:
            log_key_event(event)
        finally:
            structlog.reset_defaults()

    rig = open_rig(observer=observe)
    assert isinstance(rig.find(rig.kid), Use)
    rig.server.always(faults.status(500))
    rig.pass_time(2 * HOUR)
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: len(told) == 2)
    assert isinstance(rig.find(rig.kid), Use)
    rig.server.recover()
    rig.pass_time(61)
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: rig.source.status().keys == "fresh")


def test_f42_an_observer_may_ask_for_keys(open_rig: OpenRig) -> None:
    seen: list[Any] = []

    def observe(_event: Any) -> None:
        seen.extend([rig.source.decide(rig.kid), rig.source.status().fetch, rig.source.tick()])

    rig = open_rig(observer=observe)
    assert isinstance(rig.find(rig.kid), Use)
    rig.until(lambda: len(seen) == 3)
    assert (type(seen[0]), seen[1:]) == (Use, ["idle", None])
    assert rig.fetches == 1


def test_f42_a_fetch_that_asks_for_keys_itself_gets_an_answer_and_no_second_fetch(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.hurry(10.0, max_wait=0.1)
    seen: list[Any] = []
    for made in rig.drivers:
        made._fetch = _asking_first(made, rig, seen)
    assert isinstance(rig.find(rig.kid), Unavailable | Use)
    rig.refreshed()
    assert [type(answer) for answer in seen] == [Unavailable]
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.fetches == 1


def _asking_first(driver: Any, rig: Rig, seen: list[Any]) -> Callable[[Any], Any]:
    real = driver._fetch
    if isinstance(driver, ThreadDriver):

        def fetch(request: Any) -> Any:
            seen.append(driver.find(rig.source, rig.kid))
            return real(request)

        return fetch

    async def fetch_async(request: Any) -> Any:
        seen.append(await driver.find(rig.source, rig.kid))
        return await real(request)

    return fetch_async


# -- processes -----------------------------------------------------------------------------------------------------------


FORKED = """
    import asyncio, os, sys, threading
    from tokenward.keys.aio import AsyncDriver
    from tokenward.keys.decision import Use
    from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
    from tokenward.keys.location import JwksUri
    from tokenward.keys.port import FetchFailed
    from tokenward.keys.rhythm import Rhythm
    from tokenward.keys.source import KeySource
    from tokenward.keys.threads import ThreadDriver
    from tokenward.testing import FaultServer, HandClock, LocalIssuer, SigningKey, faults

    kind, moment = sys.argv[1:]
    clock = HandClock(1000.0)
    issuer = LocalIssuer.oidc(new_key=lambda: SigningKey.generate("EdDSA"))
    server = FaultServer(issuer).start()
    source = KeySource(JwksUri(issuer.jwks_uri), rhythm=Rhythm(), clock=clock, monotonic=clock)
    if kind == "threads":
        find = ThreadDriver([source], HttpxFetch(trust_env=False)).find
    else:
        driver = AsyncDriver([source], AsyncHttpxFetch(trust_env=False))
        find = lambda *asked: asyncio.run(driver.find(*asked))
    kid = issuer.signing_key.kid
    assert isinstance(find(source, kid), Use)
    clock.advance(7200)

    def forks():
        new = issuer.rotate()
        child = os.fork()
        if child:
            os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        threading.Timer(20, os._exit, [13]).start()
        assert source.in_hand(kid, clock()) or isinstance(find(source, kid), Use), "the child does not serve"
        while source.status().fetch == "in_flight":
            pass
        clock.advance(61)
        assert isinstance(find(source, new.kid), Use), "the child cannot fetch"
        os._exit(42)

    async def forks_in_a_loop():
        await driver.find(source, kid)
        while len(server.asked) < 2:
            await asyncio.sleep(0.001)
        assert source.status().fetch == "in_flight"
        forks()

    if moment == "in flight":
        server.next(faults.held())
        if kind == "asyncio":
            asyncio.run(forks_in_a_loop())
        find(source, kid)
        while len(server.asked) < 2:
            pass
        assert source.status().fetch == "in_flight"
    elif moment == "backoff":
        source.finish(source.tick(), FetchFailed("status"))
        assert source.status().fetch == "backoff"
    else:
        held = threading.Event()
        def hold():
            with source._lock:
                held.set()
                threading.Event().wait(30)
        threading.Thread(target=hold, daemon=True).start()
        held.wait(10)
    forks()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("moment", ["in flight", "backoff", "lock held"])
def test_f36_a_child_process_serves_at_once_and_can_fetch(driver: str, moment: str) -> None:
    finished = run_python(FORKED, driver, moment)
    assert (finished.returncode, finished.stderr) == (42, b"")


def run_python(script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)  # our own script
