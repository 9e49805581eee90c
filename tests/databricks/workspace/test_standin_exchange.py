"""The stand-in's token endpoint does what Databricks documents and was recorded to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tokenward import Issuer, Policy, Verifier
from tokenward.testing import ABSENT, HandClock, IssuerServer, SigningKey
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, WORKLOAD, DatabricksWorkspace, WorkspaceServer

Exchange = Callable[..., httpx.Response]
Opened = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]


def test_a_users_token_becomes_the_users_and_ends_when_it_does(
    standin: DatabricksWorkspace, exchange: Exchange, opened: Opened, wall: HandClock
) -> None:
    answer = exchange(standin.federated_jwt(DEFAULT_USER, lifetime=1234))
    body = answer.json()
    _, claims = opened(body["access_token"])
    assert answer.status_code == 200
    assert set(body) == {"access_token", "scope", "token_type", "expires_in"}
    assert (body["scope"], body["token_type"], body["expires_in"]) == ("all-apis", "Bearer", 1234)
    assert (claims["sub"], claims["exp"]) == (DEFAULT_USER, wall() + 1234)
    assert answer.headers["x-request-id"]


def test_the_token_has_the_recorded_shape(
    standin: DatabricksWorkspace, exchange: Exchange, opened: Opened, server: WorkspaceServer
) -> None:
    token = exchange(standin.federated_jwt()).json()["access_token"]
    header, claims = opened(token)
    assert token.startswith("eyJraWQ")  # as in Databricks' own document: the kid comes first
    assert (header["typ"], header["alg"]) == ("at+jwt", "RS256")
    assert len(header["kid"]) == 64
    assert set(header["kid"]) <= set("0123456789abcdef")
    assert set(claims) == {"scope", "iss", "aud", "sub", "iat", "exp", "jti"}
    assert (claims["iss"], claims["aud"]) == (f"{server.url}/oidc", standin.workspace_id)


def test_the_published_keys_verify_the_token(
    standin: DatabricksWorkspace, exchange: Exchange, server: WorkspaceServer, wall: HandClock
) -> None:
    token = exchange(standin.federated_jwt()).json()["access_token"]
    own = Issuer(f"{server.url}/oidc", audiences=[standin.workspace_id], jwks_uri=f"{server.url}/oidc/jwks.json")
    verifier = Verifier(Policy([own]), clock=wall, observer=None)
    assert verifier.verify(token).subject == DEFAULT_USER
    verifier.close()


def test_client_id_selects_the_service_principal(standin: DatabricksWorkspace, exchange: Exchange, opened: Opened) -> None:
    answer = exchange(standin.federated_jwt(WORKLOAD), client_id=DEFAULT_SERVICE_PRINCIPAL)
    _, claims = opened(answer.json()["access_token"])
    assert (claims["sub"], claims["client_id"]) == (DEFAULT_SERVICE_PRINCIPAL, DEFAULT_SERVICE_PRINCIPAL)
    assert [(seen.subject, seen.client_id, seen.reason) for seen in standin.exchanges] == [
        (DEFAULT_SERVICE_PRINCIPAL, DEFAULT_SERVICE_PRINCIPAL, "")
    ]


def test_an_account_is_asked_at_its_own_path_and_issues_for_itself(
    standin: DatabricksWorkspace, exchange: Exchange, opened: Opened
) -> None:
    answer = exchange(standin.federated_jwt(), f"/oidc/accounts/{standin.account_id}/v1/token")
    _, claims = opened(answer.json()["access_token"])
    assert claims["iss"].endswith(f"/oidc/accounts/{standin.account_id}")
    assert exchange(standin.federated_jwt(), "/oidc/accounts/00000000-0000-0000-0000-000000000000/v1/token").status_code == 404


# -- refusals ----------------------------------------------------------------------------------------------------------

NO_POLICY = "Failed to process token: TOKEN_INVALID (Ensure a valid federation policy has been configured). "


@pytest.mark.parametrize(
    ("minting", "fields", "reason"),
    [
        pytest.param(
            {"subject": WORKLOAD}, {}, "HTTP 401", id="a workload without client_id: the account's policy asks for a user"
        ),
        pytest.param(
            {}, {"client_id": DEFAULT_SERVICE_PRINCIPAL}, "claim_malformed", id="a user with client_id: not the policy's subject"
        ),
        pytest.param({"claims": {"iss": "https://other.example/"}}, {}, "no_policy", id="another issuer"),
        pytest.param({"lifetime": -1}, {}, "token_expired", id="expired"),
        pytest.param({"key": "stranger"}, {}, "signature_invalid", id="signed by another key"),
        pytest.param({"algorithm": "none"}, {}, "algorithm_not_allowed", id="not signed"),
        pytest.param({"algorithm": "HS256"}, {}, "algorithm_not_allowed", id="signed with the public key for a secret"),
        pytest.param({"algorithm": "PS256"}, {}, "algorithm_not_allowed", id="an algorithm that Databricks does not take"),
        pytest.param({"claims": {"sub": ABSENT}}, {}, "claim_missing", id="no subject"),
    ],
)
def test_what_no_policy_accepts_is_refused(
    standin: DatabricksWorkspace, exchange: Exchange, minting: dict[str, Any], fields: dict[str, str], reason: str
) -> None:
    if minting.get("key") == "stranger":
        minting = {"key": standin.idp.stranger_key()}
    answer = exchange(standin.federated_jwt(**minting), **fields)
    assert standin.exchanges[-1].reason == reason
    if reason == "HTTP 401":
        assert (answer.status_code, answer.content) == (401, b"")
        return
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"
    assert answer.json()["error_description"].startswith(NO_POLICY)


def test_a_missing_policy_is_told_with_the_tokens_own_values(standin: DatabricksWorkspace, exchange: Exchange) -> None:
    """The recorded sentence, to the letter."""
    standin.federation.clear()
    text = exchange(standin.federated_jwt()).json()["error_description"]
    shown = f"{{issuer: '{standin.idp.issuer}', subject: '{DEFAULT_USER}', audience: '{standin.account_id}'}}"
    assert text == f"{NO_POLICY}Valid federation policy for provided token: {shown}"


def test_another_audience_is_told_with_the_policys(standin: DatabricksWorkspace, exchange: Exchange) -> None:
    answer = exchange(standin.idp.access_token("https://elsewhere.example/", subject=DEFAULT_USER))
    text = answer.json()["error_description"]
    assert (answer.status_code, standin.exchanges[-1].reason) == (400, "audience_not_accepted")
    assert "TOKEN_AUDIENCE_INVALID (Token audience 'https://elsewhere.example/' invalid)" in text
    assert standin.idp.issuer in text
    assert standin.account_id in text


def test_a_user_who_was_not_provisioned_gets_a_401_that_explains_nothing(
    standin: DatabricksWorkspace, exchange: Exchange
) -> None:
    answer = exchange(standin.federated_jwt("nobody@contoso.example"))
    assert (answer.status_code, answer.content) == (401, b"")


def test_an_unknown_service_principal_is_named_as_such(standin: DatabricksWorkspace, exchange: Exchange) -> None:
    answer = exchange(standin.federated_jwt(WORKLOAD), client_id="00000000-0000-0000-0000-000000000000")
    assert (answer.status_code, answer.json()["error_description"]) == (400, "Invalid service principal id")


def test_errors_can_have_the_other_pair_of_names(standin: DatabricksWorkspace, exchange: Exchange) -> None:
    standin.tokens.error_keys = "errorCode"
    body = exchange("not a token").json()
    assert set(body) == {"errorCode", "errorSummary"}
    assert body["errorCode"] == "invalid_grant"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"grant_type": "client_credentials"}, "unsupported_grant_type", id="another grant"),
        pytest.param({"grant_type": None}, "unsupported_grant_type", id="no grant"),
        pytest.param(
            {"subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, "invalid_request", id="another token type"
        ),
        pytest.param({"subject_token": None}, "invalid_request", id="no token"),
    ],
)
def test_a_request_that_asks_for_no_exchange_is_refused(
    standin: DatabricksWorkspace, exchange: Exchange, fields: dict[str, str | None], error: str
) -> None:
    answer = exchange(standin.federated_jwt(), **fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert standin.exchanges == []


def test_a_repeated_parameter_json_and_get_are_refused(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    form = f"subject_token={standin.federated_jwt()}&subject_token=x"
    twice = http.post("/oidc/v1/token", content=form, headers={"content-type": "application/x-www-form-urlencoded"})
    assert twice.json()["error"] == "invalid_request"
    assert http.post("/oidc/v1/token", json={"subject_token": "x"}).json()["error"] == "invalid_request"
    assert http.get("/oidc/v1/token").status_code == 405
    assert standin.exchanges == []


# -- policies and keys -------------------------------------------------------------------------------------------------


def test_a_policy_may_name_another_claim_and_other_audiences(
    standin: DatabricksWorkspace, exchange: Exchange, opened: Opened
) -> None:
    standin.federation.clear()
    standin.federation.add({"oidc_policy": {"issuer": standin.idp.issuer, "audiences": ["a", "b"], "subject_claim": "email"}})
    fits = standin.idp.access_token(["x", "b"], subject="anybody", claims={"email": DEFAULT_USER})
    assert opened(exchange(fits).json()["access_token"])[1]["sub"] == DEFAULT_USER
    assert exchange(standin.federated_jwt()).status_code == 400


def test_keys_come_over_the_network_from_an_issuer_that_is_served(
    standin: DatabricksWorkspace, exchange: Exchange, wall: HandClock, new_key: Callable[[], SigningKey]
) -> None:
    """An ES256 issuer that the stand-in does not know in process; and one whose keys cannot be had."""
    other = OidcIssuer("https://other.example/", clock=wall, new_key=lambda: SigningKey.generate("ES256"))
    with IssuerServer(other):
        policy = {"issuer": other.issuer, "jwks_uri": other.jwks_uri}
        standin.federation.add({"oidc_policy": policy})
        assert exchange(other.access_token(standin.account_id, subject=DEFAULT_USER)).status_code == 200
        assert other.requests
        gone = other.jwks_uri
    standin.federation.clear()
    standin.federation.add({"oidc_policy": {"issuer": other.issuer, "jwks_uri": gone}})
    answer = exchange(other.access_token(standin.account_id, subject=DEFAULT_USER))
    assert (answer.status_code, standin.exchanges[-1].reason) == (400, "keys_unavailable")
    assert "Unable to load valid OpenID configuration" in answer.json()["error_description"]


def test_keys_may_be_in_the_policy(
    standin: DatabricksWorkspace, exchange: Exchange, wall: HandClock, new_key: Callable[[], SigningKey]
) -> None:
    import json

    other = OidcIssuer("https://inline.example/", clock=wall, new_key=new_key)
    standin.federation.add({"oidc_policy": {"issuer": other.issuer, "jwks_json": json.dumps(other.jwks())}})
    assert exchange(other.access_token(standin.account_id, subject=DEFAULT_USER)).status_code == 200
    assert other.requests == []


def test_a_rotated_key_serves_at_once(standin: DatabricksWorkspace, exchange: Exchange) -> None:
    assert exchange(standin.federated_jwt()).status_code == 200
    standin.idp.rotate()
    assert exchange(standin.federated_jwt()).status_code == 200


def test_an_account_policy_with_a_subject_is_refused(standin: DatabricksWorkspace) -> None:
    with pytest.raises(ValueError, match="subject"):
        standin.federation.add({"oidc_policy": {"issuer": standin.idp.issuer, "subject": "x"}})


def test_the_listed_policies_say_where_the_keys_are(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    for policy in standin.policies()["policies"]:  # type: ignore[attr-defined]
        keys = httpx.get(policy["oidc_policy"]["jwks_uri"], trust_env=False).json()
        assert keys == standin.idp.jwks()
