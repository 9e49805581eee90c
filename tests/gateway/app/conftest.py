"""A gateway under real uvicorn, in a thread with a loop of its own, between two ends that speak HTTP byte by byte: an upstream
that writes down what arrives and does what a test tells it, and clients that a well-behaved library would not let be."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias, TypeVar

import httpx
import pytest
import uvicorn

from tokenward import AsyncVerifier, Issuer, Policy, entra
from tokenward.databricks import Exchange
from tokenward.databricks.admission.credentials import PassThrough
from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.gateway.gateway import Gateway
from tokenward.databricks.tokens import AsyncTokenSource
from tokenward.diagnostics import Diagnostics
from tokenward.testing import HandClock, LocalIssuer, SigningKey
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer

T = TypeVar("T")
Fields: TypeAlias = list[tuple[str, str]]
DEADLINE = 20.0
"""Seconds for anything at all."""
STUCK = 1.0
"""Seconds without progress after which somebody who writes is taken to be held back."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def eventually(happened: Callable[[], T], what: str) -> T:
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


# -- HTTP/1.1, byte by byte --------------------------------------------------------------------------------------------


class Cut(Exception):
    """The other side ended in the middle of something."""


class Wire:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(DEADLINE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.seen = b""
        self._unread = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def push(self, piece: bytes, most: int) -> int:
        """Write the piece again and again, `most` bytes at most; how many went before the other side held it back."""
        sent = 0
        self.sock.settimeout(STUCK)
        with contextlib.suppress(TimeoutError):
            while sent < most:
                sent += self.sock.send(piece[: most - sent])
        self.sock.settimeout(DEADLINE)
        return sent

    def more(self) -> bool:
        """Read what is there; False at the end. A reset is an end, too."""
        try:
            data = self.sock.recv(256 * 1024)
        except ConnectionError:
            data = b""
        self._unread += data
        self.seen = (self.seen + data)[-64 * 1024 :]
        return bool(data)

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with the mark."""
        while mark not in self._unread:
            if not self.more():
                raise Cut
        found, _, self._unread = self._unread.partition(mark)
        return found + mark

    def take(self, most: int) -> bytes:
        """Between one and `most` bytes."""
        if not self._unread and not self.more():
            raise Cut
        taken, self._unread = self._unread[:most], self._unread[most:]
        return taken

    def exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.take(size)
            size -= len(piece)
            yield piece

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.until(b"\r\n"), 16):
            yield from self.exactly(size)
            self.until(b"\r\n")
        while self.until(b"\r\n") != b"\r\n":
            pass

    def rest(self) -> bytes:
        """Everything until the end."""
        while self.more():
            pass
        taken, self._unread = self._unread, b""
        return taken

    def ended(self, seconds: float = DEADLINE) -> bool:
        """Whether the other side closes or resets within so many seconds; what it still sends is thrown away."""
        if self.sock.fileno() < 0:
            return True
        self.sock.settimeout(seconds)
        try:
            while self.sock.recv(256 * 1024):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def reset(self) -> None:
        """Close with RST: a linger of zero seconds does that (socket(7))."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()


@dataclass
class Message:
    """The head of a request or an answer as it came, and its body as far as it was read."""

    first: list[str]
    fields: Fields
    body: bytes = b""
    complete: bool = False

    @classmethod
    def read(cls, wire: Wire) -> Self:
        first, *lines = wire.until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        pairs = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
        return cls(first.split(" ", 2), pairs)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]

    def value(self, name: str) -> str | None:
        """The value of a field that comes once at most."""
        values = self.values(name)
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def framing(self) -> str:
        """How its body ends: "length N", "chunked" or "none"."""
        if self.values("transfer-encoding"):
            return str(self.value("transfer-encoding")).lower()
        length = self.value("content-length")
        return "none" if length is None else f"length {length}"

    @property
    def method(self) -> str:
        return self.first[0]

    @property
    def target(self) -> str:
        return self.first[1]

    @property
    def status(self) -> int:
        return int(self.first[1])

    @property
    def refused(self) -> str | None:
        """The mark of a refusal by the gateway itself."""
        return self.value("tokenward-refused")

    def parts(self, wire: Wire) -> Iterator[bytes]:
        """Read the body part by part, and note whether it ended as its framing says."""
        how, _, length = self.framing.partition(" ")
        yield from wire.chunks() if how == "chunked" else wire.exactly(int(length or 0))
        self.complete = True

    def read_body(self, wire: Wire) -> Self:
        """Read all of the body, or as much as comes."""
        if self.complete:
            return self
        pieces = []
        with contextlib.suppress(Cut):
            for part in self.parts(wire):
                pieces.append(part)  # noqa: PERF402  # what came before a cut counts
        self.body = b"".join(pieces)
        return self

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def head(status: int, *fields: tuple[str, str], reason: str = "Whatever") -> bytes:
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in fields)]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


# -- the upstream ------------------------------------------------------------------------------------------------------

Script: TypeAlias = Callable[[Wire, Message], None]


def answering(status: int = 200, *fields: tuple[str, str], body: bytes = b"{}") -> Script:
    """Read all of the request, and answer it."""

    def script(wire: Wire, request: Message) -> None:
        request.read_body(wire)
        if request.complete:
            length = () if status in (204, 304) else (("Content-Length", str(len(body))),)
            wire.send(head(status, *fields, *length) + (b"" if request.method == "HEAD" or not length else body))

    return script


class Upstream:
    """A server on loopback that follows `script` for each request. It keeps connections, unless the script closes them."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.script: Script = answering()
        self.requests: list[Message] = []
        self.connections: list[Wire] = []
        self.failures: list[BaseException] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def only(self) -> Message:
        """The one request that came."""
        [request] = self.requests
        return request

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for wire in self.connections:
            with contextlib.suppress(OSError):
                wire.sock.shutdown(socket.SHUT_RDWR)
            wire.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(Wire(sock))
            threading.Thread(target=self._serve, args=(self.connections[-1],), daemon=True).start()

    def _serve(self, wire: Wire) -> None:
        try:
            with contextlib.suppress(Cut, OSError), wire.sock:
                while wire.sock.fileno() >= 0:
                    request = Message.read(wire)
                    self.requests.append(request)
                    self.script(wire, request)
        except BaseException as exc:
            self.failures.append(exc)
            raise


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()
    assert server.failures == []


# -- the gateway under uvicorn -----------------------------------------------------------------------------------------


class Said(logging.Handler):
    """What uvicorn and asyncio complain of."""

    LOGGERS = ("uvicorn.error", "asyncio", "aiohttp.client", "aiohttp.internal")

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(self.format(record))

    def forgive(self, words: str) -> None:
        """Take away what a test expects of the server."""
        self.kept[:] = [line for line in self.kept if words not in line]

    def __enter__(self) -> Self:
        for name in self.LOGGERS:
            logging.getLogger(name).addHandler(self)
        return self

    def __exit__(self, *exc: object) -> None:
        for name in self.LOGGERS:
            logging.getLogger(name).removeHandler(self)


class Served:
    """An ASGI app under uvicorn on loopback, and how to speak to it."""

    def __init__(self, app: Any, gateway: Gateway, said: Said, bearer: str, **config: Any) -> None:
        self.gateway = gateway
        self.said = said
        self.bearer = bearer
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._sock.getsockname()[1]
        options = {
            "ws": "none",
            "http": "httptools",
            "lifespan": "on",
            "log_config": None,
            "access_log": False,
            "loop": "asyncio",
        }
        self._server = uvicorn.Server(uvicorn.Config(app, timeout_graceful_shutdown=10, **(options | config)))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._own_tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._clients: list[Wire] = []

    def start(self) -> Self:
        self._thread.start()
        eventually(lambda: self._server.started or not self._thread.is_alive(), "start of the server")
        assert self._server.started, self.said.kept
        self._own_tasks = self.run(self._tasks())
        return self

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self.begin_to_stop()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()

    def begin_to_stop(self) -> None:
        """As SIGTERM does."""
        self._server.should_exit = True

    def _run(self) -> None:
        self._server.run(sockets=[self._sock])

    async def _tasks(self) -> set[asyncio.Task[Any]]:
        self._loop = asyncio.get_running_loop()
        return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it in the server's loop."""
        loop = next(iter(self._server.servers)).get_loop()
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(DEADLINE)

    def is_quiet(self) -> bool:
        """Whether nothing is under way: no request counted, and no task that was not there at the start."""
        return self.gateway.in_flight == 0 and not (self.run(self._tasks()) - self._own_tasks)

    # -- speaking to it --

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self, receive_buffer: int | None = None) -> Wire:
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.connect(("127.0.0.1", self.port))
        self._clients.append(Wire(sock))
        return self._clients[-1]

    def head(self, method: str, path: str, *fields: tuple[str, str], bearer: str | None = None) -> bytes:
        """The head of a request with the caller's token."""
        common = (("Host", "gateway.example"), ("Authorization", bearer or self.bearer))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (*common, *fields))]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")

    def begin(self, method: str, path: str, *fields: tuple[str, str], body: bytes = b"", bearer: str | None = None) -> Wire:
        """A new connection on which this much of a request was sent."""
        wire = self.connect()
        wire.send(self.head(method, path, *fields, bearer=bearer) + body)
        return wire

    def ask(self, method: str, path: str, *fields: tuple[str, str], body: bytes = b"", bearer: str | None = None) -> Message:
        """A whole exchange on a connection of its own."""
        wire = self.begin(method, path, *fields, body=body, bearer=bearer)
        answer = Message.read(wire)
        if method == "HEAD":
            wire.close()
            return answer
        answer.read_body(wire)
        wire.close()
        return answer

    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"authorization": self.bearer}, trust_env=False, timeout=DEADLINE)


class Events:
    """A structlog logger that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.kept.append({"event": event, **fields})

    warning = error = info

    @property
    def codes(self) -> list[str]:
        return [event["code"] for event in self.kept if "code" in event]


@pytest.fixture
def events() -> Events:
    """What the gateway logs."""
    return Events()


@pytest.fixture
def said() -> Iterator[Said]:
    """What the server says; nothing of it may be left at the end of a test."""
    with Said() as handler:
        yield handler
    assert handler.kept == []


@pytest.fixture
def bearer(issuer: LocalIssuer) -> Callable[..., str]:
    """The Authorization value of a caller: `bearer()`, `bearer("grace")`."""

    def make(subject: str | None = None, **minting: Any) -> str:
        claims: Any = {"claims": {"sub": subject}} if subject else {}
        return f"Bearer {issuer.databricks_token(**claims, **minting)}"

    return make


@dataclass
class Parts:
    """What gateways are made of, and what they are told to be in a test."""

    issuer: LocalIssuer
    wall: HandClock
    events: Events
    upstream: str
    policies: list[Policy] = field(default_factory=list)

    def verifier(self) -> AsyncVerifier:
        policy = entra.databricks(self.issuer.tenant, cloud=self.issuer.cloud)
        return AsyncVerifier(policy, fetch=self.issuer.async_fetch, clock=self.wall)

    def gateway(self, **options: Any) -> Gateway:
        given: dict[str, Any] = {
            "upstream": self.upstream,
            "credentials": PassThrough(),
            "diagnostics": Diagnostics(first=None, logger=self.events),
            "clock": self.wall,
        } | options
        return Gateway(verifier=given.pop("verifier", None) or self.verifier(), **given)


@pytest.fixture
def parts(issuer: LocalIssuer, wall: HandClock, events: Events, upstream: Upstream) -> Parts:
    return Parts(issuer, wall, events, upstream.url)


Serve: TypeAlias = Callable[..., Served]


@pytest.fixture(params=["httptools"])
def protocol(request: pytest.FixtureRequest) -> str:
    """How uvicorn reads HTTP, and in which loop. Tests of what broken requests and connections do ask for each of them."""
    if "uvloop" in request.param:
        pytest.importorskip("uvloop", reason="uvloop is not installed: pip install uvloop")
    return str(request.param)


@pytest.fixture
def serve(parts: Parts, said: Said, protocol: str, bearer: Callable[..., str]) -> Iterator[Serve]:
    """`serve(allow=[...], ...)`: a gateway with these options, in front of `upstream`; `app` and `config` are uvicorn's."""
    running: list[Served] = []

    def start(*, app: Callable[[Gateway], Any] | None = None, config: dict[str, Any] | None = None, **options: Any) -> Served:
        gateway = parts.gateway(**options)
        http, _, loop = protocol.partition(" on ")
        under = {"http": http, "loop": loop or "asyncio"} | (config or {})
        served = Served(app(gateway) if app else gateway, gateway, said, bearer(), **under)
        running.append(served)
        return served.start()

    yield start
    for served in running:
        served.stop()


# -- a workspace that exchanges tokens ---------------------------------------------------------------------------------


@pytest.fixture
def workspace(wall: HandClock, new_key: Callable[[], SigningKey]) -> Iterator[WorkspaceServer]:
    """The stand-in workspace over HTTP, which dates its tokens by `wall`."""
    estate = DatabricksWorkspace(clock=wall, new_key=new_key)
    with WorkspaceServer(estate) as server:
        yield server
    estate.close()


@pytest.fixture
def federated(workspace: WorkspaceServer, wall: HandClock) -> dict[str, Any]:
    """Options of a gateway whose callers come from the workspace's identity provider: how to verify, and how to exchange."""
    idp = workspace.workspace.idp
    policy = _policy_of(idp.issuer, workspace.workspace.account_id)
    source = AsyncTokenSource(Exchange(workspace.url), clock=wall, observer=None)
    return {"verifier": AsyncVerifier(policy, fetch=idp.async_fetch, clock=wall), "credentials": source}


def _policy_of(issuer: str, audience: str) -> Policy:
    return Policy([Issuer(issuer, audiences=[audience], discovery_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration")])


# -- names for the test modules, which import nothing from each other --------------------------------------------------


def rule(methods: frozenset[str] = METHODS, pattern: str = "/api/**", **patience: float | None) -> Rule:
    """One rule for everything below /api, with this patience."""
    return Rule("test", methods, pattern, Patience(**patience))  # type: ignore[arg-type]


class Http:
    """What tests are written with."""

    Message = Message
    Cut = Cut
    head = staticmethod(head)
    chunk = staticmethod(chunk)
    answering = staticmethod(answering)
    rule = staticmethod(rule)
    trusting = staticmethod(lambda file: ssl.create_default_context(cafile=file))


@pytest.fixture(scope="session")
def http() -> type[Http]:
    return Http
