"""A gateway under each server that reads HTTP in its own way, an attacker who sends bytes, and an upstream that reads like the
strictest of servers: whatever arrives there in a form that two servers could read differently fails the test."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn

from tokenward import AsyncVerifier, entra
from tokenward.databricks import Fixed, Gateway
from tokenward.diagnostics import Diagnostics
from tokenward.testing import IssuerServer, LocalIssuer

DEADLINE = 20.0
"""Seconds for anything at all."""
OURS = "the.gateways.own-token"
"""What the gateway puts in place of a caller's token."""
SERVERS = ("h11", "httptools", "hypercorn")

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ ]?([\t -~\x80-\xff]*)")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,8}")


def eventually(happened: Callable[[], Any], what: str) -> Any:
    """What it returns once that is true; fails after the deadline."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if seen := happened():
            return seen
        time.sleep(0.01)
    pytest.fail(f"in {DEADLINE:.0f} seconds there was no {what}")


@pytest.fixture(name="eventually", scope="session")
def eventually_fixture() -> Callable[[Callable[[], Any], str], Any]:
    return eventually


# -- the upstream ------------------------------------------------------------------------------------------------------


class Received(NamedTuple):
    """A request as it arrived."""

    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def names(self) -> set[bytes]:
        return {name.lower() for name, _ in self.fields}


class Strict(Exception):
    """Bytes that RFC 9112 does not know, or that allow for two readings."""


def take(data: bytes) -> tuple[Received, bytes] | None:
    """The first request in these bytes, and the rest; None if it is not whole yet. Raises Strict."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        return None
    line, *lines = head.split(b"\r\n")
    first, fields = _REQUEST_LINE.fullmatch(line), [_field(each) for each in lines]
    if first is None:
        raise Strict(f"a request line: {line!r}")
    found = Received(first[1], first[2], fields, b"")
    for name in (b"host", b"authorization"):
        if len(found.values(name)) != 1:
            raise Strict(f"not one {name!r}: {fields}")
    taken = _body(found, rest)
    return None if taken is None else (found._replace(body=taken[0]), taken[1])


def _field(line: bytes) -> tuple[bytes, bytes]:
    matched = _FIELD.fullmatch(line)
    if matched is None:
        raise Strict(f"a header line: {line!r}")
    return matched[1], matched[2]


def _body(request: Received, rest: bytes) -> tuple[bytes, bytes] | None:
    lengths, codings = request.values(b"content-length"), request.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1 or codings not in ([], [b"chunked"]):
        raise Strict(f"a body of two lengths: {lengths} {codings}")
    if codings:
        return _chunks(rest)
    length = lengths[0] if lengths else b"0"
    if not length.isdigit():
        raise Strict(f"a length: {length!r}")
    size = int(length)
    return (rest[:size], rest[size:]) if len(rest) >= size else None


def _chunks(rest: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, end, rest = rest.partition(b"\r\n")
        if not end:
            return None
        if not _SIZE.fullmatch(size):
            raise Strict(f"a chunk's size: {size!r}")
        count = int(size, 16)
        if len(rest) < count + 2:
            return None
        if rest[count : count + 2] != b"\r\n":
            raise Strict(f"the end of a chunk: {rest[count : count + 2]!r}")
        body, rest = body + rest[:count], rest[count + 2 :]
        if not count:
            return body, rest


def reply(status: int = 200, *fields: tuple[str, str], body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


class Upstream:
    """Keeps every byte, and answers each request with `answer(request)`; what is not strict ends the connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.reset()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.raw = b""
        self.requests: list[Received] = []
        self.failures: list[Exception] = []
        self.answer: Callable[[Received], bytes] = lambda request: reply()

    @property
    def only(self) -> Received:
        """The one request that came."""
        [request] = self.requests
        return request

    @property
    def targets(self) -> list[bytes]:
        return [request.target for request in self.requests]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        held = b""
        with contextlib.suppress(OSError), sock:
            while data := sock.recv(256 * 1024):
                self.raw += data
                held += data
                try:
                    while taken := take(held):
                        request, held = taken
                        self.requests.append(request)
                        sock.sendall(self.answer(request))
                except Strict as exc:
                    self.failures.append(exc)
                    return


# -- the server --------------------------------------------------------------------------------------------------------


class Uvicorn:
    """An app under uvicorn, in a thread."""

    def __init__(self, app: Any, parser: str) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._sock.getsockname()[1]
        options: dict[str, Any] = {"ws": "none", "lifespan": "on", "log_config": None, "access_log": False, "loop": "asyncio"}
        self._server = uvicorn.Server(uvicorn.Config(app, http=parser, timeout_graceful_shutdown=1, **options))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._sock]}, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started, "start of uvicorn")
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()


class Hypercorn:
    """An app under hypercorn, in a thread; it speaks HTTP/2, too, to whoever begins with that."""

    def __init__(self, app: Any, _: str = "") -> None:
        self._app = app
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._sock.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        config = hypercorn.config.Config()
        config.bind = [f"fd://{self._sock.detach()}"]
        config.graceful_timeout, config.keep_alive_timeout, config.loglevel = 1, 10, "CRITICAL"
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(hypercorn.asyncio.serve(self._app, config, shutdown_trigger=self._stop.wait))


# -- the attacker ------------------------------------------------------------------------------------------------------


@dataclass
class Answer:
    """What came back."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    whole: bool

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def refused(self) -> str | None:
        """The mark of the gateway's own refusals; a server's own have none."""
        return next(iter(self.values("tokenward-refused")), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def answers_in(data: bytes) -> list[Answer]:
    """The answers in what came, interim ones left out."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        answer = Answer(int(first.split(" ")[1]), pairs, b"", True)
        answer.body, data, answer.whole = _answer_body(answer, rest)
        if answer.status >= 200:
            found.append(answer)
    return found


def _answer_body(answer: Answer, rest: bytes) -> tuple[bytes, bytes, bool]:
    if answer.values("transfer-encoding") == ["chunked"]:
        taken = _chunks(rest)
        return (*taken, True) if taken else (rest, b"", False)
    if answer.values("content-length"):
        size = int(answer.values("content-length")[0])
        return rest[:size], rest[size:], len(rest) >= size
    return (b"", rest, True) if answer.status < 200 or answer.status == 204 else (rest, b"", True)


@dataclass
class Gate:
    """A gateway under a server, and how to attack it."""

    server: str
    gateway: Gateway
    port: int
    upstream: Upstream
    token: str
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def authorization(self) -> bytes:
        """The header line of a caller who may call."""
        return f"Authorization: Bearer {self.token}".encode()

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def request(
        self, *lines: bytes, first: bytes = b"GET /api/2.0/canary HTTP/1.1", body: bytes = b"", bearer: bool = True
    ) -> bytes:
        """The bytes of a request with these header lines."""
        common = [b"Host: gateway.example", *([self.authorization] if bearer else [])]
        return b"\r\n".join([first, *common, *lines, b"", b""]) + body

    def send(self, data: bytes) -> list[Answer]:
        """Send this, wait for an answer, see whether the connection still lives by one more request, and read to the end."""
        with self.connected() as wire:
            wire.sendall(data)
            came = _until_an_answer(wire)
            with contextlib.suppress(OSError):
                wire.sendall(self.request(b"Connection: close"))
            return answers_in(came + _rest(wire))

    @staticmethod
    def answers_in(data: bytes) -> list[Answer]:
        return answers_in(data)

    def ask(self, *lines: bytes, first: bytes = b"GET /api/2.0/asked HTTP/1.1", body: bytes = b"", bearer: bool = True) -> Answer:
        """One request, and its answer."""
        with self.connected() as wire:
            wire.sendall(self.request(*lines, b"Connection: close", first=first, body=body, bearer=bearer))
            [answer] = answers_in(_rest(wire))
            return answer


def _until_an_answer(wire: socket.socket) -> bytes:
    came = b""
    with contextlib.suppress(OSError):
        while not answers_in(came) and (data := wire.recv(65536)):
            came += data
    return came


def _rest(wire: socket.socket) -> bytes:
    came = b""
    with contextlib.suppress(ConnectionError):
        while data := wire.recv(65536):
            came += data
    return came


# -- fixtures ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tenant() -> Iterator[LocalIssuer]:
    """Whose callers the gateway believes. Its keys are fetched over HTTP, as in earnest, so that what a token could lead a fetch
    to is seen."""
    issuer = LocalIssuer()
    with IssuerServer(issuer):
        yield issuer


@pytest.fixture(scope="module")
def recorder() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def serving(tenant: LocalIssuer, recorder: Upstream) -> Iterator[Callable[..., Gate]]:
    """`serving("h11", public_url=...)`: a gateway with these options under this server, which ends with the module."""
    with contextlib.ExitStack() as stack:

        def start(server: str, **options: Any) -> Gate:
            verifier = AsyncVerifier(entra.databricks(tenant.tenant, cloud=tenant.cloud))
            events = _Events()
            given: dict[str, Any] = {
                "credentials": Fixed(OURS),
                "diagnostics": Diagnostics(first=None, logger=events),
                "verifier": verifier,
                "drain": 0.0,
            }
            gateway = Gateway(**({"upstream": recorder.url} | given | options))
            running = (Hypercorn if server == "hypercorn" else Uvicorn)(gateway, server).start()
            stack.callback(running.stop)
            return Gate(server, gateway, running.port, recorder, tenant.databricks_token(), events.kept)

        yield start


class _Events:
    """A structlog logger that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.kept.append({"event": event, **fields})

    warning = error = info


@pytest.fixture(scope="module", params=SERVERS)
def gate_of_module(request: pytest.FixtureRequest, serving: Callable[..., Gate]) -> Gate:
    return serving(request.param)


@pytest.fixture
def gate(gate_of_module: Gate, upstream: Upstream) -> Gate:
    """The gateway under each server."""
    gate_of_module.events.clear()
    return gate_of_module


@pytest.fixture
def upstream(recorder: Upstream) -> Iterator[Upstream]:
    """Nothing has come to it yet; in the end, nothing that is not strict may have come."""
    recorder.reset()
    yield recorder
    assert recorder.failures == []


class Tools:
    """What the test modules, which import nothing from each other, are written with."""

    OURS = OURS.encode()
    reply = staticmethod(reply)
    answers_in = staticmethod(answers_in)


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools
