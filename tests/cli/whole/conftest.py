"""Every command, found through the registry; what each needs to be called at all; terminals and environments of our own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import tokenward
from tokenward.cli.completion import FILES
from tokenward.cli.main import parser_of
from tokenward.cli.parser import Parser, commands_of
from tokenward.cli.registry import COMMANDS

TIMEOUT = 60.0

UNSIGNED = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0."
    "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLyIsImF1ZCI6ImpvYnMiLCJleHAiOjQxMDI0NDQ4MDB9.c2lnbmF0dXJl"
)
"""Of https://idp.example/ for jobs until 2100; its signature is none."""
POLICIES = '{"policies": [{"name": "jobs", "oidc_policy": {"issuer": "https://idp.example/", "audiences": ["other"]}}]}'
LOG = (
    '{"event": "token_rejected", "code": "audience_not_accepted", "timestamp": "2026-05-04T13:00:00Z", "issuer": "https://idp.example/",'
    ' "hint": "Ask for another audience.", "fingerprint": "0123456789ab", "level": "warning"}\n'
)


class Leaf(NamedTuple):
    """A command that runs: its words, its parser, and the arguments and stdin with which it answers without any network."""

    words: tuple[str, ...]
    parser: Parser
    arguments: tuple[str, ...]
    stdin: str
    answers: int


ANSWERS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "explain": (("--offline", "--at", "2026-05-04T13:00:00Z"), UNSIGNED, 3),
    "decode": ((), UNSIGNED, 0),
    "diagnose": (("AADSTS65001",), "", 0),
    "tail": ((), LOG, 0),
    "report": (("-",), LOG, 0),
    "policy would-accept": (("policies.json", "--offline"), UNSIGNED, 1),
    "keys": (("http://127.0.0.1:9/",), "", 3),
    "doctor": (("--workspace", "http://127.0.0.1:9"), "", 3),
    "exchange": (("--host", "http://127.0.0.1:9"), UNSIGNED, 3),
    "me": (("--host", "http://127.0.0.1:9"), UNSIGNED, 3),
    "gateway": (("--example",), "", 0),
    "forward-auth": (("--example",), "", 0),
    "completion": (("bash",), "", 0),
    "man": ((), "", 0),
    "inspect": (("--port", "-1"), "", 2),  # it would serve
}
"""For each command: arguments, stdin and the exit code; port 9 of this machine is nobody's."""


def _leaves() -> dict[str, Leaf]:
    found = {}
    for parser in commands_of(parser_of(*COMMANDS)):
        if not any(True for _ in commands_of(parser)):
            name = parser.prog.removeprefix("tokenward ")
            found[name] = Leaf(tuple(name.split()), parser, *ANSWERS[name])
    return found


LEAVES = _leaves()


FILE_ARGUMENTS = {
    f"{name} {(action.option_strings or [action.metavar])[-1]}": (leaf, "".join(action.option_strings[-1:]))
    for name, leaf in LEAVES.items()
    for action in leaf.parser._actions
    if action.metavar in FILES
}
"""Every option that takes a file, and every argument that is one, which has the option ""."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `leaf` is made once for every command, one that asks for `file_argument` for each of these."""
    tables: dict[str, dict[str, Any]] = {"leaf": LEAVES, "file_argument": FILE_ARGUMENTS}
    for name, table in tables.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, table.values(), ids=list(table))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where commands are run: the files that they name are there."""
    (tmp_path / "policies.json").write_text(POLICIES)
    return tmp_path


Ran = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def ran(environment: dict[str, str], folder: Path) -> Ran:
    """`ran(*arguments, stdin=..., NAME=value)`: a process, which never tells a traceback."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        flags = ["-S"] if "PYTHONPATH" in variables else []  # then that is all there is
        command = [sys.executable, *flags, "-m", "tokenward.cli", *arguments]
        env = environment | variables
        done = subprocess.run(
            command, input=stdin.encode(), capture_output=True, cwd=folder, env=env, timeout=TIMEOUT, check=False
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        assert b"a defect of tokenward" not in done.stderr, done.stderr.decode()
        return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def on_a_terminal(environment: dict[str, str], folder: Path) -> Callable[..., str]:
    """`on_a_terminal(*arguments, NAME=value)`: everything that a command writes to a terminal of its own."""

    def run(*arguments: str, columns: int = 80, **variables: str) -> str:
        ours, theirs = pty.openpty()
        parts: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(ours, parts))
        reader.start()
        env = {"TERM": "xterm-256color", **environment, "COLUMNS": str(columns), **variables}
        command = [sys.executable, "-m", "tokenward.cli", *arguments]
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder, env=env, timeout=TIMEOUT, check=False
            )
        finally:
            os.close(theirs)
            reader.join(10)
            os.close(ours)
        assert done.returncode in range(5)
        return b"".join(parts).decode()

    return run


def _read_all(terminal: int, parts: list[bytes]) -> None:
    try:
        while part := os.read(terminal, 4096):
            parts.append(part)
    except OSError:  # how Linux says that the terminal was closed
        return


@pytest.fixture
def without(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """`without("rich")`: the environment of a Python that has every package of this one but those."""

    def prepared(*packages: str) -> dict[str, str]:
        folder = tmp_path / "packages"
        folder.mkdir()
        (folder / "tokenward").symlink_to(Path(tokenward.__file__).parent)  # whether installed or not, and nothing beside it
        for entry in (Path(one) for one in sys.path if one.endswith("-packages")):
            for path in entry.iterdir():
                if path.name not in packages and not (folder / path.name).exists():
                    (folder / path.name).symlink_to(path)
        return {"PYTHONPATH": str(folder)}

    return prepared


@pytest.fixture
def leaves() -> dict[str, Leaf]:
    """Every command by its name."""
    return LEAVES


@pytest.fixture
def unsigned() -> str:
    """A JWT of https://idp.example/ for jobs, until 2100, whose signature is none."""
    return UNSIGNED
