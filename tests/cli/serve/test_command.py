"""What both commands say of themselves, and of a configuration that they do not run: as somebody at a shell reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.serve.reading import read_settings
from tokenward.cli.serve.server import HOST, PORT

ROOT = Path(__file__).parents[3]
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
COMMANDS = pytest.mark.parametrize("command", ["gateway", "forward-auth"])


@COMMANDS
def test_help_says_where_it_listens_and_how_to_see_every_setting(tokenward: Any, command: str) -> None:
    done = tokenward(command, "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"It listens on http://{HOST}:{PORT}" in done.stdout
    assert "--example prints every setting" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@COMMANDS
def test_the_example_is_a_configuration_as_it_is(tokenward: Any, command: str, tmp_path: Path) -> None:
    done = tokenward(command, "--example", TOKENWARD_CONFIG="/no/such/file", TOKENWARD_POLICY_TENNANT="a")
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / "gateway.toml"
    path.write_text(done.stdout)
    assert read_settings(str(path), {})["server"].get("port") == PORT
    assert tokenward(command, "--config", str(path), "--check").returncode == 0


def given(**more: str) -> dict[str, str]:
    return {
        "TOKENWARD_GATEWAY_UPSTREAM": "adb-1234567890123456.7.azuredatabricks.net",
        "TOKENWARD_GATEWAY_ALLOW": "sql",
        "TOKENWARD_POLICY_KIND": "databricks",
        "TOKENWARD_POLICY_TENANT": TENANT,
        "TOKENWARD_CREDENTIALS_KIND": "pass_through",
        **more,
    }


NOTES = [
    pytest.param({"TOKENWARD_CREDENTIALS_KIND": "exchange"}, ["exchange_not_needed"], id="exchange"),
    pytest.param({"TOKENWARD_GATEWAY_ALLOW": "all"}, ["everything_allowed"], id="every API"),
    pytest.param({"TOKENWARD_SERVER_HOST": "0.0.0.0"}, ["plain_http", "verdicts_exposed"], id="a network"),
    pytest.param({}, [], id="nothing"),
]


@pytest.mark.parametrize(("more", "notes"), NOTES)
def test_check_tells_on_stderr_what_a_start_would_warn_of(tokenward: Any, more: dict[str, str], notes: list[str]) -> None:
    done = tokenward("forward-auth", "--check", **given(**more))
    assert done.returncode == 0
    assert "This configuration can be used" in done.stdout
    assert re.findall(r"^tokenward: note: (\w+): ", done.stderr, re.MULTILINE) == notes
    assert len(done.stderr.splitlines()) == len(notes)


@pytest.mark.skipif(not (ROOT / "scripts").is_dir() or shutil.which("bash") is None, reason="scripts/ or bash is not here")
@pytest.mark.parametrize("asked", [["--help"], ["-h"], ["--gateway", "--help"]], ids=" ".join)
def test_the_benchmarks_tell_their_options_without_installing_anything(tmp_path: Path, asked: list[str]) -> None:
    """In a folder with nothing else in it, where no environment could be made."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    done = subprocess.run(
        ["bash", "scripts/bench", *asked], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["scripts"]
    options = re.findall(r'add_argument\("(--[a-z-]+)"', (ROOT / "benchmarks" / "__main__.py").read_text("utf-8"))
    assert "--gateway" in options
    assert re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE) == options
    assert max(map(len, done.stdout.splitlines())) <= 80
