"""The gateway's part of `python -m demo`: real requests through a real process, each verdict against what was written down."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

Demo = Callable[..., "subprocess.CompletedProcess[str]"]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def passages(told: subprocess.CompletedProcess[str]) -> dict[str, Document]:
    """What it says of each request through the gateway, by its name."""
    return {request["name"]: request for request in json.loads(told.stdout)["gateway"]["requests"]}


def test_every_verdict_is_the_expected_one(told: subprocess.CompletedProcess[str], passages: dict[str, Document]) -> None:
    assert told.returncode == 0, told.stdout + told.stderr
    assert len(passages) == 10
    for request in passages.values():
        assert request["seen"] == request["expected"], request


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("Who am I", "ada@contoso.example", id="the exchanged token's user"),
        pytest.param("SQL statement", "SUCCEEDED", id="statement"),
        pytest.param("Event stream", "11 events", id="events"),
        pytest.param("File, both ways", "the same", id="bytes both ways"),
    ],
)
def test_what_goes_through_arrives(passages: dict[str, Document], name: str, says: str) -> None:
    assert says in passages[name]["says"]
    assert passages[name]["seen"] == {"status": 200, "mark": None, "code": None}


def test_events_come_one_by_one(passages: dict[str, Document]) -> None:
    """Ten pauses of 20 ms lie between the first and the last, which a gateway that collects them would bring at one time."""
    told = re.fullmatch(r"11 events, the first after (\d+) ms, the last after (\d+) ms", passages["Event stream"]["says"])
    assert told
    assert int(told[2]) - int(told[1]) >= 150


def test_callers_cost_one_exchange_each_and_refused_requests_reach_nobody(told: subprocess.CompletedProcess[str]) -> None:
    checks = json.loads(told.stdout)["gateway"]["checks"]
    assert [check["name"] for check in checks] == ["Exchanges", "Nothing else got through"]
    assert all(check["ok"] for check in checks), checks


def test_no_token_is_in_what_it_prints(told: subprocess.CompletedProcess[str]) -> None:
    assert "eyJ" not in told.stdout + told.stderr
