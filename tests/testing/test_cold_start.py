"""Many first requests at once, over real HTTP: the issuer is asked once for its metadata and once for its keys."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import trio

from tokenward import AsyncVerifier, AuthenticationError, Policy, Verifier, entra
from tokenward.keys.aio import MAX_WAITING as MOST_TASKS
from tokenward.keys.threads import MAX_WAITING as MOST_THREADS
from tokenward.testing import HandClock, IssuerServer, LocalIssuer

PATIENCE = 20.0
"""Seconds until a test gives up; on an idle machine nothing here takes one."""
DISCOVERY, KEYS = "/%s/v2.0/.well-known/openid-configuration", "/%s/discovery/v2.0/keys"


@pytest.fixture
def slow(served: IssuerServer, issuer: LocalIssuer) -> Iterator[LocalIssuer]:
    """An issuer that answers nothing until it recovers."""
    issuer.fail("slow", seconds=PATIENCE)
    yield issuer
    issuer.recover()


@pytest.fixture
def policy(slow: LocalIssuer) -> Policy:
    return entra.api(slow.client_id, [slow.tenant], cloud=slow.cloud)


def asked(issuer: LocalIssuer) -> list[str]:
    return [address.removeprefix(issuer.origin) for address in issuer.requests]


def once_each(issuer: LocalIssuer) -> list[str]:
    return [DISCOVERY % issuer.tenant, KEYS % issuer.tenant]


def eventually(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("crowd", [2, MOST_THREADS, 20])
def test_cold_requests_of_many_threads_start_one_fetch(wall: HandClock, slow: LocalIssuer, policy: Policy, crowd: int) -> None:
    """No more than MOST_THREADS of them wait; the others are told at once to come again, and cost no fetch either."""
    verifier = Verifier(policy, clock=wall, observer=None)
    tokens = [slow.user_token() for _ in range(crowd)]
    start, codes = threading.Barrier(crowd), []

    def _request(token: str) -> None:
        start.wait(PATIENCE)
        codes.append(_code(lambda: verifier.verify(token)))

    threads = [threading.Thread(target=_request, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    refused = max(0, crowd - MOST_THREADS)
    eventually(lambda: _waits(verifier) == crowd - refused and len(codes) == refused and bool(slow.requests))
    assert asked(slow) == once_each(slow)[:1]
    slow.recover()
    for thread in threads:
        thread.join(PATIENCE)
    verifier.close()
    assert sorted(codes) == ["accepted"] * (crowd - refused) + ["keys_unavailable"] * refused
    assert asked(slow) == once_each(slow)
    assert verifier.status()[1].fetches == 1


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
@pytest.mark.parametrize("crowd", [2, 20, MOST_TASKS])
def test_cold_requests_of_many_tasks_start_one_fetch(
    wall: HandClock, slow: LocalIssuer, policy: Policy, crowd: int, loop: str
) -> None:
    verifier = AsyncVerifier(policy, clock=wall, observer=None)
    tokens = [slow.user_token() for _ in range(crowd)]
    codes: list[str] = []

    async def _request(token: str) -> None:
        try:
            await verifier.verify(token)
        except AuthenticationError as rejection:
            codes.append(rejection.code)
        else:
            codes.append("accepted")

    async def _in_asyncio() -> None:
        await asyncio.gather(*map(_request, tokens))

    async def _in_trio() -> None:
        async with trio.open_nursery() as nursery:
            for token in tokens:
                nursery.start_soon(_request, token)

    crowded = threading.Thread(target=lambda: asyncio.run(_in_asyncio()) if loop == "asyncio" else trio.run(_in_trio))
    crowded.start()
    eventually(lambda: _waits(verifier) == crowd and bool(slow.requests))
    assert asked(slow) == once_each(slow)[:1]
    slow.recover()
    crowded.join(PATIENCE)
    assert codes == ["accepted"] * crowd
    assert asked(slow) == once_each(slow)
    assert verifier.status()[1].fetches == 1


def _waits(verifier: Verifier | AsyncVerifier) -> int:
    return verifier.status()[1].waits  # [0] is the source of v1 keys


def _code(verify: Callable[[], object]) -> str:
    try:
        verify()
    except AuthenticationError as rejection:
        return rejection.code
    return "accepted"
