"""examples/databricks_caller.py as users run it: verify, exchange, ask SCIM Me, and answer what goes wrong on the way."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

EXCHANGE = "POST /oidc/v1/token"
ME = "GET /api/2.0/preview/scim/v2/Me"


def test_a_caller_is_verified_exchanged_and_known_to_the_workspace(service: Any) -> None:
    answer = service.me(service.mint())
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"caller": "ada@contoso.example", "user": "ada@contoso.example", "name": "Ada Example"}


def test_whoever_is_no_caller_is_refused_before_databricks_is_asked(service: Any) -> None:
    assert service.app.get("/me").status_code == 401
    for body in ({"claims": {"aud": "other"}}, {"lifetime": -60}, {"claims": {"iss": "https://evil.example"}}):
        answer = service.me(service.mint(**body))
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert service.counted(EXCHANGE) == 0


def test_what_databricks_refuses_is_answered_and_explained_in_the_log(service: Any) -> None:
    """No user of this name exists; one exists, but not in this workspace."""
    service.control("users", name="out@contoso.example", in_workspace=False)
    stranger, outsider = service.mint(subject="no@body.example"), service.mint(subject="out@contoso.example")
    refused, forbidden = service.me(stranger), service.me(outsider)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_token")
    assert (forbidden.status_code, forbidden.json()["error"]) == (403, "insufficient_scope")
    log = service.log()
    assert "exchange_refused" in log
    assert "user_not_in_workspace" in log
    for secret in (*stranger.split("."), *outsider.split("."), "no@body.example", "out@contoso.example"):
        assert secret not in log + refused.text + forbidden.text


@pytest.mark.parametrize("path", ["/oidc", "/api"], ids=["the token endpoint", "SCIM Me"])
def test_a_workspace_that_is_down_is_503_and_never_401(service: Any, path: str) -> None:
    jwt = service.mint()
    service.control("fail", mode="status", path=path, status=503)
    answer = service.me(jwt)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "www-authenticate" not in answer.headers
    service.control("recover")


def test_twenty_callers_with_one_jwt_cause_one_exchange_and_one_question(service: Any) -> None:
    jwt = service.mint()
    service.control("fail", mode="slow", path="/oidc", seconds=0.5)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(service.me, [jwt] * 20))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert (service.counted(EXCHANGE), service.counted(ME)) == (1, 1)


def test_twenty_callers_are_each_themselves(service: Any) -> None:
    names = [f"user{number}@contoso.example" for number in range(20)]
    for name in names:
        service.control("users", name=name)
    jwts = [service.mint(subject=name) for name in names]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(service.me, jwts))
    assert [answer.json()["user"] for answer in answers] == names
    assert service.counted(EXCHANGE) == 20


def test_it_says_what_is_not_configured() -> None:
    examples = Path(__file__).parents[3] / "examples"
    done = subprocess.run(
        [sys.executable, "-c", "import databricks_caller"], cwd=examples, env={}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "Set DATABRICKS_HOST" in done.stderr
