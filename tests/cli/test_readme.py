"""The README's lines on Databricks credentials, copied and pasted into a fresh shell: they are run as they stand."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")]

README = Path(__file__).parents[2] / "README.md"
STANDIN = "http://127.0.0.1:8500"
"""Where the README's stand-in listens; the test's is at a free port."""


def _section() -> str:
    return README.read_text("utf-8").split("\n## Databricks credentials\n")[1].split("\n## ")[0]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _section(), re.MULTILINE | re.DOTALL)


def test_the_three_steps_work_by_copy_and_paste(standin: Any, environment: dict[str, str], tmp_path: Path) -> None:
    """All but the first block, which installs and starts what runs here already."""
    lines = "".join(_blocks("sh")[1:]).replace(STANDIN, standin.url)
    command = f'set -e; tokenward() {{ "{sys.executable}" -m tokenward.cli "$@"; }}\n{lines}'
    env = {**environment, "no_proxy": "127.0.0.1"}
    done = subprocess.run(["bash"], input=command, capture_output=True, text=True, cwd=tmp_path, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada@contoso.example" in done.stdout
    assert "7cb2f8a4-49a7-4147-83db-35cb69e5cede" in done.stdout
    assert done.stdout.rstrip().endswith("by: contoso-jobs.")


def test_the_same_in_python_works_by_copy_and_paste(standin: Any, environment: dict[str, str]) -> None:
    script = _blocks("python")[0].replace(STANDIN, standin.url)
    assert len(script.strip().splitlines()) <= 12
    env = {**environment, "no_proxy": "127.0.0.1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ada@contoso.example Ada Example" in done.stdout
