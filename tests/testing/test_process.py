"""`python -m tokenward.testing` as a real process, with real HTTP requests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

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
        pytest.param(["--cloud", "moon"], id="unknown cloud"),
        pytest.param(["--keys", "/"], id="keys in a folder"),
    ],
)
def test_arguments_that_make_no_sense_end_it_with_one_line(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@contextmanager
def _running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _ask(said: dict[str, str], action: str, **body: object) -> dict[str, str]:
    answer: dict[str, str] = httpx.post(f"{said['url']}/control/{action}", json=body, trust_env=False, timeout=10).json()
    return answer


def _verifier(said: dict[str, str], cloud: entra.Cloud = entra.PUBLIC) -> Verifier:
    served = replace(cloud, authority=said["url"])
    return Verifier(entra.api(said["client_id"], [said["tenant"]], cloud=served), observer=None)


def test_an_issuer_that_is_killed_returns_with_the_same_keys_if_it_may_keep_them(tmp_path: Path) -> None:
    """A known caller and a new token both pass, with no fetch by the verifier that knew the keys before."""
    file = tmp_path / "keys.json"
    with _running("--keys", str(file)) as (process, said):
        known = _verifier(said)
        caller = _ask(said, "mint")["token"]
        known.verify(caller)
        process.kill()  # SIGKILL: nothing is tidied up
        process.wait(15)
        assert process.returncode == -signal.SIGKILL
        known.verify(caller)
    with _running("--keys", str(file), "--port", str(httpx.URL(said["url"]).port)) as (_, again):
        assert again == said
        fresh, token = _verifier(again), _ask(again, "mint")["token"]
        for verifier in (known, fresh):
            assert verifier.verify(caller).subject == verifier.verify(token).subject
        assert max(source.fetches for source in known.status()) == 1  # the other version's keys may be fetched meanwhile
    assert file.stat().st_mode & 0o777 == 0o600
    for verifier in (known, fresh):
        verifier.close()


def test_a_rotation_is_kept_before_it_is_answered(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with _running("--keys", str(file)) as (process, said):
        _ask(said, "rotate")
        newest = _ask(said, "rotate", keep_old=False)["kid"]
        published = httpx.get(f"{said['url']}/control/state", trust_env=False, timeout=10).json()["keys"]
        process.kill()
    with _running("--keys", str(file)) as (_, again):
        state = httpx.get(f"{again['url']}/control/state", trust_env=False, timeout=10).json()
    assert (state["keys"], state["signing"]) == (published, newest)
    assert len(published) == 2


def test_without_a_file_it_returns_with_other_keys() -> None:
    kids = set()
    for _ in range(2):
        with _running() as (_, said):
            kids.add(httpx.get(f"{said['url']}/control/state", trust_env=False, timeout=10).json()["signing"])
    assert len(kids) == 2


@pytest.mark.parametrize(
    ("text", "mode"), [("{}", 0o600), ("", 0o600), ('{"keys": []}', 0o644)], ids=["no keys", "empty", "readable by others"]
)
def test_a_file_that_is_not_its_own_ends_it_with_one_line_and_stays_as_it_is(tmp_path: Path, text: str, mode: int) -> None:
    file = tmp_path / "keys.json"
    file.write_text(text, "utf-8")
    file.chmod(mode)
    done = subprocess.run([*COMMAND, "--keys", str(file)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, file.read_text("utf-8")) == (2, "", text)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "cloud"), [("public", entra.PUBLIC), ("us-gov", entra.US_GOV), ("china", entra.CHINA)])
def test_it_can_be_any_cloud(name: str, cloud: entra.Cloud) -> None:
    with _running("--cloud", name) as (_, said):
        verifier = _verifier(said, cloud)
        assert verifier.verify(_ask(said, "mint")["token"]).issuer == cloud.v2_issuer.replace("{tenantid}", said["tenant"])
        verifier.close()


def test_a_port_that_is_taken_ends_it_with_one_line() -> None:
    with IssuerServer(LocalIssuer()) as taken:
        port = str(httpx.URL(taken.url).port)
        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
