"""A check is told in one form by whatever tells it: explain, doctor, and policy would-accept."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.finding import VERDICTS, Finding
from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT
from tokenward.testing.graph import GraphServer, LocalGraph

SHARED = ["check", "expected", "seen", "verdict", "fix", "source"]
FORM = re.compile(r"https://\S+|RFC \d{4} section \d+(\.\d+)*|")
Answer = Callable[..., str]


@pytest.fixture
def answer(called: Any, entra_issuer: Any, oidc_issuer: Any, gateway_toml: str, federation_json: str) -> Answer:
    """`answer(command, *options)` is what a command prints of something that is wrong."""
    graph = LocalGraph()
    graph.directory.register(DEFAULT_CLIENT_ID, "contoso client")

    def of(command: str, *options: str) -> str:
        if command == "explain":
            token = entra_issuer.guest_token(audience="api://other", lifetime=-60)
            return str(called("explain", "--policy", gateway_toml, *options, stdin=token).stdout)
        if command == "would-accept":
            token = oidc_issuer.access_token("another", lifetime=-60)
            return str(called("policy", "would-accept", federation_json, *options, stdin=token).stdout)
        with GraphServer(graph) as server:
            client = ("--tenant", DEFAULT_TENANT, "--client-id", DEFAULT_CLIENT_ID, "--graph", server.url)
            token = graph.token("Application.Read.All")
            wanted = ("--resource", "databricks", "--scope", "user_impersonation")
            done = called("doctor", *client, *wanted, "--graph-token-env", "GRAPH", *options, GRAPH=token)
            return str(done.stdout)

    return of


def _checks(document: Any) -> list[Any]:
    parts = document.get("parts") or document.get("policies") or [document]
    return [check for part in parts for check in part["checks"]]


@pytest.mark.parametrize(
    ("command", "more"),
    [
        pytest.param("explain", {"code"}, id="explain"),
        pytest.param("doctor", {"code", "root_cause"}, id="doctor"),
        pytest.param("would-accept", {"holds"}, id="policy would-accept"),
    ],
)
def test_a_check_is_of_one_form_in_json(answer: Answer, command: str, more: set[str]) -> None:
    checks = _checks(json.loads(answer(command, "--json")))
    assert {"ok", "failed"} <= {check["verdict"] for check in checks}
    assert [check for check in checks if check.keys() != {*SHARED, *more}] == []
    assert [check for check in checks if [name for name in check if name in SHARED] != SHARED] == []
    assert [check for check in checks if check["verdict"] not in VERDICTS.values()] == []
    assert [check["source"] for check in checks if not FORM.fullmatch(check["source"])] == []
    failed = [check for check in checks if check["verdict"] == "failed"]
    assert failed
    assert [check for check in failed if not (check["fix"] and check["source"])] == []
    assert [check for check in checks if "holds" in more and VERDICTS[check["holds"]] != check["verdict"]] == []


@pytest.mark.parametrize("command", ["explain", "doctor", "would-accept"])
def test_the_columns_of_checks_have_one_name_each(answer: Answer, command: str) -> None:
    headings = [line.split() for line in answer(command, "--all").splitlines() if line.split()[:2] == ["check", "expected"]]
    assert headings
    assert {tuple(heading) for heading in headings} == {("check", "expected", "seen", "verdict")}


@pytest.mark.parametrize(("held", "verdict"), [(True, "ok"), (False, "failed"), (None, "open")])
def test_a_findings_members_can_be_replaced_and_added_to(held: bool | None, verdict: str) -> None:
    finding = Finding("audience", "a", "secret", held, "Ask for a.", "RFC 7519 section 4.1.3")
    assert finding.to_json(seen="<text>", code=None) == {
        "check": "audience",
        "expected": "a",
        "seen": "<text>",
        "verdict": verdict,
        "code": None,
        "fix": "Ask for a.",
        "source": "RFC 7519 section 4.1.3",
    }
