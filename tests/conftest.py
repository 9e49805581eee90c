"""Fixtures for every test: a local issuer, real or in process, clocks wound by hand, and both event loops."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import hypothesis
import pytest
import trio

from tokenward import forks
from tokenward.keys.threads import ThreadDriver
from tokenward.testing import HandClock, IssuerServer, LocalIssuer, SigningKey

T = TypeVar("T")
NewKey = Callable[[], SigningKey]


SHARE = float(os.environ.get("TOKENWARD_EXAMPLES") or 1)
"""How many of its examples each property test tries: 1 is what it says itself, 10 is a long search, 0.2 a short one."""


hypothesis.settings.register_profile("unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("unhurried")  # a busy machine is no fault of what is tested


COVERING = ("tests/walk/", "tests/keys/")
"""The folders whose tests count for coverage: those of the two rooms that are measured."""


def pytest_configure() -> None:
    """A shell starts its background jobs with Ctrl-C ignored, which what these tests start and interrupt would inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)  # after hypothesis' own, which marks the property tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that start servers, leave most tests unmeasured, have property tests try their share of examples."""
    slow = {item.path for item in items if item.get_closest_marker("servers")}
    items.sort(key=lambda item: item.path not in slow)  # or a few workers would be left with them alone at the end
    for item in items:
        if not item.nodeid.startswith(COVERING) or item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")  # a line that runs by chance is not tested, and measuring doubles the time
    if SHARE != 1:
        _take_the_share(items)


def _take_the_share(items: list[pytest.Item]) -> None:
    """Hypothesis has profiles, but what a test says itself goes before them."""
    for test in {getattr(item, "obj", None) for item in items if item.get_closest_marker("hypothesis")}:
        own: Any = getattr(test, "_hypothesis_internal_use_settings", None) or hypothesis.settings.default
        fewer = hypothesis.settings(own, max_examples=max(5, round(own.max_examples * SHARE)))
        test._hypothesis_internal_use_settings = fewer  # type: ignore[union-attr]


@pytest.fixture(autouse=True, scope="module")
def _nobody_asks_on() -> Iterator[None]:
    """A verifier that a module leaves behind would go on asking a server that has ended, and log it into others' output."""
    yield
    for holder in list(forks._live):
        if isinstance(holder, ThreadDriver):
            holder.close()


class Run(Protocol):
    """Runs an async function to its end in the event loop of this test."""

    def __call__(self, function: Callable[..., Awaitable[T]], *arguments: object) -> T: ...


@dataclass(frozen=True)
class Backend:
    """An event loop: its name, and how to run something in it."""

    name: str
    run: Run


@pytest.fixture
def wall() -> HandClock:
    """The epoch clock. It starts at the real time, so that what it dates also passes a real server's clock."""
    return HandClock(int(time.time()))


@pytest.fixture
def mono() -> HandClock:
    """The clock for pauses, which starts anywhere."""
    return HandClock(5000.0)


@pytest.fixture(scope="session")
def key_pool() -> list[SigningKey]:
    """RSA keys that were made in this session: making one takes a tenth of a second."""
    return []


@pytest.fixture
def new_key(key_pool: list[SigningKey]) -> NewKey:
    """A maker of keys that differ within a test, and are the same ones in the next test."""
    numbers = itertools.count()

    def _next() -> SigningKey:
        number = next(numbers)
        while len(key_pool) <= number:
            key_pool.append(SigningKey.generate("RS256"))
        return key_pool[number]

    return _next


@pytest.fixture
def issuer(wall: HandClock, new_key: NewKey) -> LocalIssuer:
    """A new issuer, which dates its tokens by `wall`."""
    return LocalIssuer(clock=wall, new_key=new_key)


@pytest.fixture
def served(issuer: LocalIssuer) -> Iterator[IssuerServer]:
    """The same issuer over HTTP on loopback."""
    with IssuerServer(issuer) as server:
        yield server


@pytest.fixture(scope="session")
def redis_program() -> str:
    """redis-server, or a skip that says how to get it; where TOKENWARD_REQUIRE lists redis it must be there."""
    program = shutil.which("redis-server", path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/bin", "/usr/sbin")))
    if program is None:
        missing = "redis-server is not installed: apt install redis-server (Debian), brew install redis (macOS)"
        if "redis" in os.environ.get("TOKENWARD_REQUIRE", "").split(","):
            pytest.fail(missing)
        pytest.skip(missing)
    return program


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each event loop in turn."""
    return Backend(request.param, _in_asyncio if request.param == "asyncio" else _in_trio)


@pytest.fixture
def run(backend: Backend) -> Run:
    """`run(async_function, *arguments)`, in each event loop in turn."""
    return backend.run


def _in_asyncio(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    async def _main() -> T:
        return await function(*arguments)

    return asyncio.run(_main())


def _in_trio(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    return trio.run(function, *arguments)
