"""`tokenward doctor` as people and scripts call it: exit codes, tables, JSON, files, and an end to every error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT, LocalIssuer
from tokenward.testing.graph.faults import Fault

OTHER = "11111111-1111-4111-8111-111111111111"
CLIENT = ("--tenant", DEFAULT_TENANT, "--client-id", DEFAULT_CLIENT_ID)
Doctor = Callable[..., Any]


# -- an app registration -----------------------------------------------------------------------------------------------


def test_a_good_registration_ends_with_0(doctor_process: Doctor, estate: Any) -> None:
    done = doctor_process()
    assert done.returncode == 0, done.stderr
    assert "0 failed, 0 open" in done.stdout
    assert {request.split(" ")[0] for request in estate.graph.requests} == {"GET"}


def test_something_wrong_ends_with_1_and_says_what_to_change_and_which_root_cause_it_is(
    doctor_process: Doctor, estate: Any
) -> None:
    estate.directory.grants.clear()
    done = doctor_process()
    assert done.returncode == 1
    assert "permissions consented (AADSTS65001, root cause 3)" in done.stdout
    assert f"   az ad app permission admin-consent --id {DEFAULT_CLIENT_ID}\n" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Next: ")


def test_what_cannot_be_asked_ends_with_3_and_names_the_permission(doctor: Doctor) -> None:
    done = doctor(permissions=("Application.Read.All",))
    assert done.returncode == 3
    assert "Directory.Read.All" in done.stdout


def test_all_checks_are_printed_on_request(doctor: Doctor) -> None:
    brief, full = doctor(), doctor("--all")
    assert "Client: all 6 checks hold" in brief.stdout
    assert "identifier URIs" not in brief.stdout
    assert "identifier URIs" in full.stdout


def test_machines_get_every_check_with_its_code_and_root_cause(doctor_process: Doctor, estate: Any) -> None:
    estate.directory.grants.clear()
    done = doctor_process("--json", "--redirect-uri", "https://app.example/")
    document = json.loads(done.stdout)
    checks = {check["check"]: check for part in document["parts"] for check in part["checks"]}
    assert (done.returncode, document["verdict"]) == (1, "failed")
    assert set(checks["redirect URI"]) == {"check", "expected", "seen", "verdict", "code", "root_cause", "fix", "source"}
    assert (checks["redirect URI"]["verdict"], checks["redirect URI"]["code"]) == ("failed", "AADSTS50011")
    assert (checks["permissions consented"]["code"], checks["permissions consented"]["root_cause"]) == ("AADSTS65001", 3)
    assert {cause["number"]: cause["verdict"] for cause in document["root_causes"]} == {
        1: "open",
        2: "open",
        3: "failed",
        4: "ok",
        5: "ok",
    }


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(Fault("status", status=401), "does not take the token", id="401"),
        pytest.param(Fault("status", status=403), "lacks a permission", id="403"),
        pytest.param(Fault("status", status=400), "refuses the question", id="400"),
        pytest.param(Fault("html"), "not json", id="a proxy's page"),
        pytest.param(Fault("reset"), "could not be asked", id="a broken connection"),
    ],
)
def test_a_graph_that_tells_nothing_ends_with_3_and_a_next_step(doctor: Doctor, estate: Any, fault: Fault, words: str) -> None:
    estate.graph.fail(fault)
    done = doctor()
    assert done.returncode == 3
    assert words in done.stderr.lower().replace("\n", " ")
    assert "next:" in done.stderr
    assert done.stdout == ""


def test_a_graph_that_is_slow_is_given_up_after_the_timeout(doctor: Doctor, estate: Any) -> None:
    estate.graph.fail(Fault("slow"))
    done = doctor("--timeout", "0.5", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]) == (3, "unavailable")


def test_names_of_the_tenant_cannot_steer_a_terminal(doctor: Doctor, estate: Any) -> None:
    estate.application["displayName"] = "\x1b[2Jevil\u202e"
    done = doctor("--all", FORCE_COLOR="")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


@pytest.mark.parametrize("columns", ["60", "80"])
def test_tables_fit_a_narrow_terminal(doctor: Doctor, columns: str) -> None:
    done = doctor("--all", COLUMNS=columns)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= int(columns)


# -- files of the Azure CLI --------------------------------------------------------------------------------------------


def test_files_of_the_azure_cli_serve_in_place_of_graph(called: Doctor, estate: Any, tmp_path: Path) -> None:
    files = {"app": estate.application, "sp": estate.principal, "databricks": estate.directory.databricks}
    arguments = []
    for name, item in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(item))
        arguments += ["--az-file", str(tmp_path / f"{name}.json")]
    (tmp_path / "grants.json").write_text("[]")
    lacking = called("doctor", *CLIENT, *arguments)
    assert (lacking.returncode, "az ad app permission list-grants" in lacking.stdout) == (3, True)
    whole = called("doctor", *CLIENT, *arguments, "--az-file", f"grants={tmp_path / 'grants.json'}")
    assert (whole.returncode, "nobody consented" in whole.stdout) == (1, True)
    assert estate.graph.requests == []


# -- a workspace -------------------------------------------------------------------------------------------------------


def test_a_good_workspace_ends_with_0(tokenward: Doctor, workspace: tuple[str, ...], issuer: LocalIssuer) -> None:
    done = tokenward("doctor", *workspace, "--tenant", issuer.tenant)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AADSTS50000" not in done.stdout


def test_a_workspace_of_another_tenant_ends_with_1(called: Doctor, workspace: tuple[str, ...]) -> None:
    done = called("doctor", *workspace, "--tenant", OTHER, "--json")
    checks = {check["check"]: check["verdict"] for part in json.loads(done.stdout)["parts"] for check in part["checks"]}
    assert (done.returncode, checks["tenant"]) == (1, "failed")


def test_a_registration_and_a_workspace_are_examined_together(doctor: Doctor, workspace: tuple[str, ...]) -> None:
    done = doctor(*workspace)
    assert done.returncode == 0
    assert ["Client: all" in done.stdout, "Workspace " in done.stdout, "Tenant " in done.stdout] == [True] * 3


def test_issuers_of_federation_policies_are_told_beside_where_they_were_looked_at_from(
    called: Doctor, workspace: tuple[str, ...], tmp_path: Path
) -> None:
    policy = {"policy_id": "ci", "oidc_policy": {"issuer": "https://127.0.0.1:1", "audiences": ["x"]}}
    file = tmp_path / "policies.json"
    file.write_text(json.dumps({"policies": [policy]}))
    done = called("doctor", *workspace, "--federation-policies", str(file))
    assert done.returncode == 3
    assert "Federation policy ci: https://127.0.0.1:1" in done.stdout
    assert "Databricks fetches" in done.stdout


@pytest.mark.parametrize("host", ["https://nowhere.invalid", "http://127.0.0.1:1"], ids=["no such name", "a refused connection"])
def test_a_workspace_that_could_not_be_asked_ends_with_3_and_is_not_blamed(called: Doctor, host: str) -> None:
    people, machines = called("doctor", "--workspace", host), called("doctor", "--workspace", host, "--json")
    assert (people.returncode, machines.returncode, json.loads(machines.stdout)["verdict"]) == (3, 3, "open")
    assert "\n1 check: 0 ok, 0 failed, 1 open." in people.stdout
    assert "Check the name" in people.stdout
    assert people.stdout.splitlines()[-1].startswith("Next: Nothing is seen to be wrong, but not everything could be asked")


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param([], 2, "nothing to examine", id="nothing"),
        pytest.param(["--client-id", OTHER], 2, "needs the tenant", id="no tenant"),
        pytest.param(["--tenant", "contoso", "--client-id", OTHER], 2, "--tenant", id="a tenant that is no GUID"),
        pytest.param(["--tenant", OTHER, "--client-id", "x"], 2, "--client-id", id="a client that is no GUID"),
        pytest.param([*CLIENT, "--scope", "sql"], 2, "--resource", id="a scope of nobody"),
        pytest.param([*CLIENT, "--graph", "http://graph.example"], 2, "--graph", id="a Graph without TLS"),
        pytest.param([*CLIENT, "--timeout", "0"], 2, "--timeout", id="no time"),
        pytest.param([*CLIENT], 4, "no token", id="no token on stdin"),
        pytest.param([*CLIENT, "--graph-token-env", "NOT_SET"], 4, "NOT_SET", id="no token in the environment"),
        pytest.param([*CLIENT, "--graph-token-file", "no/such/file"], 2, "cannot be read", id="no file with a token"),
        pytest.param([*CLIENT, "--az-file", "no/such/file"], 2, "cannot be read", id="no file of az"),
        pytest.param([*CLIENT, "--az-file", "/dev/null"], 2, "is empty", id="an empty file of az"),
        pytest.param([*CLIENT, "--az-file", "a", "--graph-token-env", "b"], 2, "not allowed with", id="a file and a token"),
        pytest.param(["--workspace", "http://a.example"], 2, "--workspace", id="a workspace without TLS"),
        pytest.param(["--workspace", "a.example", "--scope", "x"], 2, "--scope", id="a scope for a workspace"),
        pytest.param([*CLIENT, "--federation-policies", "x"], 2, "--federation-policies", id="policies without a workspace"),
    ],
)
def test_a_wrong_command_line_ends_with_what_to_do_next(called: Doctor, arguments: list[str], code: int, words: str) -> None:
    done = called("doctor", *arguments, stdin="")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert "next:" in done.stderr


def test_the_token_is_read_from_stdin(tokenward: Doctor) -> None:
    done = tokenward("doctor", *CLIENT, "--graph", "http://127.0.0.1:1", stdin="eyJhbGciOiJub25lIn0.e30.x\n")
    assert done.returncode == 3
    assert "eyJ" not in done.stderr


def test_help_fits_80_columns_and_has_examples(tokenward: Doctor) -> None:
    done = tokenward("doctor", "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
