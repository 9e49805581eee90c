"""Pages that are run: their `sh` blocks, in order, in a fresh bash, and what each printed beside what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE = 300.0
"""Seconds for a page, which takes a tenth of that on a machine that does nothing else."""
LEFT_OUT = "..."
_FENCES = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXITS = re.compile(r"\n?exit code (\d+)\n\Z")
_PASSING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<time>"),
    (re.compile(r"\((in )?\d+ "), "(<number> "),
    (re.compile(r"(?<![\w-])[\w-]{27}(?![\w-])"), "<kid>"),
    (re.compile(r"[^\S\n]+"), " "),
)
"""What differs from run to run; and white space, because the width of a column is that of its longest cell."""

Run = Callable[..., "list[str]"]


@dataclass(frozen=True, slots=True)
class Block:
    """Commands, what the page shows below them, and the exit code that is stated there."""

    place: str
    script: str
    shown: str
    exits: str

    def wrapped(self, number: int) -> str:
        """The commands, with their output and the exit codes of those that failed in files."""
        return f"FAILED=\n{{\n{self.script}}} > {number}.out 2>&1\necho $FAILED > {number}.failed\n"


def blocks_of(page: str) -> list[Block]:
    """Every `sh` block of a page, with the `text` block that follows it, if nothing else does."""
    found = list(_FENCES.finditer(page))
    blocks = []
    for number, fence in enumerate(found):
        if fence[1] == "sh":
            after = found[number + 1] if number + 1 < len(found) else None
            shown = after[2] if after is not None and after[1] == "text" else ""
            exits = _EXITS.search(shown)
            place = f"line {page.count(chr(10), 0, fence.start()) + 1}"
            blocks.append(Block(place, fence[2], _EXITS.sub("\n", shown), exits[1] if exits else ""))
    return blocks


def difference(shown: str, printed: str) -> str | None:
    """The first shown lines that were not printed there; None if the page is right.

    `...` alone is any number of lines, behind a blank it is the rest of a line.
    """
    lines, pieces = _lines(printed), [piece.strip("\n").split("\n") for piece in _pieces(shown)]
    begin, last = 0, len(pieces) - 1
    for number, piece in enumerate(pieces):
        if piece == [""]:
            if number == last == 0 and lines:
                return f"nothing is shown, and printed was: {printed}"
            continue
        places = [at for at in range(begin, len(lines) - len(piece) + 1) if all(map(_is_shown, lines[at:], piece))]
        at = None if not places else places[-1] if number == last else places[0]
        if at is None or (number == 0 and at != 0) or (number == last and at + len(piece) != len(lines)):
            return "not printed there: " + "\n".join(piece)
        begin = at + len(piece)
    return None


def _is_shown(printed: str, shown: str) -> bool:
    return printed == shown or (shown.endswith(f" {LEFT_OUT}") and printed.startswith(shown.removesuffix(LEFT_OUT)))


def _pieces(shown: str) -> list[str]:
    return re.split(rf"^{re.escape(LEFT_OUT)}$", "\n".join(_lines(shown)), flags=re.MULTILINE)


def _lines(text: str) -> list[str]:
    for pattern, word in _PASSING:
        text = pattern.sub(word, text)
    lines = [line.strip() for line in text.strip().split("\n")]
    return [] if lines == [""] else lines


@pytest.fixture
def complaints(tmp_path: Path) -> Run:
    """`complaints(page, ports)` runs a page and says what was not as it is shown; `ports` stand in for those of the page."""

    def run(page: str, ports: Mapping[str, str] | None = None) -> list[str]:
        names = dict(ports or {})
        blocks = blocks_of(_renamed(page, names))
        assert blocks
        _run(blocks, tmp_path, _environment(tmp_path))
        back = {new: old for old, new in names.items()}
        return [said for number, block in enumerate(blocks) for said in _judged(block, tmp_path / str(number), back)]

    return run


def _judged(block: Block, stem: Path, back: Mapping[str, str]) -> list[str]:
    out, failed = stem.with_suffix(".out"), stem.with_suffix(".failed")
    if not failed.exists():
        return [f"{block.place}: not run to its end"]
    printed, exits = _renamed(out.read_text("utf-8"), back), failed.read_text("utf-8").strip()
    wrong = difference(_renamed(block.shown, back), printed)
    said = [] if wrong is None else [f"{block.place}: {wrong}"]
    return said if exits == block.exits else [*said, f"{block.place}: exit codes [{exits}] and not [{block.exits}]: {printed}"]


def _run(blocks: Sequence[Block], folder: Path, environment: Mapping[str, str]) -> None:
    """A shell of its own, in which a command that fails is noted, and a session of its own, of which nothing is left behind."""
    script = folder / "page.sh"
    noted = "set -o pipefail\ntrap 'FAILED=\"$FAILED $?\"' ERR\n"
    script.write_text(noted + "".join(block.wrapped(number) for number, block in enumerate(blocks)), "utf-8")
    command = [str(shutil.which("bash")), str(script)]
    null = subprocess.DEVNULL
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=null, stdout=null, stderr=null, start_new_session=True
    ) as shell:
        try:
            shell.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass  # what was not run is told
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


def _environment(folder: Path) -> dict[str, str]:
    """A terminal's width, no proxy, and the two commands of the page, which are those under test."""
    programs = folder / "bin"
    programs.mkdir()
    for name, called in {"python": "", "tokenward": "-m tokenward.cli"}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {called} "$@"\n', "utf-8")
        (programs / name).chmod(0o700)
    own = ("databricks_", "tokenward_", "http_proxy", "https_proxy", "all_proxy", "no_color", "force_color")
    kept = {name: value for name, value in os.environ.items() if not name.lower().startswith(own)}
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**kept, "PATH": path, "COLUMNS": "80", "PYTHONUTF8": "1", "PYTHONWARNINGS": "error"}


def _renamed(text: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        text = re.sub(rf"\b{old}\b", new, text)
    return text
