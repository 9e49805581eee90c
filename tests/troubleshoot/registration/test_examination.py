"""The examination as one call of a program: it finds what the command finds, and raises only for what cannot be meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward.errors import PolicyError
from tokenward.testing.graph.faults import Fault
from tokenward.troubleshoot import AzFile, examine_registration


def test_graph_is_asked_and_judged_for_the_time_that_is_given(estate: Any, now: float) -> None:
    estate.directory.grants.clear()
    token = estate.graph.token("Directory.Read.All", "Policy.Read.All")
    told = {"graph_token": token, "graph": estate.graph.origin, "fetch": estate.graph.fetch}
    parts = examine_registration(estate.question(), **told, now=now)
    assert parts == estate.parts()
    assert [finding.name for listed in parts.values() for finding in listed if finding.held is False] == ["permissions consented"]
    assert token not in repr(parts)


def test_files_of_the_azure_cli_need_no_network(estate: Any, now: float) -> None:
    def refused(_: object) -> Any:
        raise AssertionError("the network was asked")

    files = [AzFile("app.json", json.dumps(estate.application).encode())]
    parts = examine_registration(estate.question(), az_files=files, fetch=refused, now=now)
    held = {finding.name: finding.held for listed in parts.values() for finding in listed}
    assert (held["application"], held["service principal"]) == (True, None)


def test_what_graph_does_not_tell_is_open_and_raises_nothing(estate: Any) -> None:
    estate.graph.fail(Fault("status", status=401))
    told = {"graph_token": estate.graph.token(), "graph": estate.graph.origin, "fetch": estate.graph.fetch}
    parts = examine_registration(estate.question(), **told)
    assert {finding.held for listed in parts.values() for finding in listed if finding.name != "tenant"} == {None}


@pytest.mark.parametrize(
    ("given", "field"),
    [
        pytest.param({}, "graph_token", id="neither a token nor files"),
        pytest.param({"graph_token": "a", "az_files": [AzFile("app.json", b"{}")]}, "graph_token", id="both"),
        pytest.param({"graph_token": ""}, "graph_token", id="an empty token"),
        pytest.param({"graph_token": "a\r\nHost: evil.example"}, "graph_token", id="a token with a line break"),
        pytest.param({"graph_token": "Bearer a"}, "graph_token", id="a whole header"),
        pytest.param({"graph_token": b"a"}, "graph_token", id="bytes"),
        pytest.param({"graph_token": "a", "graph": "http://graph.example"}, "graph", id="http beyond this machine"),
        pytest.param({"graph_token": "a", "graph": "https://graph.microsoft.com/v1.0"}, "graph", id="an address with a path"),
        pytest.param({"graph_token": "a", "timeout": 0}, "timeout", id="no time"),
        pytest.param({"graph_token": "a", "timeout": 601}, "timeout", id="more than ten minutes"),
        pytest.param({"az_files": [AzFile("app.json", b"nonsense")]}, "az_file", id="a file that is none"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(estate: Any, given: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        examine_registration(estate.question(), **{"fetch": estate.graph.fetch, **given})
    assert caught.value.field == field
    assert "evil" not in str(caught.value)
    assert estate.graph.requests == []
