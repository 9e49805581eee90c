"""What people type, and what a terminal or a pipe does: no token on the command line, none in a complaint, no traceback."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.main import main

JWT = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0."
    "eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlLyIsInN1YiI6ImFkYSIsImV4cCI6NDEwMjQ0NDgwMH0."
    "c2lnbmF0dXJlLXRoYXQtaXMtbm9uZS1hdC1hbGwtYnV0LWxvbmctZW5vdWdoLXRvLWJlLW9uZS1vZi1hbi1lczI1Ni1rZXk"
)
HOST = ["--host", "http://127.0.0.1:9"]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """`typed(*arguments, stdin=b"...")` runs the command in this process: its code, its output, its complaints."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_ACCOUNT_ID", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


UNREADABLE = [
    pytest.param(["explan"], "There is no command", id="another command"),
    pytest.param(["exchange", "--hos", "x"], "unrecognized", id="an abbreviation"),
    pytest.param(["exchange", "--raw", "--json"], "not allowed with", id="two forms"),
    pytest.param(["exchange", "--token-env", "A", "--token-file", "b"], "not allowed with", id="two sources"),
    pytest.param(["exchange", "--timeout", "soon"], "is no duration such as 90, 90s", id="no number"),
    pytest.param(["policy", "would-accept"], "FILE", id="no file"),
    pytest.param(["me"], "No workspace is given", id="no host"),
    pytest.param(["me", "--host", "http://adb-1.2.azuredatabricks.net"], "--host", id="http beyond this machine"),
    pytest.param(["me", "--host", "adb-1.2.azuredatabricks.net/sql?o=1"], "path", id="an address of the browser"),
    pytest.param(["me", *HOST, "--timeout", "0"], "--timeout", id="no time"),
    pytest.param(["exchange", *HOST, "--client-id", "jobs"], "--client-id", id="a name for an id"),
    pytest.param(["exchange", *HOST, "--account-id", "1"], "--account-id", id="no account"),
    pytest.param(["exchange", "--host", "accounts.azuredatabricks.net"], "Give --account-id", id="an account without its id"),
    pytest.param(["exchange", *HOST, "--scope", ""], "--scope", id="no scope"),
    pytest.param(["exchange", *HOST, "--token-file", "/no/such/file"], "No such file", id="no token file"),
    pytest.param(["exchange", *HOST, "--token-file", "a\0b"], "cannot be read", id="no path"),
    pytest.param(["policy", "would-accept", "/no/such/file"], "No such file", id="no policy file"),
    pytest.param(["policy", "would-accept", "/"], "directory", id="a folder"),
]


@pytest.mark.parametrize(("arguments", "words"), UNREADABLE)
def test_what_cannot_be_used_ends_with_2_and_what_to_do(typed: Any, arguments: list[str], words: str) -> None:
    code, out, err = typed(*arguments, stdin=JWT.encode())
    assert code == 2
    assert ("usage" in out) is ("--json" in arguments)
    assert err.startswith("tokenward: usage: ")
    assert words in err
    assert err.splitlines()[-1].startswith("  next: ")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"policies": []}', b"[1]", b"\xff\xfe", b"{", b"a: [", b'{"issuer": 1}'], ids=str
)
def test_a_file_without_usable_policies_ends_with_2(typed: Any, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "policies").write_bytes(content)
    code, out, err = typed("policy", "would-accept", str(tmp_path / "policies"), stdin=JWT.encode())
    assert (code, out) == (2, "")
    assert "  next: " in err


def test_a_file_larger_than_any_list_of_policies_is_not_read_whole(typed: Any, tmp_path: Path) -> None:
    with (tmp_path / "policies").open("wb") as file:
        file.truncate(5 * 1024 * 1024)
    assert typed("policy", "would-accept", str(tmp_path / "policies"), stdin=JWT.encode())[0] == 2


NO_TOKEN = [
    pytest.param(b"", "There is no token", id="nothing"),
    pytest.param(b" \r\n", "There is no token", id="white space"),
    pytest.param(b"Bearer ", "There is no token|not three parts", id="a scheme alone"),
    pytest.param(b"a b", "more than one word", id="two words"),
    pytest.param(b'"eyJh.b.c"', "quoted", id="quoted, as jq does"),
    pytest.param(b'{"access_token": "x"}', "JSON", id="the whole answer"),
    pytest.param(b"opaque", "not three parts", id="opaque"),
    pytest.param(b"a.b.c", "malformed_token", id="three parts of nothing"),
    pytest.param(b"\xff\xfea\x00", "malformed_token", id="UTF-16"),
    pytest.param(b"x" * 20_000, "token_too_large", id="too large"),
    pytest.param(b"x" * 1_100_000, "longer than any token", id="much too large"),
]


@pytest.mark.parametrize(("stdin", "words"), NO_TOKEN)
def test_what_is_no_token_ends_with_4(typed: Any, stdin: bytes, words: str) -> None:
    code, out, err = typed("exchange", *HOST, stdin=stdin)
    assert (code, out) == (4, "")
    assert any(word in err for word in words.split("|")), err
    assert "  next: " in err


def test_what_is_no_token_is_none_for_policies_either(typed: Any, tmp_path: Path) -> None:
    (tmp_path / "policies").write_text('{"issuer": "https://idp.example/", "audiences": ["a"]}')
    code, out, err = typed("policy", "would-accept", str(tmp_path / "policies"), "--offline", stdin=b"opaque")
    assert (code, out) == (4, "")
    assert "no signed JWT" in err


def test_a_personal_access_token_is_not_exchanged_and_never_sent(typed: Any) -> None:
    """Nothing listens at the host: had it been sent, the answer would be 3."""
    code, _, err = typed("exchange", *HOST, stdin=b"dapi0123456789abcdef0123456789abcdef")
    assert code == 1
    assert "used as it is" in err


@pytest.mark.parametrize("variable", [None, "", "  "], ids=["not set", "empty", "white space"])
def test_a_variable_that_holds_nothing_is_named(typed: Any, monkeypatch: Any, variable: str | None) -> None:
    monkeypatch.delenv("JWT", raising=False)
    if variable is not None:
        monkeypatch.setenv("JWT", variable)
    code, _, err = typed("me", *HOST, "--token-env", "JWT")
    assert code == 4
    assert "JWT" in err
    assert "export" in err


EXPOSED = [
    pytest.param(["exchange", JWT], id="as an argument"),
    pytest.param(["exchange", "--token", JWT], id="as an option that is none"),
    pytest.param(["exchange", f"--jwt={JWT}"], id="joined to an option that is none"),
    pytest.param([JWT], id="as the command"),
    pytest.param(["me", *HOST, "--token-env", JWT], id="as the name of a variable"),
    pytest.param(["me", *HOST, "--token-file", JWT], id="as a path"),
    pytest.param(["me", *HOST, "--timeout", JWT], id="as a number"),
    pytest.param(["me", "--host", JWT], id="as a host"),
    pytest.param(["exchange", *HOST, "--client-id", JWT], id="as a client"),
    pytest.param(["policy", "would-accept", JWT], id="as a file"),
    pytest.param(["me", "dapi0123456789abcdef0123456789abcdef"], id="a personal access token"),
    pytest.param(["keys", JWT], id="as an issuer"),
    pytest.param(["tail", JWT], id="as a log"),
    pytest.param(["report", JWT], id="as a log for a page"),
    pytest.param(["explain", "--policy", JWT], id="as a policy"),
    pytest.param(["explain", "--at", JWT], id="as a time"),
    pytest.param(["diagnose", JWT], id="as a text"),
]


@pytest.mark.parametrize("arguments", EXPOSED)
def test_a_token_on_the_command_line_is_not_repeated(typed: Any, arguments: list[str]) -> None:
    code, out, err = typed(*arguments, "--json")
    assert code in (2, 4)
    for part in ("eyJ", "c2lnbmF0", "dapi0123", "ImFkYSIs"):
        assert part not in out + err
    assert json.loads(out)["exit_code"] == code
    assert "replace th" in err


@pytest.mark.parametrize("arguments", [[], ["exchange"], ["me"], ["policy"], ["policy", "would-accept"]], ids=" ".join)
def test_help_is_enough_to_work_from_and_fits_80_columns(typed: Any, monkeypatch: Any, arguments: list[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = typed(*arguments, "--help")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    if arguments != ["policy"]:
        assert "exit codes:" in out
        assert all(f"\n  {number}  " in out for number in range(5))
        assert "command line" in out


def test_the_version_is_told(typed: Any) -> None:
    from tokenward import __version__

    assert typed("--version") == (0, f"tokenward {__version__}\n", "")


# -- terminals and pipes -----------------------------------------------------------------------------------------------


def test_a_defect_ends_with_70_and_quotes_nothing(environment: dict[str, str]) -> None:
    """Not with 1, which Python would end with, and which means a refusal here."""
    broken = "from tokenward.cli import me; me.host_of = lambda args: (_ for _ in ()).throw(ZeroDivisionError('a secret'))"
    script = f"import sys; {broken}; sys.argv = ['tokenward', 'me']; from tokenward.cli.entry import run; run()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert "ZeroDivisionError" in done.stderr
    assert "me.py" in done.stderr
    assert "a secret" not in done.stderr.splitlines()[-1]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        pytest.param("2>&-", 0, id="no stderr"),
        pytest.param(">&-", 2, id="no stdout"),
        pytest.param("<&- >&- 2>&-", 2, id="no streams at all"),
        pytest.param("> /dev/full", 2, id="a full disk"),
        pytest.param("| true", 141, id="a reader who has gone"),
    ],
)
def test_a_stream_that_cannot_be_used_is_no_traceback(
    environment: dict[str, str], standin: Any, streams: str, expected: int
) -> None:
    """With `true` as its reader, the pipe is closed long before there is an answer."""
    command = f"{sys.executable} -m tokenward.cli me --json --host {standin.url} --token-env T {streams}; "
    script = f"exec 3>&1 1>/dev/null; set -o pipefail; {command} echo $? >&3"
    env = {**environment, "T": standin.mint(kind="databricks")}
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert int(done.stdout) == expected, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert ("next:" in done.stderr) is (expected == 2 and "2>&-" not in streams)


def test_closed_stdin_is_no_token(environment: dict[str, str]) -> None:
    command = f"{sys.executable} -m tokenward.cli me --host http://127.0.0.1:9 <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 4
    assert "Standard input is closed" in done.stderr


def test_a_reader_who_has_enough_is_no_error(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "tokenward.cli", "exchange", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_token_that_a_terminal_may_have_cut_is_not_used(environment: dict[str, str]) -> None:
    """The system itself keeps 4,095 characters of the line."""
    text = _on_a_terminal([sys.executable, "-m", "tokenward.cli", "me", *HOST], environment, typed="x" * 5000)
    assert "may have been cut" in text


def _exchanges(standin: Any) -> int:
    """How many were asked for since the stand-in began, which other tests share."""
    count: int = standin.get("state")["counts"].get("POST /oidc/v1/token", 0)
    return count


@pytest.mark.servers
def test_ctrl_c_ends_it_quietly(environment: dict[str, str], standin: Any) -> None:
    token = standin.mint()
    standin.control("fail", mode="slow", path="/oidc", seconds=30)
    before = _exchanges(standin)
    command = [sys.executable, "-m", "tokenward.cli", "exchange", "--host", standin.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdin is not None
        process.stdin.write(token.encode())
        process.stdin.close()
        process.stdin = None
        _until(lambda: _exchanges(standin) > before)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.servers
@pytest.mark.parametrize("columns", ["20", "40", "300"])
def test_tables_fit_the_width_and_cut_nothing(tokenward: Any, standin: Any, columns: str) -> None:
    done = tokenward("me", "--host", standin.url, stdin=standin.mint(kind="databricks"), COLUMNS=columns)
    assert done.returncode == 0
    assert all(len(line) <= int(columns) or len(line.split()) == 1 for line in done.stdout.splitlines())
    assert "ada@contoso.example" in done.stdout.split()


@pytest.mark.servers
def test_output_without_utf_8_is_output_all_the_same(tokenward: Any, standin: Any) -> None:
    standin.control("users", name="zoe@contoso.example", display_name="Zo\u00eb \x1b[31m\u202e")
    token = standin.mint(kind="databricks", subject="zoe@contoso.example")
    plain = tokenward("me", "--host", standin.url, stdin=token, PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert "Zo\\xeb \\x1b[31m\\u202e" in plain.stdout
    told = tokenward("me", "--json", "--host", standin.url, stdin=token, PYTHONIOENCODING="ascii")
    assert json.loads(told.stdout)["displayName"] == "Zo\u00eb \x1b[31m\u202e"


@pytest.mark.servers
@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        pytest.param({"TERM": "xterm-256color"}, True, id="a terminal"),
        pytest.param({"TERM": "xterm-256color", "NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb terminal"),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    environment: dict[str, str], standin: Any, variables: dict[str, str], coloured: bool
) -> None:
    command = [sys.executable, "-m", "tokenward.cli", "me", "--host", standin.url, "--token-env", "T"]
    env = {**environment, **variables, "T": standin.mint(kind="databricks")}
    text = _on_a_terminal(command, env)
    assert "Ada Example" in text
    assert ("\x1b[" in text) is coloured


@pytest.mark.servers
def test_there_is_no_colour_in_a_pipe(tokenward: Any, standin: Any) -> None:
    done = tokenward("me", "--host", standin.url, stdin=standin.mint(kind="databricks"), TERM="xterm-256color")
    refused = tokenward("me", "--host", standin.url, stdin=standin.mint(), TERM="xterm-256color")
    assert "\x1b" not in done.stdout + refused.stderr


@pytest.mark.servers
def test_a_token_typed_at_a_terminal_is_not_shown(environment: dict[str, str], standin: Any) -> None:
    token = standin.mint(kind="databricks")
    command = [sys.executable, "-m", "tokenward.cli", "me", "--host", standin.url]
    text = _on_a_terminal(command, environment, typed=token)
    assert "Token (not shown): " in text
    assert "Ada Example" in text
    assert token[:20] not in text


def _on_a_terminal(command: list[str], environment: dict[str, str], typed: str = "") -> str:
    """What a program writes to a terminal of its own, after `typed` was typed at its prompt."""
    ours, theirs = pty.openpty()
    parts: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
                if typed and b"not shown" in part:
                    os.write(ours, f"{typed}\n".encode())
        except OSError:  # how Linux says that the terminal was closed
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        ) as process:
            process.wait(30)
    finally:
        os.close(theirs)
        reader.join(10)
        os.close(ours)
    return b"".join(parts).decode()


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
