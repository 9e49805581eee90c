"""Settings that are each right, and together would guard nothing or give tokens away, do not start; nor are secrets repeated."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tokenward.cli.outcome import CommandFailed
from tokenward.cli.serve.app import made
from tokenward.cli.serve.cautions import cautions
from tokenward.cli.serve.credentials import credentials_from
from tokenward.cli.serve.reading import read_settings
from tokenward.cli.serve.runner import _announce
from tokenward.cli.serve.server import server_from
from tokenward.cli.serve.settings import Settings

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60"
UPSTREAM = "adb-1234567890123456.7.azuredatabricks.net"
GATEWAY = f'[gateway]\nupstream = "{UPSTREAM}"\nallow = ["sql"]\n'
DATABRICKS = f'kind = "databricks"\ntenant = "{TENANT}"\n'
API = f'kind = "api"\nclient_id = "{CLIENT}"\ntenants = ["{TENANT}"]\n'
OIDC = 'kind = "oidc"\nissuer = "https://idp.example/"\naudiences = ["a"]\n'
FEDERATION = f'kind = "federation"\nfile = "p.json"\naccount_id = "{CLIENT}"\n'
FIXED = 'kind = "fixed"\ntoken_env = "A_SECRET"\n'
COMMANDS = pytest.mark.parametrize("command", ["gateway", "forward-auth"])


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("A_SECRET", "not-a-real-one")
    (tmp_path / "p.json").write_text('{"issuer": "https://idp.example/x"}')
    (tmp_path / "workload.json").write_text('{"issuer": "https://idp.example/x", "subject": "repo:a/b"}')


def settings(folder: Path, policy: str, credentials: str, rest: str = "", gateway: str = GATEWAY) -> Settings:
    (folder / "gateway.toml").write_text(f"{gateway}[policy]\n{policy}[credentials]\n{credentials}{rest}")
    return read_settings(str(folder / "gateway.toml"), {})


def refused(command: str, given: Settings) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        made(command, given)
    assert int(caught.value.exit_code) == 2
    return caught.value


# -- what may be called ------------------------------------------------------------------------------------------------


@COMMANDS
def test_what_may_be_called_has_no_default(tmp_path: Path, command: str) -> None:
    gateway = f'[gateway]\nupstream = "{UPSTREAM}"\n'
    error = refused(command, settings(tmp_path, DATABRICKS, 'kind = "pass_through"\n', gateway=gateway))
    assert "[gateway] allow is not set: what may be called: all, dbfs, files" in error.problem
    assert "all is every API of the workspace" in error.problem
    assert "TOKENWARD_GATEWAY_ALLOW" in error.fix


# -- one token for everybody -------------------------------------------------------------------------------------------

ANYBODY = [
    pytest.param(DATABRICKS, id="everybody of a tenant"),
    pytest.param(DATABRICKS + 'kinds = ["app"]\n', id="every app of a tenant"),
    pytest.param(API, id="everybody with a token for the API"),
    pytest.param(API + "required_scopes = []\n", id="no scopes at all"),
    pytest.param(OIDC, id="everybody of an issuer"),
    pytest.param(FEDERATION, id="everybody of an account"),
]


@COMMANDS
@pytest.mark.parametrize("policy", ANYBODY)
def test_one_token_for_everybody_is_refused_unless_it_is_said_to_be_meant(tmp_path: Path, command: str, policy: str) -> None:
    for unsaid in ("", "everybody = false\n"):
        error = refused(command, settings(tmp_path, policy, FIXED + unsaid))
        assert "[credentials] kind (from" in error.problem
        assert "everybody = true" in error.fix
    assert made(command, settings(tmp_path, policy, FIXED + "everybody = true\n"))


NARROW = [
    pytest.param(DATABRICKS + f'clients = ["{CLIENT}"]\n', id="applications"),
    pytest.param(API + 'required_roles = ["a"]\n', id="roles"),
    pytest.param(API + 'required_scopes = ["a"]\n', id="scopes"),
    pytest.param(OIDC + 'clients = ["a"]\n', id="clients of an issuer"),
    pytest.param(FEDERATION.replace("p.json", "workload.json"), id="the subject of a workload"),
]


@COMMANDS
@pytest.mark.parametrize("policy", NARROW)
def test_one_token_for_those_whom_the_policy_names_is_fine(tmp_path: Path, command: str, policy: str) -> None:
    assert made(command, settings(tmp_path, policy, FIXED))


@COMMANDS
def test_one_token_for_the_whole_internet_is_refused_whatever_is_said(tmp_path: Path, command: str) -> None:
    policy = f'kind = "api"\nclient_id = "{CLIENT}"\ntenants = "any"\nrequired_roles = ["a"]\n'
    error = refused(command, settings(tmp_path, policy, FIXED + "everybody = true\n"))
    assert "[policy] tenants (from" in error.problem
    assert "on_behalf_of" in error.fix


# -- tokens that were made for another service -------------------------------------------------------------------------

FOREIGN = [
    pytest.param(API, "on_behalf_of", id="an API's"),
    pytest.param(FEDERATION, "exchange", id="federated"),
    pytest.param(OIDC, "exchange", id="an issuer's"),
    pytest.param(OIDC.replace("idp.example/", "adb-1.1.azuredatabricks.net/oidc"), "exchange", id="another workspace's"),
]


@COMMANDS
@pytest.mark.parametrize(("policy", "instead"), FOREIGN)
def test_tokens_for_another_service_are_not_sent_on(tmp_path: Path, command: str, policy: str, instead: str) -> None:
    error = refused(command, settings(tmp_path, policy, 'kind = "pass_through"\n'))
    assert "made for another service" in error.problem
    assert f"Take the kind {instead}" in error.fix


OWN = [
    pytest.param(DATABRICKS, id="Entra's for Databricks"),
    pytest.param(OIDC.replace("idp.example/", f"{UPSTREAM}/oidc"), id="the workspace's own"),
]


@COMMANDS
@pytest.mark.parametrize("policy", OWN)
def test_tokens_for_databricks_are_sent_on(tmp_path: Path, command: str, policy: str) -> None:
    assert made(command, settings(tmp_path, policy, 'kind = "pass_through"\n'))


def test_without_an_upstream_no_issuer_is_its_own(tmp_path: Path) -> None:
    policy = OIDC.replace("idp.example/", f"{UPSTREAM}/oidc")
    given = settings(tmp_path, policy, 'kind = "pass_through"\n', gateway='[gateway]\nallow = ["sql"]\n')
    assert "made for another service" in refused("forward-auth", given).problem


# -- verdicts for a whole network --------------------------------------------------------------------------------------

HOSTS = ["0.0.0.0", "::", "10.1.2.3", "verdicts.internal"]
TLS = 'tls_certificate = "pair.pem"\n'


@pytest.mark.parametrize("host", HOSTS)
def test_verdicts_with_one_token_for_all_are_for_this_machine_only(tmp_path: Path, host: str) -> None:
    policy, there = DATABRICKS + f'clients = ["{CLIENT}"]\n', f'[server]\nhost = "{host}"\n'
    assert "would be handed the fixed one" in refused("forward-auth", settings(tmp_path, policy, FIXED, there)).problem
    assert made("gateway", settings(tmp_path, policy, FIXED, there))
    assert made("forward-auth", settings(tmp_path, policy, FIXED, there.replace(host, "127.0.0.1")))


def _announced(folder: Path, command: str, text: str) -> list[str]:
    return _warned(command, settings(folder, DATABRICKS, 'kind = "pass_through"\n', f"[server]\n{text}"))


def _warned(command: str, given: Settings) -> list[str]:
    """The events of a start."""
    server = server_from(given["server"])
    with capture_logs() as events:
        _announce(command, server, {}, cautions(command, given, server))
    assert all(event["hint"] for event in events[1:])
    return [event["event"] for event in events]


@pytest.mark.parametrize("host", HOSTS)
def test_verdicts_for_a_network_are_warned_of_with_tls_too(pems: Path, host: str) -> None:
    listening = f'host = "{host}"\n'
    assert _announced(pems, "forward-auth", listening) == ["starting", "plain_http", "verdicts_exposed"]
    assert _announced(pems, "forward-auth", listening + TLS) == ["starting", "verdicts_exposed"]
    assert _announced(pems, "gateway", listening + TLS) == ["starting"]
    assert _announced(pems, "forward-auth", "") == ["starting"]


# -- what could be meant, and probably is not --------------------------------------------------------------------------

ALL = f'[gateway]\nupstream = "{UPSTREAM}"\nallow = ["me", "all"]\n'
OBO = f'kind = "on_behalf_of"\nclient_id = "{CLIENT}"\nsecret_env = "A_SECRET"\n'
CAUTIONS = [
    pytest.param(DATABRICKS, 'kind = "pass_through"\n', ALL, ["everything_allowed"], id="every API of the workspace"),
    pytest.param(DATABRICKS, 'kind = "exchange"\n', GATEWAY, ["exchange_not_needed"], id="exchange of Databricks' own tokens"),
    pytest.param(DATABRICKS, OBO, GATEWAY, ["on_behalf_of_not_possible"], id="on behalf of those who call another"),
    pytest.param(FEDERATION, 'kind = "exchange"\n', GATEWAY, [], id="exchange of federated tokens"),
    pytest.param(OIDC, 'kind = "exchange"\n', GATEWAY, [], id="exchange of an issuer's tokens"),
    pytest.param(API, OBO, GATEWAY, [], id="on behalf of an API's callers"),
    pytest.param(DATABRICKS, 'kind = "pass_through"\n', GATEWAY, [], id="Databricks' own tokens"),
]


@COMMANDS
@pytest.mark.parametrize(("policy", "credentials", "gateway", "warned"), CAUTIONS)
def test_what_is_probably_not_meant_starts_with_a_warning(
    tmp_path: Path, command: str, policy: str, credentials: str, gateway: str, warned: list[str]
) -> None:
    given = settings(tmp_path, policy, credentials, gateway=gateway)
    assert made(command, given)
    assert _warned(command, given) == ["starting", *warned]


# -- a secret in the place of its name ---------------------------------------------------------------------------------

SECRETS = [
    pytest.param("Xy8Q~abcDEF.ghiJKL-mnoPQR_stuVWX", id="a client secret"),
    pytest.param("dapi0123456789abcdef0123456789abcdef", id="an access token"),
    pytest.param("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=", id="a key in base64"),
    pytest.param("A" * 65, id="a name that is too long"),
    pytest.param("1ABC", id="a name that begins with a digit"),
]


@pytest.mark.parametrize("given", SECRETS)
@pytest.mark.parametrize("field", ["token_env", "token_file"])
def test_a_secret_in_the_place_of_its_name_is_not_repeated(tmp_path: Path, field: str, given: str) -> None:
    variable = f"TOKENWARD_CREDENTIALS_{field}".upper()
    read = read_settings(None, {"TOKENWARD_CREDENTIALS_KIND": "fixed", variable: given})
    with pytest.raises(CommandFailed) as caught:
        credentials_from(read)
    assert variable in caught.value.problem
    assert given not in str(caught.value)
    assert given.split("/")[-1] not in str(caught.value)


def test_a_name_of_a_variable_that_is_not_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="the environment variable MY_TOKEN is not set"):
        credentials_from(settings(tmp_path, "", 'kind = "fixed"\ntoken_env = "MY_TOKEN"\n'))


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="databricks-token cannot be read"):
        credentials_from(settings(tmp_path, "", 'kind = "fixed"\ntoken_file = "databricks-token"\n'))
