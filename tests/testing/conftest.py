"""What the tests of the local issuer share: every way to fetch, and a look into tokens that proves nothing."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.port import Fetch, FetchRequest, FetchResponse
from tokenward.testing import IssuerServer, LocalIssuer

Opened = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture
def opened() -> Callable[[str], Opened]:
    """Header and claims of a token, unverified."""

    def _open(token: str) -> Opened:
        header, claims, _ = token.split(".")
        return _json(header), _json(claims)

    return _open


@pytest.fixture(params=["in process", "in process, async", "httpx", "httpx on asyncio", "httpx on trio"])
def fetch(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Fetch:
    """The issuer's key port, in process or over real HTTP, as one synchronous function."""
    if request.param == "in process":
        return issuer.fetch
    if request.param == "in process, async":
        return lambda asked: asyncio.run(_awaited(issuer.async_fetch, asked))
    request.getfixturevalue("served")
    if request.param == "httpx":
        return HttpxFetch()
    if request.param == "httpx on asyncio":
        return lambda asked: asyncio.run(_awaited(AsyncHttpxFetch(), asked))
    return lambda asked: trio.run(AsyncHttpxFetch(), asked)


@pytest.fixture
def get(served: IssuerServer) -> Callable[[str], FetchResponse]:
    """A real GET of a path of the served issuer."""
    return lambda path: HttpxFetch()(FetchRequest(f"{served.url}{path}", 5.0))


async def _awaited(function: Callable[[FetchRequest], Any], asked: FetchRequest) -> FetchResponse:
    response: FetchResponse = await function(asked)
    return response


def _json(segment: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded
