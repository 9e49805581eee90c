"""`python -m tokenward.testing.workspace` as a real process: the three steps of Databricks' document with curl's requests."""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.databricks.federation.policies import policy_of, read_policies
from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, WORKLOAD
from tokenward.verifier import Verifier

pytestmark = pytest.mark.servers

COMMAND = [sys.executable, "-W", "error", "-m", "tokenward.testing.workspace"]


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.terminate()


def _client(said: dict[str, Any]) -> httpx.Client:
    verify = ssl.create_default_context(cafile=said["ca_file"]) if said["ca_file"] else True
    return httpx.Client(base_url=said["url"], trust_env=False, verify=verify, timeout=20)


def _exchange(http: httpx.Client, jwt: str, **fields: str) -> httpx.Response:
    form = {
        "subject_token": jwt,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "scope": "all-apis",
    }
    return http.post("/oidc/v1/token", data=form | fields)


@pytest.mark.parametrize("arguments", [[], ["--tls"]], ids=["http", "https"])
def test_the_three_steps_of_the_document(arguments: list[str]) -> None:
    with _running(*arguments) as (_, said), _client(said) as http:
        jwt = http.post("/control/mint", json={"subject": DEFAULT_USER}).json()["token"]
        token = _exchange(http, jwt).json()["access_token"]
        me = http.get("/api/2.0/preview/scim/v2/Me", headers={"authorization": f"Bearer {token}"}).json()
    assert (me["userName"], me["displayName"]) == (DEFAULT_USER, "Ada Example")


def test_it_is_steered_by_control_requests() -> None:
    with _running() as (_, said), _client(said) as http:
        workload = http.post("/control/mint", json={"subject": WORKLOAD}).json()["token"]
        assert _exchange(http, workload, client_id=DEFAULT_SERVICE_PRINCIPAL).status_code == 200
        assert http.post("/control/users", json={"name": "new@contoso.example"}).json()["userName"] == "new@contoso.example"
        assert (
            _exchange(http, http.post("/control/mint", json={"subject": "new@contoso.example"}).json()["token"]).status_code
            == 200
        )
        http.post("/control/fail", json={"mode": "status", "path": "/oidc", "status": 429, "retry_after": 3, "times": 1})
        assert _exchange(http, workload).headers["retry-after"] == "3"
        http.post("/control/limit", json={"path": "/aad", "requests": 0, "seconds": 60})
        assert http.get("/aad/auth").status_code == 429
        assert http.post("/control/recover").json()["faults"] == []
        assert http.get("/aad/auth").status_code == 302
        direct = http.post("/control/mint", json={"kind": "databricks"}).json()["token"]
        entra = http.post("/control/mint", json={"kind": "entra"}).json()["token"]
        for token in (direct, entra):
            assert http.get("/api/2.0/preview/scim/v2/Me", headers={"authorization": f"Bearer {token}"}).is_success
        state = http.get("/control/state").json()
    assert [exchange["subject"] for exchange in state["exchanges"]] == [DEFAULT_SERVICE_PRINCIPAL, "new@contoso.example"]
    assert (state["account_id"], state["workspace_id"]) == (said["account_id"], said["workspace_id"])


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("mint", {"kind": "other"}),
        ("mint", {"lifetime": "long"}),
        ("mint", {"claims": []}),
        ("mint", {"colour": "red"}),
        ("mint", {"kind": "databricks", "subject": "nobody"}),
        ("users", {}),
        ("policies", {"oidc_policy": {"issuer": "http://idp.example/"}}),
        ("fail", {"mode": "melt"}),
        ("fail", {"colour": "red"}),
        ("limit", {"path": "/"}),
    ],
)
def test_a_control_request_that_makes_no_sense_says_why(http: httpx.Client, server: Any, action: str, body: object) -> None:
    server.control = True
    server._listener.has_control = True
    answer = http.post(f"/control/{action}", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_control_is_off_unless_asked_for(http: httpx.Client) -> None:
    assert http.get("/control/state").status_code == 401


def test_the_policies_that_it_prints_judge_its_tokens_elsewhere() -> None:
    """What a client needs to say beforehand whether Databricks would accept a token."""
    with _running() as (_, said), _client(said) as http:
        policies = read_policies(http.get("/control/policies").text, account_id=said["account_id"])
        verifier = Verifier(policy_of(policies[:1]), observer=None)
        assert verifier.verify(http.post("/control/mint").json()["token"]).subject == DEFAULT_USER
        verifier.close()


def test_its_policies_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policies.json"
    file.write_text(json.dumps({"policies": [{"oidc_policy": {"issuer": "https://idp.example/contoso", "audiences": ["mine"]}}]}))
    with _running("--policies", str(file)) as (_, said), _client(said) as http:
        refused = http.post("/control/mint").json()["token"]
        accepted = http.post("/control/mint", json={"claims": {"aud": "mine"}}).json()["token"]
        assert [_exchange(http, token).status_code for token in (refused, accepted)] == [400, 200]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_says_that_it_is_not_for_production_and_ends_when_told(number: int) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        json.loads(process.stdout.readline())
        process.send_signal(number)
        rest, warning = process.communicate(timeout=15)
    assert (process.returncode, rest) == (0, "")
    assert "NOT FOR PRODUCTION" in warning
    assert "Traceback" not in warning


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--host", "0.0.0.0"], id="all interfaces"),
        pytest.param(["--port", "99999"], id="port out of range"),
        pytest.param(["--policies", "/no/such/file"], id="no file"),
        pytest.param(["--policies", "/dev/null"], id="an empty file"),
    ],
)
def test_arguments_that_make_no_sense_end_it_with_one_line(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
