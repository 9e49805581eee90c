"""Frameworks are extras: none is imported unasked, and a missing one is named with the command that installs it."""

from __future__ import annotations

import subprocess
import sys

import pytest


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", ["tokenward", "tokenward.middleware.asgi", "tokenward.middleware.wsgi"])
def test_no_framework_is_imported_unasked(module: str) -> None:
    done = python(f"import sys, {module}; print([name for name in ('django', 'fastapi') if name in sys.modules])")
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_core_and_the_wsgi_door_do_without_starlette() -> None:
    done = python("import sys, tokenward, tokenward.middleware.wsgi; print('starlette' in sys.modules)")
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("framework", ["django", "fastapi"])
def test_a_missing_framework_is_named_with_its_extra(framework: str) -> None:
    done = python(f"import sys; sys.modules['{framework}'] = None; import tokenward.middleware.{framework}")
    assert done.returncode != 0
    assert f"install tokenward with the extra {framework}" in done.stderr.splitlines()[-1]
