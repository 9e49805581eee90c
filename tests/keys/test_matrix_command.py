"""`scripts/matrix`: the table it prints, whole in a pipe, and what its exit codes mean."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")

ROOT = Path(__file__).parents[2]
ROWS = tomllib.loads((ROOT / "tests" / "keys" / "matrix" / "rows.toml").read_text("utf-8"))["row"]
F13 = next(row["fault"] for row in ROWS if row["id"] == "F13")
SECONDS = 120
"""Until a process that should have ended is given up, on a machine with much else to do."""
ALONE = ("-n", "0")
"""Without processes beside it, which take longer than a few tests do."""
NO_INSTALLATION = "require_python() { :; }\nmake_environment() { :; }\n"


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """The scripts in a folder whose environment is the one that runs this; only what would be installed is not."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "scripts" / "common.sh").write_text(NO_INSTALLATION, "utf-8")
    python = tmp_path / ".venv-matrix" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" "$@"\n', "utf-8")
    python.chmod(0o755)
    return tmp_path / "scripts" / "matrix"


def test_the_matrix_tells_its_options_without_installing_anything(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    done = subprocess.run(["bash", "scripts/matrix", "-k", "f29", "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["scripts"]
    assert all(word in done.stdout for word in ("-k WORDS", "--json", "--docs", "  5  ", "  130  "))
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_in_a_pipe_the_table_cuts_nothing_off(scripts: Path) -> None:
    done = subprocess.run([scripts, *ALONE, "-k", "f13 and trio"], capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, f"F13  {F13}  " in done.stdout) == (0, True)
    assert "\n1 row, 1 cell, " in done.stdout


def test_the_table_is_printed_for_machines(scripts: Path) -> None:
    done = subprocess.run([scripts, "--json", *ALONE, "-k", "f13 and trio"], capture_output=True, text=True, timeout=SECONDS)
    told = json.loads(done.stdout)
    assert (done.returncode, told["interrupted"], told["cells"], told["held"]) == (0, False, 1, 1)
    assert told["rows"] == [{"id": "F13", "fault": F13, "trio": "held"}]


def test_a_selection_of_nothing_is_no_matrix_that_held(scripts: Path) -> None:
    assert subprocess.run([scripts, *ALONE, "-k", "f99"], capture_output=True, timeout=SECONDS).returncode == 5


def test_ctrl_c_ends_it_with_the_table_so_far(scripts: Path) -> None:
    with subprocess.Popen([scripts], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as run:
        assert run.stdout is not None
        told = b""
        while not told.rpartition(b"\n")[2].startswith(b"."):  # the first test that passed
            read = os.read(run.stdout.fileno(), 4096)
            assert read, told
            told += read
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does: to all of them
        told += run.communicate(timeout=SECONDS)[0]
    assert (run.returncode, b" fault matrix " in told, b"Traceback" in told) == (130, True, False), told.decode()
