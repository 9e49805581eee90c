"""The exchanges of `python -m demo`: real tokens at a real process, each verdict against what was written down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

Demo = Callable[..., "subprocess.CompletedProcess[str]"]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def exchanges(told: subprocess.CompletedProcess[str]) -> Document:
    """What it says of exchanges."""
    whole: Document = json.loads(told.stdout)["exchanges"]
    return whole


def test_every_verdict_is_the_expected_one(told: subprocess.CompletedProcess[str], exchanges: Document) -> None:
    assert told.returncode == 0, told.stdout + told.stderr
    for request in exchanges["requests"]:
        assert request["ok"], request
        assert request["seen"] == request["expected"]


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        pytest.param("Account policy", None, "a token for all-apis", id="a user"),
        pytest.param("Principal's policy", None, "a token for all-apis", id="a service principal"),
        pytest.param("Wrong audience", "exchange_refused", "TOKEN_AUDIENCE_INVALID", id="audience"),
        pytest.param("Wrong subject", "exchange_refused", "TOKEN_INVALID", id="subject"),
        pytest.param("Tampered subject", "exchange_refused", "TOKEN_INVALID", id="signature"),
        pytest.param("Signed with PS256", "exchange_refused", "RS256 or ES256", id="algorithm"),
        pytest.param("Expired", "token_expired", "exp has passed", id="expired"),
        pytest.param("Unknown principal", "exchange_refused", "Invalid service principal id", id="principal"),
        pytest.param("Workspace down", "exchange_unavailable", "could not be asked", id="down"),
    ],
)
def test_the_answers_are_those_of_the_published_codes(exchanges: Document, name: str, code: str | None, says: str) -> None:
    request = next(request for request in exchanges["requests"] if request["name"] == name)
    assert request["seen"]["code"] == code
    assert says in request["answer"]
    assert bool(request["hint"]) is (code is not None)


def test_a_hundred_callers_with_one_jwt_are_one_exchange(exchanges: Document) -> None:
    check = next(check for check in exchanges["checks"] if check["name"] == "100 callers, one JWT")
    assert (check["ok"], check["seen"]) == (True, "exchanges 1, tokens 1")


def test_no_token_is_in_what_it_prints(told: subprocess.CompletedProcess[str]) -> None:
    assert "eyJ" not in told.stdout + told.stderr


def test_it_takes_little_time(exchanges: Document) -> None:
    assert 0 < exchanges["seconds"] < 30  # about 3 on an idle machine


def test_a_workspace_that_does_not_start_ends_the_demo_with_what_to_do(demo: Demo, tmp_path: Path) -> None:
    patch = "import sys\nif 'tokenward.testing.workspace' in sys.argv: sys.exit('no workspace today')\n"
    (tmp_path / "sitecustomize.py").write_text(patch, encoding="utf-8")
    done = demo("--quick", "--json", PYTHONPATH=str(tmp_path))
    error = json.loads(done.stdout)["summary"]["error"]
    assert done.returncode == 1
    assert "no workspace today" in error
    assert "Next:" in error
