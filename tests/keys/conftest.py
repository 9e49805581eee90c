"""Keys, documents and clocks for the tests of this folder."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tokenward.keys import aio, threads
from tokenward.keys.decision import Answer
from tokenward.keys.events import Observer
from tokenward.keys.location import JwksUri, Remote
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource

KEYS_OF_THE_IDP = JwksUri("https://idp.example/keys")
Jwk = dict[str, object]


@dataclass
class HandWoundClock:
    """Both clocks of a source; time passes when a test says so."""

    mono: float = 1000.0
    wall: float = 1.7e9

    def monotonic(self) -> float:
        return self.mono

    def time(self) -> float:
        return self.wall

    def pass_time(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds


@pytest.fixture
def clock() -> HandWoundClock:
    return HandWoundClock()


def base64url(value: int | bytes) -> str:
    octets = value if isinstance(value, bytes) else value.to_bytes((value.bit_length() + 7) // 8, "big")
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


@pytest.fixture(name="base64url", scope="session")
def base64url_fixture() -> Callable[[int | bytes], str]:
    return base64url


@pytest.fixture(scope="session")
def okp_jwk() -> Callable[..., Jwk]:
    """A small valid JWK: every kid and `material` gives its own key, always the same one."""

    def make(kid: object = "a", material: str = "", **members: object) -> Jwk:
        x = hashlib.sha256(f"{kid}/{material}".encode()).digest()
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(x)} | members

    return make


@pytest.fixture(scope="session")
def rsa_numbers() -> rsa.RSAPrivateNumbers:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048).private_numbers()


@pytest.fixture
def rsa_jwk(rsa_numbers: rsa.RSAPrivateNumbers) -> Jwk:
    public = rsa_numbers.public_numbers
    return {"kty": "RSA", "kid": "rsa", "use": "sig", "n": base64url(public.n), "e": base64url(public.e)}


@pytest.fixture(scope="session")
def ec_jwk() -> Callable[[str], Jwk]:
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1(), "secp256k1": ec.SECP256K1()}

    def make(crv: str) -> Jwk:
        numbers = ec.generate_private_key(curves[crv]).public_key().public_numbers()
        size = (curves[crv].key_size + 7) // 8
        x, y = (base64url(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
        return {"kty": "EC", "kid": crv, "crv": crv, "x": x, "y": y}

    return make


# -- drivers: a scripted provider, and one way to make requests of any driver ------------------------------------------


class ScriptedIssuer:
    """A fetch, for threads and for event loops. While the gate is shut, it hangs; `error` is raised in place of an answer."""

    def __init__(self, make_jwk: Callable[..., Jwk]) -> None:
        self._make_jwk = make_jwk
        self.gate = threading.Event()
        self.gate.set()
        self.error: BaseException | None = None
        self.response: object = None
        self.asked: list[FetchRequest] = []
        self.publish("a", "b")

    def publish(self, *kids: str) -> None:
        self.answer({"keys": [self._make_jwk(kid) for kid in kids]})

    def answer(self, document: object) -> None:
        self.response = FetchResponse(200, {}, json.dumps(document).encode())

    @property
    def calls(self) -> int:
        return len(self.asked)

    def fetch(self, request: FetchRequest) -> FetchResponse:
        self.asked.append(request)
        self.gate.wait(10)
        return self._answer()

    async def fetch_async(self, request: FetchRequest) -> FetchResponse:
        self.asked.append(request)
        if not self.gate.is_set():
            await anyio.to_thread.run_sync(self.gate.wait, 10, abandon_on_cancel=True)
        return self._answer()

    def _answer(self) -> FetchResponse:
        if self.error is not None:
            raise self.error
        return self.response  # type: ignore[return-value]  # a script may answer nonsense, too


@pytest.fixture
def issuer(okp_jwk: Callable[..., Jwk]) -> Iterator[ScriptedIssuer]:
    scripted = ScriptedIssuer(okp_jwk)
    yield scripted
    scripted.gate.set()  # no thread of a test outlives it by much


@pytest.fixture
def make_source(clock: HandWoundClock) -> Callable[..., KeySource]:
    def make(
        rhythm: Rhythm | None = None,
        *,
        observer: Observer | None = None,
        location: Remote = KEYS_OF_THE_IDP,
        real_time: bool = False,
    ) -> KeySource:
        monotonic, wall = (time.monotonic, time.time) if real_time else (clock.monotonic, clock.time)
        return KeySource(location, rhythm=rhythm or Rhythm(), clock=wall, monotonic=monotonic, observer=observer)

    return make


@dataclass
class ThreadWorld:
    """Requests on threads."""

    issuer: ScriptedIssuer
    executor: ThreadPoolExecutor
    kind: Literal["threads"] = "threads"
    crowd: int = 50
    most_waiting: int = threads.MAX_WAITING
    most_waiting_beside_keys: int = threads.MAX_PATIENT

    def driver(self, *sources: KeySource) -> threads.ThreadDriver:
        return threads.ThreadDriver(sources, self.issuer.fetch)

    def submit(self, driver: threads.ThreadDriver, source: KeySource, kid: str | None) -> Future[Answer]:
        return self.executor.submit(driver.find, source, kid)

    def find(self, driver: threads.ThreadDriver, source: KeySource, kid: str | None) -> Answer:
        return self.submit(driver, source, kid).result(10)

    def warm_up(self, driver: threads.ThreadDriver, timeout: float) -> Future[bool]:
        return self.executor.submit(driver.warm_up, timeout)

    def refresh(self, driver: threads.ThreadDriver, timeout: float) -> Future[bool]:
        return self.executor.submit(driver.refresh, timeout)


@dataclass
class LoopWorld:
    """Requests as tasks of one event loop, which runs in a thread of its own."""

    issuer: ScriptedIssuer
    portal: BlockingPortal
    kind: Literal["asyncio", "trio"]
    crowd: int = 500
    most_waiting: int = aio.MAX_WAITING
    most_waiting_beside_keys: int = aio.MAX_WAITING

    def driver(self, *sources: KeySource) -> aio.AsyncDriver:
        return aio.AsyncDriver(sources, self.issuer.fetch_async)

    def submit(self, driver: aio.AsyncDriver, source: KeySource, kid: str | None) -> Future[Answer]:
        return self.portal.start_task_soon(driver.find, source, kid)

    def find(self, driver: aio.AsyncDriver, source: KeySource, kid: str | None) -> Answer:
        return self.submit(driver, source, kid).result(10)

    def warm_up(self, driver: aio.AsyncDriver, timeout: float) -> Future[bool]:
        return self.portal.start_task_soon(driver.warm_up, timeout)

    def refresh(self, driver: aio.AsyncDriver, timeout: float) -> Future[bool]:
        return self.portal.start_task_soon(driver.refresh, timeout)


@contextmanager
def thread_world(issuer: ScriptedIssuer) -> Iterator[ThreadWorld]:
    with ThreadPoolExecutor(50) as executor:
        yield ThreadWorld(issuer, executor)
        issuer.gate.set()


@contextmanager
def loop_world(issuer: ScriptedIssuer, kind: Literal["asyncio", "trio"]) -> Iterator[LoopWorld]:
    with start_blocking_portal(kind) as portal:
        yield LoopWorld(issuer, portal, kind)
        issuer.gate.set()


@pytest.fixture(params=["threads", "asyncio", "trio"])
def world(request: pytest.FixtureRequest, issuer: ScriptedIssuer) -> Iterator[ThreadWorld | LoopWorld]:
    """Each driver, on each kind of concurrency it has."""
    opened = thread_world(issuer) if request.param == "threads" else loop_world(issuer, request.param)
    with opened as ready:
        yield ready


@pytest.fixture(params=["asyncio", "trio"])
def loops(request: pytest.FixtureRequest, issuer: ScriptedIssuer) -> Iterator[LoopWorld]:
    with loop_world(issuer, request.param) as ready:
        yield ready


@pytest.fixture
def thread_requests(issuer: ScriptedIssuer) -> Iterator[ThreadWorld]:
    with thread_world(issuer) as ready:
        yield ready


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that happens in another thread has happened; fail after ten seconds."""

    def wait(happened: Callable[[], bool]) -> None:
        until = time.monotonic() + 10
        while not happened():
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.002)

    return wait
