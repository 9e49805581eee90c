"""The files in deploy/ say what is true: every setting, its default, and nothing else. Of them a wheel has gateway.toml only."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from tokenward.cli.serve import server as defaults
from tokenward.cli.serve.app import made
from tokenward.cli.serve.credentials import _KINDS as CREDENTIALS
from tokenward.cli.serve.fields import FIELDS
from tokenward.cli.serve.policies import _KINDS as POLICIES
from tokenward.cli.serve.reading import read_settings
from tokenward.databricks.forward_auth import forward_auth, verdict
from tokenward.databricks.gateway import aiohttp_mover, in_flight, relay
from tokenward.databricks.shared import redis_store
from tokenward.verifier import WARM_UP_TIMEOUT

DEPLOY = Path(__file__).parents[3] / "deploy"
CONFIGURATION = Path(defaults.__file__).with_name("gateway.toml")

pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="deploy/ is not beside these tests")

_SECTION = re.compile(r"^(?:# )?\[(\w+)\]$")
_SETTING = re.compile(r"^(?:# )?(\w+) = (.+?)(?:\s{2,}#.*)?$")


def _written() -> dict[str, list[tuple[str, str]]]:
    """Every setting of the file, commented out or not, by section."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = ""
    for line in CONFIGURATION.read_text("utf-8").splitlines():
        if match := _SECTION.match(line):
            section = match.group(1)
            found[section] = []
        elif match := _SETTING.match(line):
            found[section].append((match.group(1), match.group(2)))
    return found


def test_there_is_one_configuration_and_deploy_leads_to_it() -> None:
    assert (DEPLOY / "gateway.toml").is_symlink()
    assert (DEPLOY / "gateway.toml").read_text("utf-8") == CONFIGURATION.read_text("utf-8")


def test_the_configuration_names_every_setting_and_no_other() -> None:
    assert {section: {name for name, _ in lines} for section, lines in _written().items()} == {
        section: set(fields) for section, fields in FIELDS.items()
    }


def test_the_configuration_is_accepted_as_it_is() -> None:
    settings = read_settings(str(CONFIGURATION), {})
    made("gateway", settings)
    made("forward-auth", settings)


def test_every_value_that_is_commented_out_could_be_used(tmp_path: Path) -> None:
    """Uncommented alone, each is read: a mistake in one would only be found by whoever needs it."""
    for section, lines in _written().items():
        for name, value in lines:
            (tmp_path / "one.toml").write_text(f"[{section}]\n{name} = {value}\n")
            assert name in read_settings(str(tmp_path / "one.toml"), {})[section]


def test_the_defaults_are_those_of_the_code() -> None:
    written = {section: dict(lines) for section, lines in _written().items()}
    server = {name: written["server"][name] for name in ("host", "port", "notice", "graceful", "keep_alive")}
    assert server == {
        "host": f'"{defaults.HOST}"',
        "port": str(defaults.PORT),
        "notice": f"{defaults.NOTICE:g}",
        "graceful": f"{defaults.GRACEFUL:g}",
        "keep_alive": f"{defaults.KEEP_ALIVE:g}",
    }
    assert written["gateway"]["warm_up"] == f"{WARM_UP_TIMEOUT:g}"
    assert written["gateway"]["max_concurrent"] == str(in_flight.MAX_CONCURRENT)
    assert written["gateway"]["client_idle"] == f"{relay.CLIENT_IDLE:g}"
    assert written["gateway"]["connections"] == str(aiohttp_mover.CONNECTIONS)
    assert (written["redis"]["prefix"], written["redis"]["timeout"]) == (f'"{redis_store.PREFIX}"', str(redis_store.TIMEOUT))
    assert written["forward_auth"] == {
        "source": '"nginx"',
        "max_age": str(verdict.MAX_AGE),
        "prefix": f'"{forward_auth.PREFIX}"',
    }


def test_every_kind_is_shown() -> None:
    written = _written()
    assert {value.strip('"') for name, value in written["policy"] if name == "kind"} == set(POLICIES)
    assert {value.strip('"') for name, value in written["credentials"] if name == "kind"} == set(CREDENTIALS)


def test_the_image_runs_as_nobody_and_can_be_asked_how_it_is() -> None:
    lines = (DEPLOY / "Dockerfile").read_text("utf-8").splitlines()
    assert "USER 65532:65532" in lines
    assert any(line.startswith("HEALTHCHECK") and line.endswith('CMD ["tokenward", "gateway", "--health"]') for line in lines)
    assert sum(line.startswith("FROM python:${PYTHON}-slim") for line in lines) == 2
    assert not [line for line in lines if re.match(r"(ENV|ARG).*(SECRET|PASSWORD|TOKEN=|KEY)", line)]


def test_the_service_gives_up_on_wrong_settings_and_waits_for_what_is_under_way() -> None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(DEPLOY / "tokenward-gateway.service", "utf-8")
    service = parser["Service"]
    assert float(service["TimeoutStopSec"]) > defaults.NOTICE + defaults.GRACEFUL
    assert service["RestartPreventExitStatus"] == "2"
    assert (service["KillMode"], service["DynamicUser"], service["NoNewPrivileges"]) == ("mixed", "yes", "yes")
