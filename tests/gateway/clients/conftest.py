"""Gateways under real servers, each in a process of its own, in front of the stand-in workspace and of a moody upstream.

One server has several gateways, and tells them apart by the name that it is called by: 127.0.0.1 passes the callers' Entra tokens
on to the workspace, localhost exchanges the tokens of its identity provider there, and names with `moody` in them go to an
upstream that does what a well-behaved workspace would not.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import QuietHandler, QuietServer, free_port
from tokenward.testing.workspace import DEFAULT_USER, DatabricksWorkspace, WorkspaceServer
from tokenward.testing.workspace.certificate import LoopbackTls

HERE = Path(__file__).parent
DEADLINE = 30.0
"""Seconds for anything at all."""
CURL = shutil.which("curl")

UVICORN = [
    "uvicorn",
    "--log-level",
    "warning",
    "--no-access-log",
    "--timeout-graceful-shutdown",
    "1",
    "--host",
    "127.0.0.1",
    "--port",
    "{port}",
]
GRANIAN = ["granian", "--interface", "asgi", "--log-level", "warning", "--host", "127.0.0.1", "--port", "{port}"]
SERVERS = {
    "uvicorn with h11": [*UVICORN, "--http", "h11", "clients_gateway_app:app"],
    "uvicorn with httptools": [*UVICORN, "--http", "httptools", "clients_gateway_app:app"],
    "hypercorn": ["hypercorn", "--bind", "127.0.0.1:{port}", "clients_gateway_app:app"],
    "granian": [*GRANIAN, "clients_gateway_app:app"],
    "hypercorn, impatient": ["hypercorn", "--keep-alive", "1", "--bind", "127.0.0.1:{port}", "clients_gateway_app:app"],
}
TLS = {"uvicorn": ("--ssl-certfile", "--ssl-keyfile"), "hypercorn": ("--certfile", "--keyfile")}


def eventually(happened: Callable[[], Any], what: str) -> Any:
    """What it returns once that is true; fails after the deadline."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        if seen := happened():
            return seen
        time.sleep(0.02)
    pytest.fail(f"in {DEADLINE:.0f} seconds there was no {what}")


@pytest.fixture(name="eventually", scope="session")
def eventually_fixture() -> Callable[[Callable[[], Any], str], Any]:
    return eventually


# -- behind the gateways -----------------------------------------------------------------------------------------------


class Moody(QuietServer):
    """An upstream that answers a path as a test told it to: `moods[path] = function of the handler`."""

    def __init__(self) -> None:
        self.moods: dict[str, Callable[[Any], object]] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.left = threading.Event()
        self.next = threading.Semaphore(0)
        super().__init__(("127.0.0.1", 0), _MoodyHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def reset(self) -> None:
        self.moods, self.seen, self.left, self.next = {}, [], threading.Event(), threading.Semaphore(0)


class _MoodyHandler(QuietHandler):
    protocol_version = "HTTP/1.1"
    server: Moody

    def _handle(self) -> None:
        self.server.seen.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.server.moods[self.path.partition("?")[0]](self)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815  # the base class's words

    def begin(self, *fields: tuple[str, str]) -> None:
        """The head of an answer."""
        self.send_response_only(200)
        for name, value in fields:
            self.send_header(name, value)
        self.end_headers()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def await_end(self) -> None:
        """Wait until the gateway has closed the connection, and say so."""
        self.connection.settimeout(DEADLINE)
        with contextlib.suppress(ConnectionError):
            if self.connection.recv(1):
                return
        self.server.left.set()
        self.close_connection = True


@dataclass
class Estate:
    """What is behind the gateways, and whose tokens they take."""

    issuer: IssuerServer
    workspace: WorkspaceServer
    moody: Moody
    tls: LoopbackTls
    _bearers: dict[str, str] = field(default_factory=dict)

    @property
    def standin(self) -> DatabricksWorkspace:
        return self.workspace.workspace

    @property
    def ca_file(self) -> str:
        return self.tls.ca_file

    def entra_token(self) -> str:
        """A user's token for AzureDatabricks, which the workspace itself takes."""
        return self.standin.tenant.databricks_token(claims={"unique_name": DEFAULT_USER, "upn": DEFAULT_USER})

    def token(self, kind: str) -> str:
        """For the gateway that passes tokens on ("pass"), or for the one that exchanges them ("exchange"); one for all tests."""
        if kind not in self._bearers:
            self._bearers[kind] = self.standin.federated_jwt() if kind == "exchange" else self.entra_token()
        return self._bearers[kind]

    def tokens_seen(self) -> set[str]:
        """The tokens that came to the workspace's APIs."""
        asked = [request for request in self.standin.requests if request.path.startswith(("/api/", "/serving-endpoints/"))]
        values = [request.headers.get("authorization", "") for request in asked]
        return {value.removeprefix("Bearer ") for value in values}

    def has_arrived(self, kind: str) -> bool:
        """Whether the workspace's APIs saw what they should: the caller's own token, or only one that came of an exchange."""
        own, seen = self.token(kind), self.tokens_seen()
        return seen == {own} if kind == "pass" else bool(seen) and own not in seen

    def gateways(self, moody_alone: bool) -> str:
        """The gateways of a server, by the names that they are called by."""
        idp, standin = self.standin.idp, self.standin
        passing = {"credentials": "pass", "authority": self.issuer.url, "tenant": standin.tenant.tenant}
        exchanging = {
            "credentials": "exchange",
            "workspace": self.workspace.url,
            "issuer": idp.issuer,
            "audience": standin.account_id,
            "jwks_uri": idp.jwks_uri.replace(idp.home, self.workspace.url),
        }
        upstream, moody = {"upstream": self.workspace.url}, {"upstream": self.moody.url}
        if moody_alone:
            return json.dumps({"127.0.0.1": passing | moody, "localhost": exchanging | moody})
        named = {
            "127.0.0.1": passing | upstream,
            "localhost": exchanging | upstream,
            "moody.example": passing | moody,
            "exchanging.moody.example": exchanging | moody,
        }
        return json.dumps(named)


@pytest.fixture(scope="module")
def estate_of_module() -> Iterator[Estate]:
    entra_tenant = LocalIssuer()
    standin = DatabricksWorkspace(entra=entra_tenant)
    moody, tls = Moody(), LoopbackTls()
    with IssuerServer(entra_tenant) as issuer, WorkspaceServer(standin) as workspace:
        estate = Estate(issuer, workspace, moody, tls)
        _await_keys(estate)
        yield estate
    standin.close()
    moody.shutdown()
    moody.server_close()
    tls.close()


def _await_keys(estate: Estate) -> None:
    """The stand-in fetches Entra's keys for its first caller; others who come at that moment may be answered with 503."""
    caller = {"authorization": f"Bearer {estate.token('pass')}"}
    url = f"{estate.workspace.url}/api/2.0/preview/scim/v2/Me"
    eventually(lambda: httpx.get(url, headers=caller, trust_env=False, timeout=DEADLINE).status_code == 200, "answer to a caller")


@pytest.fixture
def estate(estate_of_module: Estate) -> Estate:
    """Nothing was asked of it yet."""
    estate_of_module.moody.reset()
    estate_of_module.standin.requests.clear()
    estate_of_module.standin.recover()
    return estate_of_module


# -- the servers -------------------------------------------------------------------------------------------------------


@dataclass
class Gate:
    """A server with gateways."""

    server: str
    port: int
    scheme: str
    process: subprocess.Popen[bytes]

    def url(self, kind: str = "pass") -> str:
        return f"{self.scheme}://{'localhost' if kind == 'exchange' else '127.0.0.1'}:{self.port}"

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)


Start = Callable[..., contextlib.AbstractContextManager[Gate]]


@contextlib.contextmanager
def _started(server: str, gateways: str, log: Path, tls: LoopbackTls | None = None) -> Iterator[Gate]:
    port = free_port()
    command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[server])]
    if tls is not None:
        place = str(Path(tls.ca_file).with_name("server.pem"))
        certificate, key = TLS[server.split(" ")[0]]
        command += [certificate, place, key, place]
    environment = os.environ | {"GATEWAYS": gateways, "PYTHONPATH": str(HERE)}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=HERE, env=environment, stdout=out, stderr=out, start_new_session=True) as process,
    ):
        try:
            _await_port(process, port, log)
            yield Gate(server, port, "http" if tls is None else "https", process)
        finally:
            _end(process)


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def listens() -> bool:
        if process.poll() is not None:
            pytest.fail(f"it ended: {log.read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    eventually(listens, "server")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and end whatever is left of it and its children."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def start(estate_of_module: Estate, tmp_path_factory: pytest.TempPathFactory) -> Start:
    """`with start("hypercorn", secure=True) as gate:` a server of this kind, over TLS or not, before the workspace or not."""

    def starting(server: str, *, secure: bool = False, moody_alone: bool = False) -> contextlib.AbstractContextManager[Gate]:
        log = tmp_path_factory.mktemp("server") / "log"
        return _started(server, estate_of_module.gateways(moody_alone), log, estate_of_module.tls if secure else None)

    return starting


@pytest.fixture(scope="module")
def gates(start: Start) -> Iterator[Callable[[str], Gate]]:
    """`gates("hypercorn")`: each kind of server is started when it is first asked for."""
    with contextlib.ExitStack() as stack:
        yield functools.cache(lambda server: stack.enter_context(start(server)))


@pytest.fixture(params=list(SERVERS)[:4])
def any_gate(request: pytest.FixtureRequest, gates: Callable[[str], Gate]) -> Gate:
    """Each kind of server."""
    return gates(request.param)


@pytest.fixture(scope="module")
def gate(start: Start) -> Iterator[Gate]:
    """The server that `tokenward gateway` uses."""
    with start("uvicorn with httptools") as gate:
        yield gate


# -- plain clients -----------------------------------------------------------------------------------------------------


@pytest.fixture
def http(estate: Estate) -> Iterator[Callable[..., httpx.Client]]:
    """`http(gate, "exchange", http2=True)`: an httpx client of a caller of this gateway; `name` is the Host it asks for."""
    with contextlib.ExitStack() as stack:

        def make(gate: Gate, kind: str = "pass", *, name: str | None = None, http2: bool = False, **options: Any) -> httpx.Client:
            named = {} if name is None else {"host": name}
            token = {"authorization": f"Bearer {estate.token(kind)}"}
            client = httpx.Client(
                base_url=gate.url(kind),
                headers=token | named,
                http1=not http2,
                http2=http2,
                trust_env=False,
                timeout=DEADLINE,
                **options,
            )
            return stack.enter_context(client)

        yield make
