"""Completion in real shells: commands, options and files; and the manual page in a real man."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.completion import SHELLS

pytestmark = pytest.mark.servers

BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
function=$(complete -p tokenward | sed 's/.* -F \\([^ ]*\\).*/\\1/')
$function tokenward "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
"""What bash does when the tab key is pressed."""

CASES = [
    pytest.param(["diagn"], {"diagnose"}, id="a command"),
    pytest.param(["policy", "wo"], {"would-accept"}, id="a command below a command"),
    pytest.param(["me", "--token-"], {"--token-env", "--token-file"}, id="an option"),
    pytest.param(["exchange", "--raw", "--js"], {"--json"}, id="an option behind others"),
    pytest.param(["me", "--token-file", "to"], {"token.txt"}, id="a file of an option"),
    pytest.param(["policy", "would-accept", "pol"], {"policies.json"}, id="a file"),
    pytest.param(["completion", "z"], {"zsh"}, id="one of a few words"),
]


@pytest.fixture
def script(ran: Any, folder: Path) -> Any:
    """`script(shell)`: where the shell's script is."""

    def written(shell: str) -> Path:
        (folder / "token.txt").write_text("")
        done = ran("completion", shell)
        assert (done.returncode, done.stderr) == (0, "")
        path = folder / f"script.{shell}"
        path.write_text(done.stdout)
        return path

    return written


def _need(shell: str) -> str:
    if (found := shutil.which(shell)) is None:
        pytest.skip(f"{shell} is not installed")
    return found


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_bash_completes(script: Any, folder: Path, words: list[str], expected: set[str]) -> None:
    command = [_need("bash"), "-c", BASH, "bash", str(script("bash")), "tokenward", *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize(("words", "expected"), CASES)
def test_fish_completes(script: Any, folder: Path, words: list[str], expected: set[str]) -> None:
    line = f"source {script('fish')}; complete -C 'tokenward {' '.join(words)}'"
    done = subprocess.run([_need("fish"), "-c", line], capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    assert {told.split("\t")[0] for told in done.stdout.splitlines()} == expected


def test_zsh_completes_what_is_typed(script: Any, folder: Path) -> None:
    """zsh completes only on a terminal, so something types into it."""
    script("zsh").rename(folder / "_tokenward")
    begin = f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; echo re''ady\n"
    steps = [(b"", begin), (b"ready", "tokenward decod\t"), (b"tokenward decode", " --token-f\t"), (b"--token-file", "to\t")]
    shown = _typed([_need("zsh"), "-f", "-i"], folder, steps, until=b"token.txt")
    assert b"--token-file" in shown
    assert b"token.txt" in shown


def _typed(command: list[str], folder: Path, steps: list[tuple[bytes, str]], *, until: bytes) -> bytes:
    """What a program shows on a terminal: each step is typed once its words were shown, and it ends with `until`."""
    ours, theirs = pty.openpty()
    shown = bytearray()

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                shown.extend(part)
        except OSError:  # how Linux says that the terminal was closed
            return

    threading.Thread(target=read, daemon=True).start()
    env = {**os.environ, "TERM": "dumb", "HOME": str(folder)}
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env, start_new_session=True
    ) as process:
        for words, keys in steps:
            _wait(lambda words=words: words in shown)
            os.write(ours, keys.encode())
        _wait(lambda: until in shown)
        process.kill()
    os.close(theirs)
    os.close(ours)
    return bytes(shown)


def _wait(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish", "bash"])
def test_a_shell_reads_its_script_without_a_complaint(script: Any, shell: str) -> None:
    command = {"tcsh": ["-f", "-c", f"source {script(shell)}"]}.get(shell, ["-n", str(script(shell))])
    done = subprocess.run([_need(shell), *command], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_shell_is_in_the_help(called: Any) -> None:
    text = called("completion", "--help").stdout
    assert all(f"tokenward completion {shell}" in text for shell in SHELLS)


# -- the manual page ---------------------------------------------------------------------------------------------------


def test_the_manual_page_has_every_command_and_option(ran: Any, leaves: Any) -> None:
    page = ran("man").stdout.replace("\\-", "-").replace("\\&", "")
    for name, leaf in leaves.items():
        assert f"\n.SS tokenward {name}\n" in page
        for option in leaf.parser._option_string_actions:
            assert option in page
    assert "\n.SH NAME\n" in page
    assert "\n.SH SYNOPSIS\n" in page


def test_man_finds_nothing_wrong_with_the_page(ran: Any) -> None:
    groff = _need("groff")
    page = ran("man").stdout.encode()
    done = subprocess.run([groff, "-man", "-Tutf8", "-ww", "-rLL=100n"], input=page, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert "tokenward exchange --token-env FEDERATED_JWT_TOKEN --raw | tokenward me" in done.stdout.decode()
