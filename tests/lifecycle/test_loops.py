"""One verifier for several event loops and threads, and the bridges between them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import start_blocking_portal
from asgiref.sync import async_to_sync, sync_to_async

from tokenward import AsyncVerifier, Identity, Policy, Verifier, entra
from tokenward.testing import FaultServer, HandClock, LocalIssuer, faults

Run = Callable[..., Any]  # of the tests' conftest: each event loop in turn
Until = Callable[[Callable[[], bool]], None]


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[FaultServer]:
    with FaultServer(issuer) as server:
        yield server


@pytest.fixture
def policy(issuer: LocalIssuer, server: FaultServer) -> Policy:
    return entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, versions=["2.0"])


@pytest.fixture
def verifier(policy: Policy, mono: HandClock) -> Iterator[Verifier]:
    made = Verifier(policy, monotonic=mono)
    yield made
    made.close()


@pytest.fixture
def async_verifier(policy: Policy, mono: HandClock) -> AsyncVerifier:
    return AsyncVerifier(policy, monotonic=mono)


def test_loops_and_threads_share_one_verifier_of_each_kind(
    issuer: LocalIssuer, server: FaultServer, verifier: Verifier, async_verifier: AsyncVerifier, until: Until
) -> None:
    held, token = faults.held(), issuer.user_token()
    server.always(held)
    with ExitStack() as stack:
        portals = [stack.enter_context(start_blocking_portal(kind)) for kind in ("asyncio", "asyncio", "trio")]
        pool = stack.enter_context(ThreadPoolExecutor(6))
        waiting = [portal.start_task_soon(async_verifier.verify, token) for portal in portals for _ in range(4)]
        waiting += [portal.start_task_soon(anyio.to_thread.run_sync, verifier.verify, token) for portal in portals]
        waiting += [pool.submit(verifier.verify, token) for _ in range(3)]
        until(lambda: async_verifier.status()[0].waiting == 12 and verifier.status()[0].waiting == 6)
        server.recover()
        assert {request.result(60).subject for request in waiting} == {verifier.verify(token).subject}
    assert [each.status()[0].fetches for each in (verifier, async_verifier)] == [1, 1]


# -- asgiref -----------------------------------------------------------------------------------------------------------

Style: TypeAlias = Callable[[Verifier, AsyncVerifier, str], list[Identity]]
"""A way to verify one token, once or many times."""


def _in_a_loop(work: Callable[[Verifier, AsyncVerifier, str], Awaitable[list[Identity]]]) -> Style:
    async def main(*arguments: Any) -> list[Identity]:
        return await work(*arguments)

    return lambda *arguments: asyncio.run(main(*arguments))


async def _blocking_from_a_task(verifier: Verifier, _: AsyncVerifier, token: str) -> list[Identity]:
    return list(await asyncio.gather(*(sync_to_async(verifier.verify)(token) for _ in range(8))))


async def _blocking_from_tasks_in_a_pool(verifier: Verifier, _: AsyncVerifier, token: str) -> list[Identity]:
    verify = sync_to_async(verifier.verify, thread_sensitive=False)
    return list(await asyncio.gather(*(verify(token) for _ in range(8))))


async def _there_and_back(_: Verifier, verifier: AsyncVerifier, token: str) -> list[Identity]:
    """A task, a thread that blocks, and a task of the first loop again."""
    return list(await asyncio.gather(*(sync_to_async(async_to_sync(verifier.verify))(token) for _ in range(4))))


async def _there_and_back_in_a_pool(_: Verifier, verifier: AsyncVerifier, token: str) -> list[Identity]:
    back = sync_to_async(async_to_sync(verifier.verify), thread_sensitive=False)
    return list(await asyncio.gather(*(back(token) for _ in range(4)), verifier.verify(token)))


def _polite_from_a_thread(_: Verifier, verifier: AsyncVerifier, token: str) -> list[Identity]:
    """A loop of its own for each call."""
    return [async_to_sync(verifier.verify)(token)]


def _polite_from_many_threads(_: Verifier, verifier: AsyncVerifier, token: str) -> list[Identity]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(async_to_sync(verifier.verify), [token] * 8))


def _back_on_the_main_thread(verifier: Verifier, _: AsyncVerifier, token: str) -> list[Identity]:
    """A blocking call inside a loop that a blocking caller has started: it runs where that one waits."""
    return [async_to_sync(sync_to_async(verifier.verify))(token)]


STYLES = [
    pytest.param(_in_a_loop(_blocking_from_a_task), id="sync_to_async, thread-sensitive"),
    pytest.param(_in_a_loop(_blocking_from_tasks_in_a_pool), id="sync_to_async"),
    pytest.param(_in_a_loop(_there_and_back), id="async_to_sync in sync_to_async, thread-sensitive"),
    pytest.param(_in_a_loop(_there_and_back_in_a_pool), id="async_to_sync in sync_to_async"),
    pytest.param(_polite_from_a_thread, id="async_to_sync"),
    pytest.param(_polite_from_many_threads, id="async_to_sync in many threads"),
    pytest.param(_back_on_the_main_thread, id="sync_to_async in async_to_sync"),
]


@pytest.mark.parametrize("style", STYLES)
def test_every_way_through_asgiref_is_let_in_cold_warm_and_after_a_rotation(
    issuer: LocalIssuer, verifier: Verifier, async_verifier: AsyncVerifier, mono: HandClock, style: Style
) -> None:
    for _ in range(2):
        user = issuer.user_token()
        for token in (user, user, issuer.user_token()):
            assert len({identity.subject for identity in style(verifier, async_verifier, token)}) == 1
        issuer.rotate()
        mono.advance(60)  # beyond every pause
    fetches = [each.status()[0].fetches for each in (verifier, async_verifier)]
    assert sorted(fetches) == [0, 2], "one before the rotation and one after, by whichever verifier was meant"


def _in_a_new_loop(verifier: AsyncVerifier, token: str) -> Identity:
    return asyncio.run(verifier.verify(token))


def _by_asgiref(verifier: AsyncVerifier, token: str) -> Identity:
    return async_to_sync(verifier.verify)(token)


a_loop_each = pytest.mark.parametrize(
    "verify", [pytest.param(_in_a_new_loop, id="asyncio.run"), pytest.param(_by_asgiref, id="async_to_sync")]
)
Verify: TypeAlias = Callable[[AsyncVerifier, str], Identity]


@a_loop_each
def test_a_loop_for_each_call_never_keeps_a_known_caller_waiting(
    issuer: LocalIssuer, server: FaultServer, async_verifier: AsyncVerifier, mono: HandClock, verify: Verify
) -> None:
    """Each loop ends before its refresh does, which says nothing of the issuer; the next new key is still found."""
    verify(async_verifier, issuer.user_token())
    server.always(faults.held())
    for _ in range(5):
        mono.advance(2 * 3600)
        assert verify(async_verifier, issuer.user_token()).subject
    (status,) = async_verifier.status()
    assert (status.keys, status.waits, status.failures) == ("stale", 1, 0)
    server.recover()
    issuer.rotate()
    mono.advance(120)
    assert verify(async_verifier, issuer.user_token()).subject
    assert async_verifier.status()[0].keys == "fresh"


@a_loop_each
def test_a_loop_for_each_call_finds_a_new_key_at_an_issuer_that_is_well(
    issuer: LocalIssuer, async_verifier: AsyncVerifier, mono: HandClock, verify: Verify
) -> None:
    """A call after each hour, which cuts off the refresh that it began; whoever then comes with a new kid waits for it."""
    verify(async_verifier, issuer.user_token())
    for _ in range(12):
        mono.advance(4000)
        assert verify(async_verifier, issuer.user_token()).subject
        (status,) = async_verifier.status()
        assert (status.keys, status.failures) == ("stale", 0)
    old = issuer.signing_key
    issuer.rotate()
    assert verify(async_verifier, issuer.user_token()).subject, "at once, and not after a pause for a failure that was none"
    assert verify(async_verifier, issuer.user_token(key=old)).subject
    assert async_verifier.status()[0].waits == 2


# -- loops that end, scopes that are cancelled -------------------------------------------------------------------------


def test_a_new_loop_serves_and_fetches_after_the_old_one_was_closed(
    issuer: LocalIssuer, async_verifier: AsyncVerifier, mono: HandClock
) -> None:
    """As with test suites that give each test a loop of its own."""
    for _ in range(3):
        with asyncio.Runner() as runner:
            for _ in range(2):
                assert runner.run(async_verifier.verify(issuer.user_token())).subject
        issuer.rotate()
        mono.advance(600)
    assert async_verifier.status()[0].fetches == 3


def test_a_cancel_scope_ends_its_own_request_and_nothing_else(
    run: Run, issuer: LocalIssuer, server: FaultServer, async_verifier: AsyncVerifier, until: Until
) -> None:
    """A trace of nested scopes, as anyio's servers have them: the fetch belongs to none of them."""
    server.always(faults.held())
    token, served = issuer.user_token(), list[Identity]()

    async def verify() -> None:
        served.append(await async_verifier.verify(token))

    async def main() -> None:
        async with anyio.create_task_group() as others:
            async with anyio.create_task_group() as first:
                first.start_soon(verify)
                await anyio.to_thread.run_sync(until, lambda: len(server.asked) == 1)
                others.start_soon(verify)
                others.start_soon(verify)
                await anyio.to_thread.run_sync(until, lambda: async_verifier.status()[0].waiting == 3)
                first.cancel_scope.cancel()
            assert async_verifier.status()[0].waiting == 2
            assert served == []
            server.recover()

    run(main)
    assert len(served) == 2
    assert async_verifier.status()[0].fetches == 1


def test_a_ticking_loop_and_its_threads_end_together(run: Run, async_verifier: AsyncVerifier) -> None:
    before = threading.active_count()

    async def main() -> None:
        async with async_verifier.running() as running:
            assert await running.warm_up()

    run(main)
    assert threading.active_count() <= before + 1, "asyncio may keep a thread of its own for names"
