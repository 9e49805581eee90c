"""What Entra would refuse in any case is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.entra import DATABRICKS_RESOURCE, PUBLIC
from tokenward.errors import AuthenticationError, ExchangeRefused, TokenExpired, TokenTypeNotAccepted
from tokenward.testing import ABSENT, HandClock, LocalIssuer
from tokenward.testing.entra_token_endpoint import EntraTokenEndpoint

Grants = Callable[..., OnBehalfOf]
Mint = Callable[[LocalIssuer], str]

REFUSED = [
    pytest.param(lambda i: i.databricks_token(), "aud", "Azure Databricks already", id="a token for Databricks itself"),
    pytest.param(
        lambda i: i.user_token("1.0", audience="https://graph.microsoft.com"), "aud", "Microsoft Graph", id="Graph by its URI"
    ),
    pytest.param(
        lambda i: i.user_token("1.0", audience="https://graph.microsoft.com/"), "aud", "Microsoft Graph", id="Graph with a slash"
    ),
    pytest.param(
        lambda i: i.user_token(audience="00000003-0000-0000-c000-000000000000"), "aud", "Microsoft Graph", id="Graph by its id"
    ),
    pytest.param(lambda i: i.user_token(audience="api://other"), "aud", "/.default", id="another application"),
    pytest.param(lambda i: i.user_token(audience="API://8F7A2C1E"), "aud", "/.default", id="another case"),
    pytest.param(lambda i: i.user_token(claims={"aud": ABSENT}), "aud", "/.default", id="no audience"),
    pytest.param(lambda i: i.user_token(claims={"aud": 7}), "aud", "/.default", id="an audience that is a number"),
    pytest.param(lambda i: i.user_token(claims={"aud": {"a": 1}}), "aud", "/.default", id="an audience that is an object"),
    pytest.param(lambda i: i.app_token(), "kind", "client credentials", id="an application by idtyp"),
    pytest.param(lambda i: i.app_token(claims={"idtyp": ABSENT}), "kind", "client credentials", id="an application by its roles"),
    pytest.param(
        lambda i: i.app_token(roles=[], claims={"idtyp": ABSENT}), "kind", "client credentials", id="an application without roles"
    ),
    pytest.param(
        lambda i: i.user_token(claims={"idtyp": "user", "scp": ABSENT}), "kind", "client credentials", id="a user without scopes"
    ),
    pytest.param(
        lambda i: i.user_token(claims={"idtyp": "app"}), "kind", "client credentials", id="an application that shows scopes"
    ),
    pytest.param(lambda i: i.id_token(), "typ", "access token", id="an ID token of v2"),
    pytest.param(lambda i: i.id_token("1.0"), "typ", "access token", id="an ID token of v1"),
    pytest.param(lambda i: i.id_token(claims={"nonce": ABSENT}), "typ", "access token", id="an ID token without a nonce"),
    pytest.param(lambda i: i.user_token(claims={"at_hash": "x"}), "typ", "access token", id="an ID token that names a client"),
    pytest.param(
        lambda i: i.user_token(tenant="9f1c5a27-0b8e-4c63-a7d2-64e3b8f01c95"), "tid", "each tenant", id="another tenant"
    ),
    pytest.param(lambda i: i.user_token(claims={"tid": ABSENT}), "tid", "each tenant", id="no tenant"),
    pytest.param(lambda i: i.user_token(claims={"iss": "https://evil.example"}), "iss", "other issuers", id="another issuer"),
]


@pytest.mark.parametrize(("mint", "claim", "hint"), REFUSED)
def test_what_entra_cannot_exchange_is_refused_before_the_call(
    mint: Mint,
    claim: str,
    hint: str,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Callable[..., object],
) -> None:
    with pytest.raises(ExchangeRefused) as refused:
        carry_out(grant(), mint(issuer))
    assert (refused.value.code, refused.value.status, refused.value.claim) == ("exchange_refused", 401, claim)
    assert hint in refused.value.hint
    assert (endpoint.asked, issuer.requests) == ([], [])


@pytest.mark.parametrize(
    ("seconds", "served"),
    [
        pytest.param(1, True, id="a second to live"),
        pytest.param(0, False, id="at its very end"),
        pytest.param(-1, False, id="a second over"),
    ],
)
def test_an_expired_token_is_refused_before_the_call_and_without_any_leeway(
    seconds: int,
    served: bool,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    grant: Grants,
    carry_out: Callable[..., object],
    wall: HandClock,
) -> None:
    token = issuer.user_token(lifetime=600)
    wall.advance(600 - seconds)
    if served:
        carry_out(grant(), token)
        return
    with pytest.raises(TokenExpired) as expired:
        carry_out(grant(), token)
    assert expired.value.code == "token_expired"
    assert endpoint.asked == []


def test_a_graph_token_by_its_nonce_header_is_refused_when_it_is_opened(
    issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Callable[..., object]
) -> None:
    with pytest.raises(TokenTypeNotAccepted):
        carry_out(grant(), issuer.user_token(header={"nonce": "x"}))
    assert endpoint.asked == []


@pytest.mark.parametrize(
    "mint",
    [
        pytest.param(lambda i: i.user_token("2.0"), id="v2, the client id"),
        pytest.param(lambda i: i.user_token("1.0"), id="v1, api:// and the client id"),
        pytest.param(lambda i: i.user_token("1.0", audience=f"api://{i.client_id}/"), id="v1, with a slash"),
        pytest.param(lambda i: i.user_token("1.0", audience="https://jobs.example/api"), id="v1, an application ID URI"),
        pytest.param(lambda i: i.user_token("1.0", audience="https://jobs.example/api/"), id="v1, the same with a slash"),
        pytest.param(lambda i: i.guest_token(), id="a guest"),
        pytest.param(lambda i: i.user_token(claims={"roles": ["Admin"]}), id="a user with roles"),
    ],
)
def test_a_users_token_for_this_service_is_exchanged_whatever_its_version(
    mint: Mint, issuer: LocalIssuer, endpoint: EntraTokenEndpoint, grant: Grants, carry_out: Callable[..., object]
) -> None:
    endpoint.app_id_uris.add("https://jobs.example/api")
    carry_out(grant(audiences=["https://jobs.example/api"]), mint(issuer))
    assert [asked.refused for asked in endpoint.asked] == [None]


def test_a_refusal_tells_the_log_whose_token_it_was_and_no_more(
    issuer: LocalIssuer, grant: Grants, carry_out: Callable[..., object]
) -> None:
    token = issuer.databricks_token()
    with pytest.raises(AuthenticationError) as refused:
        carry_out(grant(), token)
    error = refused.value
    assert error.issuer == PUBLIC.v1_issuer.replace("{tenantid}", issuer.tenant)
    assert (error.algorithm, error.actual) == ("RS256", DATABRICKS_RESOURCE)
    shown = repr(error.__dict__) + repr(error)
    assert "ada@contoso" not in shown
    assert token.split(".")[2] not in shown
