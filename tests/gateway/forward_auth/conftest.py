"""A ForwardAuth before a local issuer, and a driver that asks it for verdicts as the four proxies do, byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tokenward import AsyncVerifier, entra
from tokenward.asking.steps import Steps
from tokenward.databricks.access import AccessToken, Subject
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
from tokenward.databricks.grant import key_of
from tokenward.diagnostics import Diagnostics
from tokenward.testing import HandClock, LocalIssuer

SOURCES = ("nginx", "envoy", "traefik", "caddy")
FIELDS = {
    "nginx": (b"x-original-method", b"x-original-uri"),
    "traefik": (b"x-forwarded-method", b"x-forwarded-uri"),
    "caddy": (b"x-forwarded-method", b"x-forwarded-uri"),
}
Fields = list[tuple[bytes, bytes]]


@dataclass
class Reply:
    """An answer; header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def value(self, name: str) -> str:
        [value] = self.values(name)
        return value

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Events:
    """A structlog logger that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.kept.append({"event": event, **fields})

    warning = error = info


@dataclass
class Ours:
    """A grant without a network: the access token says for whom it is, and ends when the caller's does."""

    name: str = "ours"
    made: list[str] = field(default_factory=list)
    ends_in: float | None = None

    def key(self, subject: Subject) -> bytes:
        return key_of(subject.token)

    def steps(self, subject: Subject, now: float) -> Steps[AccessToken]:
        yield from ()
        self.made.append(subject.token)
        ends = subject.expires_at if self.ends_in is None else now + self.ends_in
        return AccessToken(f"for-{subject.claims['sub']}", ends, "all-apis", "exchange")


class Asker:
    """A ForwardAuth, and the proxy that asks it."""

    def __init__(self, source: str, issuer: LocalIssuer, clock: HandClock, **options: Any) -> None:
        self.source = source
        self.grant = Ours()
        self.events = Events()
        policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
        given: dict[str, Any] = {"credentials": self.grant, "diagnostics": Diagnostics(first=None, logger=self.events)}
        verifier = AsyncVerifier(policy, fetch=issuer.async_fetch, clock=clock, observer=None)
        self.app = ForwardAuth(verifier=verifier, source=source, clock=clock, **given | options)

    def scope(
        self,
        method: str,
        target: bytes,
        authorizations: tuple[bytes, ...],
        *,
        fields: Fields | None = None,
        prefix: bytes = b"/verdict",
        root: str = "",
    ) -> dict[str, Any]:
        """The verdict's own request; `fields` stand in for those of the dialect."""
        path, _, query = target.partition(b"?")
        headers = [(b"authorization", value) for value in authorizations]
        if self.source == "envoy":
            raw = root.encode() + prefix + path
        else:
            named = FIELDS[self.source]
            headers += [(named[0], method.encode()), (named[1], target)] if fields is None else []
            method, raw, query = "GET", root.encode() + prefix, b""
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": raw.decode("latin-1"),
            "raw_path": raw,
            "query_string": query,
            "root_path": root,
            "headers": [*headers, *(fields or [])],
        }

    def ask(self, *authorizations: bytes, method: str = "GET", target: bytes = b"/api/2.0/clusters/list", **other: Any) -> Reply:
        """What the proxy is told of a request with these Authorization values."""
        return self.send(self.scope(method, target, authorizations, **other))

    def send(self, scope: dict[str, Any]) -> Reply:
        return run(self.app, scope)

    def get(self, path: str, method: str = "GET") -> Reply:
        """Any other address of the app."""
        return self.send(self.scope("GET", b"", ()) | {"path": path, "raw_path": path.encode(), "method": method})

    @property
    def codes(self) -> list[str]:
        return [event["code"] for event in self.events.kept]


def run(app: Any, scope: dict[str, Any], incoming: tuple[dict[str, Any], ...] = ()) -> Reply:
    """One exchange in a loop of its own."""
    sent: list[dict[str, Any]] = []
    waiting = list(incoming) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    silent: dict[str, Any] = {"status": 0, "headers": []}
    start = next((message for message in sent if message["type"].endswith("response.start")), silent)
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
    return Reply(start["status"], pairs, b"".join(message.get("body", b"") for message in sent))


@pytest.fixture
def asker(issuer: LocalIssuer, wall: HandClock) -> Callable[..., Asker]:
    """`asker("nginx", max_age=10, ...)`."""

    def make(source: str = "nginx", **options: Any) -> Asker:
        return Asker(source, issuer, wall, **options)

    return make


@pytest.fixture
def bearer(issuer: LocalIssuer) -> Callable[..., bytes]:
    """The Authorization value of a good user: `bearer(lifetime=60)`."""

    def make(**minting: Any) -> bytes:
        return b"Bearer " + issuer.user_token(**minting).encode()

    return make


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    """Each proxy in turn."""
    return str(request.param)


# -- real servers ------------------------------------------------------------------------------------------------------

DEADLINE = 30.0
"""Seconds for anything at all."""


@contextlib.contextmanager
def running(command: list[str], port: int, environment: dict[str, str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server as a process, from when it accepts connections until it is killed."""
    log = (folder / f"{port}.log").open("wb")
    process = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + DEADLINE
        while not _accepts(port):
            assert process.poll() is None, Path(log.name).read_text("utf-8", "replace")
            assert time.monotonic() < until, Path(log.name).read_text("utf-8", "replace")
            time.sleep(0.05)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(DEADLINE)
        log.close()


def _accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextlib.contextmanager
def verdicts(source: str, issuer: LocalIssuer, port: int, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The app for this proxy under uvicorn, before an issuer that is asked over HTTP."""
    here = str(Path(__file__).parent)
    command = [sys.executable, "-m", "uvicorn", "--app-dir", here, "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "SOURCE": source,
        "CLIENT_ID": issuer.client_id,
        "TENANT": issuer.tenant,
        "AUTHORITY": str(issuer.cloud.authority),
    }
    with running([*command, "--log-level", "warning", "verdicts_for_proxies:app"], port, environment, folder) as process:
        yield process


@dataclass
class Servers:
    """What starts servers: handed to tests by a fixture, because test modules import nothing from here."""

    deadline = DEADLINE
    running = staticmethod(running)
    verdicts = staticmethod(verdicts)


@pytest.fixture(scope="session")
def servers() -> Servers:
    """`with servers.verdicts("envoy", issuer, port, tmp_path): ...`."""
    return Servers()
