"""`tokenward gateway` and `tokenward forward-auth` as real processes, in front of the stand-in workspace."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing import IssuerServer
from tokenward.testing.workspace import WorkspaceServer
from tokenward.testing.workspace.faults import Fault

pytestmark = pytest.mark.servers

ME = "/api/2.0/preview/scim/v2/Me"
CLUSTERS = "/api/2.0/clusters/list"
SERVING = "/serving-endpoints/echo/invocations"
TIMEOUT = 60.0


def federated(workspace: WorkspaceServer) -> str:
    return workspace.workspace.federated_jwt()


def variables(workspace: WorkspaceServer, entra: IssuerServer, port: int) -> dict[str, str]:
    """A gateway for Entra tokens from environment variables only."""
    return {
        "TOKENWARD_GATEWAY_UPSTREAM": workspace.url,
        "TOKENWARD_GATEWAY_ALLOW": "me,serving",
        "TOKENWARD_POLICY_KIND": "databricks",
        "TOKENWARD_POLICY_TENANT": workspace.workspace.tenant.tenant,
        "TOKENWARD_POLICY_AUTHORITY": entra.url,
        "TOKENWARD_CREDENTIALS_KIND": "pass_through",
        "TOKENWARD_SERVER_PORT": str(port),
        "TOKENWARD_SERVER_NOTICE": "0",
    }


# -- it guards ---------------------------------------------------------------------------------------------------------


def test_a_configured_gateway_lets_callers_through_and_refuses_others(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer
) -> None:
    token = federated(workspace)
    with serve("gateway", config=config, url=url) as served:
        answer = served.client.get(ME, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["userName"]) == (200, "ada@contoso.example")
        assert "server" not in answer.headers or answer.headers["server"] != "uvicorn"
        assert len(answer.headers.get_list("date")) <= 1
        assert served.status(ME) == 401
        assert served.status(ME, "a.b.c") == 401
        assert served.status(CLUSTERS, token) == 403
        assert len(workspace.workspace.exchanges) == 1
        assert served.stop() == 0
        refusals = [event for event in served.events if event["event"] == "token_rejected"]
        assert [event["code"] for event in refusals[:2]] == ["missing_token", "malformed_token"]


def test_the_environment_alone_is_enough(
    serve: Any, url: str, port: int, workspace: WorkspaceServer, entra: IssuerServer
) -> None:
    workspace.workspace.directory.add_user("grace@contoso.example")
    token = workspace.workspace.tenant.databricks_token(claims={"unique_name": "grace@contoso.example"})
    with serve("gateway", url=url, **variables(workspace, entra, port)) as served:
        answer = served.client.get(ME, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["userName"]) == (200, "grace@contoso.example")
        assert served.status(ME) == 401
        assert served.event("starting")["configuration"] == "the environment"
        assert served.stop() == 0


def test_the_start_line_says_what_is_guarded_and_nothing_that_is_secret(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer
) -> None:
    with serve("gateway", config=config, url=url, SOME_SECRET="hunter2") as served:
        line = served.event("starting")
        said = {name: line[name] for name in ("guards", "allow", "listen", "workers", "credentials", "command", "level")}
        assert said == {
            "guards": workspace.url,
            "allow": ["me", "serving"],
            "listen": url,
            "workers": 1,
            "credentials": "exchange",
            "command": "gateway",
            "level": "info",
        }
        assert line["policy"].startswith("federation file=")
        assert served.stop() == 0
        assert "hunter2" not in "\n".join(served.lines)


def test_no_token_is_in_the_log(serve: Any, config: Path, url: str, workspace: WorkspaceServer) -> None:
    token = federated(workspace)
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_ACCESS_LOG="true") as served:
        served.status(ME, token)
        served.status(ME, token[:-4] + "AAAA")
        served.status(f"{CLUSTERS}?x={token}", token)
        assert served.stop() == 0
        requests = [event for event in served.events if event["event"] == "request" and not event["path"].startswith("/-/")]
        assert [(event["method"], event["path"], event["answered"]) for event in requests] == [
            ("GET", ME, 200),
            ("GET", ME, 401),
            ("GET", CLUSTERS, 403),
        ]
        log = "\n".join(served.lines)
        assert [part for part in token.split(".") if part in log] == []


def test_a_websocket_is_refused_as_a_request(serve: Any, config: Path, url: str, workspace: WorkspaceServer) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    with serve("gateway", config=config, url=url) as served:
        answer = served.client.get(ME, headers={**upgrade, "Authorization": f"Bearer {federated(workspace)}"})
        assert (answer.status_code, answer.headers["tokenward-refused"]) == (501, "upgrade_not_allowed")


def test_forward_auth_gives_verdicts(serve: Any, config: Path, url: str, workspace: WorkspaceServer) -> None:
    asked = {"X-Original-Method": "GET", "X-Original-URI": ME}
    with serve("forward-auth", config=config, url=url) as served:
        bearer = {"Authorization": f"Bearer {federated(workspace)}"}
        answer = served.client.get("/verdict", headers=asked | bearer)
        assert answer.status_code == 200
        assert answer.headers["authorization"] not in (bearer["Authorization"], "")
        assert served.client.get("/verdict", headers=asked).status_code == 401
        assert served.client.get("/verdict", headers=bearer | asked | {"X-Original-URI": CLUSTERS}).status_code == 403
        assert served.event("starting")["asked_by"] == "nginx"
        assert served.stop() == 0


# -- TLS and health ----------------------------------------------------------------------------------------------------


def test_tls_is_served_with_the_certificate_of_the_settings(
    serve: Any, tokenward: Any, config: Path, port: int, pems: Path, workspace: WorkspaceServer
) -> None:
    tls = {"TOKENWARD_SERVER_TLS_CERTIFICATE": str(pems / "certificate.pem"), "TOKENWARD_SERVER_TLS_KEY": str(pems / "key.pem")}
    url, trust = f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=pems / "certificate.pem")
    with serve("gateway", config=config, url=url, verify=trust, **tls) as served:
        assert served.status(ME, federated(workspace)) == 200
        assert served.status(ME) == 401
        assert served.event("starting")["listen"] == url
        assert tokenward("gateway", "--health", TOKENWARD_CONFIG=str(config), **tls).returncode == 0
        assert served.stop() == 0


def test_a_container_can_ask_how_its_server_is(
    serve: Any, tokenward: Any, config: Path, url: str, workspace: WorkspaceServer
) -> None:
    down = tokenward("gateway", "--config", str(config), "--health")
    assert (down.returncode, down.stdout) == (1, "")
    assert "Nothing answers at" in down.stderr
    with serve("gateway", config=config, url=url) as served:
        for question in ("--health", "--ready"):
            done = tokenward("gateway", "--config", str(config), question)
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert served.stop() == 0


def test_a_server_without_keys_is_alive_and_not_ready(
    serve: Any, tokenward: Any, url: str, port: int, workspace: WorkspaceServer, entra: IssuerServer
) -> None:
    given = variables(workspace, entra, port) | {"TOKENWARD_GATEWAY_WARM_UP": "0.1"}
    token = workspace.workspace.tenant.databricks_token()
    entra.stop()
    with serve("gateway", url=url, ready="/-/health", **given) as served:
        assert (served.status("/-/ready"), served.status(ME, token)) == (503, 503)
        assert tokenward("gateway", "--health", **given).returncode == 0
        done = tokenward("gateway", "--ready", **given)
        assert done.returncode == 1
        assert "answers 503" in done.stderr
        assert served.stop() == 0


# -- workers and the end -----------------------------------------------------------------------------------------------


def _workers(served: Any) -> set[int]:
    return {event["pid"] for event in served.events if event["event"].startswith("Started server process")}


def test_two_workers_serve_and_one_that_dies_is_replaced(serve: Any, config: Path, url: str, workspace: WorkspaceServer) -> None:
    token = federated(workspace)
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_WORKERS="2") as served:
        served.until(lambda: len(_workers(served)) == 2, "two workers")
        first = _workers(served)
        assert served.process.pid not in first
        assert served.status(ME, token) == 200
        os.kill(min(first), signal.SIGKILL)
        served.until(lambda: len(_workers(served)) == 3, "a third worker")
        served.wait_ready()
        assert served.status(ME, token) == 200
        assert served.stop() == 0


def _stream(served: Any, token: str) -> Any:
    body = {"stream": True, "messages": [{"role": "user", "content": " ".join(["word"] * 12)}]}
    return served.client.stream("POST", SERVING, json=body, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("workers", ["1", "2"], ids=["one process", "two workers"])
def test_at_its_end_it_is_not_ready_first_and_a_stream_is_finished(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer, workers: str
) -> None:
    workspace.workspace.serving.pause = 0.5
    token = federated(workspace)
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_WORKERS=workers, TOKENWARD_SERVER_NOTICE="1") as served:
        with _stream(served, token) as answer:
            events = answer.iter_lines()
            assert next(events).startswith("data: ")
            served.process.send_signal(signal.SIGTERM)
            served.until(lambda: served.fresh_status("/-/ready") == 503, "503 for readiness")
            assert served.process.poll() is None
            assert served.fresh_status("/-/health") == 200
            assert [line for line in events if line][-1] == "data: [DONE]"
        assert served.process.wait(TIMEOUT) == 0
        assert served.event("stopping")["signal"] == "SIGTERM"
        assert not [event for event in served.events if event["event"] == "requests_cut_off"]


def test_during_the_notice_requests_are_served_and_after_it_refused(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer
) -> None:
    workspace.workspace.serving.pause = 0.5
    token = federated(workspace)
    bearer = {"Authorization": f"Bearer {token}"}

    def status() -> int:
        return httpx.get(f"{url}{ME}", headers=bearer, trust_env=False, timeout=TIMEOUT).status_code

    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_NOTICE="3") as served:
        with _stream(served, token) as answer:
            events = answer.iter_lines()
            assert next(events).startswith("data: ")
            begun = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            served.until(lambda: served.fresh_status("/-/ready") == 503, "503 for readiness")
            during = status()
            assert during == 200 or time.monotonic() - begun > 3
            served.until(lambda: status() == 503, "503 for requests")
            assert [line for line in events if line][-1] == "data: [DONE]"
        assert served.process.wait(TIMEOUT) == 0


def test_a_stream_that_takes_too_long_is_cut_off_with_a_warning(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer
) -> None:
    workspace.workspace.serving.pause = 30.0
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_GRACEFUL="0.2") as served:
        with _stream(served, federated(workspace)) as answer:
            events = answer.iter_lines()  # kept, because httpx closes the answer with it
            assert next(events).startswith("data: ")
            assert served.stop() == 0
        assert "graceful" in served.event("requests_cut_off")["hint"]
    workspace.workspace.serving.stop()


def _verdict(served: Any, token: str) -> Any:
    asked = {"X-Original-Method": "GET", "X-Original-URI": ME, "Authorization": f"Bearer {token}"}
    return httpx.get(f"{served.url}/verdict", headers=asked, trust_env=False, timeout=TIMEOUT)


ENDS = [
    pytest.param("30", 4.0, 200, None, [], id="in time, longer than the web server would wait"),
    pytest.param("0.2", 30.0, 503, "draining", ["requests_cut_off"], id="too late"),
]


@pytest.mark.parametrize(("graceful", "seconds", "status", "mark", "warned"), ENDS)
def test_the_end_waits_for_a_verdict_that_waits_for_an_exchange(
    serve: Any, config: Path, url: str, workspace: Any, graceful: str, seconds: float, status: int, mark: Any, warned: list[str]
) -> None:
    slow = Fault("slow", "/oidc/v1/token", seconds=seconds)
    workspace.workspace.fail(slow)
    with (
        serve("forward-auth", config=config, url=url, TOKENWARD_SERVER_GRACEFUL=graceful) as served,
        ThreadPoolExecutor(1) as pool,
    ):
        verdict = pool.submit(_verdict, served, federated(workspace))
        served.until(lambda: workspace.workspace.counts["POST /oidc/v1/token"], "the exchange")
        assert served.stop() == 0
        answer = verdict.result(TIMEOUT)
        workspace.workspace.recover()
        assert (answer.status_code, answer.headers.get("tokenward-refused")) == (status, mark)
        assert ("authorization" in answer.headers, "retry-after" in answer.headers) == (status == 200, status == 503)
        assert [event["event"] for event in served.events if event["event"] == "requests_cut_off"] == warned
        assert not [event for event in served.events if "exception" in event]


def test_two_workers_share_exchanged_tokens_through_redis(
    serve: Any, config: Path, url: str, workspace: WorkspaceServer, redis_url: str
) -> None:
    shared = {"TOKENWARD_REDIS_URL": redis_url, "TOKENWARD_REDIS_KEY": b64encode(bytes(range(32))).decode()}
    more = {"TOKENWARD_SERVER_WORKERS": "2", "TOKENWARD_SERVER_ACCESS_LOG": "true"} | shared
    token = federated(workspace)
    with serve("forward-auth", config=config, url=url, **more) as served, ThreadPoolExecutor(16) as pool:
        served.until(lambda: len(_workers(served)) == 2, "two workers")

        def asked() -> set[int]:
            answers = [task.result(TIMEOUT) for task in [pool.submit(_verdict, served, token) for _ in range(16)]]
            assert {answer.status_code for answer in answers} == {200}
            given.update(answer.headers["authorization"] for answer in answers)
            return {event["pid"] for event in served.events if event.get("path") == "/verdict"}

        given: set[str] = set()
        served.until(lambda: len(asked()) == 2, "a verdict of each worker")
        assert (len(workspace.workspace.exchanges), len(given)) == (1, 1)
        assert served.stop() == 0
        assert not [event for event in served.events if event["event"].startswith("shared_tokens_")]


def test_ctrl_c_ends_it_without_notice(serve: Any, config: Path, url: str) -> None:
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_NOTICE="3000") as served:
        assert served.stop(signal.SIGINT) == 0
        assert served.event("stopping")["notice"] == 0


@pytest.mark.parametrize("workers", ["1", "2"], ids=["one process", "two workers"])
def test_a_log_that_nobody_reads_any_more_stops_neither_serving_nor_stopping(
    environment: dict[str, str], config: Path, url: str, workspace: WorkspaceServer, workers: str
) -> None:
    command = [sys.executable, "-m", "tokenward.cli", "gateway", "--config", str(config)]
    token = federated(workspace)
    env = environment | {"TOKENWARD_SERVER_WORKERS": workers}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=env, start_new_session=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline()
            process.stderr.close()
            _until_ready(url)
            bearer = {"Authorization": f"Bearer {token}"}
            assert httpx.get(f"{url}{ME}", headers=bearer, trust_env=False, timeout=TIMEOUT).status_code == 200
            process.terminate()
            assert process.wait(TIMEOUT) == 0
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _until_ready(url: str) -> None:
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/-/ready", trust_env=False, timeout=TIMEOUT).status_code == 200:
                return
        time.sleep(0.05)
    pytest.fail("it did not become ready")


# -- what cannot start -------------------------------------------------------------------------------------------------


def test_a_taken_port_ends_with_2_and_what_to_do(serve: Any, tokenward: Any, config: Path, url: str) -> None:
    with serve("gateway", config=config, url=url):
        done = tokenward("gateway", "--config", str(config))
    assert done.returncode == 2
    assert "is taken" in done.stderr
    assert "next: Stop what listens there" in done.stderr


CANNOT_START = [
    pytest.param({"TOKENWARD_SERVER_TLS_CERTIFICATE": "/no/such.pem"}, "No such file", "PEM file", id="a missing certificate"),
    pytest.param({"TOKENWARD_POLICY_TENNANT": "a"}, "TENNANT is no setting", "TOKENWARD_POLICY_TENANT", id="an unknown key"),
    pytest.param(
        {"TOKENWARD_POLICY_TENANT": "contoso"}, "[policy] tenant (from TOKENWARD_POLICY_TENANT)", "Copy", id="no tenant"
    ),
    pytest.param({"TOKENWARD_GATEWAY_ALLOW": "sqk"}, "[gateway] allow (from", "The presets are", id="no such preset"),
    pytest.param({"TOKENWARD_GATEWAY_ALLOW": "FETCH /a"}, "[gateway] allow (from", "next:", id="no such method"),
    pytest.param({"TOKENWARD_GATEWAY_MAX_CONCURRENT": "0"}, "[gateway] max_concurrent (from", "next:", id="nobody at a time"),
    pytest.param({"TOKENWARD_GATEWAY_UPSTREAM": "http://a.example"}, "[gateway] upstream (from", "https", id="http abroad"),
    pytest.param({"TOKENWARD_CONFIG": "/no/such.toml"}, "cannot be read", "path", id="a missing file"),
]


MODES = [("start", [], CANNOT_START[:2]), ("check", ["--check"], CANNOT_START)]
"""Settings are made and judged in one place, so that some of them are enough to see that a start does it, too."""


@pytest.mark.parametrize(
    ("mode", "wrong", "problem", "fix"),
    [pytest.param(mode, *case.values, id=f"{name}, {case.id}") for name, mode, cases in MODES for case in cases],
)
def test_what_cannot_start_ends_with_2_and_what_to_do(
    tokenward: Any, workspace: Any, entra: Any, port: int, mode: list[str], wrong: dict[str, str], problem: str, fix: str
) -> None:
    done = tokenward("gateway", *mode, **(variables(workspace, entra, port) | wrong))
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert fix in done.stderr.splitlines()[-1]


def test_a_good_configuration_is_described_and_nothing_is_asked_of_the_network(
    tokenward: Any, workspace: Any, entra: Any
) -> None:
    done = tokenward("gateway", "--check", **variables(workspace, entra, 8080))
    assert (done.returncode, done.stderr) == (0, "")
    assert workspace.url in done.stdout
    assert (entra.issuer.requests, workspace.workspace.exchanges) == ([], [])


@pytest.mark.parametrize("package", ["uvicorn", "aiohttp"])
def test_a_missing_package_ends_with_2_and_how_to_install_it(
    environment: dict[str, str], workspace: Any, entra: Any, port: int, package: str
) -> None:
    missing = f"import sys; sys.modules['{package}'] = None; sys.argv = ['tokenward', 'gateway']"
    script = f"{missing}; from tokenward.cli.entry import run; run()"
    env = environment | variables(workspace, entra, port)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"The package {package} is not installed." in done.stderr
    assert "pip install 'uvicorn[standard]' 'aiohttp>=3.14'" in done.stderr


def test_json_lines_can_be_had_as_lines_for_people(serve: Any, config: Path, url: str) -> None:
    with serve("gateway", config=config, url=url, TOKENWARD_SERVER_LOG="console") as served:
        assert served.stop() == 0
        assert any("starting" in line and "guards" in line for line in served.lines)
        with pytest.raises(json.JSONDecodeError):
            json.loads(served.lines[0])
