from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward import PolicyError, entra
from tokenward.testing import ABSENT, DEFAULT_CALLER, HandClock, LocalIssuer

Opened = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]

COMMON = {"aud", "iss", "iat", "nbf", "exp", "aio", "rh", "tid", "uti", "ver", "oid", "sub"}
PERSON_V1 = {
    *("acr", "amr", "family_name", "given_name", "ipaddr", "name"),
    *("onprem_sid", "puid", "unique_name", "upn", "wids"),
}


@pytest.mark.parametrize(
    ("method", "version", "own"),
    [
        pytest.param("user_token", "1.0", {"appid", "appidacr", "scp", *PERSON_V1}, id="v1 user"),
        pytest.param("user_token", "2.0", {"azp", "azpacr", "scp", "name", "preferred_username"}, id="v2 user"),
        pytest.param("app_token", "1.0", {"appid", "appidacr", "roles", "idtyp", "idp"}, id="v1 app"),
        pytest.param("app_token", "2.0", {"azp", "azpacr", "roles", "idtyp"}, id="v2 app"),
        pytest.param("guest_token", "1.0", {"appid", "appidacr", "scp", "idp", "acct", "email", *PERSON_V1}, id="v1 guest"),
        pytest.param(
            "guest_token", "2.0", {"azp", "azpacr", "scp", "idp", "acct", "email", "name", "preferred_username"}, id="v2 guest"
        ),
        pytest.param("id_token", "1.0", {"nonce", *PERSON_V1}, id="v1 id token"),
        pytest.param("id_token", "2.0", {"nonce", "name", "preferred_username"}, id="v2 id token"),
    ],
)
def test_each_kind_of_token_has_the_claims_of_entras(
    issuer: LocalIssuer, opened: Opened, method: str, version: str, own: set[str]
) -> None:
    _, claims = opened(getattr(issuer, method)(version))
    assert set(claims) == COMMON | own
    assert claims["ver"] == version
    assert claims["tid"] == issuer.tenant


def test_version_issuer_and_audience_are_paired_as_entra_pairs_them(issuer: LocalIssuer, opened: Opened) -> None:
    _, v1 = opened(issuer.user_token("1.0"))
    _, v2 = opened(issuer.user_token("2.0"))
    assert (v1["iss"], v1["aud"]) == (f"https://sts.windows.net/{issuer.tenant}/", f"api://{issuer.client_id}")
    assert (v2["iss"], v2["aud"]) == (f"https://login.microsoftonline.com/{issuer.tenant}/v2.0", issuer.client_id)
    assert v1["appid"] == v2["azp"] == DEFAULT_CALLER


def test_the_header_names_the_key_as_entra_does(issuer: LocalIssuer, opened: Opened) -> None:
    v1, _ = opened(issuer.user_token("1.0"))
    v2, _ = opened(issuer.user_token("2.0"))
    kid = issuer.signing_key.kid
    assert v1 == {"typ": "JWT", "alg": "RS256", "kid": kid, "x5t": kid}
    assert v2 == {"typ": "JWT", "alg": "RS256", "kid": kid}


def test_a_databricks_token_is_a_v1_user_token_for_azure_databricks(issuer: LocalIssuer, opened: Opened) -> None:
    _, claims = opened(issuer.databricks_token())
    assert claims["aud"] == entra.DATABRICKS_RESOURCE
    assert (claims["ver"], claims["scp"]) == ("1.0", "user_impersonation")
    assert claims["unique_name"] == claims["upn"]


def test_a_v1_user_token_is_as_long_as_a_real_one(issuer: LocalIssuer) -> None:
    assert 1600 <= len(issuer.user_token("1.0")) <= 1900
    assert 1600 <= len(issuer.databricks_token()) <= 1900


def test_a_guest_is_of_the_tenant_by_tid_and_of_another_by_idp(issuer: LocalIssuer, opened: Opened) -> None:
    for version in ("1.0", "2.0"):
        _, claims = opened(issuer.guest_token(version))
        assert (claims["tid"], claims["acct"]) == (issuer.tenant, 1)
        assert issuer.tenant not in claims["idp"]
    _, v1 = opened(issuer.guest_token("1.0"))
    assert "#EXT#" in v1["upn"]


def test_an_app_token_names_the_app_and_no_person(issuer: LocalIssuer, opened: Opened) -> None:
    _, claims = opened(issuer.app_token("1.0", roles=["A", "B"]))
    assert claims["roles"] == ["A", "B"]
    assert claims["oid"] == claims["sub"]
    assert claims["idtyp"] == "app"
    assert not {"scp", "name", "upn", "unique_name"} & set(claims)


def test_scopes_are_one_string_and_none_at_all_is_no_claim(issuer: LocalIssuer, opened: Opened) -> None:
    assert opened(issuer.user_token(scopes=["a", "b"]))[1]["scp"] == "a b"
    assert "scp" not in opened(issuer.user_token(scopes=[]))[1]
    assert "roles" not in opened(issuer.app_token(roles=[]))[1]


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("method", ["user_token", "guest_token", "app_token"])
def test_roles_are_a_list_whoever_has_them(issuer: LocalIssuer, opened: Opened, method: str, version: str) -> None:
    assert opened(getattr(issuer, method)(version, roles=["Jobs.Run", "Jobs.Stop"]))[1]["roles"] == ["Jobs.Run", "Jobs.Stop"]


def test_times_are_whole_seconds_from_the_clock_or_from_now(wall: HandClock, issuer: LocalIssuer, opened: Opened) -> None:
    wall.advance(0.75)
    _, claims = opened(issuer.user_token(lifetime=60))
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (int(wall()), int(wall()), int(wall()) + 60)
    _, claims = opened(issuer.user_token(now=1000.5, lifetime=-1))
    assert (claims["nbf"], claims["exp"]) == (1000, 999)


def test_overrides_replace_remove_and_nullify_members(issuer: LocalIssuer, opened: Opened) -> None:
    overrides = {"exp": ABSENT, "nbf": None, "extra": [1]}
    header, claims = opened(issuer.user_token(claims=overrides, header={"typ": ABSENT, "alg": "RS384", "cty": None}))
    assert "exp" not in claims
    assert (claims["nbf"], claims["extra"]) == (None, [1])
    assert header == {"alg": "RS384", "kid": issuer.signing_key.kid, "cty": None}


def test_no_two_tokens_are_the_same(issuer: LocalIssuer) -> None:
    assert len({issuer.user_token("1.0") for _ in range(5)}) == 5


def test_a_token_of_another_tenant_says_so_in_both_places(issuer: LocalIssuer, opened: Opened) -> None:
    other = "11111111-2222-3333-4444-555555555555"
    _, claims = opened(issuer.user_token(tenant=other))
    assert (claims["tid"], claims["iss"]) == (other, f"https://login.microsoftonline.com/{other}/v2.0")


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda issuer: issuer.user_token("3.0"), id="version"),
        pytest.param(lambda issuer: issuer.user_token(scopes="a b"), id="scopes as one string"),
        pytest.param(lambda issuer: issuer.app_token(roles="A"), id="roles as one string"),
        pytest.param(lambda issuer: issuer.user_token(roles="A"), id="a user's roles as one string"),
        pytest.param(lambda issuer: LocalIssuer("contoso.example"), id="tenant by name"),
        pytest.param(lambda issuer: LocalIssuer(client_id="jobs"), id="client id that is no GUID"),
    ],
)
def test_arguments_that_would_mint_nonsense_are_refused(issuer: LocalIssuer, wrong: Callable[[LocalIssuer], object]) -> None:
    with pytest.raises(PolicyError):
        wrong(issuer)
