"""Verifiers that nobody needs any more: nothing of ours keeps them."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward import AsyncVerifier, Policy, Verifier, entra, forks
from tokenward.diagnostics import Diagnostics
from tokenward.keys import loops, threads
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.middleware.wsgi import BearerMiddleware
from tokenward.testing import FaultServer, LocalIssuer, faults

Until = Callable[[Callable[[], bool]], None]
SOON_ENOUGH = 600.0
"""Seconds for a fetch, during which this process may have much else to do."""


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[FaultServer]:
    with FaultServer(issuer) as server:
        yield server


@pytest.fixture
def policy(issuer: LocalIssuer, server: FaultServer) -> Policy:
    return entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, versions=["2.0"])


def _are_gone(references: list[weakref.ref[Any]]) -> bool:
    gc.collect()
    return not any(reference() for reference in references)


def _parts(verifier: Verifier | AsyncVerifier) -> list[weakref.ref[Any]]:
    return [weakref.ref(part) for part in (verifier, verifier._driver, verifier._walk, *verifier._remote)]


def _threads_of_ours() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("tokenward-")}


def test_a_verifier_that_is_dropped_ends_its_ticker_and_leaves_nothing(
    issuer: LocalIssuer, policy: Policy, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    others = _threads_of_ours()
    verifier = Verifier(policy)
    verifier.verify(issuer.user_token())
    assert {thread.name for thread in _threads_of_ours() - others} >= {"tokenward-ticker"}
    parts = _parts(verifier)
    del verifier
    until(lambda: _are_gone(parts))
    until(lambda: not _threads_of_ours() - others)


def test_a_verifier_that_is_dropped_during_a_fetch_is_gone_after_it(
    issuer: LocalIssuer, policy: Policy, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(threads, "TICK", 0.005)
    others, events = _threads_of_ours(), list[Any]()
    asked, answered = threading.Event(), threading.Event()

    def fetch(request: FetchRequest) -> FetchResponse:
        asked.set()
        answered.wait()
        return issuer.fetch(request)

    verifier = Verifier(policy, observer=events.append, fetch=fetch, rhythm=Rhythm(fetch_timeout=SOON_ENOUGH))
    verifier.warm_up(0.0)
    until(asked.is_set)
    driver, source = _parts(verifier)[1], weakref.ref(verifier._remote[0])
    del verifier
    until(lambda: _are_gone([driver]))
    assert source() is not None, "the fetch has it"
    answered.set()
    until(lambda: _are_gone([source]) and not _threads_of_ours() - others)
    assert [type(event).__name__ for event in events] == ["KeysRefreshed"]


def test_an_async_verifier_is_gone_with_its_loop(issuer: LocalIssuer, server: FaultServer, policy: Policy, until: Until) -> None:
    before = set(loops._tasks)

    async def main() -> list[weakref.ref[Any]]:
        verifier = AsyncVerifier(policy)
        async with verifier.running():
            await verifier.verify(issuer.user_token())
        server.always(faults.held())
        await verifier.warm_up(0.0)
        return _parts(verifier)

    parts = asyncio.run(main())
    until(lambda: _are_gone(parts))
    assert loops._tasks == before


def test_a_middleware_is_gone_with_its_verifier_and_its_log(issuer: LocalIssuer, policy: Policy, until: Until) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b""]

    gc.collect()
    forkable = len(forks._live)
    diagnostics = Diagnostics(first=1, interval=0.05)
    middleware = BearerMiddleware(app, policy=policy, diagnostics=diagnostics)
    for header in (f"Bearer {issuer.user_token()}", "Bearer garbage", "Bearer garbage"):
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": header}
        assert middleware(environ, lambda *_: lambda _: None)
    parts = [*_parts(middleware.verifier), weakref.ref(middleware), weakref.ref(diagnostics)]
    del middleware, diagnostics
    until(lambda: _are_gone(parts))
    assert len(forks._live) <= forkable
