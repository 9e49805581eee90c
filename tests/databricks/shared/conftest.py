"""A real Redis, callers' tokens, an exchange that counts, and sources as different processes have them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from tokenward.databricks import AsyncTokenSource, Exchange
from tokenward.databricks.shared.events import SharedEvent
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import HandClock, SigningKey
from tokenward.testing.loopback import free_port
from tokenward.testing.oidc import OidcIssuer

# -- Redis -------------------------------------------------------------------------------------------------------------


class RedisProcess:
    """A redis-server on loopback that keeps nothing on disk; it may be killed, held up, and started again on its port."""

    def __init__(self, program: str, folder: Path, *options: str) -> None:
        self.port = free_port()
        self._command = [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._command += ["--dir", str(folder), "--unixsocket", str(folder / "redis.sock"), *options]
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / "redis.log"
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while "Ready to accept connections" not in self._log.read_text():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL: nothing is said to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
        self._process = None

    def hold_up(self) -> None:
        """SIGSTOP: connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


NewRedis = Callable[..., RedisProcess]


@pytest.fixture
def new_redis(redis_program: str, tmp_path: Path) -> Iterator[NewRedis]:
    """`new_redis(*options)`: a Redis of this test's own."""
    started: list[RedisProcess] = []

    def make(*options: str) -> RedisProcess:
        folder = tmp_path / f"redis-{len(started)}"
        folder.mkdir()
        started.append(RedisProcess(redis_program, folder, *options))
        return started[-1]

    yield make
    for redis in started:
        redis.kill()


@pytest.fixture
def redis(new_redis: NewRedis) -> RedisProcess:
    return new_redis()


@pytest.fixture
def in_redis(redis: RedisProcess) -> Callable[[], dict[bytes, bytes]]:
    """Everything that lies in this test's Redis, read by a client of its own."""
    import redis as client

    def read() -> dict[bytes, bytes]:
        with client.Redis(port=redis.port) as connection:
            return {key: connection.get(key) for key in connection.scan_iter()}

    return read


@pytest.fixture
def redis_client(redis: RedisProcess) -> Iterator[Any]:
    """Somebody else with access to this test's Redis."""
    import redis as client

    with client.Redis(port=redis.port) as connection:
        yield connection


# -- callers and their tokens ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def es256_key() -> SigningKey:
    """ES256, which signs a thousand tokens in a moment."""
    return SigningKey.generate("ES256")


@pytest.fixture
def jwt(wall: HandClock, es256_key: SigningKey) -> Callable[..., str]:
    """A caller's token, of an hour: `jwt("ada")`, `jwt("ada", lifetime=60)`."""
    issuer = OidcIssuer("https://idp.example/", clock=wall, keys=[es256_key])

    def make(subject: str = "ada@example.com", **minting: Any) -> str:
        return issuer.access_token("databricks", subject=subject, **minting)

    return make


def _claims_of(token: str) -> dict[str, Any]:
    segment = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded


def _granted(subject_token: str, number: int) -> bytes:
    """Databricks' good answer, whose token says for whom it is, and ends with the caller's."""
    mine = {"for": hashlib.sha256(subject_token.encode()).hexdigest(), "number": number, "exp": _claims_of(subject_token)["exp"]}
    parts = ({"alg": "RS256"}, mine, {"signed": "by nobody"})
    token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "all-apis"}).encode()


@dataclass
class Endpoint:
    """A token endpoint without a network, which counts. While its gate is shut it keeps everybody waiting.

    `script` is answered first, one status after the other: 200 grants, anything else refuses.
    """

    asked: Counter[str] = field(default_factory=Counter)
    script: list[int] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def exchanges(self) -> int:
        return self.asked.total()

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        token = parse_qs(request.content.decode())["subject_token"][0]
        self.asked[token] += 1
        number = self.exchanges
        status = self.script.pop(0) if self.script else 200
        while not self.gate.is_set():  # noqa: ASYNC110  # an event of asyncio would be of one loop
            await asyncio.sleep(0.01)
        body = (
            _granted(token, number)
            if status == 200
            else json.dumps({"error": "invalid_grant", "error_description": "no"}).encode()
        )
        return FetchResponse(status, {"content-type": "application/json"}, body)


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture(scope="session")
def belongs_to() -> Callable[[str, str], bool]:
    """Whether an access token was given for this caller's token."""

    def is_for(access: str, token: str) -> bool:
        return bool(_claims_of(access)["for"] == hashlib.sha256(token.encode()).hexdigest())

    return is_for


Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(scope="session")
def until() -> Until:
    """Wait until something has happened that no event tells; fail after twenty seconds."""

    async def wait(happened: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not happened():  # noqa: ASYNC110  # nothing tells it
                await asyncio.sleep(0.005)

    return wait


# -- processes ---------------------------------------------------------------------------------------------------------

KEY = bytes(range(32))
HOST = "https://adb-1234567890123456.7.azuredatabricks.net"


@dataclass
class Process:
    """What one process holds: shared tokens of its own with an event list, and a source over them."""

    shared: RedisTokens
    source: AsyncTokenSource
    events: list[SharedEvent]


NewProcess = Callable[..., Process]


@pytest.fixture
def new_process(redis: RedisProcess, endpoint: Endpoint, wall: HandClock, mono: HandClock) -> NewProcess:
    """`new_process(key=..., timeout=..., redis_timeout=...)`: what another process would hold. It shares only Redis."""

    def make(
        key: Any = KEY,
        *,
        url: str | None = None,
        timeout: float = 20.0,
        redis_timeout: float = 10.0,
        grant: Any = None,
        **options: Any,
    ) -> Process:
        events: list[SharedEvent] = []
        shared = RedisTokens(url or redis.url, key, timeout=redis_timeout, observer=events.append, monotonic=mono, **options)
        source = AsyncTokenSource(
            grant or Exchange(HOST),
            fetch=endpoint.fetch,
            clock=wall,
            monotonic=mono,
            timeout=timeout,
            observer=None,
            shared=shared,
        )
        return Process(shared, source, events)

    return make
