"""Servers as processes of their own, on ports of their own, that end with the block that started them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.gateway.nginx import program
from tokenward.testing.loopback import free_port

START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


@dataclass(frozen=True)
class Server:
    """`url` without a slash at its end; `pid` of the process that does the work."""

    url: str
    pid: int


@contextlib.contextmanager
def uvicorn(factory: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """One worker, no access log. `factory` is "module:function"."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", factory, "--port", str(port)]
    command += ["--log-level", "critical", "--no-access-log", "--timeout-graceful-shutdown", "1"]
    with _running(command, f"http://127.0.0.1:{port}", {**os.environ, **(environment or {})}) as server:
        yield server


@contextlib.contextmanager
def module(name: str) -> Iterator[Server]:
    """`python -m name PORT`."""
    port = free_port()
    with _running([sys.executable, "-m", name, str(port)], f"http://127.0.0.1:{port}", dict(os.environ)) as server:
        yield server


@contextlib.contextmanager
def nginx(configuration: str) -> Iterator[Server]:
    """nginx in the foreground; `@port@` and `@folder@` in the configuration are filled in."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="benchmark-nginx-") as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(configuration.replace("@port@", str(port)).replace("@folder@", folder), encoding="ascii")
        command = [program() or "nginx", "-p", folder, "-c", str(path), "-e", f"{folder}/error.log"]
        with _running(command, f"http://127.0.0.1:{port}", dict(os.environ)) as server:
            yield server


@contextlib.contextmanager
def _running(command: list[str], url: str, environment: Mapping[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)  # our own, or found on PATH
    try:
        _await_answer(process, url)
        yield Server(url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_TIMEOUT
    with httpx.Client(trust_env=False, timeout=START_TIMEOUT) as client:
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                client.get(f"{url}/-/health")
                return
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start")
