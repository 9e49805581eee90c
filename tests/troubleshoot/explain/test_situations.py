"""Situations that people are in: every check that fails is in the report, and the fix says what to change where."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward import Issuer, Policy, PolicyError
from tokenward.errors import ClientNotAllowed
from tokenward.testing import ABSENT
from tokenward.testing.claims import HOME_TENANT
from tokenward.troubleshoot.explanation.explain import explain


def _token(**minting: Any) -> Any:
    return lambda bench: bench.issuer.user_token(**minting)


def _policy(**options: Any) -> Any:
    return lambda bench: bench.policy(**options)


def _claims(**claims: Any) -> Any:
    return _token(claims=claims)


OURS = _policy()


@pytest.mark.parametrize(
    ("mint", "policy", "code", "failed", "words", "source"),
    [
        pytest.param(
            _token(version="1.0"),
            _policy(versions=["2.0"]),
            "issuer_not_trusted",
            {"issuer", "required", "audience", "values"},
            'requestedAccessTokenVersion to 2, or list "1.0"',
            "access-tokens",
            id="a v1 token where v2 is believed",
        ),
        pytest.param(
            _token(version="1.0", audience="https://management.azure.com/"),
            _policy(versions=["2.0"]),
            "issuer_not_trusted",
            {"issuer", "required", "audience", "values"},
            "that of the API that the token is for",
            "access-tokens",
            id="a v1 token for another API, where v2 is believed",
        ),
        pytest.param(
            _token(),
            _policy(versions=["1.0"]),
            "issuer_not_trusted",
            {"issuer", "required", "values"},
            "requestedAccessTokenVersion to null or 1",
            "access-tokens",
            id="a v2 token where v1 is believed",
        ),
        pytest.param(
            lambda bench: bench.issuer.user_token(claims={"iss": f"https://login.microsoftonline.us/{bench.issuer.tenant}/v2.0"}),
            OURS,
            "issuer_not_trusted",
            {"issuer"},
            "another cloud (us-gov)",
            "authentication-national-cloud",
            id="another cloud",
        ),
        pytest.param(
            _token(tenant=HOME_TENANT),
            OURS,
            "tenant_not_allowed",
            {"issuer"},
            "or add the tenant to the policy",
            "claims-validation",
            id="another tenant",
        ),
        pytest.param(
            _claims(tid=HOME_TENANT),
            OURS,
            "tenant_not_allowed",
            {"issuer"},
            "no genuine token",
            "access-tokens",
            id="tid and iss differ",
        ),
        pytest.param(
            lambda bench: bench.issuer.user_token(
                claims={"iss": f"https://login.microsoftonline.com/{bench.issuer.tenant}/v2.0/"}
            ),
            OURS,
            "issuer_not_trusted",
            {"issuer"},
            "slash at the end",
            "access-tokens",
            id="a slash too many in iss",
        ),
        pytest.param(
            lambda bench: bench.issuer.user_token(claims={"iss": "https://x.ciamlogin.com/" + bench.issuer.tenant + "/v2.0"}),
            OURS,
            "issuer_not_trusted",
            {"issuer"},
            "discovery_url",
            "access-tokens",
            id="External ID",
        ),
        pytest.param(_claims(iss=ABSENT), OURS, "claim_missing", {"issuer"}, "iss", "", id="no iss"),
        pytest.param(
            lambda bench: bench.issuer.user_token(audience=f"api://{bench.issuer.client_id}"),
            OURS,
            "audience_not_accepted",
            {"audience"},
            "names the API by its URI",
            "access-tokens",
            id="api:// where the client id is expected",
        ),
        pytest.param(
            lambda bench: bench.issuer.user_token(audience=f"{bench.issuer.client_id}/"),
            OURS,
            "audience_not_accepted",
            {"audience"},
            "slash at the end",
            "access-tokens",
            id="a slash at the end of aud",
        ),
        pytest.param(
            lambda bench: bench.issuer.user_token(audience=bench.issuer.client_id.upper()),
            OURS,
            "audience_not_accepted",
            {"audience"},
            "upper and lower case",
            "access-tokens",
            id="aud in capitals",
        ),
        pytest.param(
            _token(version="1.0", audience="https://jobs.example/.default"),
            OURS,
            "audience_not_accepted",
            {"audience"},
            "scope= at the v2.0 endpoint",
            "access-tokens",
            id="a scope in resource=",
        ),
        pytest.param(
            _token(version="1.0", audience="https://graph.microsoft.com"),
            OURS,
            "audience_not_accepted",
            {"audience"},
            "for Microsoft Graph",
            "access-tokens",
            id="for Graph",
        ),
        pytest.param(
            _token(header={"nonce": "n"}),
            OURS,
            "token_type_not_accepted",
            {"nonce"},
            "Graph",
            "access-tokens",
            id="a nonce in the header",
        ),
        pytest.param(
            _token(version="1.0", audience="https://management.core.windows.net/"),
            lambda bench: bench.databricks(),
            "audience_not_accepted",
            {"audience"},
            "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d/.default",
            "troubleshoot-aad-token",
            id="for Resource Manager, where Databricks is meant",
        ),
        pytest.param(
            lambda bench: bench.issuer.id_token(),
            OURS,
            "token_type_not_accepted",
            {"access token", "required", "kind"},
            "access token and not its ID",
            "access-tokens",
            id="an ID token",
        ),
        pytest.param(_token(lifetime=-10), OURS, "token_expired", {"exp"}, "new token", "RFC 7519", id="expired"),
        pytest.param(
            lambda bench: bench.issuer.user_token(now=bench.wall() + 600),
            OURS,
            "token_not_yet_valid",
            {"nbf", "iat"},
            "Synchronise",
            "RFC 7519",
            id="from the future",
        ),
        pytest.param(_claims(exp="soon"), OURS, "claim_malformed", {"dates"}, "NumericDate", "RFC 7519", id="exp as a text"),
        pytest.param(
            _claims(scp=ABSENT),
            OURS,
            "caller_kind_not_allowed",
            {"kind"},
            "Users and groups",
            "claims-validation",
            id="without any permission",
        ),
        pytest.param(
            lambda bench: bench.issuer.app_token(),
            _policy(kinds=["user"]),
            "caller_kind_not_allowed",
            {"kind"},
            "kinds exclude this caller; allow 'app' there",
            "claims-validation",
            id="an application where users are expected",
        ),
        pytest.param(
            _token(),
            _policy(kinds=["app"]),
            "caller_kind_not_allowed",
            {"kind"},
            "kinds exclude this caller; allow 'user' there",
            "claims-validation",
            id="a user where applications are expected",
        ),
        pytest.param(
            lambda bench: bench.issuer.guest_token(),
            _policy(guests=False, required_scopes=["jobs.read"], clients=[HOME_TENANT]),
            "client_not_allowed",
            {"client", "guest", "scopes"},
            "clients",
            "claims-validation",
            id="a guest without the scope, by another client",
        ),
        pytest.param(
            _token(),
            _policy(required_scopes=["x"]),
            "insufficient_scope",
            {"scopes"},
            "Expose an API",
            "scopes-oidc",
            id="a scope is missing",
        ),
        pytest.param(
            lambda bench: bench.issuer.app_token(),
            _policy(required_roles=["x"]),
            "insufficient_role",
            {"roles"},
            "App roles",
            "howto-add-app-roles",
            id="a role is missing",
        ),
        pytest.param(
            _token(header={"alg": "HS256"}, algorithm="HS256"),
            OURS,
            "algorithm_not_allowed",
            {"asymmetric", "algorithm"},
            "known attack",
            "RFC 8725",
            id="signed with a secret",
        ),
        pytest.param(
            _token(header={"alg": "RS512"}, algorithm="RS512"),
            OURS,
            "algorithm_not_allowed",
            {"algorithm"},
            "RS256",
            "RFC 8725",
            id="another alg",
        ),
        pytest.param(
            _token(header={"typ": "dpop+jwt"}),
            OURS,
            "token_type_not_accepted",
            {"type"},
            "access token",
            "RFC 8725",
            id="another typ",
        ),
        pytest.param(
            _token(header={"crit": ["b64"]}),
            OURS,
            "critical_header_unsupported",
            {"extensions"},
            "extension",
            "RFC 7515",
            id="crit",
        ),
        pytest.param(
            _claims(groups=["x" * 36] * 900), OURS, "token_too_large", {"size"}, "max_token_bytes", "RFC 9110", id="too large"
        ),
    ],
)
def test_every_check_that_fails_is_told_with_its_fix(
    bench: Any, mint: Any, policy: Any, code: str, failed: set[str], words: str, source: str
) -> None:
    report = bench.explain(mint(bench), policy(bench))
    assert (report.verdict, report.code, bench.failed(report) - {"signature"}) == ("refused", code, failed)
    (decisive,) = [check for check in report.failures if check.code == code and words in check.finding.fix][:1]
    assert source in decisive.finding.source
    assert report.next


def test_a_good_token_needs_no_change(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token())
    assert (report.verdict, report.code, report.failures, report.notes) == ("accepted", None, (), ())
    assert report.issuer == bench.issuer.cloud.v2_issuer
    assert {check.verdict for check in report.checks} == {"ok"}


def test_checks_of_the_services_own_are_run_once_and_only_if_all_others_hold(bench: Any) -> None:
    seen: list[str | None] = []

    def refuse(identity: Any) -> None:
        seen.append(identity.subject)
        raise ClientNotAllowed("not on Sundays")

    policy = bench.policy(checks=[refuse])
    report = bench.explain(bench.issuer.user_token(), policy)
    assert (report.code, bench.failed(report), len(seen)) == ("client_not_allowed", {"own checks"}, 1)
    expired = bench.explain(bench.issuer.user_token(lifetime=-10), policy)
    assert (bench.check(expired, "own checks").verdict, len(seen)) == ("open", 1)


def test_without_a_policy_what_needs_none_is_judged(bench: Any) -> None:
    good = bench.explain(bench.issuer.user_token(), None, now=None)
    assert good.accepted  # the bench's own policy
    report = explain(bench.issuer.user_token(), clock=bench.wall)
    assert (report.verdict, report.code, report.issuer) == ("undecided", None, None)
    assert "policy" in report.next
    expired = explain(bench.issuer.user_token(lifetime=-5), clock=bench.wall)
    assert (expired.verdict, expired.code) == ("refused", "token_expired")
    assert bench.issuer.requests.count("x") == 0


def test_a_policy_that_is_like_nothing_in_the_token_is_said_to_be(bench: Any) -> None:
    policy = Policy([Issuer(f"https://{name}.example/", audiences=[name]) for name in ("a", "b")])
    report = bench.explain(bench.issuer.user_token(), policy)
    assert (report.code, bench.failed(report)) == ("issuer_not_trusted", {"issuer"})
    assert bench.check(report, "audience").verdict == "open"
    assert any("No issuer of the policy" in note for note in report.notes)
    assert not bench.issuer.requests


def test_by_whose_rules_a_stranger_is_judged_is_said(bench: Any) -> None:
    report = bench.explain(bench.issuer.user_token("1.0"), bench.policy(versions=["2.0"]))
    assert any(bench.issuer.cloud.v2_issuer in note and "same tenant" in note for note in report.notes)
    assert bench.check(report, "signature").verdict == "ok"  # Entra signs both versions with the same keys


@pytest.mark.parametrize(
    ("iss", "why"),
    [
        pytest.param("https://evil.example/", "its tid names this tenant, its iss does not", id="tid alone"),
        pytest.param("https://evil.example/{}/", "its iss names this tenant, at another host", id="another host"),
        pytest.param("https://x.ciamlogin.com/{}/v2.0", "its iss names this tenant, at another host", id="External ID"),
        pytest.param("https://login.microsoftonline.us/{}/v2.0", "the same tenant in another form", id="another cloud"),
        pytest.param("https://login.microsoftonline.com/{}/v2.0/", "the same tenant in another form", id="a slash"),
    ],
)
def test_a_stranger_is_not_said_to_be_of_the_tenant_that_it_names(bench: Any, iss: str, why: str) -> None:
    report = bench.explain(bench.issuer.user_token(claims={"iss": iss.format(bench.issuer.tenant)}))
    assert [note for note in report.notes if f"({why})" in note]
    assert bool(bench.issuer.requests) == (why == "the same tenant in another form")


def test_both_hosts_of_an_external_tenant_are_the_same_one(bench: Any) -> None:
    policy = Policy([Issuer("https://contoso.ciamlogin.com/{tenantid}/v2.0", audiences=["x"], tenants=[HOME_TENANT])])
    token = bench.issuer.user_token(claims={"iss": f"https://{HOME_TENANT}.ciamlogin.com/{HOME_TENANT}/v2.0"})
    assert [note for note in bench.explain(token, policy).notes if "(the same tenant in another form)" in note]


def test_at_the_policys_own_host_a_tenant_in_the_path_is_the_same_one(bench: Any) -> None:
    policy = Policy([Issuer("https://idp.example/{tenantid}/a", audiences=["x"], tenants=[HOME_TENANT])])
    report = bench.explain(bench.issuer.user_token(claims={"iss": f"https://idp.example/{HOME_TENANT}/b"}), policy)
    assert [note for note in report.notes if "(the same tenant in another form)" in note]


def test_the_time_can_be_given(bench: Any) -> None:
    token = bench.issuer.user_token()
    assert bench.explain(token, now=bench.wall() + 7200).code == "token_expired"
    assert bench.explain(token, now=bench.wall() + 60).accepted


@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param({"policy": "a policy"}, "policy", id="a text as the policy"),
        pytest.param({"now": "noon"}, "now", id="a text as the time"),
        pytest.param({"now": float("nan")}, "now", id="no number as the time"),
        pytest.param({"timeout": 0}, "timeout", id="no time at all"),
        pytest.param({"clock": 5}, "clock", id="no clock"),
    ],
)
def test_arguments_that_are_none_are_refused(bench: Any, options: dict[str, Any], field: str) -> None:
    with pytest.raises(PolicyError) as caught:
        explain("x", **options)
    assert caught.value.field == field
