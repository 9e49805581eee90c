"""The demo as a process, from the repository's root, as people run it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Demo = Callable[..., "subprocess.CompletedProcess[str]"]
StartDemo = Callable[..., "subprocess.Popen[str]"]


def _environment(changes: dict[str, str]) -> dict[str, str]:
    """This process's, with a proxy that nobody listens at: loopback addresses must not be asked through it."""
    dead = "http://127.0.0.1:9"
    return {**os.environ, "HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, **changes}


@pytest.fixture(scope="session")
def demo() -> Demo:
    """`demo(*arguments, **environment)` runs to its end."""

    def _run(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.CompletedProcess[str]:
        command, env = [sys.executable, "-m", "demo", *arguments], _environment(environment)
        return subprocess.run(
            command, cwd=ROOT, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )

    return _run


@pytest.fixture(scope="session")
def told(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One whole run, for machines. Workers of pytest-xdist share it: whoever comes first runs it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return demo("--json")
    with (tmp_path_factory.getbasetemp().parent / "demo.json").open("a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if not (said := file.read()):
            done = demo("--json")
            said = json.dumps([done.args, done.returncode, done.stdout, done.stderr])
            file.write(said)
    return subprocess.CompletedProcess(*json.loads(said))


@pytest.fixture(scope="session")
def start_demo() -> StartDemo:
    """`start_demo(*arguments)` is a process to end; use it in a `with` block."""

    def _start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "demo", *arguments]
        return subprocess.Popen(
            command, cwd=ROOT, env=_environment({}), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    return _start
