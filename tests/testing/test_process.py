"""`python -m tokenward.testing` as a real process, with real HTTP requests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import httpx
import pytest

from tokenward import Identity, Verifier, entra
from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT, IssuerServer, LocalIssuer

pytestmark = pytest.mark.servers

TENANT = "11111111-2222-3333-4444-555555555555"
COMMAND = [sys.executable, "-m", "tokenward.testing"]


def test_it_serves_the_tenant_it_is_told_to_and_mints_for_it_on_request() -> None:
    with subprocess.Popen([*COMMAND, "--tenant", TENANT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            minted = httpx.post(f"{said['url']}/control/mint", json={"kind": "app"}, trust_env=False, timeout=10)
            identity = _identity(said, minted.json()["token"])
        finally:
            process.kill()
    assert set(said) == {"url", "tenant", "client_id"}
    assert (said["tenant"], said["client_id"]) == (TENANT, DEFAULT_CLIENT_ID)
    assert (identity.kind, identity.tenant) == ("app", TENANT)


def _identity(said: dict[str, str], token: str) -> Identity:
    cloud = entra.Cloud(said["url"], entra.PUBLIC.v1_issuer, entra.PUBLIC.v2_issuer, "microsoftonline.com")
    verifier = Verifier(entra.api(said["client_id"], [said["tenant"]], cloud=cloud), observer=None)
    try:
        return verifier.verify(token)
    finally:
        verifier.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_says_that_it_is_not_for_production_and_ends_when_told(number: int) -> None:
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["tenant"] == DEFAULT_TENANT
        process.send_signal(number)
        rest, warning = process.communicate(timeout=15)
    assert process.returncode == 0
    assert rest == ""
    assert "NOT FOR PRODUCTION" in warning
    assert "Traceback" not in warning


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--host", "0.0.0.0"], id="all interfaces"),
        pytest.param(["--host", "192.0.2.1"], id="another address"),
        pytest.param(["--tenant", "contoso"], id="tenant that is no GUID"),
        pytest.param(["--port", "99999"], id="port out of range"),
    ],
)
def test_arguments_that_make_no_sense_end_it_with_one_line(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_ends_it_with_one_line() -> None:
    with IssuerServer(LocalIssuer()) as taken:
        port = str(httpx.URL(taken.url).port)
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
