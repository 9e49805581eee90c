"""The steps of Databricks' document from the command line, and every way to be refused.

One test for each of the exit codes 0, 1 and 3 starts a process; the others call the command in this one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

USER = "ada@contoso.example"
WORKLOAD = "repo:contoso/jobs:ref:refs/heads/main"
PRINCIPAL = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"
STRANGER = "00000000-0000-4000-8000-000000000000"
NOBODY = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""


def test_a_jwt_is_exchanged_and_the_token_says_who_its_owner_is(tokenward: Any, standin: Any) -> None:
    exchanged = tokenward("exchange", "--raw", stdin=standin.mint(), DATABRICKS_HOST=standin.url)
    assert (exchanged.returncode, exchanged.stderr) == (0, "")
    assert exchanged.stdout.count(".") == 2
    me = tokenward("me", "--json", "--host", standin.url, stdin=exchanged.stdout)
    assert (me.returncode, me.stderr) == (0, "")
    assert json.loads(me.stdout) == {
        "userName": USER,
        "displayName": "Ada Example",
        "id": "1001",
        "active": True,
        "workspaceId": "7405605123456789",
    }


def test_json_is_the_token_endpoints_own_answer(called: Any, standin: Any) -> None:
    jwt = standin.mint(subject=WORKLOAD)
    done = called("exchange", "--json", "--client-id", PRINCIPAL, "--scope", "sql", "--host", standin.url, stdin=jwt)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert (answer["scope"], answer["token_type"]) == ("sql", "Bearer")
    assert 3500 < answer["expires_in"] <= 3600
    me = called("me", "--json", "--host", standin.url, stdin=answer["access_token"])
    assert json.loads(me.stdout)["userName"] == PRINCIPAL


def test_the_account_has_an_endpoint_of_its_own(called: Any, standin: Any) -> None:
    arguments = ["exchange", "--raw", "--host", standin.url, "--account-id", standin.account_id]
    assert called(*arguments, stdin=standin.mint()).returncode == 0
    assert standin.get("state")["exchanges"][-1]["account"] is True


@pytest.mark.parametrize("host", ["{url}", "{url}/", "{bare}"], ids=["URL", "URL with a slash", "name, so https"])
def test_the_host_may_be_a_url_or_a_name(called: Any, standin: Any, host: str) -> None:
    """A bare name means https, which the stand-in does not speak here."""
    bare = standin.url.removeprefix("http://")
    done = called("me", "--host", host.format(url=standin.url, bare=bare), stdin=standin.mint(kind="databricks"))
    assert done.returncode == (3 if host == "{bare}" else 0)


def test_tables_tell_people_everything_but_the_token(called: Any, standin: Any) -> None:
    done = called("exchange", "--host", standin.url, stdin=standin.mint())
    assert done.returncode == 0
    for words in ("all-apis", "valid until", "the user whom the JWT names", "--raw or --json"):
        assert words in done.stdout
    assert "eyJ" not in done.stdout
    me = called("me", "--host", standin.url, stdin=standin.mint(kind="databricks"))
    for words in (USER, "Ada Example", "7405605123456789", "yes"):
        assert words in me.stdout


@pytest.mark.parametrize("source", ["stdin", "file", "file -", "variable"])
def test_the_token_comes_from_stdin_a_file_or_the_environment(called: Any, standin: Any, tmp_path: Path, source: str) -> None:
    token = f"  Bearer {standin.mint(kind='databricks')}\r\n"
    (tmp_path / "token").write_text(token)
    options = {
        "file": ["--token-file", str(tmp_path / "token")],
        "file -": ["--token-file", "-"],
        "variable": ["--token-env", "T"],
    }
    stdin = token if source in ("stdin", "file -") else ""
    done = called("me", "--host", standin.url, *options.get(source, []), stdin=stdin, T=token)
    assert done.returncode == 0, done.stderr


# -- refusals ----------------------------------------------------------------------------------------------------------

REFUSED = [
    pytest.param({"claims": {"aud": "other"}}, [], "exchange_refused", "TOKEN_AUDIENCE_INVALID", "would-accept", id="audience"),
    pytest.param(
        {"subject": "other"}, ["--client-id", PRINCIPAL], "exchange_refused", "TOKEN_INVALID", "would-accept", id="subject"
    ),
    pytest.param(
        {}, ["--client-id", STRANGER], "exchange_refused", "Invalid service principal id", "application ID", id="principal"
    ),
    pytest.param({"subject": "no@body.example"}, [], "exchange_refused", "HTTP 401", "provision it", id="unknown user"),
    pytest.param(
        {"claims": {"iss": "https://evil.example"}}, [], "exchange_refused", "TOKEN_INVALID", "would-accept", id="issuer"
    ),
    pytest.param({"lifetime": -60}, [], "token_expired", "ended:", "Get a new JWT", id="expired"),
]


@pytest.mark.parametrize(("body", "options", "code", "said", "fix"), REFUSED)
def test_a_refusal_ends_with_1_databricks_words_and_what_to_do(
    called: Any, standin: Any, body: dict[str, Any], options: list[str], code: str, said: str, fix: str
) -> None:
    jwt = standin.mint(**body)
    done = called("exchange", "--host", standin.url, *options, stdin=jwt)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tokenward: {code}: ")
    assert said in done.stderr
    assert fix in done.stderr.splitlines()[-1]
    assert not any(part in done.stderr for part in jwt.split("."))


def test_a_refusal_in_json_is_one_document_with_the_code(tokenward: Any, standin: Any) -> None:
    done = tokenward("exchange", "--json", "--host", standin.url, stdin=standin.mint(claims={"aud": "other"}))
    error = json.loads(done.stdout)
    assert (done.returncode, error["exit_code"], error["error"]) == (1, 1, "exchange_refused")
    assert error["answer"].startswith("HTTP 400 invalid_grant")
    assert error["next"]
    assert "tokenward: exchange_refused" in done.stderr


ME_REFUSED = [
    pytest.param({"kind": "federated"}, "exchange_refused", "tokenward exchange", id="a JWT that was not exchanged"),
    pytest.param({"kind": "databricks", "lifetime": -60}, "exchange_refused", "Get a new token", id="expired"),
    pytest.param({"kind": "entra", "lifetime": -60}, "token_expired", "Get a new token", id="an expired Entra token"),
    pytest.param(
        {"kind": "databricks", "subject": "out@contoso.example"}, "user_not_in_workspace", "administrator", id="outside"
    ),
]


@pytest.mark.parametrize(("body", "code", "fix"), ME_REFUSED)
def test_me_says_whether_the_token_or_its_owner_is_refused(
    called: Any, standin: Any, body: dict[str, Any], code: str, fix: str
) -> None:
    standin.control("users", name="out@contoso.example", in_workspace=False)
    done = called("me", "--host", standin.url, stdin=standin.mint(**body))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tokenward: {code}: ")
    assert "answer: HTTP 40" in done.stderr
    assert ("ended: 20" in done.stderr) is (code == "exchange_refused" and "lifetime" in body)
    assert ("issuer: http" in done.stderr) is (code == "exchange_refused")
    assert fix in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("command", "path"), [("exchange", "/oidc"), ("me", "/api")])
def test_a_service_that_is_down_ends_with_3_and_when_to_try_again(tokenward: Any, standin: Any, command: str, path: str) -> None:
    token = standin.mint(kind="databricks") if command == "me" else standin.mint()
    standin.control("fail", mode="status", path=path, status=503, retry_after=7)
    done = tokenward(command, "--json", "--timeout", "2", "--host", standin.url, stdin=token)
    error = json.loads(done.stdout)
    assert (done.returncode, error["error"], error["seen"]) == (3, "exchange_unavailable", "HTTP 503")
    assert error["retry_after"] == 7
    assert "Try again in 7 s." in done.stderr
    unheard = tokenward(command, "--timeout", "2", "--host", NOBODY, stdin=token)
    assert (unheard.returncode, unheard.stdout) == (3, "")
    assert "check the workspace address" in unheard.stderr


# -- would-accept ------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(standin: Any, tmp_path: Path) -> str:
    """The stand-in's federation policies."""
    path = tmp_path / "policies.json"
    path.write_text(standin.policies())
    return str(path)


@pytest.fixture
def would_accept(called: Any, standin: Any, file: str) -> Callable[..., Any]:
    """`would_accept(jwt, *options)` asks about the stand-in's own policies."""
    return lambda jwt, *options, **variables: called(
        "policy", "would-accept", file, "--account-id", standin.account_id, *options, stdin=jwt, **variables
    )


def test_the_policy_that_accepts_is_named(would_accept: Any, standin: Any) -> None:
    done = would_accept(standin.mint())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1].endswith("by: contoso-people.")
    workload = would_accept(standin.mint(subject=WORKLOAD), "--client-id", PRINCIPAL, "--json")
    assert json.loads(workload.stdout)["matches"] == ["contoso-jobs"]


def test_each_failing_check_is_told_with_what_to_change(would_accept: Any, standin: Any) -> None:
    done = would_accept(standin.mint(claims={"aud": "other"}))
    assert done.returncode == 1
    assert standin.account_id in done.stdout
    assert 'audience: In the federation policy, set audiences to ["other"]' in done.stdout
    assert "No policy accepts this token. Next:" in done.stdout.splitlines()[-1]


def test_what_it_says_is_what_the_exchange_does(would_accept: Any, called: Any, standin: Any) -> None:
    for body in ({}, {"claims": {"aud": "other"}}, {"claims": {"iss": "https://evil.example"}}):
        jwt = standin.mint(**body)
        exchanged = called("exchange", "--host", standin.url, stdin=jwt)
        assert would_accept(jwt).returncode == exchanged.returncode


def test_a_forged_signature_is_found_out_by_the_issuers_keys_and_not_offline(would_accept: Any, standin: Any) -> None:
    head, claims, signature = standin.mint().split(".")
    forged = f"{head}.{claims}.{signature[:-8]}{'A' * 8}"
    assert would_accept(forged).returncode == 1
    assert "signature" in would_accept(forged).stdout
    offline = would_accept(forged, "--offline")
    assert offline.returncode == 3
    assert "contoso-people: fits, but the signature was not checked" in offline.stdout


def test_keys_that_cannot_be_had_are_no_verdict(would_accept: Any, standin: Any) -> None:
    jwt, bad = standin.mint(), standin.mint(claims={"aud": "other"})
    standin.control("fail", mode="status", path="/contoso/jwks", status=503)
    done = would_accept(jwt, "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["would_exchange"] is None
    assert "cannot be told" in would_accept(jwt).stdout
    assert would_accept(bad).returncode == 1


def test_all_checks_are_listed_on_demand(would_accept: Any, standin: Any) -> None:
    jwt = standin.mint()
    assert "issuer" not in would_accept(jwt).stdout
    assert {"issuer", "audience", "exp", "signature"} <= set(would_accept(jwt, "--all").stdout.split())


@pytest.mark.parametrize(
    ("at", "exits", "words"),
    [
        pytest.param(-600, 0, "by: contoso-people.", id="while it is valid"),
        pytest.param(7200, 1, "exp", id="when it is over"),
    ],
)
def test_a_token_is_judged_for_the_time_that_is_asked_about(
    would_accept: Any, standin: Any, at: int, exits: int, words: str
) -> None:
    """The token is minted as one of ten minutes ago."""
    begins = int(time.time()) - 1200
    jwt = standin.mint(claims={"iat": begins, "nbf": begins, "exp": begins + 1800})
    for written in (str(begins + 1200 + at), datetime.fromtimestamp(begins + 1200 + at, UTC).isoformat().replace("+00:00", "Z")):
        done = would_accept(jwt, "--at", written)
        assert (done.returncode, done.stderr) == (exits, "")
        assert words in done.stdout


def test_times_are_told_as_dates_and_how_far_they_are(would_accept: Any, standin: Any) -> None:
    ended = 1_767_960_000  # 2026-01-09 12:00:00 UTC
    jwt = standin.mint(claims={"iat": ended - 600, "nbf": ended - 600, "exp": ended})
    done = would_accept(jwt, "--at", str(ended + 7200), COLUMNS="200")
    told = " ".join(done.stdout.split())
    assert done.returncode == 1
    assert "after 2026-01-09 14:00:00" in told
    assert "2026-01-09 12:00:00" in told
    assert "(2 h ago)" in told


@pytest.mark.parametrize("at", ["soon", "2026-13-01", "", "1e9", "-1 day"])
def test_what_is_no_time_to_judge_for_ends_with_how_to_write_it(would_accept: Any, standin: Any, at: str) -> None:
    done = would_accept(standin.mint(), f"--at={at}")
    assert (done.returncode, done.stdout) == (2, "")
    assert "2026-05-04T13:00:00Z" in done.stderr


def test_the_account_may_be_named_by_the_environment(called: Any, standin: Any, file: str) -> None:
    arguments, jwt = ["policy", "would-accept", file], standin.mint()
    assert called(*arguments, stdin=jwt, DATABRICKS_ACCOUNT_ID=standin.account_id).returncode == 0
    done = called(*arguments, stdin=jwt)
    assert done.returncode == 2
    assert "Give --account-id, or set audiences in the policy." in done.stderr


def test_the_policies_may_come_from_stdin_if_the_token_does_not(called: Any, standin: Any) -> None:
    arguments, policies = ["policy", "would-accept", "-", "--account-id", standin.account_id], standin.policies()
    assert called(*arguments, "--token-env", "JWT", stdin=policies, JWT=standin.mint()).returncode == 0
    assert called(*arguments, stdin=policies).returncode == 2


def test_policies_of_one_issuer_may_take_the_user_from_different_claims(called: Any, standin: Any, tmp_path: Path) -> None:
    listed = json.loads(standin.policies())
    listed["policies"][0]["oidc_policy"]["subject_claim"] = "email"
    (tmp_path / "policies").write_text(json.dumps(listed))
    jwt = standin.mint(claims={"email": USER})
    arguments = ["policy", "would-accept", str(tmp_path / "policies"), "--account-id", standin.account_id, "--json"]
    done = called(*arguments, stdin=jwt)
    assert json.loads(done.stdout)["matches"] == ["contoso-people"], done.stderr


def test_a_list_that_goes_on_is_judged_with_a_note(called: Any, standin: Any, tmp_path: Path) -> None:
    (tmp_path / "policies").write_text(json.dumps({**json.loads(standin.policies()), "next_page_token": "more"}))
    arguments = ["policy", "would-accept", str(tmp_path / "policies"), "--account-id", standin.account_id]
    done = called(*arguments, stdin=standin.mint())
    assert done.returncode == 0
    assert done.stderr.startswith("tokenward: note: the list of policies goes on")
    assert ".py" not in done.stderr
