"""Whatever Graph or a file of az holds, there are findings or a PolicyError; and the token goes to Graph alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward.asking.driving import run as carry_out
from tokenward.errors import PolicyError
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import DEFAULT_CLIENT_ID, DEFAULT_TENANT, SigningKey
from tokenward.testing.graph import LocalGraph
from tokenward.troubleshoot.registration.asking import Graph, read_all
from tokenward.troubleshoot.registration.az_files import KINDS, AzFile, read_az_files
from tokenward.troubleshoot.registration.examine import findings
from tokenward.troubleshoot.registration.facts import Question, Unread
from tokenward.troubleshoot.registration.members import seconds

GRAPH = Graph("https://graph.microsoft.com", "a-token")
FIRST = f"{GRAPH.root}/v1.0/oauth2PermissionGrants"
NOW = 1_800_000_000.0


def _asked(next_link: str) -> tuple[list[str], object]:
    """The addresses that were asked where the first page names this one as the next, and what came of it."""
    asked: list[str] = []

    def fetch(request: FetchRequest) -> FetchResponse:
        asked.append(request.url)
        more = {"@odata.nextLink": next_link} if len(asked) == 1 else {}
        return FetchResponse(200, {}, json.dumps({"value": [{"n": len(asked)}], **more}).encode())

    return asked, carry_out(read_all(GRAPH, FIRST, "x"), fetch, time.monotonic() + 60, sleep=lambda _: None)


@pytest.mark.parametrize(
    "link",
    [
        pytest.param("https://graph.microsoft.com.evil.example/v1.0/x", id="Graph's name in front of another"),
        pytest.param("https://graph.microsoft.com@evil.example/v1.0/x", id="Graph as a user"),
        pytest.param("https://graph.microsoft.com:x@evil.example/v1.0/x", id="Graph as a user with a password"),
        pytest.param("https://user@graph.microsoft.com/v1.0/x", id="a user at Graph"),
        pytest.param("https://graph.microsoft.com:8443/v1.0/x", id="another port"),
        pytest.param("http://graph.microsoft.com/v1.0/x", id="in the clear"),
        pytest.param("//evil.example/v1.0/x", id="no scheme"),
        pytest.param("/v1.0/x", id="a path"),
        pytest.param("https://evil.example/v1.0/x?https://graph.microsoft.com/v1.0/", id="Graph in a query"),
        pytest.param("https://evil.example/https://graph.microsoft.com/v1.0/x", id="Graph in a path"),
        pytest.param("https://graph.microsoft.com/beta/x", id="another API"),
        pytest.param("https://graph.microsoft.com/v1.0x/", id="the API's name and more"),
        pytest.param("https://graph.microsoft.com/v1.0/x#y", id="a fragment"),
        pytest.param("https://graph.microsoft.com/v1.0/\\@evil.example", id="a backslash"),
        pytest.param("https://graph.microsoft.com/v1.0/\r\nHost: evil.example", id="a line's end"),
        pytest.param(f"https://graph.microsoft.com/v1.0/{'x' * 3000}", id="too long"),
        pytest.param("https://[graph.microsoft.com/v1.0/x", id="half an address"),
    ],
)
def test_a_page_that_is_not_plainly_graphs_is_not_asked_for(link: str) -> None:
    asked, found = _asked(link)
    assert asked == [FIRST]
    assert isinstance(found, Unread)
    assert "another host" in found.why


@pytest.mark.parametrize("rest", ["x", "x?$skiptoken=a%20b", "x/../y"])
def test_a_page_of_graphs_is_asked_for(rest: str) -> None:
    link = f"https://graph.microsoft.com/v1.0/{rest}"
    assert _asked(link) == ([FIRST, link], [{"n": 1}, {"n": 2}])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("1970-01-01T00:01:00Z", 60.0, id="a time"),
        pytest.param("1970-01-01T00:01:00.1234567+00:00", 60.0, id="with a fraction"),
        pytest.param("9999-12-31T23:59:59Z", 253402300799.0, id="the last one"),
        pytest.param("2026-13-01T00:00:00Z", None, id="month 13"),
        pytest.param("0000-01-01T00:00:00Z", None, id="year 0"),
        pytest.param("2026-02-30T00:00:00Z", None, id="30 February"),
        pytest.param("2026-01-99T00:00:00Z", None, id="day 99"),
        pytest.param("2026-01-01T99:00:00Z", None, id="hour 99"),
        pytest.param("٢٠٢٦-٠١-٠١T٠٠:٠٠:٠٠Z", None, id="other digits"),  # noqa: RUF001
    ],
)
def test_a_time_that_no_calendar_has_is_not_known(text: str, expected: float | None) -> None:
    assert seconds({"endDateTime": text}, "endDateTime") == expected


# -- anything at all ---------------------------------------------------------------------------------------------------

TIMES = st.sampled_from(["0000-00-00T00:00:00Z", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T25:61:61Z"])
LEAVES = st.none() | st.booleans() | st.integers() | st.integers(10**399, 10**400) | st.floats() | st.text(max_size=12) | TIMES
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


@pytest.fixture(scope="module")
def printed() -> dict[str, object]:
    """What az prints of a client in which everything is there, by kind."""
    key = SigningKey.generate("RS256")
    directory = LocalGraph(new_key=lambda: key).directory
    application, principal = directory.register(DEFAULT_CLIENT_ID, "contoso client")
    directory.request(application, directory.databricks, ["user_impersonation"])
    grant = directory.consent(principal, directory.databricks, ["user_impersonation"])
    credential = {"keyId": DEFAULT_TENANT, "endDateTime": "2027-06-01T00:00:00Z", "type": "Symmetric", "usage": "Verify"}
    changed: dict[str, object] = {"passwordCredentials": [{"keyId": DEFAULT_TENANT, "endDateTime": "2027-06-01T00:00:00Z"}]}
    changed |= {"keyCredentials": [credential], "web": {"redirectUris": ["https://app.example/"]}}
    changed |= {"appRoleAssignmentRequired": True, "signInAudience": "AzureADandPersonalMicrosoftAccount"}
    content = {"app": {**application, **changed}, "sp": {**principal, **changed}, "grants": [grant], "assigned": [], "roles": []}
    copied: dict[str, object] = json.loads(json.dumps({**content, "resource": directory.databricks}))
    return copied


def _places(item: Any) -> list[tuple[Any, Any]]:
    """Every member and entry, as the object or list that holds it and its name there."""
    own = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
    return [place for name, value in own for place in [(item, name), *_places(value)]]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_that_az_prints_ends_in_an_exception(printed: dict[str, object], data: st.DataObject) -> None:
    content = json.loads(json.dumps(printed))
    for _ in range(data.draw(st.integers(1, 4))):
        holder, name = data.draw(st.sampled_from(_places(content)))
        holder[name] = data.draw(ANYTHING)
    kinds = {kind: kind if kind in KINDS else None for kind in content}
    files = [AzFile("a.json", json.dumps(value).encode(), kinds[kind]) for kind, value in content.items()]
    question = Question(DEFAULT_TENANT, DEFAULT_CLIENT_ID, redirect_uri="https://app.example/")
    try:
        parts = findings(read_az_files(files, question), question, NOW)
    except PolicyError:
        return
    assert parts


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_nothing_that_graph_answers_ends_in_an_exception(new_estate: Callable[[], Any], data: st.DataObject) -> None:
    estate = new_estate()
    fetch = estate.graph.fetch

    def mutated(request: FetchRequest) -> FetchResponse:
        answer = fetch(request)
        content = json.loads(answer.body)
        places, changes = _places(content), data.draw(st.booleans())
        if places and changes:
            holder, name = places[data.draw(st.integers(0, len(places) - 1))]
            holder[name] = data.draw(ANYTHING)
        return FetchResponse(answer.status, answer.headers, json.dumps(content).encode())

    estate.graph.fetch = mutated
    assert estate.parts(redirect_uri="https://app.example/")


@pytest.fixture
def new_estate(request: pytest.FixtureRequest) -> Callable[[], Any]:
    estate = request.getfixturevalue("estate")
    key = SigningKey.generate("RS256")
    return lambda: type(estate)(LocalGraph(new_key=lambda: key))
