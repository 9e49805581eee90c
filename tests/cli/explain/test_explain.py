"""`tokenward explain` as people and scripts call it: processes, pipes, real issuers on this machine."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tokenward.testing import ABSENT
from tokenward.testing.claims import HOME_TENANT


def test_a_good_token_is_accepted_by_the_gateways_own_policy(tokenward: Any, entra_issuer: Any, gateway_toml: str) -> None:
    done = tokenward("explain", "--policy", gateway_toml, stdin=entra_issuer.user_token())
    assert done.returncode == 0, done.stderr
    assert "access token of Entra" in done.stdout
    assert done.stdout.rstrip().endswith("Nothing to change: the middleware lets this token in.")


def test_every_check_that_fails_is_in_the_table_and_the_answer_is_last(
    tokenward: Any, entra_issuer: Any, gateway_toml: str
) -> None:
    token = entra_issuer.guest_token(audience="api://other", lifetime=-60)
    done = tokenward("explain", "--policy", gateway_toml, stdin=token)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert [
        word for word in ("audience", "exp", "What to change", "learn.microsoft.com", "RFC 7519") if word not in done.stdout
    ] == []
    assert "Refused (audience_not_accepted)." in lines[-2]
    assert lines[-1].startswith("Next: ")
    assert " s ago)" in done.stdout
    assert not [part for part in token.split(".") if part in done.stdout + done.stderr]


def test_all_prints_every_check(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    done = called("explain", "--policy", gateway_toml, "--all", stdin=entra_issuer.user_token())
    names = ("size", "form", "nonce", "issuer", "algorithm", "type", "dates", "audience", "values", "exp", "kind", "signature")
    assert [name for name in names if f"  {name} " not in done.stdout] == []


def test_rows_that_nobody_could_judge_are_counted_and_all_prints_them(called: Any, oidc_issuer: Any) -> None:
    options = ("explain", "--api", HOME_TENANT, "--tenant", HOME_TENANT, "--offline")
    token = oidc_issuer.access_token()
    short, long = (called(*options, *more, stdin=token).stdout for more in ((), ("--all",)))
    assert "other checks hold, 6 could not be judged (--all prints every check)." in short
    rows = ("algorithm", "type", "required", "audience", "values")
    assert [name for name in rows if f"  {name} " in short or f"  {name} " not in long] == []
    assert [name for name in ("issuer", "signature") if f"  {name} " not in short] == []


def test_json_is_the_librarys_report(tokenward: Any, entra_issuer: Any, gateway_toml: str) -> None:
    done = tokenward("explain", "--policy", gateway_toml, "--json", stdin=entra_issuer.id_token())
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["code"]) == (1, "refused", "token_type_not_accepted")
    assert report["what"]["kind"] == "id_token"
    assert {check["check"]: check["verdict"] for check in report["checks"]}["signature"] == "ok"


def test_a_whole_header_is_taken(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    text = f"Authorization: Bearer {entra_issuer.user_token()}\r\n"
    done = called("explain", "--policy", gateway_toml, stdin=text)
    assert done.returncode == 0
    assert "note: A whole Authorization header" in done.stdout


@pytest.mark.parametrize("width", ["40", "80", "200"])
def test_it_fits_the_terminal(called: Any, entra_issuer: Any, gateway_toml: str, width: str) -> None:
    token = entra_issuer.user_token("1.0", tenant=HOME_TENANT, audience="https://graph.microsoft.com")
    done = called("explain", "--policy", gateway_toml, "--all", stdin=token, COLUMNS=width)
    words = {word for line in done.stdout.splitlines() for word in [line.strip()] if " " not in word}
    assert [line for line in done.stdout.splitlines() if len(line) > int(width) and line.strip() not in words] == []
    assert "\x1b" not in done.stdout


def test_colours_are_for_those_who_want_them(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    token = entra_issuer.user_token(lifetime=-5)
    coloured = called("explain", "--policy", gateway_toml, stdin=token, FORCE_COLOR="1").stdout
    plain = called("explain", "--policy", gateway_toml, stdin=token, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert ("\x1b[" in coloured, "\x1b[" in plain) == (True, False)


def test_redact_prints_no_value_of_a_claim(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    token = entra_issuer.guest_token(audience="api://a-private-name", claims={"name": "Private Person"})
    for more in ((), ("--json",), ("--all",)):
        done = called("explain", "--policy", gateway_toml, "--redact", *more, stdin=token)
        assert done.returncode == 1
        assert "rivate" not in done.stdout.replace("private", "private" if "a-private-name" in done.stdout else "")
        assert "a-private-name" not in done.stdout


def test_a_private_issuer_is_asked_for_its_keys(tokenward: Any, oidc_issuer: Any) -> None:
    arguments = ("explain", "--issuer", oidc_issuer.issuer, "--audience", "https://api.example/")
    assert tokenward(*arguments, stdin=oidc_issuer.access_token()).returncode == 0
    forged = tokenward(*arguments, stdin=oidc_issuer.access_token(key=oidc_issuer.stranger_key()))
    assert (forged.returncode, "signature_invalid" in forged.stdout) == (1, True)


def test_a_federation_policy_of_databricks_is_a_policy(called: Any, oidc_issuer: Any, federation_json: str) -> None:
    fits = called("explain", "--policy", federation_json, stdin=oidc_issuer.access_token("databricks"))
    other = called("explain", "--policy", federation_json, stdin=oidc_issuer.access_token("another"))
    assert (fits.returncode, other.returncode) == (0, 1), fits.stderr + other.stderr
    assert "Databricks federation policy: audiences" in other.stdout.replace("\n", " ")


@pytest.mark.parametrize("way", ["databricks", "api"])
def test_entras_keys_may_be_at_another_address(called: Any, entra_issuer: Any, way: str) -> None:
    token = entra_issuer.databricks_token() if way == "databricks" else entra_issuer.user_token()
    named = ["--databricks"] if way == "databricks" else ["--api", entra_issuer.client_id]
    options = (*named, "--tenant", entra_issuer.tenant, "--authority", entra_issuer.cloud.authority)
    assert called("explain", *options, stdin=token).returncode == 0
    wrong = called("explain", *options[:-1], f"{entra_issuer.cloud.authority}/path", stdin=token)
    assert (wrong.returncode, "--authority: it holds more than scheme and host" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("at", "code"),
    [
        pytest.param(lambda: f"{time.time():.0f}", 0, id="seconds"),
        pytest.param(lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), 0, id="a time in UTC"),
        pytest.param(lambda: "2031-01-01", 1, id="a day to come"),
        pytest.param(lambda: "noon", 2, id="no time"),
    ],
)
def test_the_time_can_be_given(called: Any, entra_issuer: Any, gateway_toml: str, at: Any, code: int) -> None:
    token = entra_issuer.user_token(now=time.time() - 60)
    assert called("explain", "--policy", gateway_toml, "--at", at(), stdin=token).returncode == code


def test_what_cannot_be_decided_has_an_exit_code_of_its_own(called: Any, entra_issuer: Any, gateway_toml: str) -> None:
    token = entra_issuer.user_token()
    assert called("explain", stdin=token).returncode == 3
    assert called("explain", "--policy", gateway_toml, "--offline", stdin=token).returncode == 3
    entra_issuer.fail("status", status=503)
    done = called("explain", "--policy", gateway_toml, stdin=token)
    assert (done.returncode, "keys_unavailable" in done.stdout) == (3, True)
    assert called("explain", stdin=entra_issuer.user_token(lifetime=-5)).returncode == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("dapi0123456789abcdef0123456789abcdef", "personal access token", id="a PAT"),
        pytest.param("AADSTS65001: The user has not consented", "tokenward diagnose", id="an error of Entra"),
        pytest.param("1.AVMA6WgJJ9X2qk" + "x" * 200, "refresh token", id="a refresh token"),
    ],
)
def test_what_is_no_jwt_is_recognised(called: Any, text: str, words: str) -> None:
    done = called("explain", stdin=text)
    assert (done.returncode, words in done.stdout) == (4, True)
    assert text not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param([], 4, "no token", id="no token"),
        pytest.param(["--databricks"], 2, "--tenant", id="databricks without a tenant"),
        pytest.param(["--api", HOME_TENANT], 2, "--tenant", id="an API without a tenant"),
        pytest.param(["--api", "jobs", "--tenant", HOME_TENANT], 2, "not a GUID", id="a client id that is none"),
        pytest.param(["--issuer", "https://idp.example"], 2, "--audience", id="an issuer without an audience"),
        pytest.param(["--issuer", "http://idp.example", "--audience", "a"], 2, "https", id="an issuer without TLS"),
        pytest.param(["--tenant", HOME_TENANT], 2, "--databricks or --api", id="a tenant alone"),
        pytest.param(["--databricks", "--api", "x"], 2, "--help", id="two policies"),
        pytest.param(["--policy", "no/such/file"], 2, "permissions", id="no file"),
        pytest.param(["--timeout", "0"], 2, "seconds", id="no time for the keys"),
        pytest.param(
            ["eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.e30.c2ln"], 2, "command line", id="a token as an argument"
        ),
    ],
)
def test_what_cannot_be_used_ends_with_what_to_do_next(called: Any, arguments: list[str], code: int, words: str) -> None:
    done = called("explain", *arguments, stdin="x" if "--timeout" in arguments else "")
    assert done.returncode == code
    assert words in done.stderr
    assert "next:" in done.stderr
    assert "eyJ" not in done.stderr


def test_claims_cannot_write_to_the_terminal_or_into_other_rows(tokenward: Any, entra_issuer: Any, gateway_toml: str) -> None:
    nasty = "x\x1b[31m\n  signature  it holds  ok\u202e"
    token = entra_issuer.user_token(audience=nasty, claims={"azp": ABSENT})
    done = tokenward("explain", "--policy", gateway_toml, stdin=token)
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert not [line for line in done.stdout.splitlines() if line.startswith("  signature")]


@pytest.mark.parametrize("command", ["explain", "decode"])
def test_help_fits_80_columns(called: Any, command: str) -> None:
    done = called(command, "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
    assert "exit codes:" in done.stdout


@pytest.mark.servers
def test_a_workspace_is_asked_for_its_tenant(called: Any, standin: Any, entra_issuer: Any) -> None:
    arguments = ("explain", "--databricks", "--workspace", standin.url)
    stranger = called(*arguments, "--json", stdin=entra_issuer.databricks_token(tenant=HOME_TENANT))
    expected = {check["check"]: check["expected"] for check in json.loads(stranger.stdout)["checks"]}["issuer"]
    tenant = expected[0].split("/")[3]
    assert (stranger.returncode, json.loads(stranger.stdout)["code"]) == (1, "tenant_not_allowed")
    other = called(*arguments, "--tenant", HOME_TENANT, stdin=entra_issuer.databricks_token())
    assert (other.returncode, tenant in other.stderr, "next:" in other.stderr) == (2, True, True)
