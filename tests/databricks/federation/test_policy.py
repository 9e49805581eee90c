"""FederationPolicy: Databricks' own objects, their defaults, and Databricks' rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import PolicyError
from tokenward.databricks.federation.policies import FederationPolicy, policy_of
from tokenward.token.caller import caller_checks_of


def account_object(**inner: Any) -> dict[str, Any]:
    """As the account API answers: sdk-py service/oauth2.py, AccountFederationPolicyAPI."""
    return {
        "name": "accounts/0d26daa6-5e44-4c97-a497-ef015f91254a/federationPolicies/my-policy",
        "uid": "5ef0c7a5-4a17-4b1e-8e0d-9dd1c1ac2a37",
        "policy_id": "my-policy",
        "description": "",
        "create_time": "2026-01-02T03:04:05Z",
        "update_time": "2026-01-02T03:04:05Z",
        "oidc_policy": {"issuer": "https://idp.mycompany.com/oidc", "audiences": ["databricks"], "subject_claim": "sub"} | inner,
    }


def principal_object(**inner: Any) -> dict[str, Any]:
    """As above, ServicePrincipalFederationPolicyAPI: a GitHub Actions workload."""
    return {
        "name": "accounts/0d26daa6-5e44-4c97-a497-ef015f91254a/servicePrincipals/987654321/federationPolicies/github",
        "policy_id": "github",
        "service_principal_id": 987654321,
        "oidc_policy": {
            "issuer": "https://token.actions.githubusercontent.com",
            "audiences": ["https://github.com/my-github-org"],
            "subject": "repo:my-github-org/my-repo:environment:prod",
        }
        | inner,
    }


def test_an_account_wide_policy_is_read_with_every_field() -> None:
    policy = FederationPolicy.from_databricks(account_object())
    assert (policy.issuer, policy.audiences, policy.subject) == ("https://idp.mycompany.com/oidc", ("databricks",), None)
    assert (policy.subject_claim, policy.jwks_uri, policy.jwks_json) == ("sub", None, None)
    assert (policy.policy_id, policy.uid, policy.description) == ("my-policy", "5ef0c7a5-4a17-4b1e-8e0d-9dd1c1ac2a37", "")
    assert (policy.account_id, policy.service_principal_id) == ("0d26daa6-5e44-4c97-a497-ef015f91254a", None)
    assert policy.create_time == policy.update_time == "2026-01-02T03:04:05Z"
    assert policy.is_account_wide
    assert policy.unknown_fields == ()


def test_a_service_principals_policy_is_read_with_its_subject() -> None:
    policy = FederationPolicy.from_databricks(principal_object())
    assert policy.subject == "repo:my-github-org/my-repo:environment:prod"
    assert policy.service_principal_id == 987654321
    assert policy.subject_claim == "sub"
    assert not policy.is_account_wide


def test_the_inner_fields_alone_are_a_policy_as_in_databricks_own_examples() -> None:
    policy = FederationPolicy.from_databricks({"issuer": "https://idp.mycompany.com/oidc", "audiences": ["databricks"]})
    assert policy == FederationPolicy("https://idp.mycompany.com/oidc", audiences=["databricks"])


def test_inner_and_outer_fields_side_by_side_are_all_judged() -> None:
    flat = {"issuer": "https://idp.example/", "audiences": ["a"], "service_principal_id": 5, "etag": "1"}
    assert FederationPolicy.from_databricks(flat | {"subject": "s"}).service_principal_id == 5
    assert FederationPolicy.from_databricks(flat | {"subject": "s"}).unknown_fields == ("etag",)
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks(flat)
    assert caught.value.field == "subject"


@pytest.mark.parametrize(
    "unset", [pytest.param({"audiences": None}, id="null"), pytest.param({"audiences": []}, id="empty, as the SDK leaves it out")]
)
def test_the_default_audience_is_the_account_id(unset: dict[str, Any]) -> None:
    from_name = FederationPolicy.from_databricks(account_object(**unset))
    assert from_name.audiences == ("0d26daa6-5e44-4c97-a497-ef015f91254a",)
    assert from_name.has_default_audience
    bare = FederationPolicy.from_databricks({"issuer": "https://idp.example/"} | unset, account_id="acc-1")
    assert bare.audiences == ("acc-1",)
    assert bare.to_issuer().audience_set == {"acc-1"}


def test_without_audiences_and_without_an_account_id_nothing_is_guessed() -> None:
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks({"oidc_policy": {"issuer": "https://idp.example/"}})
    assert caught.value.field == "oidc_policy.audiences"
    assert "account_id" in caught.value.fix


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        pytest.param(account_object(issuer=7), "oidc_policy.issuer", id="issuer is a number"),
        pytest.param(account_object(issuer=None), "oidc_policy.issuer", id="issuer is null"),
        pytest.param(account_object(issuer="http://idp.example/"), "oidc_policy.issuer", id="issuer is not https"),
        pytest.param(account_object(issuer="https://idp.example/{tenantid}"), "oidc_policy.issuer", id="issuer is a template"),
        pytest.param(account_object(issuer="https://idp.example/?a=b"), "oidc_policy.issuer", id="issuer has a query"),
        pytest.param(account_object(audiences="databricks"), "oidc_policy.audiences", id="audiences is a string"),
        pytest.param(account_object(audiences=["a", ""]), "oidc_policy.audiences", id="an audience is empty"),
        pytest.param(account_object(audiences=["a", 5]), "oidc_policy.audiences", id="an audience is a number"),
        pytest.param(account_object(subject_claim=["sub"]), "oidc_policy.subject_claim", id="subject_claim is a list"),
        pytest.param(account_object(subject_claim=""), "oidc_policy.subject_claim", id="subject_claim is empty"),
        pytest.param(account_object(subject_claim="aud"), "oidc_policy.subject_claim", id="subject_claim names nobody"),
        pytest.param(principal_object(subject=True), "oidc_policy.subject", id="subject is a boolean"),
        pytest.param(principal_object(subject=""), "oidc_policy.subject", id="subject is empty"),
        pytest.param(account_object(jwks_uri="http://idp.example/keys"), "oidc_policy.jwks_uri", id="jwks_uri is not https"),
        pytest.param(account_object(jwks_uri=["https://idp.example/keys"]), "oidc_policy.jwks_uri", id="jwks_uri is a list"),
        pytest.param(account_object(jwks_json={"keys": []}), "oidc_policy.jwks_json", id="jwks_json is an object"),
        pytest.param(account_object(jwks_json="keys"), "oidc_policy.jwks_json", id="jwks_json is not JSON"),
        pytest.param(account_object(jwks_json="[]"), "oidc_policy.jwks_json", id="jwks_json is a list"),
        pytest.param(account_object(jwks_json='{"keys": []}'), "oidc_policy.jwks_json", id="jwks_json has no keys"),
        pytest.param(account_object(jwks_json='{"keys": 1}'), "oidc_policy.jwks_json", id="jwks_json has a number of keys"),
        pytest.param(account_object() | {"oidc_policy": "x"}, "oidc_policy", id="oidc_policy is a string"),
        pytest.param(account_object() | {"oidc_policy": None}, "oidc_policy", id="oidc_policy is null"),
        pytest.param({"saml_policy": {}}, "oidc_policy", id="a policy of another kind"),
        pytest.param(account_object() | {"name": 5}, "name", id="name is a number"),
        pytest.param(account_object() | {"description": ["x"]}, "description", id="description is a list"),
        pytest.param(account_object() | {"policy_id": "My_Policy"}, "policy_id", id="policy_id has capitals"),
        pytest.param(account_object() | {"create_time": 1}, "create_time", id="create_time is a number"),
        pytest.param(principal_object() | {"service_principal_id": True}, "service_principal_id", id="principal is a boolean"),
        pytest.param(principal_object() | {"service_principal_id": 1.5}, "service_principal_id", id="principal is a fraction"),
        pytest.param(principal_object() | {"service_principal_id": 2**63}, "service_principal_id", id="principal is no int64"),
        pytest.param(dict([(5, "x"), *account_object().items()]), "policy", id="a member whose name is a number"),
        pytest.param([], "policy", id="a list"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path_and_a_fix(obj: Any, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks(obj)
    assert caught.value.field == field
    assert caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        pytest.param(principal_object(subject=None), "oidc_policy.subject", id="a service principal's without a subject"),
        pytest.param(account_object(subject="x"), "oidc_policy.subject", id="an account-wide one with a subject"),
        pytest.param(principal_object() | {"service_principal_id": 1}, "service_principal_id", id="name and id differ"),
        pytest.param(account_object() | {"service_principal_id": 1}, "oidc_policy.subject", id="a principal, and no subject"),
        pytest.param(account_object() | {"policy_id": "other"}, "policy_id", id="name and policy_id differ"),
    ],
)
def test_subject_and_name_must_fit_whose_policy_it_is(obj: Any, field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks(obj)
    assert caught.value.field == field


def test_an_account_id_that_the_name_contradicts_is_refused() -> None:
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks(account_object(), account_id="another")
    assert caught.value.field == "account_id"


@pytest.mark.parametrize("value", [5, "", "<account-id>", "a/b", "https://accounts.azuredatabricks.net"])
def test_an_account_id_is_one_segment_of_an_address(desk: Any, value: Any) -> None:
    assert desk.refusal(lambda: desk.account_policy(account_id=value)).field == "account_id"


def test_keys_are_given_in_one_way_only(desk: Any) -> None:
    refusal = desk.refusal(lambda: desk.account_policy(jwks_uri="https://idp.example/keys"))
    assert refusal.field in ("jwks_uri", "jwks_json")


def test_keys_that_serve_neither_rs256_nor_es256_are_refused(desk: Any) -> None:
    jwk = desk.keys["RS256"].jwk() | {"alg": "RS512"}
    refusal = desk.refusal(lambda: desk.account_policy(jwks_json=json.dumps({"keys": [jwk]})))
    assert refusal.field == "jwks_json"


def test_unknown_fields_are_tolerated_and_named() -> None:
    obj = account_object(required_scopes=["x"]) | {"etag": "1", "state": {"a": 1}}
    policy = FederationPolicy.from_databricks(obj)
    assert set(policy.unknown_fields) == {"etag", "state", "oidc_policy.required_scopes"}


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("audience", "audiences"), ("subjectClaim", "subject_claim"), ("jwks-uri", "jwks_uri"), ("Issuer", "issuer")],
)
def test_a_known_field_in_another_spelling_is_not_taken_for_unset(slip: str, meant: str) -> None:
    with pytest.raises(PolicyError) as caught:
        FederationPolicy.from_databricks(account_object(**{slip: "x"}))
    assert caught.value.field == f"oidc_policy.{slip}"
    assert meant in caught.value.fix


@pytest.mark.parametrize("number", [pytest.param(987654321, id="number"), pytest.param("987654321", id="digits")])
def test_a_service_principal_is_an_int64_in_either_form_of_json(number: object) -> None:
    obj = principal_object() | {"service_principal_id": number}
    assert FederationPolicy.from_databricks(obj).service_principal_id == 987654321


@pytest.mark.parametrize("make", [account_object, principal_object])
def test_what_was_read_is_written_back_the_same(make: Callable[..., dict[str, Any]]) -> None:
    obj = make()
    written = FederationPolicy.from_databricks(obj).to_databricks()
    assert {k: v for k, v in written.items() if k != "oidc_policy"} == {k: v for k, v in obj.items() if k != "oidc_policy"}
    assert written["oidc_policy"] == {"subject_claim": "sub"} | obj["oidc_policy"]


def test_the_default_audience_is_not_written_back_as_if_it_were_set() -> None:
    assert "audiences" not in FederationPolicy.from_databricks(account_object(audiences=None)).to_databricks()["oidc_policy"]  # type: ignore[operator]


def test_the_issuer_it_becomes_demands_what_databricks_demands(desk: Any) -> None:
    issuer = desk.workload_policy().to_issuer()
    assert issuer.algorithms == ("RS256", "ES256")
    assert issuer.required_values == {"sub": desk.workload}
    assert set(issuer.required_claims) == {"exp", "sub"}
    assert issuer.leeway == 0
    assert caller_checks_of(issuer) == ()  # would_accept runs none, and so must the verifier


def test_an_id_token_is_a_token_as_any_other_because_databricks_has_no_rule_against_it(desk: Any) -> None:
    verifier = desk.verifier(policy_of([desk.account_policy()]))
    assert desk.verdict(verifier, desk.token({"nonce": "n", "at_hash": "h", "c_hash": "c"})) == "accepted"


def test_without_keys_of_its_own_they_come_from_the_issuers_well_known_address(desk: Any) -> None:
    policy = desk.account_policy(jwks_json=None)
    assert policy.keys_name == "https://idp.mycompany.com/oidc/.well-known/openid-configuration"
    assert (
        desk.account_policy(jwks_json=None, jwks_uri="https://idp.mycompany.com/keys").keys_name
        == "https://idp.mycompany.com/keys"
    )
    assert desk.account_policy().keys_name == "jwks_json"


def test_a_policy_shows_no_key_material(desk: Any) -> None:
    assert desk.keys["RS256"].jwk()["n"] not in repr(desk.account_policy())
