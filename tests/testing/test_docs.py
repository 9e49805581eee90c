"""The fixture that the package's docstring offers runs as it stands, in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tokenward import testing

pytestmark = pytest.mark.servers


def test_the_fixture_of_the_docstring_works_when_it_is_copied(tmp_path: Path) -> None:
    found = re.search(r"\n\n((?:    .*\n|\n)+)", testing.__doc__ or "")
    assert found is not None
    (tmp_path / "test_copied.py").write_text(dedent(found[1]), "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
