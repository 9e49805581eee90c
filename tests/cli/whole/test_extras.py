"""A package of an extra that is missing explains itself, with the command that installs it; the rest works without."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tokenward
from tokenward.cli.extras import EXTRAS, explained

pytestmark = pytest.mark.servers

NEEDED = [
    pytest.param("shtab", ["completion", "bash"], id="completion without shtab"),
    pytest.param("uvicorn", ["gateway", "--config", "gateway.toml", "--check"], id="gateway without uvicorn"),
    pytest.param("aiohttp", ["forward-auth", "--config", "gateway.toml", "--check"], id="forward-auth without aiohttp"),
    pytest.param("uvicorn", ["inspect"], id="inspect without uvicorn"),
]


@pytest.mark.parametrize(("package", "arguments"), NEEDED)
def test_what_needs_a_missing_package_says_how_to_install_it(
    ran: Any, without: Any, folder: Path, package: str, arguments: list[str]
) -> None:
    (folder / "gateway.toml").write_text("")
    done = ran(*arguments, **without(package))
    assert (done.returncode, done.stdout) == (2, "")
    problem, fix = done.stderr.splitlines()
    assert problem == f"tokenward: usage: The package {package} is not installed."
    assert re.search(rf"pip install .*'{package}\W", fix)


def test_yaml_without_its_package_says_how_to_install_it(ran: Any, without: Any, folder: Path, unsigned: str) -> None:
    (folder / "policies.yaml").write_text("issuer: https://idp.example/\naudiences: [jobs]\n")
    done = ran("policy", "would-accept", "policies.yaml", "--offline", stdin=unsigned, **without("yaml", "_yaml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"  next: .*[Ii]nstall .*PyYAML", done.stderr)


@pytest.mark.parametrize("name", ["decode", "diagnose", "explain", "policy would-accept", "report", "tail", "keys", "man"])
def test_tables_need_no_extra(ran: Any, without: Any, leaves: Any, name: str) -> None:
    leaf = leaves[name]
    usual = ran(*leaf.words, *leaf.arguments, stdin=leaf.stdin)
    bare = ran(*leaf.words, *leaf.arguments, stdin=leaf.stdin, **without("rich", "yaml", "_yaml", "shtab", "uvicorn", "aiohttp"))
    assert (bare.returncode, bare.stderr) == (usual.returncode, usual.stderr)
    assert _without_times(bare.stdout) == _without_times(usual.stdout)


def _without_times(text: str) -> str:
    return re.sub(r"\d+", "0", text)


def test_a_missing_package_of_no_extra_is_a_defect() -> None:
    assert explained(ModuleNotFoundError("No module named 'jwt'", name="jwt")) is None
    told = explained(ModuleNotFoundError("No module named 'aiohttp.web'", name="aiohttp.web"))
    assert told is not None
    assert "pip install" in told.fix


def test_extras_are_named_as_the_project_names_them() -> None:
    project = Path(tokenward.__file__).parents[2] / "pyproject.toml"
    if not project.is_file():
        pytest.skip("an installed package has no pyproject.toml beside it")
    named = re.findall(r"^([a-z]+) = \[", project.read_text("utf-8").partition("optional-dependencies]")[2], re.MULTILINE)
    assert set(EXTRAS) <= set(named)
