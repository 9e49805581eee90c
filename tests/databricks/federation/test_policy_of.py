"""policy_of: what the middleware believes is what one of the federation policies believes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward import Identity, PolicyError
from tokenward.databricks.federation.policies import policy_of
from tokenward.errors import ClientNotAllowed


def test_the_databricks_examples_accept_their_own_tokens(desk: Any) -> None:
    verifier = desk.verifier(policy_of([desk.account_policy(), desk.workload_policy()]))
    assert verifier.verify(desk.token()).subject == desk.user
    assert verifier.verify(desk.workload_token()).subject == desk.workload
    assert verifier.verify(desk.token(algorithm="ES256", signed_by="ES256")).subject == desk.user


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"sub": "repo:my-github-org/my-repo:environment:PROD"}, "claim_malformed", id="another subject"),
        pytest.param({"sub": ...}, "claim_missing", id="no subject"),
        pytest.param({"aud": "databricks"}, "audience_not_accepted", id="another policy's audience"),
        pytest.param({"iss": "https://idp.mycompany.com/oidc"}, "audience_not_accepted", id="another policy's issuer"),
    ],
)
def test_a_workloads_token_must_fit_one_policy_as_a_whole(desk: Any, changes: dict[str, Any], code: str) -> None:
    verifier = desk.verifier(policy_of([desk.account_policy(), desk.workload_policy()]))
    assert desk.verdict(verifier, desk.workload_token(**changes)) == code


def test_policies_of_one_issuer_do_not_lend_each_other_audience_or_subject(desk: Any) -> None:
    policies = [desk.workload_policy(audiences=[f"aud-{n}"], subject=f"sub-{n}") for n in (1, 2)]
    verifier = desk.verifier(policy_of(policies))
    verdicts = {
        (a, s): desk.verdict(verifier, desk.workload_token(aud=f"aud-{a}", sub=f"sub-{s}")) for a in (1, 2, 3) for s in (1, 2, 3)
    }
    assert {pair for pair, verdict in verdicts.items() if verdict == "accepted"} == {(1, 1), (2, 2)}
    assert verdicts[1, 2] == "audience_not_accepted"
    assert verdicts[1, 3] == "claim_malformed"


def test_a_refusal_by_the_joined_policies_is_made_after_the_signature_and_for_remembered_tokens_too(desk: Any) -> None:
    policies = [desk.workload_policy(audiences=[f"aud-{n}"], subject=f"sub-{n}") for n in (1, 2)]
    policy = policy_of(policies)
    verifier = type(desk.verifier(policy))(policy, clock=lambda: desk.now, observer=None, remember=10)
    crossed = desk.workload_token(aud="aud-1", sub="sub-2")
    assert [desk.verdict(verifier, crossed) for _ in range(3)] == ["audience_not_accepted"] * 3
    fine = desk.workload_token(aud="aud-2", sub="sub-2")
    assert [desk.verdict(verifier, fine) for _ in range(3)] == ["accepted"] * 3


def test_an_account_wide_policy_beside_a_workloads_takes_any_subject_of_its_audience(desk: Any) -> None:
    policies = [desk.workload_policy(), desk.workload_policy(subject=None, audiences=["everybody"])]
    verifier = desk.verifier(policy_of(policies))
    assert desk.verdict(verifier, desk.workload_token(aud="everybody", sub="anyone")) == "accepted"
    assert desk.verdict(verifier, desk.workload_token(sub="anyone")) == "audience_not_accepted"
    assert desk.verdict(verifier, desk.workload_token(aud="everybody", sub=...)) == "claim_missing"


def test_an_issuer_with_one_policy_is_judged_the_same_beside_one_with_several(desk: Any) -> None:
    policies = [desk.account_policy(), desk.workload_policy(), desk.workload_policy(subject="other")]
    verifier = desk.verifier(policy_of(policies))
    assert desk.verdict(verifier, desk.token()) == "accepted"
    assert desk.verdict(verifier, desk.token({"aud": "other"})) == "audience_not_accepted"


def test_a_thousand_workloads_of_one_issuer_are_found_by_their_subject(desk: Any) -> None:
    verifier = desk.verifier(policy_of([desk.workload_policy(subject=f"sub-{n}") for n in range(1000)]))
    assert verifier.verify(desk.workload_token(sub="sub-999")).subject == "sub-999"
    assert desk.verdict(verifier, desk.workload_token(sub="sub-1000")) == "claim_malformed"


@pytest.mark.parametrize(
    ("other", "field"),
    [
        pytest.param({"subject_claim": "email"}, "subject_claim", id="another subject claim"),
        pytest.param({"jwks_json": None}, "jwks_uri", id="other keys"),
    ],
)
def test_policies_of_one_issuer_must_agree_in_what_an_issuer_has_once(desk: Any, other: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of([desk.workload_policy(policy_id="a"), desk.workload_policy(policy_id="b", **other)])
    assert caught.value.field == field
    assert "a and b" in caught.value.problem


def test_own_checks_are_run_as_well(desk: Any) -> None:
    def refuse(identity: Identity) -> None:
        raise ClientNotAllowed(str(identity.kind))

    verifier = desk.verifier(policy_of([desk.workload_policy(), desk.workload_policy(subject="b")], checks=[refuse]))
    assert desk.verdict(verifier, desk.workload_token()) == "client_not_allowed"


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([], id="none"),
        pytest.param("x", id="a text"),
        pytest.param([{"issuer": "https://idp.example/"}], id="an object that was not read"),
    ],
)
def test_only_federation_policies_make_a_policy(value: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        policy_of(value)
    assert caught.value.field == "policies"


@pytest.mark.parametrize(
    "value", [pytest.param(5, id="a number"), pytest.param([5], id="no function"), pytest.param("x", id="a text")]
)
def test_checks_that_are_none_are_refused(desk: Any, value: Any) -> None:
    refusal = desk.refusal(lambda: policy_of([desk.account_policy()], checks=value))
    assert refusal.field == "checks"


def test_keys_are_fetched_from_where_the_policy_says(desk: Any) -> None:
    asked: list[str] = []

    def answers(url: str) -> bytes:
        asked.append(url)
        if url.endswith("openid-configuration"):
            return json.dumps({"issuer": desk.issuer, "jwks_uri": "https://keys.mycompany.com/k"}).encode()
        return str(desk.jwks()).encode()

    verifier = desk.verifier(policy_of([desk.account_policy(jwks_json=None)]), answers=answers)
    assert desk.verdict(verifier, desk.token()) == "accepted"
    assert asked == ["https://idp.mycompany.com/oidc/.well-known/openid-configuration", "https://keys.mycompany.com/k"]
    verifier.close()
