"""What every command answers: the same in any encoding and width, JSON that is JSON, and nothing that breaks a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

NARROW, USUAL, WIDE = 40, 80, 200
SHOWN = ["diagnose", "decode", "explain", "tail", "report", "policy would-accept"]
"""What answers with tables, without any network."""


def test_a_command_answers_with_the_code_that_its_help_has(ran: Any, leaf: Any) -> None:
    done = ran(*leaf.words, *leaf.arguments, stdin=leaf.stdin)
    assert done.returncode == leaf.answers, done.stderr
    assert ("\n  next: " in done.stderr) is (not done.stdout)
    assert "\x1b" not in done.stdout + done.stderr


def test_json_is_one_document_and_nothing_else(ran: Any, leaf: Any) -> None:
    if "--json" not in leaf.parser._option_string_actions:
        pytest.skip("it prints no report")
    done = ran(*leaf.words, *leaf.arguments, "--json", stdin=leaf.stdin)
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    assert done.stdout.isascii()
    assert done.returncode == leaf.answers
    assert told.get("exit_code", done.returncode) == done.returncode


def test_an_encoding_without_the_marks_is_no_error(ran: Any, leaf: Any) -> None:
    done = ran(*leaf.words, *leaf.arguments, stdin=leaf.stdin, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == leaf.answers
    assert (done.stdout + done.stderr).isascii()
    for mark in ("\\u2713", "\\u2717", "\\u2500"):
        assert mark not in done.stdout + done.stderr


@pytest.mark.parametrize("name", SHOWN)
def test_no_word_is_broken_at_any_width(leaves: Any, ran: Any, name: str) -> None:
    leaf = leaves[name]
    narrow, usual, wide = (
        _words(ran(*leaf.words, *leaf.arguments, stdin=leaf.stdin, COLUMNS=str(n))) for n in (NARROW, USUAL, WIDE)
    )
    assert narrow - wide - usual == set()
    assert len(wide) > 5


def _words(done: subprocess.CompletedProcess[str]) -> set[str]:
    """Without the labels, which stand before each value where there is no room for columns."""
    return {word.rstrip(":") for word in re.sub("[\u2500-]{2,}", " ", done.stdout).split()}


@pytest.mark.parametrize(
    "command", [["--help"], ["man"], ["diagnose", "AADSTS65001", "AADSTS50000", "AADSTS50011"]], ids=" ".join
)
def test_a_reader_who_has_enough_is_no_error(environment: dict[str, str], command: list[str]) -> None:
    line = f"set -o pipefail; {sys.executable} -m tokenward.cli {' '.join(command)} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode in (0, 141)
    assert (len(done.stdout.splitlines()), done.stderr) == (1, "")


def test_closed_streams_are_no_traceback(environment: dict[str, str], folder: Path, leaf: Any) -> None:
    for closed in ("<&-", ">&-"):
        line = f'exec {sys.executable} -m tokenward.cli "$@" {closed}'
        command = ["bash", "-c", line, "bash", *leaf.words, *leaf.arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=60, check=False)
        assert done.returncode in range(5)
        assert (done.returncode == 2) or closed == "<&-"
        assert not re.search("Traceback|defect of tokenward|Exception ignored", done.stderr)
        assert done.stdout or "\n  next: " in done.stderr


@pytest.mark.parametrize("name", ["diagnose", "decode", "report"])
def test_ctrl_c_ends_what_waits_for_its_input_quietly(environment: dict[str, str], folder: Path, leaves: Any, name: str) -> None:
    """It waits, once it has read what was written."""
    leaf = leaves[name]
    arguments = () if name == "diagnose" else leaf.arguments
    command = [sys.executable, "-m", "tokenward.cli", *leaf.words, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdin is not None
        process.stdin.write(b"\n" * 200_000)
        process.stdin.flush()
        _until(lambda: _left_in(process.stdin) == 0)
        process.send_signal(signal.SIGINT)
        process.wait(30)
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.stdin = None
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, b"", b"")


def _left_in(pipe: Any) -> int:
    """Bytes that nobody has read yet."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# -- files -------------------------------------------------------------------------------------------------------------

REGISTRATION = ("--tenant", "72f988bf-86f1-41af-91ab-2d7cd011db47", "--client-id", "7cb2f8a4-49a7-4147-83db-35cb69e5cede")
OTHERS: dict[tuple[str, str], tuple[str, ...]] = {
    ("doctor", "--graph-token-file"): (*REGISTRATION, "--graph", "http://127.0.0.1:9"),
    ("diagnose", "--file"): (),
    ("gateway", "--config"): ("--check",),
    ("forward-auth", "--config"): ("--check",),
    ("tail", ""): (),
    ("report", ""): (),
    ("policy would-accept", ""): (),
}
"""What is given beside a file, where it is not what the command answers with."""
UNUSABLE = [
    pytest.param(".", id="a folder"),
    pytest.param("no/such/file", id="a missing file"),
    pytest.param("/proc/self/mem", id="an unreadable file"),
    pytest.param("binary", id="a binary file"),
    pytest.param("", id="no name"),
]


@pytest.mark.parametrize("path", UNUSABLE)
def test_a_file_that_cannot_be_used_ends_with_what_to_do(
    called: Any, folder: Path, monkeypatch: Any, file_argument: Any, path: str
) -> None:
    leaf, option = file_argument
    monkeypatch.chdir(folder)
    if option != "--html":  # which is written
        (folder / "binary").write_bytes(bytes(range(256)) * 64)
    elif path == "binary":
        path = "no/such/folder/page.html"
    others = OTHERS.get((" ".join(leaf.words), option), leaf.arguments)
    done = called(*leaf.words, *others, *([option] if option else []), path, stdin=leaf.stdin)
    assert done.returncode in (1, 2, 4), done
    assert "next: " in (done.stdout + done.stderr).lower()
    assert "\x00" not in done.stdout + done.stderr
    if path.startswith(("no/", "/proc")):
        assert (done.returncode, done.stdout) == (2, "")
