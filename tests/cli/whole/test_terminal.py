"""Terminals and pipes: colours where they are wanted, never in a pipe, and nothing that is told by a colour alone."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest

from tokenward.cli.tables import FOLDED

pytestmark = pytest.mark.servers

REFUSED = (
    *("explain", "--issuer", "https://idp.example/", "--audience", "other", "--offline"),
    *("--at", "2026-05-04T13:00:00Z", "--token-env", "T"),
)
"""An answer with a table; its token is in T."""
UNKNOWN = ("me", "--no-such-option")
"""An answer on stderr."""
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("arguments", [REFUSED, UNKNOWN], ids=["stdout", "stderr"])
@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        pytest.param({}, True, id="a terminal"),
        pytest.param({"NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"NO_COLOR": ""}, True, id="an empty NO_COLOR, which counts for nothing"),
        pytest.param({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, id="NO_COLOR before FORCE_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="a dumb terminal"),
        pytest.param({"TERM": "dumb", "FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
    ],
)
def test_a_terminal_gets_colours_that_it_wants(
    on_a_terminal: Any, unsigned: str, arguments: tuple[str, ...], variables: dict[str, str], coloured: bool
) -> None:
    text = on_a_terminal(*arguments, T=unsigned, **variables)
    assert len(text.splitlines()) >= 2
    assert bool(ESCAPES.search(text)) is coloured
    assert "\x1b" not in ESCAPES.sub("", text)


@pytest.mark.parametrize("arguments", [REFUSED, UNKNOWN], ids=["stdout", "stderr"])
def test_a_pipe_gets_colours_only_by_force(ran: Any, unsigned: str, arguments: tuple[str, ...]) -> None:
    plain = ran(*arguments, T=unsigned, TERM="xterm-256color")
    forced = ran(*arguments, T=unsigned, FORCE_COLOR="1")
    assert "\x1b" not in plain.stdout + plain.stderr
    assert ESCAPES.sub("", forced.stdout + forced.stderr) == plain.stdout + plain.stderr
    assert "\x1b" in forced.stdout + forced.stderr


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_terminal_shows_the_same_words_as_a_pipe_within_its_width(
    on_a_terminal: Any, ran: Any, unsigned: str, columns: int
) -> None:
    shown = ESCAPES.sub("", on_a_terminal(*REFUSED, T=unsigned, columns=columns)).replace("\r", "")
    piped = ran(*REFUSED, T=unsigned)
    long = [word for word in _words(piped.stdout) if len(word) > FOLDED]
    assert all(any(piece in word for word in long) for piece in _words(shown) - _words(piped.stdout))
    assert {"audience", "other", "jobs"} <= _words(shown)
    assert all(len(line) <= columns or len(line.split()) == 1 for line in shown.splitlines())


def test_a_verdict_is_told_without_its_colour(on_a_terminal: Any, unsigned: str) -> None:
    plain = on_a_terminal(*REFUSED, T=unsigned, NO_COLOR="1")
    assert "\u2717 failed" in plain
    assert "? open" in plain


def _words(text: str) -> set[str]:
    return {word.rstrip(":") for word in re.sub("[\u2500-]{2,}", " ", text).split()}


def test_an_error_at_a_narrow_terminal_is_broken_between_words(on_a_terminal: Any) -> None:
    lines = on_a_terminal(
        "me", "--token-env", "NO_SUCH_VARIABLE", "--host", "http://127.0.0.1:9", columns=40, NO_COLOR="1"
    ).splitlines()
    assert max(map(len, lines)) <= 40
    told = " ".join(" ".join(lines).split())
    assert "The environment variable NO_SUCH_VARIABLE is not set, or empty. next: Give the variable's name" in told


def test_a_terminal_without_a_size_has_80_columns(environment: dict[str, str], ran: Any) -> None:
    """COLUMNS that is no number counts for nothing."""
    done: subprocess.CompletedProcess[str] = ran("diagnose", "AADSTS65001", COLUMNS="wide")
    assert done.stdout == ran("diagnose", "AADSTS65001").stdout
