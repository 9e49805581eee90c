"""`tokenward inspect` as people and scripts start it: a process with an address, which ends when it is told to."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import free_port

pytestmark = pytest.mark.servers

PATIENCE = 30.0
HIDING = """\
import sys
sys.modules["uvicorn"] = None
from tokenward.cli.main import main
sys.exit(main())"""

Start = Callable[..., "subprocess.Popen[str]"]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def started(environment: dict[str, str]) -> Iterator[Start]:
    """`started(*arguments)` starts the command; it is ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tokenward.cli", "inspect", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _url(process: subprocess.Popen[str]) -> str:
    """Where it is; it answers soon after it said so."""
    assert process.stdout is not None
    url: str = json.loads(process.stdout.readline())["url"]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False, timeout=PATIENCE).status_code == 200:
                return url
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("it does not answer")


def _asked(url: str, token: str) -> httpx.Response:
    headers = {"Origin": url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    return httpx.post(f"{url}explain", json={"token": token}, headers=headers, trust_env=False, timeout=PATIENCE)


def test_it_serves_the_page_and_the_checks_until_it_is_ended(started: Start) -> None:
    process = started("--json")
    url = _url(process)
    assert url.startswith("http://127.0.0.1:")
    answer = _asked(url, LocalIssuer().user_token())
    assert (answer.status_code, answer.json()["verdict"]) == (200, "undecided")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")


def test_it_writes_nothing_of_a_token(started: Start) -> None:
    process, token = started("--json"), LocalIssuer().user_token()
    url = _url(process)
    assert _asked(url, token).status_code == 200
    assert httpx.get(f"{url}{token}", trust_env=False).status_code == 404
    assert httpx.post(f"{url}explain", content=token, trust_env=False).status_code == 403
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as connection:
        connection.sendall(f"{token} no HTTP\r\n\r\n".encode())
        connection.settimeout(PATIENCE)
        connection.recv(4096)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert [part for part in token.split(".") if part[:24] in out + err] == []


@pytest.mark.parametrize(
    ("audience", "verdict", "code"),
    [
        pytest.param("jobs", "accepted", None, id="for this service"),
        pytest.param("other", "refused", "audience_not_accepted", id="for another"),
    ],
)
def test_a_policy_of_the_options_judges(started: Start, audience: str, verdict: str, code: str | None) -> None:
    port = free_port()
    issuer = LocalIssuer.oidc(f"http://127.0.0.1:{port}")
    with IssuerServer(issuer, port=port):
        process = started("--json", "--issuer", issuer.issuer, "--audience", "jobs")
        answer = _asked(_url(process), issuer.access_token(audience)).json()
    assert (answer["verdict"], answer["code"]) == (verdict, code)


def test_people_are_told_where_it_is_and_how_it_ends(started: Start) -> None:
    process = started("--databricks", "--tenant", "72f988bf-86f1-41af-91ab-2d7cd011db47")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    assert "http://127.0.0.1:" in lines[0]
    assert "sts.windows.net" in lines[1]
    assert "Ctrl-C" in lines[1]


def test_it_listens_on_this_machine_alone(started: Start) -> None:
    port = httpx.URL(_url(started("--json"))).port
    assert port is not None
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))  # it would fail if every address were taken


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--port", "70000"], "no port 70000", id="no port"),
        pytest.param(["--port", "x"], "--port", id="no number"),
        pytest.param(["--tenant", "t"], "--tenant", id="a policy by halves"),
        pytest.param(["--databricks", "--tenant", "t"], "tenant", id="no tenant"),
        pytest.param(["--policy", "no/such/file.toml"], "no/such/file.toml", id="no file"),
        pytest.param(["eyJhbGciOiJSUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln"], "unrecognized", id="a token on the command line"),
    ],
)
def test_what_cannot_be_used_ends_with_what_to_do_next(tokenward: Run, arguments: list[str], said: str) -> None:
    done = tokenward("inspect", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "next:" in done.stderr
    assert "eyJ" not in done.stderr + done.stdout


def test_a_port_that_is_taken_is_said(tokenward: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = tokenward("inspect", "--port", str(listener.getsockname()[1]))
    assert done.returncode == 2
    assert "is taken" in done.stderr


def test_without_uvicorn_it_says_what_to_install(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", HIDING, "inspect"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'uvicorn>=0.30'" in done.stderr


def test_help_fits_80_columns(tokenward: Run) -> None:
    done = tokenward("inspect", "--help", COLUMNS="80")
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
