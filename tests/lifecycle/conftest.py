"""Real processes for the tests of this folder: an issuer that can be killed, and servers that run the guarded app."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from tokenward.testing.loopback import free_port

HERE = Path(__file__).parent
DEADLINE = 60.0
"""Seconds within which whatever must happen happens, on a machine with much else to do."""
PAUSE = 0.02
"""Seconds between two looks whether it has."""
UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "error", "--host", "127.0.0.1", "--port", "{port}", "--factory")
GUNICORN = (sys.executable, "-m", "gunicorn", "--log-level", "error", "--bind", "127.0.0.1:{port}")
NO_PROXY = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def until(happened: Callable[[], bool]) -> None:
    """Wait for what happens in another process or thread."""
    end = time.monotonic() + DEADLINE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(PAUSE)


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], bool]], None]:
    return until


def running_in(session: int) -> list[int]:
    """The processes of a session that have not ended; without /proc nobody can say, and none is found."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(of_session) == session and state not in "ZX":
                found.append(int(stat.parent.name))
    return found


# -- the issuer --------------------------------------------------------------------------------------------------------


class IssuerProcess:
    """The local issuer as a process of its own. Killed, it comes back at the same address with the same keys."""

    def __init__(self, keys: Path) -> None:
        self._command = [sys.executable, "-m", "tokenward.testing", "--port", str(free_port()), "--keys", str(keys)]
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self._process.stdout is not None
        ready = json.loads(self._process.stdout.readline())
        self.url = ready["url"]
        self.environment = {"TENANT": ready["tenant"], "CLIENT_ID": ready["client_id"], "AUTHORITY": self.url}

    def kill(self) -> None:
        """At once, as a crash would."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def control(self, action: str, **body: object) -> Any:
        answer = httpx.post(f"{self.url}/control/{action}", json=body, trust_env=False, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, **options: object) -> str:
        return str(self.control("mint", **options)["token"])

    @property
    def state(self) -> Any:
        """The kids that it publishes, the one that signs, and the addresses that were asked since it started."""
        return httpx.get(f"{self.url}/control/state", trust_env=False, timeout=DEADLINE).json()

    @property
    def asked(self) -> list[str]:
        return list(self.state["requests"])


@pytest.fixture
def issuer_process(tmp_path: Path) -> Iterator[IssuerProcess]:
    process = IssuerProcess(tmp_path / "keys.json")
    try:
        yield process
    finally:
        process.kill()


# -- servers -----------------------------------------------------------------------------------------------------------


@dataclass
class Answered:
    status: int
    body: Any


@dataclass
class Service:
    """A server that runs. `workers` is how many processes answer."""

    process: subprocess.Popen[bytes]
    port: int
    workers: int
    errors: Path

    def get(self, token: str | None = None, path: str = "/jobs") -> Answered:
        """One request on a connection of its own, so that any worker may get it. Raises OSError where none does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            headers = {"Connection": "close"} | ({"Authorization": f"Bearer {token}"} if token else {})
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return Answered(response.status, json.loads(response.read()))
        finally:
            connection.close()

    def statuses(self) -> dict[int, list[dict[str, Any]]]:
        """How the keys of every worker are, by its process id."""
        return {pid: told["sources"] for pid, told in self.told().items()}

    def told(self) -> dict[int, dict[str, Any]]:
        """All that every worker says of itself, by its process id."""
        found: dict[int, dict[str, Any]] = {}
        with ThreadPoolExecutor(2 * self.workers) as pool:
            until(lambda: self._ask_around(pool, found))
        return found

    def _ask_around(self, pool: ThreadPoolExecutor, found: dict[int, dict[str, Any]]) -> bool:
        for told in pool.map(lambda _: self.get(path="/status").body, range(2 * self.workers)):
            found[told["pid"]] = told
        return len(found) >= self.workers

    def is_up(self) -> bool:
        assert self.process.poll() is None, f"it has ended: {self.said()}"
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.get(path="/status").status == 200
        return False

    def said(self) -> str:
        """What it and its workers wrote to standard error."""
        return self.errors.read_text("utf-8", "replace")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Tell it to end, as an operator does, and wait: its exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def left_behind(self) -> list[int]:
        return running_in(self.process.pid)


Serve: TypeAlias = Callable[..., Service]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve("uvicorn", "guarded:asgi", environment, *options)` runs a server until the test is over."""
    with ExitStack() as stack:

        def start(
            server: str,
            app: str,
            environment: dict[str, str],
            *options: str,
            workers: int = 1,
            cwd: Path = HERE,
            python: Sequence[str] = (),
            rhythm: dict[str, float] | None = None,
        ) -> Service:
            port, errors = free_port(), tmp_path / f"{server}.errors"
            command = [part.format(port=port) for part in (UVICORN if server == "uvicorn" else GUNICORN)]
            command[1:1] = python
            settings = {**os.environ, **NO_PROXY, **environment, "RHYTHM": json.dumps(rhythm or {})}
            process = stack.enter_context(_running([*command, *options, app], cwd, settings, errors))
            service = Service(process, port, workers, errors)
            until(service.is_up)
            return service

        yield start


@contextlib.contextmanager
def _running(command: list[str], cwd: Path, environment: dict[str, str], errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process and its children, in a session of their own so that none of them is left behind."""
    with errors.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=file, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


# -- scripts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`python(script, *arguments)` runs it to its end, with every warning an error but the one that forks in threads earn."""

    def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        options = ["-X", "dev", "-W", "error", "-W", "ignore:.*fork.*:DeprecationWarning"]
        command = [sys.executable, *options, "-c", textwrap.dedent(script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)

    return run
