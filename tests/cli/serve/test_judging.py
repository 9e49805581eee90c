"""Settings become a policy, credentials and a server; what cannot be used says which setting, where it came from, and the fix."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from tokenward import Policy, entra
from tokenward.cli.outcome import CommandFailed
from tokenward.cli.serve.app import gateway_from
from tokenward.cli.serve.credentials import credentials_from
from tokenward.cli.serve.policies import policy_from
from tokenward.cli.serve.reading import read_settings
from tokenward.cli.serve.redis import shared_from
from tokenward.cli.serve.rules import allow_from
from tokenward.cli.serve.server import listening, server_from
from tokenward.cli.serve.settings import Settings
from tokenward.databricks import AsyncTokenSource, Exchange, OnBehalfOf
from tokenward.databricks.admission.credentials import Fixed, PassThrough
from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.gateway.aiohttp_mover import CONNECTIONS
from tokenward.testing.loopback import free_port

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60"
UPSTREAM = "adb-1234567890123456.7.azuredatabricks.net"
DATABRICKS = f'kind = "databricks"\ntenant = "{TENANT}"\n'
API = f'kind = "api"\nclient_id = "{CLIENT}"\ntenants = ["{TENANT}"]\n'
OBO = f'[gateway]\nupstream = "{UPSTREAM}"\n[policy]\n{API}[credentials]\nkind = "on_behalf_of"\n'
KEY = base64.b64encode(bytes(range(32))).decode()


def read(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "gateway.toml").write_text(text)
    return read_settings(str(folder / "gateway.toml"), environ)


def policy(folder: Path, text: str) -> Policy:
    return policy_from(read(folder, f"[policy]\n{text}")["policy"])


def failure(judge: Any, *arguments: object) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        judge(*arguments)
    assert int(caught.value.exit_code) == 2
    assert caught.value.fix
    return caught.value


# -- [gateway] ---------------------------------------------------------------------------------------------------------


def patience_of(folder: Path, rule: str, **environ: str) -> Any:
    [made] = allow_from(read(folder, f'[gateway]\nallow = ["{rule}"]', **environ)["gateway"])
    assert isinstance(made, Rule)
    assert (made.methods, made.pattern) == (frozenset({"GET", "POST"}), "/my-endpoint/**")
    return made.patience


LIMITED = [
    pytest.param("", Patience(), id="what a Rule has by itself"),
    pytest.param("first_byte=310 idle=310", Patience(first_byte=310, idle=310), id="two limits"),
    pytest.param(" connect=0.5", Patience(connect=0.5), id="one, behind two spaces"),
    pytest.param("idle=none first_byte=none", Patience(first_byte=None, idle=None), id="no limit"),
]


@pytest.mark.parametrize(("words", "patience"), LIMITED)
def test_a_rule_says_how_long_the_upstream_is_waited_for(tmp_path: Path, words: str, patience: Patience) -> None:
    rule = f"GET|POST /my-endpoint/** {words}"
    assert patience_of(tmp_path, rule) == patience
    assert patience_of(tmp_path, "sql", TOKENWARD_GATEWAY_ALLOW=rule) == patience


RULE_ERRORS = [
    pytest.param("GET /a first_bite=3", "'first_bite=3' is no limit of time", id="a limit that is none"),
    pytest.param("GET /a idle=soon", "'idle=soon' has no number", id="no number"),
    pytest.param("GET /a idle=0", "in 0 seconds", id="no time at all"),
    pytest.param("GET /a idle=nan", "[gateway] allow (from", id="not a number"),
    pytest.param("GET /a connect=none", "[gateway] allow (from", id="a connection without limit"),
    pytest.param("sql idle=3", "[gateway] allow (from", id="a preset with a limit"),
    pytest.param("", "'' is no Rule", id="nothing"),
]


@pytest.mark.parametrize(("rule", "problem"), RULE_ERRORS)
def test_a_rule_that_cannot_be_made_names_the_setting(tmp_path: Path, rule: str, problem: str) -> None:
    error = failure(allow_from, read(tmp_path, f'[gateway]\nallow = ["{rule}"]')["gateway"])
    assert "[gateway] allow (from" in error.problem
    assert problem in error.problem


def gateway(folder: Path, text: str) -> Any:
    rest = f'[policy]\n{DATABRICKS}[credentials]\nkind = "pass_through"'
    return gateway_from(read(folder, f'[gateway]\nupstream = "{UPSTREAM}"\nallow = ["sql"]\n{text}\n{rest}'))


def test_limits_of_the_gateway_reach_it(tmp_path: Path) -> None:
    made = gateway(tmp_path, "client_idle = 7.5\nconnections = 3")
    assert (made._client_idle, made._mover._connections) == (7.5, 3)
    assert gateway(tmp_path, "")._mover._connections == CONNECTIONS


@pytest.mark.parametrize("setting", ["client_idle = -1", "connections = 0", "connections = 100000"])
def test_a_limit_that_is_none_names_the_setting(tmp_path: Path, setting: str) -> None:
    assert f"[gateway] {setting.split()[0]} (from" in failure(gateway, tmp_path, setting).problem


# -- [policy] ----------------------------------------------------------------------------------------------------------


def _names(policy: Policy) -> list[tuple[str, tuple[str, ...]]]:
    return [(issuer.issuer, tuple(issuer.audiences)) for issuer in policy.issuers]


def test_each_kind_of_policy_is_the_librarys_own(tmp_path: Path) -> None:
    assert _names(policy(tmp_path, DATABRICKS)) == _names(entra.databricks(TENANT))
    assert _names(policy(tmp_path, API)) == _names(entra.api(CLIENT, [TENANT]))
    oidc = policy(tmp_path, 'kind = "oidc"\nissuer = "https://idp.example/"\naudiences = ["a"]\nalgorithms = ["ES256"]')
    assert (_names(oidc), oidc.issuers[0].algorithms) == ([("https://idp.example/", ("a",))], ("ES256",))
    (tmp_path / "p.json").write_text('{"issuer": "https://idp.example/x"}')
    federation = policy(tmp_path, f'kind = "federation"\nfile = "p.json"\naccount_id = "{CLIENT}"')
    assert _names(federation) == [("https://idp.example/x", (CLIENT,))]


def test_the_settings_of_a_kind_reach_the_policy(tmp_path: Path) -> None:
    made = policy(tmp_path, API + 'guests = false\nrequired_scopes = ["a"]\nversions = ["2.0"]\ncloud = "us-gov"\nleeway = 5')
    issuer = made.issuers[0]
    assert (issuer.guests, issuer.required_scopes, issuer.leeway, len(made.issuers)) == (False, ("a",), 5.0, 1)
    assert "microsoftonline.us" in issuer.issuer


def test_an_authority_takes_the_place_of_the_clouds(tmp_path: Path) -> None:
    made = policy(tmp_path, DATABRICKS + 'authority = "http://127.0.0.1:1"')
    assert {issuer.location.name.partition("/7")[0] for issuer in made.issuers} == {"http://127.0.0.1:1"}


POLICY_ERRORS = [
    pytest.param("", "[policy] kind is not set", "TOKENWARD_POLICY_KIND", id="no kind"),
    pytest.param('kind = "azure"', "'azure' is not known", "databricks, api, oidc, federation", id="another kind"),
    pytest.param('kind = "databricks"', "[policy] tenant is not set", "TOKENWARD_POLICY_TENANT", id="no tenant"),
    pytest.param('kind = "databricks"\ntenant = "contoso.com"', "[policy] tenant (from", "Directory (tenant) ID", id="a domain"),
    pytest.param(DATABRICKS + 'audiences = ["a"]', "not of the kind 'databricks'", "databricks has tenant", id="of another kind"),
    pytest.param(DATABRICKS + 'cloud = "gov"', "'gov' is not known", "public, us-gov, china", id="another cloud"),
    pytest.param(DATABRICKS + 'authority = "http://idp.example"', "[policy] authority (from", "https", id="http abroad"),
    pytest.param(DATABRICKS + "leeway = 1000", "[policy] leeway (from", "seconds", id="much leeway"),
    pytest.param('kind = "api"\ntenants = "any"', "[policy] client_id is not set", "client_id", id="no client"),
    pytest.param('kind = "oidc"\nissuer = "https://a.example"', "[policy] audiences is not set", "audiences", id="no audience"),
    pytest.param('kind = "federation"', "[policy] file is not set", "TOKENWARD_POLICY_FILE", id="no file"),
    pytest.param('kind = "federation"\nfile = "none"', "No such file", "federation-policy list", id="a file that is not there"),
    pytest.param('kind = "federation"\nfile = "gateway.toml"', "[policy] file (from", "", id="a file of something else"),
]


@pytest.mark.parametrize(("text", "problem", "fix"), POLICY_ERRORS)
def test_a_policy_that_cannot_be_made_names_the_setting_and_the_fix(tmp_path: Path, text: str, problem: str, fix: str) -> None:
    error = failure(policy, tmp_path, text)
    assert problem in error.problem
    assert fix in error.fix


def test_federation_policies_without_an_account_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"issuer": "https://idp.example/x"}')
    error = failure(policy, tmp_path, 'kind = "federation"\nfile = "p.json"')
    assert "Set account_id" in error.fix


# -- [credentials] -----------------------------------------------------------------------------------------------------


def credentials(folder: Path, text: str, **environ: str) -> Any:
    return credentials_from(read(folder, text, **environ))


def test_each_kind_of_credentials_is_the_librarys_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "not-a-real-one")
    gateway = f'[gateway]\nupstream = "{UPSTREAM}"\n'
    assert credentials(tmp_path, '[credentials]\nkind = "pass_through"') == PassThrough()
    exchange = credentials(tmp_path, f'{gateway}[credentials]\nkind = "exchange"\nscope = "sql"\nclient_id = "{CLIENT}"')
    assert exchange == Exchange(UPSTREAM, client_id=CLIENT, scope="sql")
    assert credentials(tmp_path, '[credentials]\nkind = "fixed"\ntoken_env = "A_SECRET"') == Fixed("not-a-real-one")
    obo = credentials(tmp_path, OBO + 'secret_env = "A_SECRET"')
    assert isinstance(obo, OnBehalfOf)
    assert (obo.tenant, obo.client_id, obo.credential.kind) == (TENANT, CLIENT, "secret")


def test_on_behalf_of_asks_where_the_policy_does_unless_it_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET", "not-a-real-one")
    text = OBO.replace("[credentials]", 'authority = "http://127.0.0.1:1"\n[credentials]') + 'secret_env = "A_SECRET"\n'
    assert credentials(tmp_path, text).endpoint.startswith("http://127.0.0.1:1/")
    assert credentials(tmp_path, text + 'authority = "http://127.0.0.1:2"').endpoint.startswith("http://127.0.0.1:2/")


def test_a_secret_is_read_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not-a-real-one\n")
    obo = credentials(tmp_path, OBO + 'secret_file = "secret"')
    assert obo.credential.fields("", "", 0.0) == {"client_secret": "not-a-real-one"}


CREDENTIALS_ERRORS = [
    pytest.param("", "one of pass_through", "TOKENWARD_CREDENTIALS_KIND", id="no kind"),
    pytest.param('[credentials]\nkind = "obo"', "'obo' is not known", "on_behalf_of", id="another kind"),
    pytest.param('[credentials]\nkind = "exchange"', "[gateway] upstream is not set", "TOKENWARD_GATEWAY_UPSTREAM", id="no host"),
    pytest.param('[credentials]\nkind = "pass_through"\nscope = "a"', "not of the kind", "has no settings", id="of another kind"),
    pytest.param('[credentials]\nkind = "fixed"', "token_env is not set", "TOKENWARD_CREDENTIALS_TOKEN_ENV", id="no token"),
    pytest.param(
        '[credentials]\nkind = "fixed"\ntoken_env = "NOT_SET"',
        "NOT_SET is not set",
        "Set NOT_SET to a Databricks token",
        id="unset",
    ),
    pytest.param('[credentials]\nkind = "fixed"\ntoken_env = "SPACED"', "token_env (from", "token alone", id="no token at all"),
    pytest.param(OBO, "secret_env is not set", "TOKENWARD_CREDENTIALS_SECRET_ENV", id="no way to prove itself"),
    pytest.param(OBO + 'secret_env = "A"\ntoken_file = "b"', "secret_env is set as well", "Keep one", id="two ways"),
    pytest.param(OBO + 'secret_env = "A"\nsecret_file = "b"', "secret_env is set as well", "Keep one", id="two places"),
    pytest.param(OBO + 'secret_file = "b"', "No such file", "this process may read", id="no such file"),
    pytest.param(OBO + 'secret_file = "empty"', "is empty", "Put the client secret", id="an empty file"),
    pytest.param(OBO + 'secret_env = "GUID"', "secret_env (from", "secret's value", id="the id of a secret"),
    pytest.param(OBO + 'certificate = "none.pem"', "certificate (from", "PEM", id="no certificate"),
    pytest.param(
        OBO.replace(f'tenants = ["{TENANT}"]', 'tenants = "any"') + 'secret_env = "A"', "tenant is not set", "", id="any"
    ),
]


@pytest.mark.parametrize(("text", "problem", "fix"), CREDENTIALS_ERRORS)
def test_credentials_that_cannot_be_made_name_the_setting_and_the_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str, fix: str
) -> None:
    for name, value in (("A", "not-a-real-one"), ("GUID", CLIENT), ("SPACED", "two words")):
        monkeypatch.setenv(name, value)
    (tmp_path / "empty").write_text("\n")
    error = failure(credentials, tmp_path, text)
    assert problem in error.problem
    assert fix in error.fix
    assert "not-a-real-one" not in str(error)
    assert "two words" not in str(error)


# -- [redis] -----------------------------------------------------------------------------------------------------------


def test_redis_shares_what_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", KEY)
    redis = '[redis]\nurl = "redis://127.0.0.1:1"\nkey_env = "K"'
    settings = read(tmp_path, f'[gateway]\nupstream = "{UPSTREAM}"\n[credentials]\nkind = "exchange"\n{redis}')
    assert isinstance(credentials_from(settings, shared_from(settings["redis"])), AsyncTokenSource)


def test_redis_has_nothing_to_share_where_nothing_is_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", KEY)
    settings = read(tmp_path, '[credentials]\nkind = "pass_through"\n[redis]\nurl = "redis://127.0.0.1:1"\nkey_env = "K"')
    error = failure(credentials_from, settings, shared_from(settings["redis"]))
    assert "nothing to share" in error.problem


def test_a_key_for_redis_that_is_not_there_is_told_with_how_to_make_one(tmp_path: Path) -> None:
    error = failure(shared_from, read(tmp_path, '[redis]\nurl = "redis://a"\nkey_env = "NO_SUCH_KEY"')["redis"])
    assert "[redis] key_env (from" in error.problem
    assert "the environment variable NO_SUCH_KEY is not set, or empty" in error.problem
    assert error.fix.startswith("Set NO_SUCH_KEY to the key that encrypts the tokens (32 random bytes in base64")
    assert "openssl rand -base64 32" in error.fix


REDIS_ERRORS = [
    pytest.param('key_env = "K"', "[redis] url is not set", id="no address"),
    pytest.param('url = "redis://:hunter2@a"\nkey_env = "K"', "password has no place", id="a password in the file"),
    pytest.param('url = "redis://a?password=hunter2"\nkey_env = "K"', "password has no place", id="a password as an option"),
    pytest.param('url = "http://a"\nkey_env = "K"', "[redis] url (from", id="no redis"),
    pytest.param('url = "redis://a"', "key_env is not set", id="no key"),
    pytest.param('url = "redis://a"\nkey_env = "SHORT"', "[redis] key_env (from", id="a short key"),
    pytest.param('url = "redis://a"\nkey_env = "K"\ntimeout = 100', "[redis] timeout (from", id="much time"),
]


@pytest.mark.parametrize(("text", "problem"), REDIS_ERRORS)
def test_a_redis_that_cannot_be_used_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.setenv("K", KEY)
    monkeypatch.setenv("SHORT", "aHVudGVyMg==")
    error = failure(shared_from, read(tmp_path, f"[redis]\n{text}")["redis"])
    assert problem in error.problem
    assert "hunter2" not in str(error)


def test_a_redis_address_with_a_password_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", KEY)
    monkeypatch.setenv("TOKENWARD_REDIS_URL", "redis://:hunter2@127.0.0.1:1")
    settings = read(tmp_path, '[redis]\nurl = "redis://other"\nkey_env = "K"', **os.environ)
    shared = shared_from(settings["redis"])
    assert "127.0.0.1" in repr(shared)
    assert "hunter2" not in repr(shared) + settings.dumped()


# -- [server] ----------------------------------------------------------------------------------------------------------


def server(folder: Path, text: str) -> Any:
    return server_from(read(folder, f"[server]\n{text}")["server"])


def test_a_server_listens_on_this_machine_only_until_somebody_says_otherwise(tmp_path: Path) -> None:
    assert server(tmp_path, "").url == "http://127.0.0.1:8080"
    assert not server(tmp_path, "").is_exposed
    assert server(tmp_path, 'host = "0.0.0.0"').is_exposed
    assert server(tmp_path, 'host = "::1"').url == "http://[::1]:8080"


SERVER_ERRORS = [
    pytest.param("port = 0", "[server] port (from", "range", id="no port"),
    pytest.param("port = 70000", "[server] port (from", "range", id="a port beyond all"),
    pytest.param("workers = 0", "[server] workers (from", "range", id="no workers"),
    pytest.param("graceful = -1", "[server] graceful (from", "range", id="less than no time"),
    pytest.param('log = "xml"', "'xml' is not known", "json, console", id="another log"),
    pytest.param('tls_certificate = "none.pem"', "none.pem cannot be read (No such file", "PEM file", id="no certificate"),
    pytest.param('tls_certificate = "pair.pem"\ntls_key = "none.pem"', "[server] tls_key (from", "PEM file", id="no key"),
    pytest.param('tls_key = "pair.pem"', "no certificate with it", "TOKENWARD_SERVER_TLS_CERTIFICATE", id="a key alone"),
    pytest.param('tls_certificate = "gateway.toml"', "cannot be loaded", "in PEM", id="no PEM"),
    pytest.param('tls_certificate = "certificate.pem"', "cannot be loaded", "tls_key", id="a certificate alone"),
    pytest.param('tls_certificate = "pair.pem"\ntls_key = "other.pem"', "cannot be loaded", "belongs to it", id="another's key"),
    pytest.param('tls_certificate = "pair.pem"\ntls_key = "locked.pem"', "is encrypted", "openssl pkey", id="a locked key"),
]


@pytest.mark.parametrize(("text", "problem", "fix"), SERVER_ERRORS)
def test_a_server_that_could_not_start_names_the_setting_and_the_fix(pems: Path, text: str, problem: str, fix: str) -> None:
    error = failure(server, pems, text)
    assert problem in error.problem
    assert fix in error.fix


def test_certificate_and_key_may_lie_in_one_file_or_in_two(pems: Path) -> None:
    one = server(pems, 'tls_certificate = "pair.pem"')
    two = server(pems, 'tls_certificate = "certificate.pem"\ntls_key = "key.pem"')
    assert (one.certificate, one.key) == (str(pems / "pair.pem"), None)
    assert (two.certificate, two.key) == (str(pems / "certificate.pem"), str(pems / "key.pem"))
    assert one.url == "https://127.0.0.1:8080"


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    settings = read(tmp_path, f"[server]\nport = {free_port()}")["server"]
    judged = server_from(settings)
    with listening(judged, settings) as taken:
        taken.listen()
        error = failure(listening, judged, settings)
    assert "is taken" in error.problem
    assert "ss -ltnp" in error.fix


def test_an_address_of_another_machine_is_told(tmp_path: Path) -> None:
    settings = read(tmp_path, '[server]\nhost = "192.0.2.1"')["server"]
    assert "nothing can listen on '192.0.2.1'" in failure(listening, server_from(settings), settings).problem
