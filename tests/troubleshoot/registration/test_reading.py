"""How Graph is asked: by GET only, for no more than is needed, page by page, and never anywhere else with the token."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.errors import PolicyError
from tokenward.testing.graph.faults import Fault
from tokenward.troubleshoot.registration.asking import MAX_PAGES
from tokenward.troubleshoot.registration.facts import Question, Unread
from tokenward.troubleshoot.registration.graph_address import GRAPHS, graph_root
from tokenward.troubleshoot.registration.reading import tenant_of

OTHER = "11111111-1111-4111-8111-111111111111"


def _requests(estate: Any) -> list[str]:
    return [request.split("?")[0] for request in estate.graph.requests]


def test_nothing_but_get_is_ever_asked(estate: Any) -> None:
    estate.principal["appRoleAssignmentRequired"] = estate.databricks["appRoleAssignmentRequired"] = True
    estate.directory.grants.clear()
    estate.application["requiredResourceAccess"][0]["resourceAccess"].append({"id": OTHER, "type": "Role"})
    estate.found()
    assert len(estate.graph.requests) == 8
    assert {request.split(" ")[0] for request in estate.graph.requests} == {"GET"}


def test_a_plain_question_asks_for_four_objects(estate: Any) -> None:
    estate.found()
    assert len(_requests(estate)) == 4
    assert not any("authorizationPolicy" in request or "appRole" in request for request in _requests(estate))


def test_key_material_is_not_selected(estate: Any) -> None:
    """Graph gives the bytes of keys only to who selects keyCredentials by name."""
    estate.found()
    assert [request for request in estate.graph.requests if "keyCredentials" in request] == []


def test_all_pages_are_read(estate: Any) -> None:
    estate.graph.page_size = 2
    estate.directory.grants[:] = [
        *(estate.directory.consent(estate.principal, estate.databricks, ["x"], user=str(number)) for number in range(6)),
        estate.grant,
    ]
    assert len(estate.read().grants) == 7


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param(
            Fault("endless", path="/oauth2PermissionGrants"), f"more than {MAX_PAGES} pages", id="a list without an end"
        ),
        pytest.param(Fault("elsewhere", path="/oauth2PermissionGrants"), "another host", id="a page at another host"),
        pytest.param(Fault("garbage", path="/oauth2PermissionGrants"), "not JSON", id="half an object"),
        pytest.param(Fault("html", path="/oauth2PermissionGrants"), "not JSON", id="a proxy's page"),
        pytest.param(Fault("too_large", path="/oauth2PermissionGrants"), "larger than", id="too large"),
        pytest.param(Fault("reset", path="/oauth2PermissionGrants"), "could not be asked", id="a broken connection"),
        pytest.param(Fault("status", path="/oauth2PermissionGrants", status=429), "429, TooManyRequests", id="throttled"),
        pytest.param(Fault("status", path="/oauth2PermissionGrants", status=503), "503", id="failing"),
        pytest.param(Fault("status", path="/oauth2PermissionGrants", status=403), "lacks a permission", id="not permitted"),
        pytest.param(Fault("status", path="/oauth2PermissionGrants", status=401), "does not take the token", id="not taken"),
        pytest.param(Fault("status", path="/oauth2PermissionGrants", status=400), "refuses the question", id="not understood"),
    ],
)
def test_what_cannot_be_read_is_told_and_the_rest_is_judged(estate: Any, fault: Fault, words: str) -> None:
    estate.graph.fail(fault)
    found = estate.found()
    assert (found["permissions consented"].held, words in found["permissions consented"].seen) == (None, True)
    assert found["permissions consented"].fix
    assert [name for name, finding in found.items() if finding.held is None] == ["permissions consented"]


def test_a_page_at_another_host_is_not_asked_for(estate: Any) -> None:
    estate.graph.fail(Fault("elsewhere", path="/oauth2PermissionGrants"))
    asked = []
    fetch = estate.graph.fetch
    estate.graph.fetch = lambda request: asked.append(request.url) or fetch(request)  # type: ignore[func-returns-value]
    estate.found()
    assert {url.split("/v1.0/")[0] for url in asked} == {"https://graph.microsoft.com"}


def test_an_id_that_is_no_guid_is_put_into_no_address(estate: Any) -> None:
    estate.principal["id"] = "x/../../evil"
    assert estate.found()["permissions consented"].held is None
    assert [request for request in estate.graph.requests if "evil" in request] == []


@pytest.mark.parametrize(
    ("permission", "lacking", "name"),
    [
        pytest.param("Application.Read.All", "Directory.Read.All", "permissions consented", id="for consents"),
        pytest.param("Directory.Read.All", "Policy.Read.All", "users may consent", id="for the tenant's policy"),
        pytest.param("Policy.Read.All", "Application.Read.All", "application", id="for applications"),
    ],
)
def test_the_permission_that_the_token_lacks_is_named(estate: Any, permission: str, lacking: str, name: str) -> None:
    estate.directory.grants.clear()
    finding = estate.found(permission)[name]
    assert finding.held is None
    assert lacking in finding.fix


def test_a_token_is_in_no_repr_and_in_no_finding(estate: Any) -> None:
    registration = estate.read("User.Read")
    assert isinstance(registration.application, Unread)
    assert "eyJ" not in repr(registration)


@pytest.mark.parametrize("token", ["", "a.b.c", "opaque", "é.é.é", "eyJhIjoxfQ.eyJ0aWQiOiJjb250b3NvIn0.x"])
def test_the_tenant_of_a_token_that_does_not_tell_it_is_not_known(token: str) -> None:
    assert tenant_of(token) is None


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"tenant": "contoso.example"}, id="a domain"),
        pytest.param({"client_id": "my client"}, id="no GUID"),
        pytest.param({"scopes": ["user_impersonation"]}, id="a scope of nobody"),
        pytest.param({"scopes": ["a/x", "b/y"]}, id="scopes of two resources"),
        pytest.param({"resource": ""}, id="an empty resource"),
        pytest.param({"redirect_uri": "\u200b"}, id="an unprintable address"),
        pytest.param({"scopes": [f"a/{number}" for number in range(100)]}, id="too many scopes"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        Question(**{"tenant": OTHER, "client_id": OTHER, **given})


def test_default_stands_for_what_is_registered(estate: Any) -> None:
    asked = {"scopes": ["2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default"]}
    assert estate.question(**asked).wanted == frozenset()
    assert estate.found(**asked)["permissions consented"].held is True


@pytest.mark.parametrize("value", ["http://graph.example", "https://graph.microsoft.com/v1.0", "graph", "https://a/?x"])
def test_an_address_that_is_no_graph_is_refused(value: str) -> None:
    with pytest.raises(PolicyError):
        graph_root(value)


def test_the_documented_graphs_are_addresses() -> None:
    assert [graph_root(f"{url}/") for url in GRAPHS.values()] == list(GRAPHS.values())
