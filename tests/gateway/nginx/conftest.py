"""Real nginx with the config that is shipped, tokenward as two processes behind it, and workspaces of two kinds as its upstream:
one that writes down what arrives byte by byte, and the stand-in. nginx runs as nobody if the tests run as root."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing.loopback import QuietHandler, QuietServer, free_port
from tokenward.testing.workspace.certificate import LoopbackTls

CONFIG = Path(__file__).parents[3] / "deploy" / "nginx.conf"
HERE = Path(__file__).parent
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
DEADLINE = 30.0
"""Seconds for anything at all."""
PIECE = 256 * 1024


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without nginx there is nothing to test, unless it was said that there must be."""
    if NGINX or "nginx" in os.environ.get("TOKENWARD_REQUIRE", "").replace(",", " ").split():
        return
    skip = pytest.mark.skip(reason="nginx is not installed: apt-get install nginx-light (Debian), brew install nginx (macOS)")
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(skip)


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


@contextlib.contextmanager
def running(command: list[str], end: int = signal.SIGKILL, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process in a session of its own, so that none of its children is left behind."""
    with subprocess.Popen(command, text=True, start_new_session=True, **options) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, end)


# -- what stands in front: nginx -------------------------------------------------------------------------------------------------


@dataclass
class Nginx:
    """nginx under the shipped config, in a folder of its own. `folder / "run"` is what /run is in production."""

    folder: Path
    port: int
    context: ssl.SSLContext
    owner: int

    @property
    def cache(self) -> Path:
        return self.folder / "run" / "tokenward-verdicts"

    @property
    def temporary(self) -> list[Path]:
        return sorted((self.folder / "run").glob("nginx-*"))

    def log(self, name: str) -> str:
        return (self.folder / "log" / f"{name}.log").read_text()

    def connected(self) -> ssl.SSLSocket:
        return self.context.wrap_socket(socket.create_connection(("127.0.0.1", self.port), DEADLINE), server_hostname="localhost")

    def effective(self) -> str:
        """The whole configuration as nginx has read it, without comments."""
        return re.sub(r"(?m)^\s*#.*\n|\s+#.*", "\n", self._judged().stdout)

    def complaints(self) -> list[str]:
        return self._judged().stderr.splitlines()

    def workers(self) -> set[str]:
        """Their process ids."""
        master = (self.folder / "run" / "nginx.pid").read_text().strip()
        return set(Path(f"/proc/{master}/task/{master}/children").read_text().split())

    def _judged(self) -> subprocess.CompletedProcess[str]:
        command = [str(NGINX), "-T", "-q", "-e", "stderr", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")]
        own = _as_user(self.owner)
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=DEADLINE, **own)


@contextlib.contextmanager
def nginx_before(
    workspace: str, tokenward: Sequence[int], tls: LoopbackTls, *, trusted: str | None = None, **values: str
) -> Iterator[Nginx]:
    """nginx that asks these ports of tokenward, and forwards to this address, which it trusts by the same authority or another.

    Other placeholders than those have values that suit a test, unless they are given.
    """
    assert NGINX, "nginx is required (TOKENWARD_REQUIRE) and is not installed: apt-get install nginx-light"
    with tempfile.TemporaryDirectory(prefix="tokenward-nginx-") as name:
        folder, port = Path(name), free_port()
        nginx = Nginx(folder, port, ssl.create_default_context(cafile=tls.ca_file), os.getuid() or pwd.getpwnam("nobody").pw_uid)
        for part in ("run", "log"):
            (folder / part).mkdir(mode=0o700)
        shutil.copy(Path(tls.ca_file).with_name("server.pem"), folder / "server.pem")
        shutil.copy(trusted or tls.ca_file, folder / "ca.pem")
        (folder / "nginx.conf").write_text(_filled(folder, port, workspace, tokenward, values))
        for path in (folder, *folder.iterdir()):
            os.chown(path, nginx.owner, -1)
        command = [NGINX, "-e", "stderr", "-p", name, "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
        with (folder / "log" / "said").open("w+") as said, running(command, stderr=said, **_as_user(nginx.owner)) as process:
            _await_port(process, port, folder / "log" / "said")
            yield nginx


def _filled(folder: Path, port: int, workspace: str, tokenward: Sequence[int], given: dict[str, str]) -> str:
    """The shipped file, with nothing but its placeholders replaced."""
    text = CONFIG.read_text()
    values = {
        "WORKSPACE_HOST": "localhost",
        "WORKSPACE_ADDRESS": workspace,
        "TOKENWARD_A": f"127.0.0.1:{tokenward[0]}",
        "TOKENWARD_B": f"127.0.0.1:{tokenward[1]}",
        "LISTEN": f"127.0.0.1:{port}",
        "CERTIFICATE": str(folder / "server.pem"),
        "CERTIFICATE_KEY": str(folder / "server.pem"),
        "TRUSTED_CAS": str(folder / "ca.pem"),
        "RUNTIME": str(folder / "run"),
        "LOGS": str(folder / "log"),
        "USER": "nobody",
    }
    for name, value in (values | given).items():
        assert f"__{name}__" in text, f"nothing in the config says {name}"
        text = text.replace(f"__{name}__", value)
    assert not re.search(r"__[A-Z_]+__", text), "a placeholder has no value"
    return text


def _as_user(owner: int) -> dict[str, Any]:
    """How to start a process as this user, which only root can choose."""
    return {} if os.getuid() else {"user": owner, "group": pwd.getpwuid(owner).pw_gid, "extra_groups": []}


def _await_port(process: subprocess.Popen[str], port: int, said: Path) -> None:
    def listens() -> bool:
        if process.poll() is not None:
            pytest.fail(f"it ended: {said.read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    eventually(listens, "server")


# -- what nginx asks: tokenward --------------------------------------------------------------------------------------------------


@dataclass
class Tokenward:
    """The forward-auth app in two processes, each of which can be ended and started again."""

    environment: dict[str, str]
    log_file: Path
    ports: list[int] = field(default_factory=lambda: [free_port(), free_port()])
    _processes: dict[int, tuple[subprocess.Popen[str], contextlib.ExitStack]] = field(default_factory=dict)

    def start(self, number: int) -> None:
        port = self.ports[number]
        command = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--app-dir", str(HERE), "--factory", "nginx_verdicts_app:make"]
        stack, said = contextlib.ExitStack(), self.log_file.with_name(f"said-{number}")
        output = stack.enter_context(said.open("a"))
        process = stack.enter_context(running(command, env=os.environ | self.environment, stdout=output, stderr=output))
        self._processes[number] = (process, stack)
        _await_port(process, port, said)

    def end(self, number: int, how: int) -> None:
        """Signal it, and wait until it is gone."""
        process, stack = self._processes.pop(number)
        process.send_signal(how)
        process.wait(DEADLINE)
        stack.close()

    def verdicts(self) -> list[Any]:
        """Every verdict that was asked for so far."""
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def close(self) -> None:
        for _, stack in self._processes.values():
            stack.close()
        self._processes.clear()


@contextlib.contextmanager
def tokenward_with(folder: Path, **environment: str) -> Iterator[Tokenward]:
    log = folder / "verdicts.jsonl"
    log.touch()
    ward = Tokenward({**environment, "VERDICT_LOG": str(log)}, log)
    try:
        for number in range(2):
            ward.start(number)
        yield ward
    finally:
        ward.close()


class Issuer:
    """The local issuer as a process, by its control addresses."""

    def __init__(self, url: str, tenant: str) -> None:
        self.environment = {"ISSUER": url, "TENANT": tenant}
        self._http = httpx.Client(base_url=f"{url}/control", trust_env=False, timeout=DEADLINE)

    def control(self, action: str, **body: object) -> Any:
        answer = self._http.post(f"/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, **options: object) -> str:
        return str(self.control("mint", kind="databricks", **options)["token"])

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="module")
def issuer_process() -> Iterator[Issuer]:
    with running([sys.executable, "-m", "tokenward.testing"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        issuer = Issuer(ready["url"], ready["tenant"])
        yield issuer
        issuer.close()


# -- what stands behind: a workspace that writes everything down ---------------------------------------------------------------


@dataclass(frozen=True)
class Arrival:
    """A request as it arrived: `target` is raw, and header names are lower case."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    length: int

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


@dataclass
class Upstream:
    """A workspace over TLS. It answers 200, unless it is told otherwise; ?bytes=N is answered with so many.

    reply    status and headers of the next answers; status 0 is none, and the end of the connection
    release  until it is set, the second event of a stream waits
    left     set when the connection of such a stream ends before its end
    """

    tls: LoopbackTls
    arrivals: list[Arrival] = field(default_factory=list)
    reply: tuple[int, dict[str, str]] = (200, {})
    release: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    received: dict[str, int] = field(default_factory=dict)
    connections: int = 0
    address: str = ""

    def serve(self) -> QuietServer:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.upstream = self
        self.address = f"127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    def arrived(self, mark: str) -> list[Arrival]:
        """Those whose target holds this mark."""
        return [arrival for arrival in list(self.arrivals) if mark in arrival.target]


class _Server(QuietServer):
    expected = (ConnectionError, ssl.SSLError, TimeoutError)
    upstream: Upstream

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        wrapped = self.upstream.tls.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.upstream.connections += 1
        return wrapped, address


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60.0
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        assert isinstance(self.server, _Server)
        upstream = self.server.upstream
        target = self.requestline.split(" ")[1]  # `path` has lost a second slash at its beginning
        length = 0
        for piece in self._body():
            length += len(piece)
            upstream.received[target] = length
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        upstream.arrivals.append(Arrival(self.command, target, headers, length))
        if "stream-of-events" in target:
            self._events(upstream)
        else:
            self._answer(upstream, int(target.partition("?bytes=")[2] or 2))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815  # the base class's words

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("transfer-encoding"):
            while size := int(self.rfile.readline(), 16):
                yield from self._exactly(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            yield from self._exactly(int(self.headers.get("content-length", "0")))

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.rfile.read1(min(PIECE, size))
            if not piece:
                raise ConnectionAbortedError
            size -= len(piece)
            yield piece

    def _answer(self, upstream: Upstream, size: int) -> None:
        status, headers = upstream.reply
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers, "Content-Length": str(size)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            for start in range(0, size, PIECE):
                self.wfile.write(b"0" * min(PIECE, size - start))

    def _events(self, upstream: Upstream) -> None:
        self.send_response(200)
        for name, value in {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        self._chunk(b"data: first\n\n")
        while not upstream.release.wait(0.05):
            if select.select([self.connection], [], [], 0)[0]:  # nginx sends no more, so it is the end of the connection
                upstream.left.set()
                raise ConnectionAbortedError
        self._chunk(b"data: second\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))


@pytest.fixture(scope="module")
def tls() -> Iterator[LoopbackTls]:
    pair = LoopbackTls()
    yield pair
    pair.close()


@pytest.fixture(scope="module")
def upstream(tls: LoopbackTls) -> Iterator[Upstream]:
    recorder = Upstream(tls)
    server = recorder.serve()
    yield recorder
    recorder.release.set()
    server.shutdown()
    server.server_close()


# -- all of it -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """An answer; header names are lower case."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def refused(self) -> str | None:
        values = self.values("tokenward-refused")
        assert len(values) <= 1
        return values[0] if values else None


@dataclass
class Front:
    """nginx, tokenward, the issuer and the workspace that writes down."""

    nginx: Nginx
    tokenward: Tokenward
    issuer: Issuer
    upstream: Upstream

    def ask(self, method: str, target: str, *headers: tuple[str, str], token: str | None = None, body: bytes = b"") -> Reply:
        """One request, its target and headers exactly as given, on a connection of its own."""
        lines = [f"{method} {target} HTTP/1.1", "Host: gateway.example", "Connection: close"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        lines += [f"{name}: {value}" for name, value in headers]
        return self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body, method)

    def send(self, request: bytes, method: str = "GET") -> Reply:
        """Bytes as they are; the first answer."""
        with self.nginx.connected() as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            headers = [(name.lower(), value) for name, value in answer.getheaders()]
            return Reply(answer.status, headers, answer.read())

    def ask_in_turn(self, targets: Sequence[str], token: str) -> list[int]:
        """Statuses of requests on one connection, and so of one worker of nginx."""
        client = http.client.HTTPSConnection("localhost", self.nginx.port, timeout=DEADLINE, context=self.nginx.context)
        with contextlib.closing(client):
            return [self._status(client, target, token) for target in targets]

    def _status(self, client: http.client.HTTPSConnection, target: str, token: str) -> int:
        client.request("GET", target, headers={"Authorization": f"Bearer {token}"})
        with client.getresponse() as answer:
            answer.read()
            return answer.status

    def verdicts_about(self, mark: str) -> list[Any]:
        """The verdicts that were asked for about targets that hold this mark."""
        return [verdict for verdict in self.tokenward.verdicts() if mark in dict(verdict["asked"]).get("x-original-uri", "")]


class Parts:
    """What a front is made of."""

    front = Front
    nginx_before = staticmethod(nginx_before)
    tokenward_with = staticmethod(tokenward_with)
    running = staticmethod(running)

    @staticmethod
    def trusting(ca_file: str) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=ca_file)


@pytest.fixture(scope="module")
def front(
    tls: LoopbackTls, upstream: Upstream, issuer_process: Issuer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    """Callers of the local issuer, whose tokens are passed as they are."""
    folder = tmp_path_factory.mktemp("tokenward")
    with (
        tokenward_with(folder, **issuer_process.environment) as ward,
        nginx_before(upstream.address, ward.ports, tls) as nginx,
    ):
        yield Front(nginx, ward, issuer_process, upstream)


@pytest.fixture(scope="session")
def parts() -> Parts:
    """To set up something else than `front`."""
    return Parts()


@pytest.fixture(autouse=True)
def fresh(upstream: Upstream) -> Iterator[None]:
    """The workspace answers as it should, for the next test, too."""
    yield
    upstream.reply = (200, {})
    upstream.release.clear()
    upstream.left.clear()
