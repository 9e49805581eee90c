"""`tokenward tail`: the real app's log as a table, a live one and JSON; files that grow, are rotated and cut; hostile ones."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tokenward.testing import DEFAULT_CALLER

DEADLINE = 60.0
Run = Callable[..., "subprocess.CompletedProcess[str]"]

needs_proc = pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="this system does not tell where a file is read")

SCRIPT = """\
import sys
from tokenward.cli.main import main
sys.exit(main())"""
WITHOUT_RICH = """\
import sys
sys.modules["rich"] = None
from tokenward.cli.main import main
sys.exit(main())"""


def _event(**fields: object) -> str:
    return json.dumps({"timestamp": "2026-01-09T12:00:00Z", "code": "token_expired", **fields, "event": "token_rejected"}) + "\n"


CONSOLE = "2026-01-09 [warning  ] token_rejected code=token_expired\n"


# -- the real app's log ------------------------------------------------------------------------------------------------


def test_the_last_lines_say_what_happened_and_what_to_do(logs: Run, incident_log: Path) -> None:
    done = logs("tail", str(incident_log))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("264 rejections in ")
    said = " ".join(done.stdout.split())
    assert "Most likely cause 99 % of the 145 rejections in the last 5 min of the log: audience_not_accepted (up from" in said
    assert f"from client {DEFAULT_CALLER} (all of those logged one by one), since 2026-01-09 11:18:00 UTC." in said
    assert done.stdout.splitlines()[-1] == "  next: tokenward explain, with a token of this client"


def test_the_document_counts_every_rejection_of_the_app_once(logs: Run, incident_log: Path) -> None:
    document = json.loads(logs("tail", str(incident_log), "--json").stdout)
    counts: dict[str, int] = {}
    for group in document["groups"]:
        counts[group["code"]] = counts.get(group["code"], 0) + group["count"]
    wrong = sum(3 * (minute - 18) + 4 for minute in range(18, 30))
    assert counts == {"audience_not_accepted": wrong, "missing_token": 10, "token_expired": 6, "insufficient_scope": 2}
    assert (document["rejections"], document["lines"]) == (sum(counts.values()), len(incident_log.read_text().splitlines()))
    tokens = {group["code"]: (group["tokens"], group["client"]) for group in document["groups"] if group["kind"] == "logged"}
    assert tokens["token_expired"] == (1, DEFAULT_CALLER)  # one client, which retries one token
    assert tokens["audience_not_accepted"] == (100, DEFAULT_CALLER)
    assert tokens["missing_token"] == (0, None)
    assert document["cause"]["code"] == "audience_not_accepted"
    assert {"event": "keys_refreshed", "count": 1}.items() <= document["around"][0].items()


def test_a_pipe_is_read_to_its_end(logs: Run, incident: str) -> None:
    done = logs("tail", stdin=incident)
    assert (done.returncode, "264 rejections in stdin" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("console", "told"),
    [
        pytest.param("", [], id="none"),
        pytest.param(CONSOLE * 12, ["12 lines could not be read: each names an event of tokenward"], id="twelve"),
        pytest.param(CONSOLE + "x" * 70_000, ["2 lines could not be read: each names an event of tokenward"], id="one too long"),
    ],
)
@pytest.mark.parametrize("command", ["tail", "report"])
def test_lines_that_could_not_be_read_are_told_below_the_table(
    called: Run, incident_log: Path, command: str, console: str, told: list[str]
) -> None:
    with incident_log.open("a") as file:
        file.write(console)
    done = called(command, str(incident_log), COLUMNS="80")
    lines = done.stdout.splitlines()
    found = [number for number, line in enumerate(lines) if "could not be read" in line]
    assert [lines[number][: len(text)] for number, text in zip(found, told, strict=True)] == told
    assert all(0 < number < lines.index("Most likely cause") and not lines[number - 1] for number in found)
    assert lines[0].startswith("264 rejections in")


def _docker(line: str) -> str:
    return json.dumps({"log": line + "\n", "stream": "stderr"})


def _compose(line: str) -> str:
    return f"web-1  | {line}"


@pytest.mark.parametrize("wrap", [_docker, _compose])
def test_the_wrappers_of_runtimes_change_nothing(logs: Run, incident: str, wrap: Callable[[str], str]) -> None:
    plain, wrapped = (
        json.loads(logs("tail", "--json", stdin="\n".join(lines)).stdout)
        for lines in (incident.splitlines(), map(wrap, incident.splitlines()))
    )
    assert plain == wrapped


def test_only_one_code_is_counted_on_demand(logs: Run, incident_log: Path) -> None:
    document = json.loads(logs("tail", str(incident_log), "--json", "--code", "missing_token", "--code", "token_expired").stdout)
    assert {group["code"] for group in document["groups"]} == {"missing_token", "token_expired"}
    assert document["rejections"] == 16


def test_only_what_is_young_is_counted_on_demand(logs: Run) -> None:
    old, new = _event(), json.dumps({"ts": time.time() - 60, "code": "unknown_key", "event": "token_rejected"}) + "\n"
    document = json.loads(logs("tail", "--json", "--since", "15m", stdin=old + new).stdout)
    assert [group["code"] for group in document["groups"]] == ["unknown_key"]


# -- terminals and pipes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60, 80, 120], ids=str)
def test_lines_fit_the_terminal_but_for_what_is_to_be_copied(logs: Run, incident_log: Path, columns: int) -> None:
    done = logs("tail", incident_log.name, COLUMNS=str(columns), cwd=str(incident_log.parent))
    long = [line for line in done.stdout.splitlines() if len(line) > columns]
    assert all(len(line.split()) == 1 or line.startswith("  next:") for line in long), long
    assert "audience_not_accepted" in done.stdout


def test_a_pipe_gets_no_colours_and_ascii_where_it_has_nothing_else(logs: Run, incident_log: Path) -> None:
    done = logs("tail", str(incident_log), PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "\x1b" not in done.stdout


def test_what_a_stranger_wrote_is_escaped(logs: Run) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J<b>\u202e"
    done = logs("tail", stdin=_event(issuer=hostile, hint=hostile, client=hostile))
    assert done.returncode == 0
    assert done.stdout.replace("\n", "").isprintable()
    assert "\\x1b" in done.stdout


@contextmanager
def _terminal(arguments: list[str], environment: dict[str, str], *, rows: int = 40, columns: int = 100) -> Iterator[Any]:
    """The command on a terminal of its own; the block gets a function that waits until a text is on it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    seen = bytearray()

    def until(text: str) -> str:
        end = time.monotonic() + DEADLINE
        while text.encode() not in seen and time.monotonic() < end:
            ready, _, _ = select.select([ours], [], [], 0.1)
            try:
                seen.extend(os.read(ours, 65536) if ready else b"")
            except OSError:  # the other side is closed
                break
        assert text.encode() in seen, seen.decode()
        return seen.decode()

    try:
        yield process, until
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _named(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def test_a_terminal_gets_a_live_table_that_grows_with_the_file(environment: dict[str, str], incident_log: Path) -> None:
    command = _named(SCRIPT, "tail", "--follow", str(incident_log))
    with _terminal(command, {**environment, "TERM": "xterm", "TZ": "UTC"}) as (process, until):
        until("264 rejections")
        with incident_log.open("a") as file:
            file.write(_event(code="unknown_key"))
        until("265 rejections")
        process.send_signal(signal.SIGINT)
        said = until("next:")
        assert process.wait(DEADLINE) == 0
    assert "\x1b[" in said
    assert "Traceback" not in said


def test_without_rich_a_terminal_gets_lines_and_a_word_on_it(environment: dict[str, str], incident_log: Path) -> None:
    command = _named(WITHOUT_RICH, "tail", "--follow", str(incident_log))
    with _terminal(command, {**environment, "TERM": "xterm", "NO_COLOR": "1"}) as (process, until):
        until("pip install rich")
        with incident_log.open("a") as file:
            file.write(_event(code="unknown_key"))
        until("unknown_key")
        process.send_signal(signal.SIGINT)
        said = until("265 rejections")
        assert process.wait(DEADLINE) == 0
    assert "\x1b[" not in said


# -- a file that grows -------------------------------------------------------------------------------------------------


class Following:
    """`tokenward tail --follow --json` on a file, and its latest document."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def until(self, count: int) -> dict[str, Any]:
        assert self.process.stdout is not None
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            document: dict[str, Any] = json.loads(self.process.stdout.readline())
            if document["rejections"] >= count:
                assert document["rejections"] == count
                return document
        pytest.fail("it did not come")

    def until_read(self, log: Path) -> None:
        """Until it stands at the end of the file, as the kernel says: nothing that is written from then on is read with it."""
        end, place = time.monotonic() + DEADLINE, self._place_in(log)
        while place != log.stat().st_size and time.monotonic() < end:
            time.sleep(0.01)
            place = self._place_in(log)
        assert place == log.stat().st_size

    def _place_in(self, log: Path) -> int | None:
        folder = Path(f"/proc/{self.process.pid}")
        for descriptor in (folder / "fd").iterdir():
            if os.path.realpath(descriptor) == str(log.resolve()):
                told = (folder / "fdinfo" / descriptor.name).read_text().split()
                return int(told[told.index("pos:") + 1])
        return None


@pytest.fixture
def following(environment: dict[str, str], tmp_path: Path) -> Iterator[tuple[Path, Following]]:
    log = tmp_path / "app.log"
    log.write_text(_event(client="a"))
    command = _named(SCRIPT, "tail", "--follow", "--json", str(log))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        yield log, Following(process)
        process.kill()


def _append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


@needs_proc
def test_a_file_is_followed_as_it_grows_and_half_lines_are_waited_for(following: Any) -> None:
    log, followed = following
    followed.until(1)
    whole = _event(client="b")
    _append(log, whole[:40])
    followed.until_read(log)  # the half line, alone
    _append(log, whole[40:] + _event(client="c"))
    assert {group["client"] for group in followed.until(3)["groups"]} == {"a", "b", "c"}
    followed.process.send_signal(signal.SIGINT)
    assert followed.process.wait(DEADLINE) == 0


def test_a_file_is_followed_through_its_rotation(following: Any) -> None:
    log, followed = following
    followed.until(1)
    _append(log, _event(client="last"))
    log.rename(log.with_suffix(".1"))
    _append(log.with_suffix(".1"), _event(client="late"))
    log.write_text(_event(client="first"))
    assert {group["client"] for group in followed.until(4)["groups"]} == {"a", "last", "late", "first"}


@needs_proc
def test_a_file_is_followed_after_it_was_cut(following: Any) -> None:
    log, followed = following
    _append(log, _event(client="b" * 50))
    followed.until(2)
    os.truncate(log, 0)
    followed.until_read(log)  # a copy that grows again at once cannot be told from one that was not cut
    _append(log, _event(client="c"))
    assert {group["client"][0] for group in followed.until(3)["groups"]} == {"a", "b", "c"}


def test_a_pipe_gets_a_line_for_each_new_group_at_once_and_the_table_at_the_end(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "app.log"
    log.write_text("")
    command = _named(SCRIPT, "tail", "--follow", str(log))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**environment, "TZ": "UTC"}) as process:
        assert process.stdout is not None
        _append(log, _event(client="ada", hint="Renew it.") * 2)
        assert process.stdout.readline() == "12:00:00 UTC  token_expired  client ada  Renew it.\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == f"2 rejections in {log}, 2026-01-09, times in UTC\n"
        process.stdout.read()
        assert process.wait(DEADLINE) == 0


# -- what cannot be read -----------------------------------------------------------------------------------------------

UNUSABLE = [
    pytest.param(["no/such/file"], 2, "No such file", id="no file"),
    pytest.param(["--follow", "no/such/file"], 2, "No such file", id="no file to follow"),
    pytest.param(["/"], 2, "directory", id="a folder"),
    pytest.param(["--since", "soon"], 2, "90s, 15m, 2h or 1d", id="no duration"),
    pytest.param(["--since", "0s"], 2, "90s, 15m, 2h or 1d", id="no time"),
    pytest.param(["--since", "9" * 9 + "d"], 2, "90s, 15m, 2h or 1d", id="more than ten years"),
    pytest.param(["a", "b"], 2, "unrecognized", id="two files"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), UNUSABLE)
def test_what_cannot_be_used_ends_with_what_to_do(called: Run, arguments: list[str], code: int, words: str) -> None:
    done = called("tail", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "  next: " in done.stderr


EMPTY = [
    pytest.param("", [], "0 lines", id="nothing"),
    pytest.param("all is well\n", [], "There is no rejection in stdin (1 lines)", id="no event"),
    pytest.param(CONSOLE, [], "JSONRenderer", id="a console's lines"),
    pytest.param("x" * 70_000 + "\n", [], "64 KiB.\n  next: Check that it is", id="a line that is too long"),
    pytest.param(_event(), ["--code", "unknown_key"], "asked for (1 left out).\n", id="another code"),
    pytest.param(_event(), ["--code", "nonsense"], "(1 left out). 'nonsense' is no code of tokenward's.", id="a misspelt code"),
    pytest.param(_event() + CONSOLE, ["--code", "nonsense"], "Leave out --since", id="a misspelt code, and a console's line"),
    pytest.param(_event() + CONSOLE, ["--since", "1h"], "1 line could not be read", id="older, and a console's line"),
    pytest.param(CONSOLE, ["--code", "unknown_key"], "JSONRenderer", id="a code, and a console's lines alone"),
    pytest.param("all is well\n", ["--code", "unknown_key"], "There is no rejection in stdin", id="a code, and no event"),
    pytest.param(_event(), ["--since", "1h"], "asked for (1 left out)", id="older"),
    pytest.param('{"event": "token_rejected", "code": ["a"]}\n', [], "no rejection", id="an event without a code"),
]


@pytest.mark.parametrize(("text", "arguments", "words"), EMPTY)
def test_a_log_without_rejections_ends_with_1_and_why(called: Run, text: str, arguments: list[str], words: str) -> None:
    done = called("tail", *arguments, "--json", stdin=text)
    assert done.returncode == 1
    assert words in done.stderr
    assert json.loads(done.stdout)["error"] == "nothing_found"


def test_a_hostile_log_takes_bounded_memory(logs: Run, tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with log.open("w") as file:
        for number in range(6_000):
            code = {"code": f"c{number % 500}", "fingerprint": f"{number:012x}"}
            file.write(_event(**code, issuer=f"https://{number}/", client="x" * 300))
        file.write("token_rejected" + "x" * 10_000_000)
    script = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({300 * 2**20},) * 2)\n{SCRIPT}"
    done = logs("tail", "--json", str(log), script=script)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["rejections"], document["unread"]) == (6_000, 1)


def test_help_fits_80_columns_and_has_examples(called: Run) -> None:
    for command in ("tail", "report"):
        done = called(command, "--help")
        assert max(map(len, done.stdout.splitlines())) <= 80
        assert "examples:" in done.stdout
        assert "exit codes:" in done.stdout
