"""The same objects as databricks-sdk's, field for field."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tokenward.databricks.federation.policies import FederationPolicy, read_policies
from tokenward.databricks.federation.policy_object import OIDC_FIELDS, OUTER_FIELDS

oauth2: Any = None


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Not while tests are collected: it takes more than a second, in each worker."""
    global oauth2
    oauth2 = pytest.importorskip("databricks.sdk.service.oauth2")


def _account_policy() -> Any:
    oidc = oauth2.OidcFederationPolicy(
        issuer="https://idp.mycompany.com/oidc",
        audiences=["databricks", "other"],
        subject_claim="email",
        jwks_uri="https://idp.x/k",
    )
    name = "accounts/acc-1/federationPolicies/my-policy"
    return oauth2.FederationPolicy(
        name=name, policy_id="my-policy", uid="u-1", description="d", create_time="t", oidc_policy=oidc
    )


def _principal_policy() -> Any:
    oidc = oauth2.OidcFederationPolicy(
        issuer="https://token.actions.githubusercontent.com",
        subject="repo:o/r:ref:refs/heads/main",
        audiences=["x"],
        subject_claim="sub",
    )
    return oauth2.FederationPolicy(service_principal_id=42, oidc_policy=oidc, update_time="2026-01-01T00:00:00Z")


def test_every_field_of_the_sdk_is_known_here_and_no_other() -> None:
    assert {field.name for field in dataclasses.fields(oauth2.OidcFederationPolicy)} == set(OIDC_FIELDS)
    assert {field.name for field in dataclasses.fields(oauth2.FederationPolicy)} == {*OUTER_FIELDS, "oidc_policy"}
    assert {field.name for field in dataclasses.fields(oauth2.ListFederationPoliciesResponse)} == {"policies", "next_page_token"}


@pytest.mark.parametrize("make", [pytest.param(_account_policy, id="account"), pytest.param(_principal_policy, id="principal")])
def test_an_sdk_object_comes_back_as_it_was(make: Any) -> None:
    original = make()
    from_object = FederationPolicy.from_databricks(original)
    assert from_object == FederationPolicy.from_databricks(original.as_dict())
    assert oauth2.FederationPolicy.from_dict(from_object.to_databricks()) == original
    assert from_object.unknown_fields == ()


def test_the_sdks_inner_object_alone_is_a_policy() -> None:
    assert FederationPolicy.from_databricks(_account_policy().oidc_policy).subject_claim == "email"


def test_the_sdks_list_answer_and_its_list_of_objects_are_read_alike() -> None:
    both = [_account_policy(), _principal_policy()]
    answer = oauth2.ListFederationPoliciesResponse(policies=both)
    assert read_policies(answer) == read_policies(both) == read_policies(answer.as_dict())
    assert read_policies(oauth2.ListFederationPoliciesResponse()) == []
