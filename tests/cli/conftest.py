"""The console command, the stand-in workspace as a process, and the tokens between them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import httpx
import pytest

from tokenward.cli.main import main

TIMEOUT = 60.0


class StandIn:
    """The stand-in workspace, by its control addresses."""

    def __init__(self, url: str, account_id: str) -> None:
        self.url = url
        self.account_id = account_id

    def control(self, action: str, **body: object) -> Any:
        answer = httpx.post(f"{self.url}/control/{action}", json=body, trust_env=False, timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, action: str) -> Any:
        return httpx.get(f"{self.url}/control/{action}", trust_env=False, timeout=TIMEOUT).json()

    def mint(self, **body: object) -> str:
        token: str = self.control("mint", **body)["token"]
        return token

    def policies(self) -> str:
        return json.dumps(self.get("policies"))


@pytest.fixture(scope="session")
def started() -> Iterator[StandIn]:
    command = [sys.executable, "-m", "tokenward.testing.workspace"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield StandIn(ready["url"], ready["account_id"])
        process.terminate()


@pytest.fixture
def standin(started: StandIn) -> Iterator[StandIn]:
    """A workspace that answers properly at the beginning of each test."""
    yield started
    started.control("recover")


@pytest.fixture
def environment() -> dict[str, str]:
    """This process's, without what would make the command behave in a way of its own."""
    own = ("DATABRICKS_", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "TTY_", "PYTHONUNBUFFERED")
    dead = "http://127.0.0.1:9"  # loopback addresses must not be asked through a proxy
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {**kept, "HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, "PYTHONWARNINGS": "error"}


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def called(environment: dict[str, str]) -> Command:
    """As `tokenward`, but in this process, for rules that are the command's own: a new Python takes half a second."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        given, out, err = (_stream(content) for content in (stdin, "", ""))
        with (
            mock.patch.dict(os.environ, environment | variables, clear=True),
            mock.patch.multiple(sys, stdin=given, stdout=out, stderr=err),
        ):
            code = main(arguments)
        return subprocess.CompletedProcess(arguments, code, *(stream.buffer.getvalue().decode() for stream in (out, err)))  # type: ignore[attr-defined]

    return run


def _stream(content: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content.encode()), encoding="utf-8", newline="", write_through=True)


@pytest.fixture
def tokenward(environment: dict[str, str]) -> Command:
    """`tokenward(*arguments, stdin=..., NAME=value)` runs the command to its end, as a process."""

    def run(*arguments: str, stdin: str | bytes | None = "", **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tokenward.cli", *arguments]
        given = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run(
            command, input=given, capture_output=True, env=environment | variables, timeout=TIMEOUT, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
