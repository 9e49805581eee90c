"""The stand-in Graph answers as Graph does: who may read what, pages, filters, errors; and it changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tokenward.testing import DEFAULT_CLIENT_ID, SigningKey
from tokenward.testing.graph import GraphServer, LocalGraph
from tokenward.testing.graph.faults import Fault

READ = "Application.Read.All"
APPLICATION = f"/v1.0/applications(appId='{DEFAULT_CLIENT_ID}')"
PRINCIPAL = f"/v1.0/servicePrincipals(appId='{DEFAULT_CLIENT_ID}')"


@pytest.fixture
def graph(new_key: Callable[[], SigningKey]) -> LocalGraph:
    graph = LocalGraph(page_size=2, new_key=new_key)
    graph.directory.register(DEFAULT_CLIENT_ID, "a client")
    return graph


@pytest.fixture
def http(graph: LocalGraph) -> Iterator[httpx.Client]:
    with GraphServer(graph) as server, httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def ask(http: httpx.Client, graph: LocalGraph) -> Callable[..., httpx.Response]:
    def asked(target: str, *permissions: str, method: str = "GET") -> httpx.Response:
        return http.request(method, target, headers={"authorization": f"Bearer {graph.token(*permissions)}"})

    return asked


Ask = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("target", "permission", "status"),
    [
        pytest.param(APPLICATION, READ, 200, id="an application"),
        pytest.param(APPLICATION, "Directory.Read.All", 200, id="with a broader permission"),
        pytest.param(APPLICATION, "User.Read", 403, id="without a permission for it"),
        pytest.param(PRINCIPAL, READ, 200, id="a service principal"),
        pytest.param(f"{PRINCIPAL}/appRoleAssignedTo", READ, 200, id="assignments"),
        pytest.param("/v1.0/oauth2PermissionGrants", "Directory.Read.All", 200, id="consents"),
        pytest.param("/v1.0/oauth2PermissionGrants", READ, 403, id="consents need more than applications"),
        pytest.param("/v1.0/policies/authorizationPolicy", "Policy.Read.All", 200, id="the tenant's policy"),
        pytest.param(
            "/v1.0/policies/authorizationPolicy", "Directory.Read.All", 403, id="the policy has a permission of its own"
        ),
        pytest.param("/v1.0/applications(appId='11111111-1111-4111-8111-111111111111')", READ, 404, id="no such application"),
        pytest.param("/v1.0/nothing", READ, 400, id="no such path"),
        pytest.param("/beta/applications", READ, 400, id="another version"),
    ],
)
def test_each_read_has_its_permission_and_its_status(ask: Ask, target: str, permission: str, status: int) -> None:
    assert ask(target, permission).status_code == status


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        pytest.param("/v1.0/oauth2PermissionGrants", 403, "Authorization_RequestDenied", id="403"),
        pytest.param("/v1.0/servicePrincipals/0", 404, "Request_ResourceNotFound", id="404"),
    ],
)
def test_errors_have_the_recorded_shape(ask: Ask, target: str, status: int, code: str) -> None:
    answer = ask(target, READ)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert set(error) == {"code", "message", "innerError"}
    assert set(error["innerError"]) == {"date", "request-id", "client-request-id"}
    assert answer.headers["content-type"].startswith("application/json;odata.metadata=minimal")


@pytest.mark.parametrize("authorization", ["", "Basic abc", "Bearer nobody's"], ids=["none", "another scheme", "a stranger's"])
def test_only_its_own_tokens_are_taken(http: httpx.Client, authorization: str) -> None:
    answer = http.get(APPLICATION, headers={"authorization": authorization} if authorization else {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_token_that_has_expired_is_refused(graph: LocalGraph, http: httpx.Client) -> None:
    token = graph.token(READ, lifetime=-1)
    answer = http.get(APPLICATION, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "DELETE"])
def test_whatever_would_change_something_is_refused_and_seen(ask: Ask, graph: LocalGraph, method: str) -> None:
    before = dict(graph.directory.applications[0])
    assert ask(APPLICATION, "Application.ReadWrite.All", method=method).status_code == 405
    assert graph.requests == [f"{method} {APPLICATION}"]
    assert graph.directory.applications[0] == before


def test_a_list_comes_in_pages(ask: Ask, graph: LocalGraph, http: httpx.Client) -> None:
    _, principal = graph.directory.register("11111111-1111-4111-8111-111111111111", "another")
    for number in range(5):
        graph.directory.consent(principal, graph.directory.databricks, [f"scope{number}"], user=f"user{number}")
    target, found = f"/v1.0/oauth2PermissionGrants?$filter=clientId eq '{principal['id']}'", []
    while target:
        page = ask(target, "Directory.Read.All").json()
        assert len(page["value"]) <= 2
        found += [grant["scope"] for grant in page["value"]]
        target = page.get("@odata.nextLink", "").removeprefix(str(http.base_url).rstrip("/"))
    assert found == [f"scope{number}" for number in range(5)]


def test_a_filter_and_a_selection_are_obeyed(ask: Ask, graph: LocalGraph) -> None:
    graph.directory.databricks["servicePrincipalNames"] = ["api://data's"]
    answer = ask("/v1.0/servicePrincipals?$filter=servicePrincipalNames/any(n:n eq 'api://data''s')&$select=appId", READ)
    assert answer.json()["value"] == [{"appId": graph.directory.databricks["appId"]}]


@pytest.mark.parametrize(
    ("fault", "status", "field"),
    [
        pytest.param(Fault("status", status=429, retry_after=7), 429, {"retry-after": "7"}, id="throttled"),
        pytest.param(Fault("html"), 200, {"content-type": "text/html"}, id="a proxy's page"),
        pytest.param(Fault("status", path="/servicePrincipals", status=503), 200, {}, id="another path's"),
    ],
)
def test_faults_are_answers_for_their_paths(
    ask: Ask, graph: LocalGraph, fault: Fault, status: int, field: dict[str, str]
) -> None:
    graph.fail(fault)
    answer = ask(APPLICATION, READ)
    assert answer.status_code == status
    assert field.items() <= dict(answer.headers).items()
    graph.recover()
    assert ask(APPLICATION, READ).json()["appId"] == DEFAULT_CLIENT_ID


def test_a_connection_can_be_broken(ask: Ask, graph: LocalGraph) -> None:
    graph.fail(Fault("reset"))
    with pytest.raises(httpx.TransportError):
        ask(APPLICATION, READ)


def test_tokens_are_of_the_tenant_and_cannot_be_verified_by_others(graph: LocalGraph, opened: Callable[[str], Any]) -> None:
    header, claims = opened(graph.token(READ))
    assert claims["tid"] == graph.directory.tenant
    assert claims["aud"] == "https://graph.microsoft.com"
    assert "nonce" in header
