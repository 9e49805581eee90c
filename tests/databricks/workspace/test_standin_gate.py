"""Who the stand-in's APIs let in, and how they refuse the others: in the recorded shapes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import ABSENT, HandClock, LocalIssuer
from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, DatabricksWorkspace
from tokenward.testing.workspace.messages import Bytes, Request

ME = "/api/2.0/preview/scim/v2/Me"
Bearer = Callable[..., dict[str, str]]


def _me(http: httpx.Client, token: str, **headers: str) -> httpx.Response:
    return http.get(ME, headers={"authorization": f"Bearer {token}", **headers})


def test_an_issued_token_is_its_user(http: httpx.Client, standin: DatabricksWorkspace, bearer: Bearer) -> None:
    answer = http.get(ME, headers=bearer())
    assert (answer.json()["userName"], answer.json()["displayName"]) == (DEFAULT_USER, "Ada Example")
    assert answer.headers["x-databricks-org-id"] == standin.workspace_id


def test_a_service_principal_is_known_by_its_application_id(http: httpx.Client, bearer: Bearer) -> None:
    assert http.get(ME, headers=bearer(DEFAULT_SERVICE_PRINCIPAL)).json()["userName"] == DEFAULT_SERVICE_PRINCIPAL


def test_an_entra_token_is_the_user_of_its_unique_name(http: httpx.Client, issuer: LocalIssuer) -> None:
    assert _me(http, issuer.databricks_token()).json()["userName"] == DEFAULT_USER


def test_however_many_come_first_at_once_all_are_let_in(
    standin: DatabricksWorkspace, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    callers, token, fetch = 40, issuer.databricks_token(), issuer.fetch
    together, somebody_done = threading.Barrier(callers), threading.Event()

    def slow(request: FetchRequest) -> FetchResponse:
        somebody_done.wait(0.3)  # whoever is answered before there are keys is refused
        return fetch(request)

    def call() -> int:
        together.wait(20)
        status = standin.answer(Request.to("GET", ME, {"authorization": f"Bearer {token}"}, Bytes(b""))).status
        somebody_done.set()
        return status

    monkeypatch.setattr(issuer, "fetch", slow)
    with ThreadPoolExecutor(callers) as pool:
        assert {task.result() for task in [pool.submit(call) for _ in range(callers)]} == {200}


def test_an_entra_application_is_the_service_principal_of_its_id(
    http: httpx.Client, issuer: LocalIssuer, standin: DatabricksWorkspace
) -> None:
    token = issuer.app_token("1.0", audience=DATABRICKS_RESOURCE, claims={"appid": DEFAULT_SERVICE_PRINCIPAL})
    assert _me(http, token).json()["userName"] == DEFAULT_SERVICE_PRINCIPAL
    assert _me(http, issuer.app_token("1.0", audience=DATABRICKS_RESOURCE)).status_code == 403


def test_members_can_be_left_out(http: httpx.Client, bearer: Bearer) -> None:
    without = http.get(ME, params={"excludedAttributes": "entitlements,groups"}, headers=bearer()).json()
    assert {"entitlements", "groups"} & without.keys() == set()
    assert http.get(ME, params={"attributes": "userName"}, headers=bearer()).json().keys() == {"schemas", "id", "userName"}


def test_no_credentials_are_answered_as_recorded(http: httpx.Client) -> None:
    for headers in ({}, {"authorization": "Basic YTpi"}, {"authorization": "Bearer"}):
        answer = http.get(ME, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="DatabricksRealm"'
        assert answer.headers["x-databricks-apiproxy-response-code-details"] == "ext_authz_denied"
        assert answer.json()["error_code"] == 401
        assert answer.json()["message"].startswith("Credential was not sent or was of an unsupported type for this API. [ReqId: ")


@pytest.mark.parametrize("kind", ["garbage", "pat", "forged", "old key", "federated", "account's", "another tenant's"])
def test_a_bad_token_is_answered_as_recorded(
    http: httpx.Client, standin: DatabricksWorkspace, issuer: LocalIssuer, kind: str
) -> None:
    makers: dict[str, Callable[[], str]] = {
        "garbage": lambda: "abc",
        "pat": lambda: "dapi0123456789abcdef0123456789abcdef",
        "forged": lambda: f"{standin.access_token()[:-8]}AAAAAAAA",
        "old key": standin.access_token,
        "federated": standin.federated_jwt,
        "account's": lambda: _account_token(standin),
        "another tenant's": lambda: issuer.databricks_token(tenant="11111111-2222-3333-4444-555555555555"),
    }
    token = makers[kind]()
    if kind == "old key":
        standin.mint.rotate()
    answer = _me(http, token)
    assert (answer.status_code, answer.json()) == (403, {"error_code": 403, "message": "Invalid access token."})
    assert answer.headers["x-databricks-reason-phrase"] == "Invalid access token."


def _account_token(standin: DatabricksWorkspace) -> str:
    principal = standin.directory.find(DEFAULT_USER)
    assert principal is not None
    return standin.mint.token(principal, "all-apis", standin.clock() + 600, account=True)


def test_a_wrong_audience_is_answered_with_the_recorded_page(http: httpx.Client, issuer: LocalIssuer) -> None:
    answer = _me(http, issuer.databricks_token(claims={"aud": "https://management.core.windows.net/"}))
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
    assert f"Expected aud claim to be: {DATABRICKS_RESOURCE}, but was: https://management.core.windows.net/." in answer.text
    assert "io.jsonwebtoken.IncorrectClaimException" in answer.text


@pytest.mark.parametrize(
    ("status", "text"), [(401, "Token is expired"), (400, "ExpiredJwtException"), (403, "Invalid access token.")]
)
def test_an_expired_entra_token_is_answered_as_in_any_year(
    http: httpx.Client, standin: DatabricksWorkspace, issuer: LocalIssuer, status: Any, text: str
) -> None:
    standin.gate.expired_status = status
    answer = _me(http, issuer.databricks_token(lifetime=-1))
    assert answer.status_code == status
    assert text in answer.text


@pytest.mark.parametrize(("left", "status"), [(30, 403), (31, 200)])
def test_a_token_with_thirty_seconds_left_is_refused(
    http: httpx.Client, standin: DatabricksWorkspace, issuer: LocalIssuer, left: float, status: int
) -> None:
    for token in (standin.access_token(lifetime=left), issuer.databricks_token(lifetime=left)):
        answer = _me(http, token)
        assert answer.status_code == status
        assert ("Token is expiring within 30 seconds. (token expired)" in answer.text) == (status == 403)


def test_clocks_may_not_differ_at_all(http: httpx.Client, standin: DatabricksWorkspace, wall: HandClock) -> None:
    token = standin.access_token(lifetime=60)
    wall.advance(61)
    assert _me(http, token).status_code == 403


def test_a_user_of_the_account_who_is_not_in_the_workspace_is_not_authorized(
    http: httpx.Client, standin: DatabricksWorkspace, exchange: Callable[..., httpx.Response]
) -> None:
    """A policy binds an identity, not a workspace: the exchange succeeds, and the API refuses."""
    standin.directory.add_user("new@contoso.example", in_workspace=False)
    exchanged = exchange(standin.federated_jwt("new@contoso.example"))
    answer = _me(http, exchanged.json()["access_token"])
    assert (exchanged.status_code, answer.status_code) == (200, 403)
    assert "User not authorized." in answer.text


# -- contributors ------------------------------------------------------------------------------------------------------


def _azure(standin: DatabricksWorkspace, token: str) -> dict[str, str]:
    return {"X-Databricks-Azure-Workspace-Resource-Id": standin.resource_id, "X-Databricks-Azure-SP-Management-Token": token}


def _management(issuer: LocalIssuer, **claims: object) -> str:
    return issuer.user_token("1.0", audience="https://management.core.windows.net/", claims=claims)


def test_both_azure_headers_let_a_contributor_in_as_an_administrator(
    http: httpx.Client, standin: DatabricksWorkspace, issuer: LocalIssuer
) -> None:
    """What makes these two headers dangerous to a proxy."""
    standin.directory.remove(DEFAULT_USER)
    standin.gate.contributors.add("3a7e1c52-94bd-4f06-8b1e-c25d6f7a8093")
    token = issuer.databricks_token()
    assert _me(http, token).status_code == 403
    answer = _me(http, token, **_azure(standin, _management(issuer)))
    assert answer.json()["userName"] == DEFAULT_USER
    assert "admins" in {group["display"] for group in answer.json()["groups"]}


@pytest.mark.parametrize("fault", ["no contributor", "another's token", "another resource", "forged"])
def test_azure_headers_that_prove_nothing_let_nobody_in(
    http: httpx.Client, standin: DatabricksWorkspace, issuer: LocalIssuer, fault: str
) -> None:
    standin.directory.remove(DEFAULT_USER)
    if fault != "no contributor":
        standin.gate.contributors |= {"3a7e1c52-94bd-4f06-8b1e-c25d6f7a8093", "00000000-0000-0000-0000-000000000001"}
    management = _management(issuer, **({"oid": "00000000-0000-0000-0000-000000000001"} if fault == "another's token" else {}))
    headers = _azure(standin, f"{management[:-8]}AAAAAAAA" if fault == "forged" else management)
    if fault == "another resource":
        headers["X-Databricks-Azure-Workspace-Resource-Id"] = "/subscriptions/other"
    assert _me(http, issuer.databricks_token(), **headers).status_code == 403


def test_a_workspace_without_entra_believes_no_entra_token(issuer: LocalIssuer) -> None:
    from tokenward.keys.port import FetchRequest

    workspace = DatabricksWorkspace(new_key=lambda: issuer.signing_key)
    fields = {"Authorization": f"Bearer {issuer.databricks_token(claims={'nbf': ABSENT})}"}
    answer = workspace.fetch(FetchRequest(f"{workspace.home}{ME}", 5.0, fields=fields))
    workspace.close()
    assert answer.status == 403
