"""The stand-in for Entra's token endpoint judges as Entra does, in process and over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import jwt
import pytest

from tokenward import Verifier, entra
from tokenward.entra import DATABRICKS_RESOURCE
from tokenward.keys.port import FetchFailed, FetchRequest
from tokenward.testing import ABSENT, LocalIssuer
from tokenward.testing.entra_server import EntraServer
from tokenward.testing.entra_token_endpoint import DEFAULT_SECRET, ON_BEHALF_OF, EntraTokenEndpoint

SCOPE = f"{DATABRICKS_RESOURCE}/.default"
Run = Callable[..., object]
Change = Callable[[LocalIssuer], dict[str, str | None]]


def form(issuer: LocalIssuer, changes: dict[str, str | None]) -> dict[str, str]:
    usual: dict[str, str | None] = {
        "grant_type": ON_BEHALF_OF,
        "client_id": issuer.client_id,
        "client_secret": DEFAULT_SECRET,
        "assertion": issuer.user_token(),
        "requested_token_use": "on_behalf_of",
        "scope": SCOPE,
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def post(url: str, fields: dict[str, str]) -> httpx.Response:
    return httpx.post(url, data=fields, trust_env=False)


def test_a_granted_token_is_the_users_own_for_databricks_and_verifies(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    asked = issuer.user_token(claims={"oid": "0f0e0d0c-0000-4000-8000-000000000001", "preferred_username": "bo@contoso.example"})
    answer = post(endpoint.endpoint(), form(issuer, {"assertion": asked}))
    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"], body["ext_expires_in"]) == ("Bearer", 3600, 3600)
    assert body.keys() == {"token_type", "scope", "expires_in", "ext_expires_in", "access_token"}
    identity = Verifier(entra.databricks(issuer.tenant, cloud=issuer.cloud)).verify(body["access_token"])
    assert identity.claims["oid"] == "0f0e0d0c-0000-4000-8000-000000000001"
    assert identity.claims["unique_name"] == "bo@contoso.example"
    assert (identity.client_id, identity.scopes) == (issuer.client_id, frozenset({"user_impersonation"}))


def test_the_older_endpoint_answers_numbers_as_strings_and_names_the_resource(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    changes = {"scope": None, "resource": DATABRICKS_RESOURCE}
    body = post(endpoint.endpoint("1.0"), form(issuer, changes)).json()
    now = int(issuer.clock())
    assert (body["expires_in"], body["expires_on"], body["not_before"]) == ("3600", str(now + 3600), str(now))
    assert (body["resource"], body["scope"]) == (DATABRICKS_RESOURCE, "user_impersonation")
    assert "refresh_token" in body


def test_more_tokens_come_only_with_their_scopes(issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer) -> None:
    body = post(endpoint.endpoint(), form(issuer, {"scope": f"openid offline_access {SCOPE}"})).json()
    assert {"refresh_token", "id_token", "client_info"} <= body.keys()
    assert jwt.decode(body["id_token"], options={"verify_signature": False})["aud"] == issuer.client_id


ELSEWHERE = "9f1c5a27-0b8e-4c63-a7d2-64e3b8f01c95"
REFUSED = [
    pytest.param(lambda i: {"grant_type": None}, 900144, 400, "invalid_request", id="no grant type"),
    pytest.param(lambda i: {"client_id": None}, 900144, 400, "invalid_request", id="no client"),
    pytest.param(lambda i: {"assertion": None}, 900144, 400, "invalid_request", id="no assertion"),
    pytest.param(lambda i: {"requested_token_use": None}, 900144, 400, "invalid_request", id="not on behalf of anybody"),
    pytest.param(lambda i: {"scope": None}, 900144, 400, "invalid_request", id="no scope"),
    pytest.param(lambda i: {"scope": "openid"}, 900144, 400, "invalid_request", id="no resource"),
    pytest.param(lambda i: {"scope": "user_impersonation"}, 70011, 400, "invalid_scope", id="a scope without resource"),
    pytest.param(lambda i: {"scope": f"{SCOPE} api://x/y"}, 70011, 400, "invalid_scope", id="two resources"),
    pytest.param(lambda i: {"scope": "api://x/y"}, 500011, 400, "invalid_resource", id="an unknown resource"),
    pytest.param(lambda i: {"resource": DATABRICKS_RESOURCE}, 901002, 400, "invalid_request", id="a resource at v2"),
    pytest.param(lambda i: {"grant_type": "client_credentials"}, 70003, 400, "unsupported_grant_type", id="another grant"),
    pytest.param(lambda i: {"client_id": i.tenant}, 700016, 400, "unauthorized_client", id="another client"),
    pytest.param(lambda i: {"client_secret": None}, 7000218, 401, "invalid_client", id="no secret"),
    pytest.param(lambda i: {"client_secret": "guess"}, 7000215, 401, "invalid_client", id="a wrong secret"),
    pytest.param(lambda i: {"client_secret": "old"}, 7000222, 401, "invalid_client", id="an expired secret"),
    pytest.param(lambda i: {"assertion": "no token"}, 50027, 400, "invalid_request", id="an assertion that is no token"),
    pytest.param(lambda i: {"assertion": i.user_token(key=i.stranger_key())}, 50013, 400, "invalid_grant", id="a forgery"),
    pytest.param(lambda i: {"assertion": i.user_token(algorithm="none")}, 50013, 400, "invalid_grant", id="an unsigned token"),
    pytest.param(lambda i: {"assertion": i.user_token(algorithm="HS256")}, 50013, 400, "invalid_grant", id="a key confusion"),
    pytest.param(lambda i: {"assertion": i.user_token(header={"nonce": "x"})}, 50013, 400, "invalid_grant", id="a Graph token"),
    pytest.param(
        lambda i: {"assertion": i.user_token(claims={"iss": "https://sts.windows.net/x/"})},
        50013,
        400,
        "invalid_grant",
        id="another issuer",
    ),
    pytest.param(lambda i: {"assertion": i.user_token(tenant=ELSEWHERE)}, 50013, 400, "invalid_grant", id="another tenant"),
    pytest.param(lambda i: {"assertion": i.databricks_token()}, 500131, 400, "invalid_grant", id="a Databricks token"),
    pytest.param(
        lambda i: {"assertion": i.user_token(lifetime=0)}, 500133, 400, "invalid_grant", id="an expired token, without skew"
    ),
    pytest.param(
        lambda i: {"assertion": i.user_token(now=i.clock() + 1)}, 500133, 400, "invalid_grant", id="a token of tomorrow"
    ),
    pytest.param(lambda i: {"assertion": i.id_token()}, 240002, 400, "invalid_grant", id="an ID token"),
    pytest.param(lambda i: {"assertion": i.app_token()}, 7000114, 400, "unauthorized_client", id="an application's token"),
    pytest.param(
        lambda i: {"assertion": i.user_token(claims={"scp": ABSENT})}, 7000114, 400, "unauthorized_client", id="no scopes"
    ),
]


@pytest.mark.parametrize(("change", "code", "status", "error"), REFUSED)
def test_a_request_that_entra_would_refuse_is_refused_with_its_number(
    change: Change, code: int, status: int, error: str, issuer: LocalIssuer, endpoint: EntraTokenEndpoint
) -> None:
    endpoint.application.expired_secrets.add("old")
    content = urlencode(form(issuer, change(issuer))).encode()
    fields = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = endpoint.fetch(FetchRequest(endpoint.endpoint(), 1.0, method="POST", content=content, fields=fields))
    document = json.loads(answer.body)
    assert (answer.status, document["error"], document["error_codes"]) == (status, error, [code])
    assert document["error_description"].startswith(f"AADSTS{code}: ")
    assert answer.headers["x-ms-request-id"] == document["trace_id"]
    assert [asked.refused for asked in endpoint.asked] == [code]


def test_another_tenant_and_another_content_type_are_refused(issuer: LocalIssuer, endpoint: EntraTokenEndpoint) -> None:
    elsewhere = endpoint.endpoint().replace(issuer.tenant, ELSEWHERE)
    content = urlencode(form(issuer, {})).encode()
    usual = {"Content-Type": "application/x-www-form-urlencoded"}
    endpoint.fetch(FetchRequest(elsewhere, 1.0, method="POST", content=content, fields=usual))
    endpoint.fetch(FetchRequest(endpoint.endpoint(), 1.0, method="POST", content=content, fields={"Content-Type": "text/plain"}))
    assert [asked.refused for asked in endpoint.asked] == [90002, 900144]


def test_what_was_asked_is_remembered_without_tokens_and_secrets(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    asked = form(issuer, {})
    granted = post(endpoint.endpoint(), asked).json()["access_token"]
    shown = repr(endpoint.asked) + repr(issuer.requests)
    assert not any(secret in shown for secret in (DEFAULT_SECRET, asked["assertion"], granted))


def test_documents_and_keys_are_served_beside_the_endpoint_and_nothing_else(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    url = f"{server.url}/{issuer.tenant}/v2.0/.well-known/openid-configuration"
    assert httpx.get(url, trust_env=False).json()["token_endpoint"] == endpoint.endpoint()
    assert post(f"{server.url}/elsewhere", {}).status_code == 404
    assert httpx.get(endpoint.endpoint(), trust_env=False).status_code == 404


def test_in_process_it_fails_as_it_does_over_http(issuer: LocalIssuer, endpoint: EntraTokenEndpoint) -> None:
    request = FetchRequest(endpoint.endpoint(), 1.0, method="POST")
    endpoint.fail("down")
    with pytest.raises(FetchFailed) as failed:
        endpoint.fetch(request)
    assert failed.value.kind == "connect"
    endpoint.fail("status", status=429, retry_after=3)
    assert (endpoint.fetch(request).status, endpoint.fetch(request).headers["retry-after"]) == (429, "3")
    endpoint.recover()
    assert endpoint.fetch(request).status == 400


def test_in_process_other_addresses_are_the_issuers(issuer: LocalIssuer, endpoint: EntraTokenEndpoint, run: Run) -> None:
    keys = FetchRequest(f"{issuer.origin}/{issuer.tenant}/discovery/v2.0/keys", 1.0)
    assert run(endpoint.async_fetch, keys).status == 200  # type: ignore[attr-defined]
    with pytest.raises(FetchFailed):
        endpoint.fetch(FetchRequest("https://elsewhere.example/oauth2/v2.0/token", 1.0, method="POST"))


def test_only_errors_whose_shape_is_known_can_be_asked_for(endpoint: EntraTokenEndpoint) -> None:
    with pytest.raises(KeyError):
        endpoint.refuse(1)


def test_a_scripted_refusal_ends_when_it_is_told_to(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    endpoint.refuse(65001)
    assert post(endpoint.endpoint(), form(issuer, {})).json()["suberror"] == "consent_required"
    endpoint.accept()
    assert post(endpoint.endpoint(), form(issuer, {})).status_code == 200
