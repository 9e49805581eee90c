"""The example app under uvicorn and the stand-in workspace, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tokenward.testing.loopback import free_port

EXAMPLES = Path(__file__).parents[3] / "examples"
DEADLINE = 30.0


class Service:
    """The app that runs, and the workspace that it asks."""

    def __init__(self, app: httpx.Client, workspace: httpx.Client, process: subprocess.Popen[str]) -> None:
        self.app = app
        self.workspace = workspace
        self._process = process

    def control(self, action: str, **body: object) -> Any:
        answer = self.workspace.post(f"/control/{action}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def mint(self, **body: object) -> str:
        token: str = self.control("mint", **body)["token"]
        return token

    def me(self, jwt: str) -> httpx.Response:
        return self.app.get("/me", headers={"Authorization": f"Bearer {jwt}"})

    def counted(self, path: str) -> int:
        counts: dict[str, int] = self.workspace.get("/control/state").json()["counts"]
        return counts.get(path, 0)

    def log(self) -> str:
        """Everything that the app has said, once it was told to end."""
        self._process.terminate()
        out, _ = self._process.communicate(timeout=DEADLINE)
        return out


@contextlib.contextmanager
def _running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with _running([sys.executable, "-m", "tokenward.testing.workspace"], stderr=subprocess.DEVNULL) as standin:
        assert standin.stdout is not None
        said = json.loads(standin.stdout.readline())
        with httpx.Client(base_url=said["url"], trust_env=False, timeout=DEADLINE) as workspace:
            (tmp_path / "policies.json").write_text(workspace.get("/control/policies").text)
            own = {"DATABRICKS_HOST": said["url"], "DATABRICKS_ACCOUNT_ID": said["account_id"]}
            with _serving({**os.environ, **own, "POLICIES": str(tmp_path / "policies.json")}) as (app, process):
                yield Service(app, workspace, process)


@contextlib.contextmanager
def _serving(environment: dict[str, str]) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--log-level", "warning", "--port", str(port), "databricks_caller:app"]
    with (
        _running(command, cwd=EXAMPLES, env=environment, stderr=subprocess.STDOUT) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=DEADLINE) as app,
    ):
        _await_health(app, process)
        yield app, process


def _await_health(app: httpx.Client, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            assert app.get("/health").status_code == 200
            return
        time.sleep(0.05)
    pytest.fail(f"the app did not start (exit status {process.poll()})")
