"""A token endpoint on loopback, callers' tokens, and callers on threads, asyncio and trio."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs

import anyio
import anyio.to_thread
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tokenward.databricks import AccessToken, AsyncTokenSource, Exchange, TokenSource
from tokenward.databricks.grant import Grant
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import HandClock, SigningKey
from tokenward.testing.oidc import OidcIssuer

Reply = tuple[int, dict[str, str], bytes]
Claims = dict[str, Any]

# -- callers' tokens ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def es256_key() -> SigningKey:
    """ES256, which signs a thousand tokens in a moment."""
    return SigningKey.generate("ES256")


@pytest.fixture
def idp(wall: HandClock, es256_key: SigningKey) -> OidcIssuer:
    """The identity provider of the callers; it dates its tokens by `wall`."""
    return OidcIssuer("https://idp.example/", clock=wall, keys=[es256_key])


@pytest.fixture
def jwt(idp: OidcIssuer) -> Callable[..., str]:
    """A caller's token, of an hour: `jwt("ada")`, `jwt("ada", lifetime=60)`."""

    def make(subject: str = "ada@example.com", **minting: Any) -> str:
        return idp.access_token("databricks", subject=subject, **minting)

    return make


def claims_of(token: str) -> Claims:
    segment = token.split(".")[1]
    decoded: Claims = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return decoded


@pytest.fixture(name="claims_of", scope="session")
def claims_of_fixture() -> Callable[[str], Claims]:
    """The claims of a token, unverified."""
    return claims_of


# -- the endpoint ------------------------------------------------------------------------------------------------------


def issued(form: dict[str, str], path: str, number: int) -> Reply:
    """Databricks' good answer, whose token says for what it was given; it ends with the caller's token."""
    claims = claims_of(form["subject_token"])
    mine = {
        "for": hashlib.sha256(form["subject_token"].encode()).hexdigest(),
        "client_id": form.get("client_id"),
        "scope": form["scope"],
        "path": path,
        "number": number,
        "exp": claims["exp"],
    }
    token = ".".join(_segment(part) for part in ({"kid": "k", "typ": "at+jwt", "alg": "RS256"}, mine, {"signed": "by nobody"}))
    return answer({"access_token": token, "scope": form["scope"], "token_type": "Bearer", "expires_in": 3600})


def _segment(members: Claims) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def answer(members: object, status: int = 200, **headers: str) -> Reply:
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, json.dumps(members).encode()


@pytest.fixture(name="answer", scope="session")
def answer_fixture() -> Callable[..., Reply]:
    """A JSON answer: `answer({...}, 429, Retry_After="1")`."""
    return answer


@dataclass
class Answers:
    """What an endpoint answers, and what it was asked. While the gate is shut it keeps everybody waiting.

    `script` is answered first, one after the other; then `always`, or else tokens are issued. A reply of None breaks the
    connection.
    """

    forms: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    script: list[Reply | None] = field(default_factory=list)
    always: Reply | None = None
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.gate.set()

    @property
    def exchanges(self) -> int:
        return len(self.forms)

    def arrive(self, body: bytes, path: str, headers: dict[str, str]) -> Reply | None:
        form = {name: values[0] for name, values in parse_qs(body.decode(), strict_parsing=True).items()}
        with self._lock:
            self.forms.append(form)
            self.paths.append(path)
            self.headers.append(headers)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            number = len(self.forms)
            return self.script.pop(0) if self.script else self.always or issued(form, path, number)

    def leave(self) -> None:
        with self._lock:
            self._at_once -= 1


class TokenEndpoint(Answers):
    """The same over real HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                reply = endpoint.arrive(body, self.path, {name.lower(): value for name, value in self.headers.items()})
                endpoint.gate.wait(20)
                endpoint.leave()
                if reply is None:
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    socket.close(self.connection.detach())
                    return
                status, headers, content = reply
                with contextlib.suppress(ConnectionError):
                    self.send_response(status)
                    for name, value in ({"Content-Length": str(len(content))} | headers).items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 2048

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server = None


@pytest.fixture
def endpoint() -> Iterator[TokenEndpoint]:
    """A workspace's token endpoint over real HTTP on loopback."""
    served = TokenEndpoint()
    yield served
    served.gate.set()
    served.stop()


@pytest.fixture
def exchange(endpoint: TokenEndpoint) -> Exchange:
    return Exchange(endpoint.url)


class InProcess(Answers):
    """The same without a network, for more exchanges at once than two processors serve over HTTP."""

    def fetch(self, request: FetchRequest) -> FetchResponse:
        reply = self.arrive(request.content, request.url, dict(request.headers))
        self.gate.wait(20)
        return self._response(reply)

    async def fetch_async(self, request: FetchRequest) -> FetchResponse:
        reply = self.arrive(request.content, request.url, dict(request.headers))
        if not self.gate.is_set():
            await anyio.to_thread.run_sync(self.gate.wait, 20, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        return self._response(reply)

    def _response(self, reply: Reply | None) -> FetchResponse:
        self.leave()
        if reply is None:
            raise ConnectionResetError
        status, headers, content = reply
        return FetchResponse(status, {name.lower(): value for name, value in headers.items()}, content)


@pytest.fixture
def in_process() -> Iterator[InProcess]:
    answers = InProcess()
    yield answers
    answers.gate.set()


# -- callers -----------------------------------------------------------------------------------------------------------


@dataclass
class ThreadWorld:
    """Callers on threads."""

    executor: ThreadPoolExecutor
    clocks: dict[str, HandClock]
    kind: Literal["threads"] = "threads"

    def source(self, grant: Grant, answers: InProcess | None = None, **options: Any) -> TokenSource:
        fetch = {"fetch": answers.fetch} if answers else {}
        return TokenSource(grant, **{"observer": None, **self.clocks, **fetch, **options})

    def submit(self, source: TokenSource, token: str | bytes) -> Future[AccessToken]:
        return self.executor.submit(source.token_for, token)

    def token_for(self, source: TokenSource, token: str | bytes) -> AccessToken:
        return self.submit(source, token).result(30)


@dataclass
class LoopWorld:
    """Callers as tasks of one event loop, which runs in a thread of its own."""

    portal: BlockingPortal
    clocks: dict[str, HandClock]
    kind: Literal["asyncio", "trio"]

    def source(self, grant: Grant, answers: InProcess | None = None, **options: Any) -> AsyncTokenSource:
        fetch = {"fetch": answers.fetch_async} if answers else {}
        return AsyncTokenSource(grant, **{"observer": None, **self.clocks, **fetch, **options})

    def submit(self, source: AsyncTokenSource, token: str | bytes) -> Future[AccessToken]:
        return self.portal.start_task_soon(source.token_for, token)

    def token_for(self, source: AsyncTokenSource, token: str | bytes) -> AccessToken:
        return self.submit(source, token).result(30)


@contextmanager
def _open(kind: str, clocks: dict[str, HandClock]) -> Iterator[ThreadWorld | LoopWorld]:
    if kind == "threads":
        with ThreadPoolExecutor(1000) as executor:
            yield ThreadWorld(executor, clocks)
    else:
        with start_blocking_portal(kind) as portal:
            yield LoopWorld(portal, clocks, kind)  # type: ignore[arg-type]


@pytest.fixture(params=["threads", "asyncio", "trio"])
def world(request: pytest.FixtureRequest, wall: HandClock, mono: HandClock) -> Iterator[ThreadWorld | LoopWorld]:
    """Each source of tokens, on each kind of concurrency it has."""
    with _open(request.param, {"clock": wall, "monotonic": mono}) as ready:
        yield ready


@pytest.fixture(params=["asyncio", "trio"])
def loops(request: pytest.FixtureRequest, wall: HandClock, mono: HandClock) -> Iterator[ThreadWorld | LoopWorld]:
    with _open(request.param, {"clock": wall, "monotonic": mono}) as ready:
        yield ready


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something that happens in another thread has happened; fail after twenty seconds."""

    def wait(happened: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not happened():
            assert time.monotonic() < until, "it did not happen"
            time.sleep(0.002)

    return wait
