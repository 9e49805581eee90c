"""The report of `python -m demo` for people: on a terminal, in colours or without, and in a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

Demo = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_report_is_as_narrow_as_the_terminal_and_plain_when_it_is_none(demo: Demo, tmp_path: Path) -> None:
    own = (Path(__file__).parents[2] / "demo" / "app.py").read_text(encoding="utf-8")
    (tmp_path / "hospitable.py").write_text(own.replace("guests=False", "guests=True"), encoding="utf-8")
    done = demo("--quick", "--app", "hospitable:app", PYTHONPATH=str(tmp_path), COLUMNS="60")
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "\x1b" not in done.stdout
    assert re.search(r"^WRONG  Guest +200", done.stdout, re.MULTILINE)
    assert "Next:" in done.stdout


@pytest.mark.parametrize(
    ("no_color", "coloured"), [pytest.param("", True, id="a terminal"), pytest.param("1", False, id="NO_COLOR is set")]
)
def test_colours_are_for_terminals_that_want_them(demo: Demo, no_color: str, coloured: bool) -> None:
    text = _on_a_terminal(lambda terminal: demo("--quick", stdout=terminal, NO_COLOR=no_color, TERM="xterm"))
    assert "Every verdict is the expected one." in text
    assert ("\x1b[" in text) is coloured


def _on_a_terminal(run: Callable[[int], object]) -> str:
    """What a program writes to a terminal of its own. The other end must be read meanwhile, or the program would block."""
    ours, theirs = pty.openpty()
    parts: list[bytes] = []

    def _read() -> None:
        try:
            while part := os.read(ours, 4096):
                parts.append(part)
        except OSError:  # how Linux says that the terminal was closed
            return

    reader = threading.Thread(target=_read)
    reader.start()
    try:
        run(theirs)
    finally:
        os.close(theirs)
        reader.join(10)
        os.close(ours)
    return b"".join(parts).decode()
