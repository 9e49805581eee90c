"""`python -m tokenward.testing.graph` as a real process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

pytestmark = pytest.mark.servers

COMMAND = [sys.executable, "-m", "tokenward.testing.graph"]


def _started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_it_gives_tokens_and_answers_with_what_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "directory.json"
    file.write_text(json.dumps({"applications": [{"appId": "of-the-file", "id": "1"}]}))
    with _started("--directory", str(file)) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            with httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
                token = http.post("/control/token", json={"permissions": ["Application.Read.All"]}).json()["token"]
                headers = {"authorization": f"Bearer {token}"}
                answer = http.get("/v1.0/applications(appId='of-the-file')", headers=headers)
                assert http.post("/control/fail", json={"mode": "status", "status": 503}).status_code == 200
                failing = http.get("/v1.0/applications(appId='of-the-file')", headers=headers)
                seen = http.get("/control/requests").json()["requests"]
        finally:
            process.send_signal(signal.SIGTERM)
            _, warning = process.communicate(timeout=15)
    assert (answer.status_code, answer.json()["id"], failing.status_code) == (200, "1", 503)
    assert seen == ["GET /v1.0/applications(appId='of-the-file')"] * 2
    assert process.returncode == 0
    assert "NOT FOR PRODUCTION" in warning


@pytest.mark.parametrize("arguments", [["--tenant", "contoso"], ["--directory", "no/such/file"]], ids=["no GUID", "no file"])
def test_what_makes_no_sense_ends_with_2_and_says_why(arguments: list[str]) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2
