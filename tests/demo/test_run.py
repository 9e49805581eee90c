"""`python -m demo`: real processes, real requests, and a verdict on each verdict."""

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

ONE_WAIT_MS = 1000
"""What the demo promises for the first token of a new key, and a generous bound: on an idle machine it takes 20."""


@pytest.fixture(scope="module")
def document(told: subprocess.CompletedProcess[str]) -> Document:
    """What it printed: standard output holds the document and nothing else, or this fails."""
    whole: Document = json.loads(told.stdout)
    return whole


def _chapter(document: Document, name: str) -> Document:
    return next(chapter for chapter in document["chapters"] if chapter["name"] == name)


def test_it_exits_0_when_every_verdict_is_the_expected_one(told: subprocess.CompletedProcess[str], document: Document) -> None:
    assert document["summary"]["differences"] == []
    assert told.returncode == 0, told.stderr


def test_every_request_is_listed_with_what_was_expected_and_seen(document: Document) -> None:
    for request in document["requests"]:
        seen = {part: request["seen"][part] for part in ("status", "code", "challenge")}
        assert seen == request["expected"], request["name"]
        assert request["milliseconds"] > 0


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        pytest.param("User token v2", 200, None, id="a v2 token"),
        pytest.param("User token v1", 200, None, id="a v1 token"),
        pytest.param("App token v2", 200, None, id="an app"),
        pytest.param("Expired", 401, "token_expired", id="expired"),
        pytest.param("Forged signature", 401, "signature_invalid", id="a stranger's signature"),
        pytest.param("HS256 confusion", 401, "algorithm_not_allowed", id="key confusion"),
        pytest.param("Two headers", 400, "multiple_tokens", id="two headers"),
        pytest.param("Guest", 403, "guest_not_allowed", id="a guest"),
    ],
)
def test_the_answers_are_those_of_the_published_codes(document: Document, name: str, status: int, code: str | None) -> None:
    request = next(request for request in document["requests"] if request["name"] == name)
    assert (request["seen"]["status"], request["seen"]["code"]) == (status, code)


def test_every_refusal_is_explained_by_the_apps_own_log(document: Document) -> None:
    refused = [request for request in document["requests"] if request["seen"]["status"] >= 400]
    assert len(refused) >= 15
    assert all(request["hint"] for request in refused)


def test_the_first_token_of_a_new_key_waits_at_most_once_and_for_less_than_a_second(document: Document) -> None:
    rotation = _chapter(document, "rotation")
    first = rotation["requests"][0]
    assert first["seen"]["status"] == 200
    assert first["milliseconds"] < ONE_WAIT_MS
    assert next(check["seen"] for check in rotation["checks"] if check["name"].startswith("One wait")).startswith(
        ("1 wait,", "0 wait,")
    )  # a refresh behind the requests may have brought the key already


def test_an_unknown_key_is_answered_503_while_the_issuer_is_dead(document: Document) -> None:
    seen = _chapter(document, "outage")["requests"][0]["seen"]
    assert (seen["status"], seen["code"], seen["challenge"]) == (503, "keys_unavailable", None)
    assert int(seen["retry_after"]) >= 1


@pytest.mark.parametrize("name", ["quiet", "rotation", "outage", "recovery"])
def test_known_callers_see_no_error_and_no_wait(document: Document, name: str) -> None:
    callers = _chapter(document, name)["known_callers"]
    assert callers["requests"] > 20
    assert (callers["errors"], callers["waits"]) == (0, 0)
    assert callers["p99_ms"] >= callers["p50_ms"] > 0


def test_the_summary_counts_what_the_chapters_hold(document: Document) -> None:
    summary, chapters = document["summary"], document["chapters"]
    single = len(document["requests"]) + sum(len(chapter["requests"]) for chapter in chapters)
    assert summary["requests"] == single + sum(chapter["known_callers"]["requests"] for chapter in chapters)
    assert (summary["unexpected"], summary["waits_by_known_callers"]) == (0, 0)


OTHER_RULES = """\
from tokenward.databricks import exchange
exchange.ALGORITHMS = ("RS256", "ES256", "PS256")
import tokenward.databricks.gateway.gateway as gateway
real = gateway.allowed
gateway.allowed = lambda *names: real("all")
"""
"""An exchange that sends tokens which Databricks never takes, and a gateway that lets every API pass."""


def test_an_app_an_exchange_and_a_gateway_of_other_rules_are_found_out(demo: Demo, tmp_path: Path) -> None:
    """All in one run, of which each has a part of its own. Python runs sitecustomize.py at its start."""
    own = (Path(__file__).parents[2] / "demo" / "app.py").read_text(encoding="utf-8")
    (tmp_path / "hospitable.py").write_text(own.replace("guests=False", "guests=True"), encoding="utf-8")
    (tmp_path / "sitecustomize.py").write_text(OTHER_RULES, encoding="utf-8")
    done = demo("--quick", "--json", "--app", "hospitable:app", PYTHONPATH=str(tmp_path))
    differences = json.loads(done.stdout)["summary"]["differences"]
    assert done.returncode == 1
    assert "Guest: status: expected 403, seen 200" in differences
    assert "Signed with PS256: asked: expected 0, seen 1" in differences
    assert "Path not allowed: status: expected 403, seen 404" in differences
    told = {difference.split(":")[0] for difference in differences}
    assert told == {"Guest", "Signed with PS256", "Path not allowed", "gateway"}  # the last: somebody else got through it


def test_an_app_that_does_not_start_ends_the_demo_with_what_it_said_and_what_to_do(demo: Demo) -> None:
    done = demo("--json", "--app", "no_such_module:app")
    error = json.loads(done.stdout)["summary"]["error"]
    assert done.returncode == 1
    assert "no_such_module" in error
    assert "Next:" in error
    assert "Next:" in done.stderr
