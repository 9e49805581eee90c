"""Options that mean the same have the same names, values and defaults in every command."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.durations import DURATION
from tokenward.cli.main import parser_of
from tokenward.cli.parser import commands_of
from tokenward.cli.registry import COMMANDS
from tokenward.clouds import NAMED
from tokenward.testing import LocalIssuer, SigningKey
from tokenward.testing.claims import HOME_TENANT

NOBODY = "http://127.0.0.1:9"
DURATIONS = {"--bucket", "--interval", "--since", "--timeout"}
IDS = {"--account-id", "--api", "--client-id", "--tenant"}
Command = Callable[..., Any]

OPTIONS = {
    f"{parser.prog} {'/'.join(action.option_strings)}": action
    for parser in commands_of(parser_of(*COMMANDS))
    for action in parser._actions
    if action.option_strings
}


def _options(names: set[str]) -> list[Any]:
    found = {where: action for where, action in OPTIONS.items() if names & set(action.option_strings)}
    assert {name for action in found.values() for name in action.option_strings} >= names
    return [pytest.param(action, id=where) for where, action in found.items()]


@pytest.mark.parametrize("action", _options({"--workspace", "--host"}))
def test_a_workspace_is_named_by_either_name_everywhere(action: argparse.Action) -> None:
    assert (action.option_strings, action.dest, action.metavar) == (["--workspace", "--host"], "workspace", "HOST")
    assert "$DATABRICKS_HOST" in str(action.help)


@pytest.mark.parametrize("action", _options(IDS))
def test_every_id_is_called_a_guid(action: argparse.Action) -> None:
    assert action.metavar == "GUID"


@pytest.mark.parametrize("action", _options({"--cloud"}))
def test_clouds_are_listed_in_one_order(action: argparse.Action) -> None:
    assert list(action.choices or ()) == list(NAMED)


@pytest.mark.parametrize("action", _options(DURATIONS))
@pytest.mark.parametrize(("text", "seconds"), [("60", 60), ("60s", 60), ("2m", 120), ("2 min", 120), ("0.5h", 1800)])
def test_every_duration_takes_seconds_or_a_unit(action: argparse.Action, text: str, seconds: float) -> None:
    assert action.metavar == DURATION
    assert callable(action.type)
    assert action.type(text) == seconds


@pytest.mark.parametrize("action", _options(DURATIONS))
@pytest.mark.parametrize(
    "text",
    ["", "abc", "nan", "inf", "-1", "1e999", "15 m 3", "1_0", "\u0661\u0662", "15x", "9" * 400, "5m\x1b[31m"],
    ids=ascii,
)
def test_no_duration_is_said_to_be_none_in_the_same_words(action: argparse.Action, text: str) -> None:
    assert callable(action.type)
    with pytest.raises(argparse.ArgumentTypeError, match=r"is (no duration|not between|no length|no time ago)") as raised:
        action.type(text)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["keys", "https://idp.example/", "--watch", "--interval", "abc"], id="keys"),
        pytest.param(["report", "app.log", "--bucket", "abc"], id="report"),
        pytest.param(["tail", "--since", "abc"], id="tail"),
        pytest.param(["explain", "--timeout", "abc"], id="explain"),
        pytest.param(["doctor", "--timeout", "abc"], id="doctor"),
        pytest.param(["me", "--timeout", "abc"], id="me"),
    ],
)
def test_what_is_no_duration_is_quoted_and_told_how_to_write(called: Command, arguments: list[str]) -> None:
    done = called(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"argument {arguments[-2]}: 'abc' is no duration such as 90, 90s, 15m, 2h or 1d." in done.stderr


@pytest.mark.parametrize("text", ["1ms", "0", "2d"], ids=["no unit", "below", "above"])
def test_an_interval_out_of_bounds_names_no_function(called: Command, text: str) -> None:
    done = called("keys", "https://idp.example/", "--watch", "--interval", text)
    assert done.returncode == 2
    assert "_interval" not in done.stderr
    assert text in done.stderr


def test_no_time_for_the_keys_is_told_in_the_command_lines_words(called: Command) -> None:
    done = called("explain", "--timeout", "0", stdin="x")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "  next: Give more seconds, or --offline (offline=True)."


# -- the workspace -----------------------------------------------------------------------------------------------------


@pytest.fixture
def token() -> str:
    return LocalIssuer(keys=[SigningKey.generate("RS256")]).databricks_token(tenant=HOME_TENANT)


@pytest.mark.servers
@pytest.mark.parametrize("name", ["--workspace", "--host", None], ids=["workspace", "host", "the environment"])
@pytest.mark.parametrize("command", ["me", "exchange", "explain", "doctor"])
def test_a_workspace_may_be_named_in_three_ways(
    called: Command, standin: Any, token: str, name: str | None, command: str
) -> None:
    given = [name, standin.url] if name else []
    variables = {} if name else {"DATABRICKS_HOST": standin.url}
    more = {"explain": ["--databricks", "--authority", NOBODY], "doctor": ["--authority", NOBODY]}.get(command, [])
    done = called(command, *more, *given, "--json", stdin=token, **variables)
    asked = json.loads(done.stdout)
    whose = {
        "me": lambda: asked["error"] == "exchange_refused",
        "exchange": lambda: asked["error"] == "exchange_refused",
        "explain": lambda: asked["code"] == "tenant_not_allowed",
        "doctor": lambda: asked["parts"][0]["checks"][0]["verdict"] == "ok",
    }
    assert whose[command](), done.stdout + done.stderr


def test_the_environments_workspace_is_not_asked_where_a_tenant_is_given(called: Command, token: str) -> None:
    done = called("explain", "--databricks", "--tenant", HOME_TENANT, "--offline", stdin=token, DATABRICKS_HOST=NOBODY)
    alone = called("explain", "--databricks", "--tenant", HOME_TENANT, "--timeout", "1", stdin="x", DATABRICKS_HOST=NOBODY)
    other = called("explain", "--offline", stdin=token, DATABRICKS_HOST=NOBODY)
    assert (done.returncode, alone.returncode, other.returncode) == (3, 4, 3), done.stderr + alone.stderr + other.stderr


def test_the_environments_workspace_is_asked_where_nothing_else_names_a_tenant(called: Command) -> None:
    done = called("explain", "--databricks", "--timeout", "2", stdin="x", DATABRICKS_HOST=NOBODY)
    assert (done.returncode, "exchange_unavailable" in done.stderr) == (3, True)


def test_a_registration_alone_is_examined_without_the_environments_workspace(called: Command, tmp_path: Path) -> None:
    (tmp_path / "app.json").write_text(json.dumps({"appId": HOME_TENANT}))
    arguments = ("--tenant", HOME_TENANT, "--client-id", HOME_TENANT, "--az-file", str(tmp_path / "app.json"))
    plain, variable = called("doctor", *arguments), called("doctor", *arguments, DATABRICKS_HOST=NOBODY)
    assert (variable.returncode, variable.stdout) == (plain.returncode, plain.stdout)


@pytest.mark.parametrize("given", [True, False], ids=["the option", "the environment"])
def test_offline_a_workspace_says_no_tenant(called: Command, given: bool) -> None:
    option = ["--host", NOBODY] if given else []
    variables = {} if given else {"DATABRICKS_HOST": NOBODY}
    done = called("explain", "--databricks", *option, "--offline", stdin="x", **variables)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "  next: With --offline the workspace is not asked: give --tenant, too."


def test_a_wrong_workspace_is_called_by_its_option(called: Command) -> None:
    commands = (["me"], ["exchange"], ["explain", "--databricks"], ["doctor"])
    told = [called(*command, "--workspace", "http://a.example", stdin="x").stderr.splitlines()[0] for command in commands]
    assert {line.split(": ")[2] for line in told} == {"--workspace (or --host, or DATABRICKS_HOST)"}


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explain", "doctor"),
    [
        pytest.param(
            ["--api", HOME_TENANT, "--tenant", "contoso"], ["--client-id", HOME_TENANT, "--tenant", "contoso"], id="tenant"
        ),
        pytest.param(["--api", "jobs", "--tenant", HOME_TENANT], ["--client-id", "jobs", "--tenant", HOME_TENANT], id="client"),
        pytest.param(
            ["--databricks", "--tenant", "contoso"], ["--client-id", HOME_TENANT, "--tenant", "contoso"], id="databricks"
        ),
    ],
)
def test_what_is_no_guid_is_told_in_the_same_words(called: Command, explain: list[str], doctor: list[str]) -> None:
    one, other = called("explain", *explain, stdin="x"), called("doctor", *doctor, stdin="x")
    assert (one.returncode, other.returncode) == (2, 2)
    assert one.stderr.replace("--api", "--client-id") == other.stderr


# -- federation policies -----------------------------------------------------------------------------------------------

READERS = [
    pytest.param(["policy", "would-accept", "FILE"], id="would-accept"),
    pytest.param(["doctor", "--workspace", NOBODY, "--federation-policies", "FILE"], id="doctor"),
    pytest.param(["explain", "--policy", "FILE"], id="explain"),
]
WRONG = [
    pytest.param(
        '{"issuer": "https://idp.example/"}',
        "audiences: ",
        "Give --account-id, or set audiences in the policy.",
        id="no audience",
    ),
    pytest.param('{"issuer": "http://idp.example/", "audiences": ["a"]}', "issuer: ", "https", id="no TLS"),
    pytest.param("[1]", "policies[0]: ", "Write each policy as the API does.", id="no object"),
]


@pytest.mark.parametrize("arguments", READERS)
@pytest.mark.parametrize(("text", "problem", "fix"), WRONG)
def test_a_wrong_policy_is_told_with_its_file(
    called: Command, tmp_path: Path, arguments: list[str], text: str, problem: str, fix: str
) -> None:
    file = tmp_path / "policies.json"
    file.write_text(text)
    done = called(*[str(file) if word == "FILE" else word for word in arguments], stdin="x")
    assert (done.returncode, done.stdout) == (2, "")
    lines = " ".join(line.strip() for line in done.stderr.splitlines())
    assert lines.startswith(f"tokenward: usage: {file}: {problem}")
    assert fix in lines
    assert "Pass" not in lines


@pytest.mark.parametrize("arguments", READERS)
def test_a_file_larger_than_any_list_of_policies_is_refused(called: Command, tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "policies.json"
    with file.open("wb") as opened:
        opened.truncate(5 * 1024 * 1024)
    done = called(*[str(file) if word == "FILE" else word for word in arguments], stdin="x")
    assert (done.returncode, "is larger than any list of policies" in done.stderr) == (2, True)


@pytest.mark.parametrize("arguments", READERS)
def test_that_a_list_goes_on_is_a_note(called: Command, tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "policies.json"
    policy = {"oidc_policy": {"issuer": NOBODY, "audiences": ["a"]}}
    file.write_text(json.dumps({"policies": [policy], "next_page_token": "more"}))
    done = called(*[str(file) if word == "FILE" else word for word in arguments], stdin="x")
    assert "the list of policies goes on (next_page_token)" in " ".join(done.stderr.split())


def test_policies_from_stdin_are_called_so(called: Command) -> None:
    done = called("policy", "would-accept", "-", "--token-env", "T", stdin='{"issuer": "https://idp.example/"}', T="x")
    assert done.stderr.startswith("tokenward: usage: stdin: audiences: ")


# -- the inspector -----------------------------------------------------------------------------------------------------


def test_the_inspector_asks_a_workspace_as_explain_does(called: Command) -> None:
    done = called("inspect", "--databricks", "--host", NOBODY)
    assert (done.returncode, "exchange_unavailable" in done.stderr) == (3, True)
