"""Each example as users run it: a real server process, asked over HTTP, with the local issuer as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tokenward.testing.loopback import free_port

pytestmark = pytest.mark.servers

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE = 30.0
"""Seconds for anything at all; a start takes one."""

UVICORN = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--host", "127.0.0.1", "--port"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--log-level", "warning", "--workers", "2", "--bind"]
SERVERS = {
    "starlette under uvicorn": [*UVICORN, "{port}", "starlette_app:app"],
    "fastapi under uvicorn": [*UVICORN, "{port}", "fastapi_app:app"],
    "django under uvicorn": [*UVICORN, "{port}", "django_app:asgi"],
    "django under gunicorn": [*GUNICORN, "127.0.0.1:{port}", "django_app:application"],
    "django under gunicorn with threads": [*GUNICORN, "127.0.0.1:{port}", "--threads", "4", "django_app:application"],
    "wsgi under gunicorn": [*GUNICORN, "127.0.0.1:{port}", "wsgi_app:application"],
    "wsgi under gunicorn with threads": [*GUNICORN, "127.0.0.1:{port}", "--threads", "4", "wsgi_app:application"],
    "wsgi under gunicorn, preloaded": [*GUNICORN, "127.0.0.1:{port}", "--threads", "4", "--preload", "wsgi_app:application"],
}
WITH_LIFESPAN = ["starlette under uvicorn", "fastapi under uvicorn"]


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process and its children, in a session of their own so that none of them is left behind."""
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)
            if process.stdout:
                process.stdout.close()


class Issuer:
    """The local issuer, by its control addresses."""

    def __init__(self, url: str, tenant: str, client_id: str) -> None:
        self.url = url
        self.environment = {"TENANT": tenant, "CLIENT_ID": client_id, "AUTHORITY": url}

    def control(self, action: str, **body: object) -> Any:
        answer = httpx.post(f"{self.url}/control/{action}", json=body, trust_env=False, timeout=DEADLINE)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bearer(self, **options: object) -> str:
        return f"Bearer {self.control('mint', **{'scopes': ['jobs.read'], **options})['token']}"

    def requests(self) -> list[str]:
        answer = httpx.get(f"{self.url}/control/state", trust_env=False, timeout=DEADLINE)
        return list(answer.json()["requests"])


@dataclass
class Service:
    """An example that runs. `asked_before` is how often the issuer had been asked before it started."""

    name: str
    port: int
    issuer: Issuer
    http: httpx.Client
    asked_before: int

    def connected(self) -> socket.socket:
        """A new connection, with no proxy in between whatever the environment says."""
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def asked(self) -> list[str]:
        """What this service has asked of the issuer so far."""
        return self.issuer.requests()[self.asked_before :]

    def fetches(self) -> int:
        """How many processes have fetched the v2 keys: each does so once."""
        return sum(url.endswith("/discovery/v2.0/keys") for url in self.asked())

    def get(self, *authorizations: str | bytes, path: str = "/jobs", method: str = "GET") -> httpx.Response:
        values = [value.encode() if isinstance(value, str) else value for value in authorizations]
        return self.http.request(method, path, headers=[(b"authorization", value) for value in values])


@contextlib.contextmanager
def serving(name: str, issuer: Issuer, *options: str) -> Iterator[Service]:
    port = free_port()
    before = len(issuer.requests())
    command = [*(part.format(port=port) for part in SERVERS[name]), *options]
    with (
        running(command, cwd=EXAMPLES, env=os.environ | issuer.environment) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE) as http,
    ):
        _await_health(http, process)
        yield Service(name, port, issuer, http, before)


def _await_health(http: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            assert http.get("/health").status_code == 200
            return
        time.sleep(0.05)
    pytest.fail(f"the server did not start (exit status {process.poll()})")


@pytest.fixture(scope="module")
def issuer_process() -> Iterator[Issuer]:
    with running([sys.executable, "-m", "tokenward.testing"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        yield Issuer(ready["url"], ready["tenant"], ready["client_id"])


@pytest.fixture(scope="module", params=SERVERS)
def service(request: pytest.FixtureRequest, issuer_process: Issuer) -> Iterator[Service]:
    with serving(request.param, issuer_process) as service:
        yield service


def test_good_tokens_of_both_versions_are_let_in(service: Service) -> None:
    for version in ("1.0", "2.0"):
        answer = service.get(service.issuer.bearer(version=version))
        assert answer.status_code == 200, answer.text
        assert answer.json()["kind"] == "user"
        assert answer.json()["tenant"] == service.issuer.environment["TENANT"]


REFUSED = [
    pytest.param(lambda issuer: [], 401, "Bearer", id="no token"),
    pytest.param(lambda issuer: ["Basic dXNlcjpwYXNz"], 401, "Bearer", id="another scheme"),
    pytest.param(lambda issuer: ["Bearer garbage"], 401, 'Bearer error="invalid_token"', id="garbage"),
    pytest.param(lambda issuer: [b"Bearer \xff\xfe"], 400, 'Bearer error="invalid_request"', id="not UTF-8"),
    pytest.param(lambda issuer: [issuer.bearer(lifetime=-60)], 401, 'Bearer error="invalid_token"', id="expired"),
    pytest.param(lambda issuer: [issuer.bearer(key="stranger")], 401, 'Bearer error="invalid_token"', id="forged"),
    pytest.param(lambda issuer: [issuer.bearer()] * 2, 400, 'Bearer error="invalid_request"', id="the header twice"),
    pytest.param(lambda issuer: [f"{issuer.bearer()},{issuer.bearer()}"], 400, 'Bearer error="invalid_request"', id="joined"),
]


@pytest.mark.parametrize(("header", "status", "challenge"), REFUSED)
def test_everything_else_is_refused_with_one_challenge(service: Service, header: Any, status: int, challenge: str) -> None:
    answer = service.get(*header(service.issuer))
    assert answer.status_code == status
    challenges = answer.headers.get_list("www-authenticate")
    assert len(challenges) == 1
    assert challenges[0].startswith(challenge)
    assert set(answer.json()) == {"error", "error_description"}


def test_a_connection_stays_usable_after_refusals(service: Service) -> None:
    """HEAD and GET alternate on one connection: a body too many would be read as the next answer."""
    seen = [service.get(method=method).status_code for method in ("HEAD", "GET", "HEAD", "HEAD", "GET")]
    assert set(seen) <= {401, 405}  # FastAPI has no HEAD where only GET is declared
    assert service.get(service.issuer.bearer()).status_code == 200


def test_many_callers_at_once_are_each_themselves(service: Service) -> None:
    """All workers and threads are busy, and nobody is taken for anybody else."""
    names = [f"caller-{n}" for n in range(12)]
    tokens = [service.issuer.bearer(claims={"sub": name}) for name in names]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(service.get, tokens * 3))
    assert [answer.json()["user"] for answer in answers] == names * 3


def test_an_outage_of_the_issuer_is_not_noticed(service: Service) -> None:
    """Neither by callers who were here before, nor by new ones: the keys are in hand."""
    _until_every_worker_has_keys(service)
    known, new = service.issuer.bearer(), service.issuer.bearer(claims={"sub": "a new caller"})
    assert service.get(known).status_code == 200
    service.issuer.control("fail", mode="reset")
    try:
        assert {service.get(token).status_code for token in (known, new) * 5} == {200}
    finally:
        service.issuer.control("recover")


def _until_every_worker_has_keys(service: Service) -> None:
    """Requests go to whichever worker is free, so the issuer must have been asked by as many as there are."""
    workers = 2 if "gunicorn" in service.name else 1
    until = time.monotonic() + DEADLINE
    while service.fetches() < workers and time.monotonic() < until:
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda token: service.get(token).status_code, [service.issuer.bearer()] * 16)) == {200}


@pytest.mark.parametrize("name", WITH_LIFESPAN)
def test_the_lifespan_fetches_keys_before_the_first_request(issuer_process: Issuer, name: str) -> None:
    with serving(name, issuer_process) as service:
        assert any(url.endswith("/.well-known/openid-configuration") for url in service.asked())


@pytest.mark.parametrize("name", WITH_LIFESPAN)
def test_websockets_are_let_in_or_answered_with_the_challenge(issuer_process: Issuer, name: str) -> None:
    with serving(name, issuer_process) as service:
        url = f"ws://127.0.0.1:{service.port}/live"
        with connect(url, sock=service.connected(), additional_headers={"Authorization": issuer_process.bearer()}) as live:
            assert json.loads(live.recv(DEADLINE))["user"]
        for headers in ({}, {"Authorization": "Bearer garbage"}):
            with pytest.raises(InvalidStatus) as refused, connect(url, sock=service.connected(), additional_headers=headers):
                pytest.fail("it was accepted")
            assert refused.value.response.status_code == 401
            assert len(refused.value.response.headers.get_all("www-authenticate")) == 1


@pytest.mark.parametrize("name", ["django under uvicorn", "wsgi under gunicorn with threads"])
def test_a_service_that_starts_without_its_issuer_recovers_by_itself(issuer_process: Issuer, name: str) -> None:
    issuer_process.control("fail", mode="status", status=503)
    token = issuer_process.bearer()
    try:
        with serving(name, issuer_process) as service:
            answer = service.get(token)
            assert (answer.status_code, answer.headers.get("www-authenticate")) == (503, None)
            assert int(answer.headers["retry-after"]) >= 1
            issuer_process.control("recover")
            _await_recovery(service, token)
    finally:
        issuer_process.control("recover")


def _await_recovery(service: Service, token: str) -> None:
    until, answer = time.monotonic() + DEADLINE, service.get(token)
    while answer.status_code != 200 and time.monotonic() < until:
        time.sleep(float(answer.headers["retry-after"]) / 4)
        answer = service.get(token)
    assert answer.status_code == 200


@pytest.mark.parametrize("root", ["/api", "/api/"])
def test_exempt_paths_begin_behind_the_root_path_of_the_server(issuer_process: Issuer, root: str) -> None:
    with serving("starlette under uvicorn", issuer_process, "--root-path", root) as service:
        assert service.get(path="/health").status_code == 200
        assert [service.get(path=path).status_code for path in ("/jobs", "/api/health", "/")] == [401] * 3
        assert service.get(service.issuer.bearer()).status_code == 200


def test_fastapi_publishes_its_scheme(issuer_process: Issuer) -> None:
    with serving("fastapi under uvicorn", issuer_process) as service:
        document = service.http.get("/openapi.json").json()
        assert document["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"


@pytest.mark.parametrize("missing", ["TENANT", "CLIENT_ID"])
@pytest.mark.parametrize("example", ["starlette_app", "fastapi_app", "wsgi_app", "django_app"])
def test_an_example_without_its_configuration_says_what_to_set(example: str, missing: str) -> None:
    ids = {"TENANT": "72f988bf-86f1-41af-91ab-2d7cd011db47", "CLIENT_ID": "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60"}
    environment = {name: value for name, value in os.environ.items() if name not in ids} | ids
    del environment[missing]
    command = [sys.executable, "-c", f"import {example}"]
    done = subprocess.run(command, cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stderr.startswith(f"Set {missing}: ")) == (1, True)
