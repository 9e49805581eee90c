"""Settings as somebody would write them, and servers that run on them: real processes, the stand-in workspace behind them."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import free_port
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer

DEADLINE = 60.0
"""Seconds until a test gives up on a process; none of them needs a tenth of it on an idle machine."""
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"


@pytest.fixture
def environment() -> dict[str, str]:
    """This process's, without settings of ours."""
    own = ("TOKENWARD_", "DATABRICKS_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_", "PYTHONUNBUFFERED", "WEB_CONCURRENCY")
    dead = "http://127.0.0.1:9"  # loopback addresses must not be asked through a proxy
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead}


class Served:
    """A running `tokenward gateway` or `tokenward forward-auth`, and its log."""

    def __init__(self, process: subprocess.Popen[str], url: str, verify: ssl.SSLContext | bool) -> None:
        self.process, self.url = process, url
        self.client = httpx.Client(base_url=url, trust_env=False, timeout=DEADLINE, verify=verify)
        self.lines: list[str] = []
        self._arrived: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))
            self._arrived.put(line)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    def event(self, name: str) -> dict[str, Any]:
        """The first event of this name, once it is there."""
        found: dict[str, Any] = self.until(lambda: next((e for e in self.events if e["event"] == name), None), name)
        return found

    def until(self, found: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            if value := found():
                return value
            time.sleep(0.05)
        pytest.fail(f"{what} did not come\n" + "\n".join(self.lines))

    def status(self, path: str, token: str | None = None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.client.get(path, headers=headers).status_code

    def fresh_status(self, path: str) -> int | None:
        """Over a connection of its own; None if nobody accepts it."""
        try:
            return httpx.get(f"{self.url}{path}", trust_env=False, timeout=DEADLINE).status_code
        except httpx.TransportError:
            return None

    def wait_ready(self, path: str = "/-/ready") -> None:
        def ready() -> bool:
            if self.process.poll() is not None:
                pytest.fail(f"it ended with {self.process.returncode}\n" + "\n".join(self.lines))
            try:
                return self.status(path) == 200
            except httpx.TransportError:
                return False

        self.until(ready, "readiness")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


Serve = Callable[..., AbstractContextManager[Served]]


@pytest.fixture
def serve(environment: dict[str, str]) -> Serve:
    """`with serve("gateway", config=path, url=..., NAME=value) as served:` runs a server until the end of the block."""

    @contextmanager
    def running(
        command: str,
        *,
        url: str,
        config: Path | None = None,
        verify: ssl.SSLContext | bool = True,
        ready: str = "/-/ready",
        **variables: str,
    ) -> Iterator[Served]:
        arguments = [] if config is None else ["--config", str(config)]
        full = [sys.executable, "-m", "tokenward.cli", command, *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(full, stdout=pipe, stderr=pipe, text=True, env=environment | variables, start_new_session=True)
        try:
            served = Served(process, url, verify)
            served.wait_ready(ready)
            yield served
            served.client.close()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    return running


@pytest.fixture
def tokenward(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`tokenward(*arguments, NAME=value)` runs a command that ends by itself."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tokenward.cli", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment | variables, timeout=DEADLINE, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def entra() -> Iterator[IssuerServer]:
    """The identity provider, over HTTP."""
    with IssuerServer(LocalIssuer()) as server:
        yield server


@pytest.fixture
def workspace(entra: IssuerServer) -> Iterator[WorkspaceServer]:
    """The workspace behind the gateway, which takes tokens of its own and of the identity provider."""
    with WorkspaceServer(DatabricksWorkspace(entra=entra.issuer)) as server:  # type: ignore[arg-type]
        yield server


@pytest.fixture
def redis_url(redis_program: str, tmp_path: Path) -> Iterator[str]:
    """A redis-server of this test's own."""
    port, log = free_port(), tmp_path / "redis.log"
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path), "--logfile", str(log)]
    with subprocess.Popen([redis_program, *options], stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + DEADLINE
            while not (log.exists() and "Ready to accept connections" in log.read_text()):
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail(log.read_text() if log.exists() else "redis-server wrote no log")
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture
def policies(workspace: WorkspaceServer, tmp_path: Path) -> Path:
    """The workspace's federation policies, in a file."""
    path = tmp_path / "policies.json"
    path.write_text(json.dumps(workspace.workspace.policies()))
    return path


@pytest.fixture
def config(workspace: WorkspaceServer, entra: IssuerServer, policies: Path, port: int, tmp_path: Path) -> Path:
    """A gateway that exchanges federated tokens, and stops without notice."""
    path = tmp_path / "gateway.toml"
    path.write_text(f"""
[gateway]
upstream = "{workspace.url}"
allow = ["me", "serving"]

[policy]
kind = "federation"
file = "policies.json"
account_id = "{workspace.workspace.account_id}"

[credentials]
kind = "exchange"

[server]
port = {port}
notice = 0
graceful = 30
""")
    return path


@pytest.fixture(scope="session")
def made_pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1, its key, both in one file, another key, and the first one encrypted."""
    folder = tmp_path_factory.mktemp("pems")
    key, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(plain)
    (folder / "pair.pem").write_bytes(plain + certificate)
    (folder / "other.pem").write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"hunter2"))
    (folder / "locked.pem").write_bytes(locked)
    return folder


@pytest.fixture
def pems(made_pems: Path, tmp_path: Path) -> Path:
    """The same files, in the test's own folder."""
    shutil.copytree(made_pems, tmp_path, dirs_exist_ok=True)
    return tmp_path
