"""A command imports what it needs, and not what the others need."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tokenward.cli.registry import COMMANDS

SCRIPT = """
import json, sys
sys.argv = ["tokenward", *{arguments!r}]
from tokenward.cli.entry import run
try:
    run()
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
HEAVY = {"aiohttp", "uvicorn", "shtab", "yaml", "redis", "fastapi", "django"}


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        pytest.param(["--version"], set(), id="--version"),
        pytest.param(["--help"], set(), id="--help"),
        pytest.param(["no-such-command"], set(), id="a command that there is not"),
        pytest.param(["diagnose", "AADSTS65001"], {"diagnose"}, id="diagnose"),
        pytest.param(["me", "--help"], {"me"}, id="me"),
        pytest.param(["man", "--help"], {"man"}, id="man"),
    ],
)
def test_only_the_command_that_is_called_is_imported(environment: dict[str, str], arguments: list[str], own: set[str]) -> None:
    script = SCRIPT.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True, timeout=60)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert {command.name for command in COMMANDS.values() if f"tokenward.cli.{command.module}" in loaded} == own
    assert {name.split(".")[0] for name in loaded} & HEAVY == set()


def test_the_version_is_the_packages(ran: Any) -> None:
    from tokenward import __version__

    assert ran("--version").stdout == f"tokenward {__version__}\n"
