"""Where settings come from: the file, the environment, which wins, and what is refused with the name that was probably meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.outcome import CommandFailed
from tokenward.cli.serve.fields import FIELDS, NARROWING, VARIABLES, variable
from tokenward.cli.serve.reading import read_settings
from tokenward.cli.serve.settings import Settings


def read(tmp_path: Path, text: str | bytes | None = None, **environ: str) -> Settings:
    if text is None:
        return read_settings(None, environ)
    path = tmp_path / "gateway.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_settings(str(path), environ)


def refused(tmp_path: Path, text: str | bytes | None = None, **environ: str) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        read(tmp_path, text, **environ)
    assert int(caught.value.exit_code) == 2
    return caught.value


TYPED = [
    pytest.param("gateway", "upstream", '"a"', "a", "a", id="text"),
    pytest.param("gateway", "allow", '["sql", "me"]', "sql, me,", ["sql", "me"], id="list"),
    pytest.param("gateway", "max_concurrent", "7", "7", 7, id="whole number"),
    pytest.param("gateway", "warm_up", "0.5", "0.5", 0.5, id="seconds"),
    pytest.param("gateway", "warm_up", "3", "3", 3, id="whole seconds"),
    pytest.param("policy", "guests", "false", "no", False, id="switch"),
    pytest.param("policy", "guests", "true", "1", True, id="switch as a digit"),
    pytest.param("policy", "tenants", '"any"', "any", "any", id="any tenant"),
    pytest.param("policy", "tenants", '["a"]', "a", ["a"], id="one tenant"),
]


@pytest.mark.parametrize(("section", "name", "in_file", "in_environment", "value"), TYPED)
def test_a_setting_means_the_same_in_the_file_and_in_the_environment(
    tmp_path: Path, section: str, name: str, in_file: str, in_environment: str, value: object
) -> None:
    variable = f"TOKENWARD_{section}_{name}".upper()
    of_file = read(tmp_path, f"[{section}]\n{name} = {in_file}")[section].held[name]
    of_environment = read(tmp_path, **{variable: in_environment})[section].held[name]
    assert (of_file.value, of_environment.value) == (value, value)
    assert of_file.origin == str(tmp_path / "gateway.toml")
    assert of_environment.origin == variable


def test_the_environment_wins_and_a_complaint_says_so(tmp_path: Path) -> None:
    settings = read(tmp_path, "[server]\nport = 1\nhost = 'a'", TOKENWARD_SERVER_PORT="2")
    assert settings["server"].given("port", "host") == {"port": 2, "host": "a"}
    assert "(from TOKENWARD_SERVER_PORT)" in settings["server"].failed("port", "it is bad", "").problem
    assert f"(from {tmp_path / 'gateway.toml'})" in settings["server"].failed("host", "it is bad", "").problem


@pytest.mark.parametrize("text", ["", " ", "\n"], ids=["empty", "a space", "a line break"])
def test_an_empty_variable_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    assert "port" not in read(tmp_path, TOKENWARD_SERVER_PORT=text)["server"]


@pytest.mark.parametrize("text", ["", " \n"], ids=["empty", "white space"])
@pytest.mark.parametrize(("section", "name"), sorted(NARROWING))
def test_an_empty_variable_does_not_let_everybody_in(tmp_path: Path, section: str, name: str, text: str) -> None:
    failure = refused(tmp_path, **{variable(section, name): text})
    assert f"{variable(section, name)} is empty" in failure.problem
    assert "Unset it, or give" in failure.fix


@pytest.mark.parametrize("name", ["TOKENWARD_GATEWAY_ALLOW", "TOKENWARD_POLICY_CLIENTS", "TOKENWARD_POLICY_TENANTS"])
def test_a_list_of_nothing_is_as_good_as_an_empty_variable(tmp_path: Path, name: str) -> None:
    assert f"{name} is empty" in refused(tmp_path, **{name: " , "}).problem


def test_what_lets_fewer_in_is_known() -> None:
    lists = {("policy", name) for name, kind in FIELDS["policy"].items() if kind in ("list", "tenants")}
    assert lists | {("gateway", "allow"), ("policy", "guests"), ("credentials", "scope")} == NARROWING


def test_white_space_around_a_variable_is_no_part_of_it(tmp_path: Path) -> None:
    assert read(tmp_path, TOKENWARD_POLICY_KIND=" oidc\n")["policy"].get("kind") == "oidc"


def test_a_path_in_the_file_is_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    settings = read(tmp_path, "[policy]\nfile = 'p.json'", TOKENWARD_SERVER_TLS_KEY="k.pem")
    assert settings["policy"].get("file") == str(tmp_path / "p.json")
    assert settings["server"].get("tls_key") == "/k.pem"


UNUSABLE = [
    pytest.param("[gatway]\n", "there is no section [gatway]", "Did you mean [gateway]?", id="section"),
    pytest.param("[gateway]\nupstraem = 'a'", "[gateway] has no setting upstraem", "Did you mean upstream?", id="setting"),
    pytest.param("[gateway]\nport = 1", "[gateway] has no setting port", "It belongs under [server].", id="another section"),
    pytest.param("[gateway]\nzzz = 1", "[gateway] has no setting zzz", "There are upstream, allow", id="nothing like it"),
    pytest.param("upstream = 'a'", "upstream is in no section", "Put it under [gateway].", id="no section"),
    pytest.param("gateway = 'a'", "gateway is no section", "Write [gateway]", id="a value for a section"),
    pytest.param("[server]\nport = true", "[server] port", "whole number", id="a switch for a number"),
    pytest.param("[server]\nport = 1.0", "[server] port", "whole number", id="a fraction"),
    pytest.param("[server]\ngraceful = inf", "[server] graceful", "seconds as a number", id="endless"),
    pytest.param("[gateway]\nallow = 'sql'", "[gateway] allow", '["a", "list"]', id="a text for a list"),
    pytest.param("[gateway]\nallow = ['sql', 1]", "[gateway] allow", '["a", "list"]', id="a number in a list"),
    pytest.param("[gateway]\nupstream = ''", "[gateway] upstream", '"text" in quotes', id="an empty text"),
    pytest.param("[policy]\nguests = 'false'", "[policy] guests", "without quotes: guests = false", id="a switch in quotes"),
    pytest.param("[policy]\nguests = 'yes'", "but a text in quotes", "without quotes: guests = true", id="a yes for a switch"),
    pytest.param("[policy]\nguests = 'hm'", "[policy] guests", "true or false", id="a text for a switch"),
    pytest.param("[server]\nport = '8080'", "but a text in quotes", "without quotes: port = 8080", id="a number in quotes"),
    pytest.param("[server]\ngraceful = '2.5'", "but a text", "without quotes: graceful = 2.5", id="seconds in quotes"),
    pytest.param("[server]\nport = 'http'", "[server] port", "a whole number such as 4", id="a text for a number"),
    pytest.param("[policy]\nguests = 0", "[policy] guests", "true or false", id="a number for a switch"),
    pytest.param("[gateway", "it is not TOML", "Write it as TOML", id="half a line"),
    pytest.param("[gateway]\n[gateway]\n", "it is not TOML", "Write it as TOML", id="a section twice"),
    pytest.param(b"\xff", "it is not UTF-8", "Write it as TOML", id="no UTF-8"),
]


@pytest.mark.parametrize(("text", "problem", "fix"), UNUSABLE)
def test_what_cannot_be_used_names_the_place_and_the_fix(tmp_path: Path, text: str | bytes, problem: str, fix: str) -> None:
    failure = refused(tmp_path, text)
    assert problem in failure.problem
    assert fix in failure.fix
    assert "gateway.toml" in failure.problem


@pytest.mark.parametrize("path", ["/no/such/file", "/", "a\0b"], ids=["none", "a folder", "no path"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(CommandFailed, match="cannot be read"):
        read_settings(path, {})


def test_a_file_larger_than_any_configuration_is_refused(tmp_path: Path) -> None:
    assert "larger than any" in refused(tmp_path, b"#" * 1_100_000).problem


SECRETS = [
    pytest.param("credentials", "secret", "secret_env", id="client secret"),
    pytest.param("credentials", "password", "password_env", id="password"),
    pytest.param("credentials", "token", "token_env", id="token"),
    pytest.param("redis", "key", "key_env", id="sealing key"),
]


@pytest.mark.parametrize(("section", "name", "instead"), SECRETS)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, section: str, name: str, instead: str) -> None:
    failure = refused(tmp_path, f"[{section}]\n{name} = 'hunter2'")
    assert instead in failure.fix
    assert "hunter2" not in str(failure)


@pytest.mark.parametrize(("section", "name", "instead"), [*SECRETS, pytest.param("redis", "url", "url_env", id="address")])
def test_a_secret_in_the_environment_is_kept_by_its_name_only(tmp_path: Path, section: str, name: str, instead: str) -> None:
    variable = f"TOKENWARD_{section}_{name}".upper()
    settings = read(tmp_path, **{variable: "hunter2"})
    assert settings[section].get(instead) == variable
    assert "hunter2" not in settings.dumped()


def test_a_secret_in_the_environment_takes_the_place_of_every_way_to_it_in_the_file(tmp_path: Path) -> None:
    settings = read(tmp_path, "[credentials]\nsecret_file = 'a'\n[redis]\nurl = 'redis://a'", TOKENWARD_CREDENTIALS_SECRET="b")
    assert set(settings["credentials"].held) == {"secret_env"}
    assert set(settings["redis"].held) == {"url"}


VARIABLE_ERRORS = [
    pytest.param("TOKENWARD_POLICY_TENNANT", "a", "Did you mean TOKENWARD_POLICY_TENANT?", id="a slip in the name"),
    pytest.param("TOKENWARD_GATWAY_UPSTREAM", "a", "Did you mean TOKENWARD_GATEWAY_UPSTREAM?", id="a slip in the section"),
    pytest.param("TOKENWARD_SERVER_ZZZZZZ", "a", "TOKENWARD_SERVER_PORT", id="nothing like it in a section"),
    pytest.param("TOKENWARD_ALLOW", "sql", "Did you mean TOKENWARD_GATEWAY_ALLOW?", id="no section"),
    pytest.param("TOKENWARD_KINDS", "app", "Did you mean TOKENWARD_POLICY_KINDS?", id="no section before a list"),
    pytest.param("TOKENWARD_CLIENTS", "a", "Did you mean TOKENWARD_POLICY_CLIENTS?", id="no section before callers"),
    pytest.param("Tokenward_Tenants", "a", "Did you mean TOKENWARD_POLICY_TENANTS?", id="no section, and small letters"),
    pytest.param("TOKENWARD_KIND", "a", "POLICY_KIND or TOKENWARD_CREDENTIALS_KIND?", id="no section of two"),
    pytest.param("TOKENWARD_PORT", "8080", "Did you mean TOKENWARD_SERVER_PORT?", id="a port and no address of a Service"),
    pytest.param("TOKENWARD_GATEWAY_PORT", "8080", "Did you mean TOKENWARD_SERVER_PORT?", id="another section"),
    pytest.param("tokenward_gateway_allow", "sql", "Did you mean TOKENWARD_GATEWAY_ALLOW?", id="small letters"),
    pytest.param("TOKENWARD_SERVER_PORTS", "1", "Did you mean TOKENWARD_SERVER_PORT?", id="more than a port"),
    pytest.param("TOKENWARD_GATEWAY_MAX_CONCURRENT", "tcp://a", "a whole number such as 4", id="an address and no port"),
    pytest.param("TOKENWARD_SERVER_PORT", "http", "a whole number such as 4", id="no number"),
    pytest.param("TOKENWARD_SERVER_GRACEFUL", "nan", "seconds as a number", id="no finite number"),
    pytest.param("TOKENWARD_POLICY_GUESTS", "maybe", "true or false", id="no switch"),
]


@pytest.mark.parametrize(("name", "value", "fix"), VARIABLE_ERRORS)
def test_a_variable_that_cannot_be_used_is_named(tmp_path: Path, name: str, value: str, fix: str) -> None:
    failure = refused(tmp_path, **{name: value})
    assert name in failure.problem
    assert fix in failure.fix


def test_other_variables_are_nobodys_business(tmp_path: Path) -> None:
    """Those that settings name, those of Kubernetes for a Service called like us, and those that are like none of ours."""
    links = {
        "TOKENWARD_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "TOKENWARD_GATEWAY_SERVICE_PORT": "80",
        "TOKENWARD_GATEWAY_SERVICE_PORT_HTTP": "80",
        "TOKENWARD_GATEWAY_PORT": "tcp://10.0.0.1:80",
        "TOKENWARD_GATEWAY_PORT_80_TCP": "tcp://10.0.0.1:80",
        "TOKENWARD_GATEWAY_PORT_80_TCP_PROTO": "tcp",
        "TOKENWARD_GATEWAY_PORT_80_TCP_ADDR": "10.0.0.1",
        "TOKENWARD_SERVER_PORT": "tcp://10.0.0.1:80",
        "TOKENWARD_PORT": "tcp://10.0.0.1:80",
        "TOKENWARD_PORT_80_TCP": "tcp://10.0.0.1:80",
        "TOKENWARD_SERVICE_HOST": "10.0.0.1",
        "TOKENWARD_SERVICE_PORT": "80",
    }
    own = {"TOKENWARD_CREDENTIALS_SECRET_ENV": "TOKENWARD_POLICY_SECRET", "TOKENWARD_POLICY_SECRET": "b"}
    settings = read(tmp_path, **links, **own, TOKENWARD_REQUIRE="nginx", TOKENWARD_CONFIG="a")
    assert {name: set(settings[name].held) for name in FIELDS if settings[name].held} == {"credentials": {"secret_env"}}


def test_a_variable_that_the_file_names_is_no_setting(tmp_path: Path) -> None:
    text = "[credentials]\nsecret_env = 'TOKENWARD_POLICY_SECRET'"
    assert read(tmp_path, text, TOKENWARD_POLICY_SECRET="hunter2")["credentials"].get("secret_env") == "TOKENWARD_POLICY_SECRET"


def test_every_variable_leads_to_one_setting() -> None:
    assert len({name for fields in FIELDS.values() for name in fields}) < len(VARIABLES)
    assert all(name == f"TOKENWARD_{section}_{field}".upper() for name, (section, field) in VARIABLES.items())


def test_a_worker_gets_the_settings_that_were_judged(tmp_path: Path) -> None:
    settings: Any = read(tmp_path, "[gateway]\nallow = ['sql']\n[server]\nnotice = 0.5", TOKENWARD_POLICY_TENANTS="any")
    assert Settings.loaded(settings.dumped()) == settings
