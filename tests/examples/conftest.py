"""Copies of examples/incidents, as shipped and made again, and a shell in which their commands run as a reader runs them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

INCIDENTS = Path(__file__).parents[2] / "examples" / "incidents"
DEAD = "http://127.0.0.1:9"
"""A proxy that is not there: whoever asks beyond this machine fails, as on a plane."""

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tokenward` and `python`, which are those of these tests."""
    folder = tmp_path_factory.mktemp("programs")
    for name, module in (("tokenward", "-m tokenward.cli "), ("python", "")):
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a fresh copy."""
    return _copied(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="session")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a copy in which everything that is made was made again."""
    root = _copied(tmp_path_factory.mktemp("remade"))
    before = _contents(root)
    for path in root.rglob("token.jwt"):
        path.unlink()
    done = subprocess.run(
        [sys.executable, "examples/incidents/make.py"], cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    after = _contents(root)
    assert before.keys() == after.keys()
    assert {name for name in before if name.endswith("token.jwt") and before[name] == after[name]} == set()
    return root


@pytest.fixture(scope="session")
def shell(programs: Path) -> Shell:
    """`shell(command, root)` runs a command line in a fresh bash, 80 columns wide; the same one is run once."""
    own = ("DATABRICKS_", "TOKENWARD_", "NO_COLOR", "FORCE_COLOR", "TTY_", "HTTP", "http", "ALL_PROXY", "NO_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    alone = {"HTTPS_PROXY": DEAD, "HTTP_PROXY": DEAD, "no_proxy": "127.0.0.1"}
    environment = {**kept, **alone, "PATH": path, "PYTHONWARNINGS": "error", "COLUMNS": "80"}

    @functools.cache
    def run(command: str, root: Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


def _copied(root: Path) -> Path:
    shutil.copytree(INCIDENTS, root / "examples" / "incidents", ignore=shutil.ignore_patterns("__pycache__"))
    return root


def _contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}
