"""would_accept: for each policy every check, what was expected and seen, and what to change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tokenward import AsyncVerifier, PolicyError
from tokenward.databricks.federation.policies import policy_of
from tokenward.databricks.federation.would_accept import Verdict, would_accept
from tokenward.token.admission import ISSUER_CHECKS
from tokenward.token.claims import CLAIM_CHECKS
from tokenward.token.header import HEADER_CHECKS
from tokenward.token.lifetime import TIME_CHECKS

ROWS = [
    "form",
    *(row.name for row in HEADER_CHECKS),
    "issuer",
    *(row.name for row in ISSUER_CHECKS),
    *("subject" if row.name == "values" else row.name for row in CLAIM_CHECKS),
    *(row.name for row in TIME_CHECKS),
    "signature",
]


def judged(desk: Any, token: str, policy: Any = None, **options: Any) -> Verdict:
    (verdict,) = would_accept(token, [policy or desk.account_policy()], **{"now": desk.now} | options)
    return verdict


def test_a_token_that_matches_is_accepted_by_every_check_of_the_verifier(desk: Any) -> None:
    verdict = judged(desk, desk.token())
    assert [finding.name for finding in verdict.findings] == ROWS
    assert all(finding.held for finding in verdict.findings)
    assert {finding.fix for finding in verdict.findings} == {""}
    assert verdict.accepted
    assert verdict.is_match
    assert verdict.failures == ()


@pytest.mark.parametrize(
    ("changes", "header", "failed"),
    [
        pytest.param({"iss": "https://idp.mycompany.com/oidc/"}, {}, {"issuer"}, id="a slash too many"),
        pytest.param({"iss": ...}, {}, {"issuer"}, id="no issuer"),
        pytest.param({"iss": 5}, {}, {"issuer"}, id="an issuer that is a number"),
        pytest.param({"aud": "other"}, {}, {"audience"}, id="another audience"),
        pytest.param({"aud": ["a", "b"]}, {}, {"audience"}, id="other audiences"),
        pytest.param({"aud": ...}, {}, {"audience"}, id="no audience"),
        pytest.param({"aud": {"a": 1}}, {}, {"audience"}, id="an audience that is an object"),
        pytest.param({"sub": ...}, {}, {"required"}, id="no subject"),
        pytest.param({"sub": 5}, {}, {"names"}, id="a subject that is a number"),
        pytest.param({"exp": 1_799_999_999}, {}, {"exp"}, id="expired"),
        pytest.param({"exp": ...}, {}, {"dates", "required"}, id="no end"),
        pytest.param({"exp": "tomorrow"}, {}, {"dates"}, id="an end that is a text"),
        pytest.param({"nbf": 1_800_000_001}, {}, {"nbf"}, id="not yet"),
        pytest.param({"iat": 1_800_000_001}, {}, {"iat"}, id="from the future"),
        pytest.param({"typ": "Refresh"}, {}, {"access token"}, id="a refresh token"),
        pytest.param({"scope": 5}, {}, {"permissions"}, id="a scope that is a number"),
        pytest.param({}, {"algorithm": "PS256", "signed_by": "PS256"}, {"algorithm", "signature"}, id="PS256"),
        pytest.param({}, {"algorithm": "HS256"}, {"asymmetric", "algorithm"}, id="HS256"),
        pytest.param({}, {"typ": "dpop+jwt"}, {"type"}, id="another typ"),
        pytest.param({}, {"crit": ["b64"]}, {"extensions"}, id="crit"),
        pytest.param({}, {"nonce": "x"}, {"nonce"}, id="a Graph token"),
        pytest.param({}, {"signed_by": "stranger"}, {"signature"}, id="an unknown key"),
        pytest.param({}, {"kid": "kid-ES256"}, {"signature"}, id="another key's name"),
        pytest.param(
            {"aud": "other", "exp": 5, "iss": "https://x.example"},
            {"typ": "x"},
            {"audience", "exp", "issuer", "type"},
            id="all at once",
        ),
        pytest.param(
            {"aud": "other"}, {"algorithm": "none"}, {"asymmetric", "algorithm", "audience"}, id="unsigned, and for another"
        ),
    ],
)
def test_every_check_that_fails_is_reported_and_no_other(desk: Any, changes: Any, header: Any, failed: set[str]) -> None:
    verdict = judged(desk, desk.token(changes, **header))
    assert {finding.name for finding in verdict.failures} == failed
    assert not verdict.accepted
    assert [finding.name for finding in verdict.findings] == ROWS
    assert all(finding.fix for finding in verdict.findings if not finding.held)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("dapi0123456789abcdef", id="a personal access token"),
        pytest.param("", id="nothing"),
        pytest.param("a.b.c.d.e", id="encrypted"),
        pytest.param("a.b", id="two parts"),
        pytest.param("Bearer eyJ.eyJ.x", id="a whole header"),
        pytest.param("é.é.é", id="outside ASCII"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param(b"\xff.\xff.\xff", id="bytes"),
        pytest.param("e30.e30.e30", id="an empty header"),
        pytest.param("e30." + "A" * 20000 + ".e30", id="too large"),
    ],
)
def test_what_is_no_token_has_one_finding(desk: Any, token: str | bytes) -> None:
    (verdict,) = would_accept(token, [desk.account_policy()], now=desk.now)
    (finding,) = verdict.findings
    assert (finding.name, finding.held) == ("form", False)
    assert finding.fix
    assert not verdict.accepted


def test_a_genuine_token_that_is_too_large_for_a_verifier_is_not_accepted(desk: Any) -> None:
    fits, exceeds = (desk.token({"groups": ["g" * length]}) for length in (10_000, 13_000))
    verifier = desk.verifier(policy_of([desk.account_policy()]))
    assert [desk.verdict(verifier, token) for token in (fits, exceeds)] == ["accepted", "token_too_large"]
    assert judged(desk, fits).accepted
    assert [finding.name for finding in judged(desk, exceeds).failures] == ["form"]


def fix_of(desk: Any, name: str, token: str, policy: Any = None) -> str:
    (fix,) = (finding.fix for finding in judged(desk, token, policy).failures if finding.name == name)
    return fix


def test_the_fix_for_an_audience_names_both_ways(desk: Any) -> None:
    fix = fix_of(desk, "audience", desk.token({"aud": "api://other"}))
    assert fix == (
        'In the federation policy, set audiences to ["api://other"], or ask your identity provider for aud "databricks".'
    )


def test_an_audience_of_the_token_endpoint_against_the_default_is_explained(desk: Any) -> None:
    endpoint = "https://adb-1.2.azuredatabricks.net/oidc/v1/token"
    fix = fix_of(desk, "audience", desk.token({"aud": endpoint}), desk.account_policy(audiences=()))
    assert desk.account in fix
    assert "leaves audiences out" in fix
    assert "databricks-sdk" in fix


def test_an_audience_of_the_account_id_against_a_policys_own_is_explained(desk: Any) -> None:
    assert "default of policies without audiences" in fix_of(desk, "audience", desk.token({"aud": desk.account}))


def test_the_fix_for_an_issuer_sees_that_only_a_slash_is_wrong(desk: Any) -> None:
    assert "slash" in fix_of(desk, "issuer", desk.token({"iss": desk.issuer + "/"}))
    assert "slash" not in fix_of(desk, "issuer", desk.token({"iss": "https://other.example"}))


def test_the_fix_for_an_algorithm_says_that_no_policy_can_change_it(desk: Any) -> None:
    fix = fix_of(desk, "algorithm", desk.token(algorithm="PS256", signed_by="PS256"))
    assert "RS256 or ES256" in fix
    assert "no policy" in fix


def test_the_fix_for_a_subject_names_both_ways(desk: Any) -> None:
    fix = fix_of(desk, "subject", desk.workload_token(sub="repo:o/r:pull_request"), desk.workload_policy())
    assert '"repo:o/r:pull_request"' in fix
    assert desk.workload in fix


def test_texts_of_the_token_are_escaped_and_cut_in_a_fix(desk: Any) -> None:
    fix = fix_of(desk, "audience", desk.token({"aud": "\x1b[31m\u202e" + "x" * 5000}))
    assert "\x1b" not in fix
    assert "\u202e" not in fix
    assert len(fix) < 1000


def test_findings_show_values_to_their_owner_and_no_log(desk: Any) -> None:
    verdict = judged(desk, desk.token({"aud": "secret-audience"}))
    (finding,) = verdict.failures
    assert (finding.expected, finding.seen) == (["databricks"], "secret-audience")
    assert "secret-audience" not in repr(verdict)
    assert desk.user not in repr(verdict)


# -- signature ---------------------------------------------------------------------------------------------------------


def signature_of(verdict: Verdict) -> bool | None:
    return verdict.findings[-1].held


def test_without_keys_in_hand_and_without_a_verifier_the_signature_is_left_open(desk: Any) -> None:
    verdict = judged(desk, desk.token(signed_by="stranger"), desk.account_policy(jwks_json=None))
    assert signature_of(verdict) is None
    assert verdict.accepted is None, "the obvious call must not answer yes to a forgery"
    assert not verdict.is_match
    assert "verifier" in verdict.findings[-1].fix


def remote(desk: Any) -> Any:
    return desk.account_policy(jwks_json=None, jwks_uri="https://idp.mycompany.com/keys")


@pytest.mark.parametrize(
    ("header", "held"),
    [
        pytest.param({}, True, id="genuine"),
        pytest.param({"signed_by": "stranger"}, False, id="an unknown key"),
        pytest.param({"kid": "kid-ES256"}, False, id="another key's name"),
    ],
)
def test_a_verifier_says_whether_the_signature_holds(desk: Any, header: Any, held: bool) -> None:
    policy = remote(desk)
    verifier = desk.verifier(policy_of([policy]))
    verdict = judged(desk, desk.token(**header), policy, verifier=verifier)
    assert signature_of(verdict) is held
    assert verdict.accepted is held
    verifier.close()


def test_a_signature_is_known_to_hold_although_the_claims_do_not(desk: Any) -> None:
    policy = remote(desk)
    verifier = desk.verifier(policy_of([policy]))
    assert verifier.warm_up()
    verdict = judged(desk, desk.token({"aud": "other"}), policy, verifier=verifier)
    assert signature_of(verdict) is True
    assert not verdict.accepted
    verifier.close()


def test_where_keys_cannot_be_had_nothing_is_accepted_and_nothing_is_held_against_the_token(desk: Any) -> None:
    policy = remote(desk)
    verifier = desk.verifier(policy_of([policy]), answers=lambda _: b"<html>")
    verdict = judged(desk, desk.token(), policy, verifier=verifier)
    assert signature_of(verdict) is None
    assert not verdict.accepted
    assert "keys" in verdict.findings[-1].fix
    verifier.close()


def test_a_verifier_of_other_keys_says_nothing(desk: Any) -> None:
    elsewhere = desk.account_policy(jwks_json=None, jwks_uri="https://elsewhere.example/keys")
    verifier = desk.verifier(policy_of([elsewhere]))
    verdict = judged(desk, desk.token(), remote(desk), verifier=verifier)
    assert signature_of(verdict) is None
    assert not verdict.accepted
    verifier.close()


def test_keys_of_the_policy_itself_need_no_verifier_and_an_unknown_one_has_its_own_fix(desk: Any) -> None:
    verdict = judged(desk, desk.token(signed_by="stranger"))
    assert signature_of(verdict) is False
    assert "jwks_json" in verdict.findings[-1].fix


def test_an_async_verifier_is_refused(desk: Any) -> None:
    verifier: Any = AsyncVerifier(policy_of([desk.account_policy()]), observer=None)
    with pytest.raises(PolicyError) as caught:
        would_accept(desk.token(), [desk.account_policy()], now=desk.now, verifier=verifier)
    assert caught.value.field == "verifier"


# -- whose policy, which principal -------------------------------------------------------------------------------------


def test_client_id_decides_which_policies_databricks_looks_at(desk: Any) -> None:
    everybody = desk.workload_policy(subject=None)
    both = [everybody, desk.workload_policy(service_principal_id=42)]
    token = desk.workload_token()
    without = would_accept(token, both, now=desk.now)
    assert [verdict.accepted for verdict in without] == [True, True]
    assert [verdict.is_match for verdict in without] == [True, False]
    assert "no client_id is sent" in without[1].notes[0]
    with_it = would_accept(token, both, now=desk.now, client_id="7cb2f8a4-49a7-4147-83db-35cb69e5cede")
    assert [verdict.is_match for verdict in with_it] == [False, True]
    assert "because client_id is sent" in with_it[0].notes[0]
    assert "42" in with_it[1].notes[0]


def test_several_service_principal_policies_that_match_lead_to_the_one_client_id_names(desk: Any) -> None:
    both = [desk.workload_policy(service_principal_id=42), desk.workload_policy(service_principal_id=43)]
    verdicts = would_accept(desk.workload_token(), both, now=desk.now, client_id="7cb2f8a4-49a7-4147-83db-35cb69e5cede")
    assert all("Several policies match" in verdict.notes[-1] for verdict in verdicts)


@pytest.mark.parametrize(
    ("claim", "said"),
    [pytest.param("sub", "the user is the same", id="same claim"), pytest.param("email", "does not document", id="other")],
)
def test_several_account_wide_policies_that_match_are_told(desk: Any, claim: str, said: str) -> None:
    both = [desk.account_policy(), desk.account_policy(audiences=["databricks", "x"], subject_claim=claim)]
    verdicts = would_accept(desk.token({"email": "b@mycompany.com"}), both, now=desk.now)
    assert all(said in verdict.notes[-1] for verdict in verdicts)
    alone = would_accept(desk.token(), both[:1], now=desk.now)
    assert not any("Several" in note for note in alone[0].notes)


def notes(desk: Any, token: str, policy: Any = None) -> str:
    return " ".join(judged(desk, token, policy).notes)


def test_the_subject_of_an_account_wide_policy_is_a_databricks_username(desk: Any) -> None:
    assert f'username "{desk.user}" (from sub); it must exist already' in notes(desk, desk.token())
    odd = notes(desk, desk.token({"sub": "AAAAAbcd", "upn": "a@b.example", "exp": desk.now + 3600}))
    assert "neither like an e-mail address" in odd
    assert "upn" in odd
    assert "username" not in notes(desk, desk.workload_token(), desk.workload_policy())


@pytest.mark.parametrize(
    ("left", "said"),
    [
        pytest.param(41, None, id="41 s"),
        pytest.param(40, "clients renew", id="40 s"),
        pytest.param(31, "clients renew", id="31 s"),
        pytest.param(30, "Databricks refuses", id="30 s"),
        pytest.param(1, "Databricks refuses", id="1 s"),
    ],
)
def test_a_token_about_to_end_is_accepted_with_a_warning(desk: Any, left: int, said: str | None) -> None:
    verdict = judged(desk, desk.token({"exp": desk.now + left}))
    assert verdict.accepted
    ends = [note for note in verdict.notes if "It ends in" in note]
    assert ends == [] if said is None else said in ends[0]


def test_fields_that_are_not_known_are_told_of(desk: Any) -> None:
    assert "etag" in notes(desk, desk.token(), desk.account_policy(unknown_fields=["etag"]))


def test_no_policies_no_verdicts_and_one_verdict_each_in_their_order(desk: Any) -> None:
    assert would_accept(desk.token(), [], now=desk.now) == []
    policies = [desk.workload_policy(), desk.account_policy()]
    assert [verdict.policy for verdict in would_accept(desk.token(), policies, now=desk.now)] == policies


def test_a_verdict_is_made_of_json_values_for_other_programs(desk: Any) -> None:
    (verdict,) = would_accept(desk.token({"aud": ["x"], "exp": 5}), [desk.account_policy()], now=desk.now)
    rows = [[finding.name, finding.expected, finding.seen, finding.held, finding.fix] for finding in verdict.findings]
    assert json.loads(json.dumps(rows)) == rows
