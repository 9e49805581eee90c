"""The cheap gates: issuers found exactly and in one step, tenants matched with their issuers, before any key is asked for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tokenward import Policy, entra

TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "99999999-8888-7777-6666-555555555555"
V1 = "https://sts.windows.net/{tenantid}/"
V2 = "https://login.microsoftonline.com/{tenantid}/v2.0"


def v1(tenant: str) -> str:
    return V1.replace("{tenantid}", tenant)


def v2(tenant: str) -> str:
    return V2.replace("{tenantid}", tenant)


@pytest.mark.parametrize(
    "iss",
    [
        pytest.param("https://idp.example", id="without the slash"),
        pytest.param("https://idp.example//", id="one slash more"),
        pytest.param("http://idp.example/", id="http"),
        pytest.param("HTTPS://idp.example/", id="upper case scheme"),
        pytest.param("https://IDP.example/", id="upper case host"),
        pytest.param("https://idp.example/ ", id="a space behind"),
        pytest.param(" https://idp.example/", id="a space in front"),
        pytest.param("https://idp.example/\x00", id="NUL behind"),
        pytest.param("https://idp.example:443/", id="the default port"),
        pytest.param("https://idp.example/?", id="empty query"),
        pytest.param("https://idp.example/#", id="empty fragment"),
        pytest.param("https://user@idp.example/", id="user info"),
        pytest.param("https://idp.example/../", id="dots"),
        pytest.param("https://idp\u3002example/", id="another full stop"),
        pytest.param("https://evil.example/", id="another host"),
        pytest.param("", id="empty"),
        pytest.param("{tenantid}", id="the placeholder"),
    ],
)
def test_issuers_compare_code_point_by_code_point(desk: Any, iss: str) -> None:
    rejection = desk.rejection(lambda: desk.verifier().verify(desk.token(desk.claims(iss=iss))))
    assert (rejection.code, rejection.claim, rejection.expected, rejection.actual) == (
        "issuer_not_trusted",
        "iss",
        [desk.issuer],
        iss,
    )


@pytest.mark.parametrize(
    ("iss", "code"),
    [
        pytest.param(..., "claim_missing", id="no iss"),
        pytest.param(None, "claim_missing", id="null"),
        pytest.param(1, "claim_malformed", id="a number"),
        pytest.param(True, "claim_malformed", id="a boolean"),
        pytest.param(["https://idp.example/"], "claim_malformed", id="a list"),
        pytest.param({"a": 1}, "claim_malformed", id="an object"),
    ],
)
def test_an_issuer_that_is_no_text_is_refused(desk: Any, iss: object, code: str) -> None:
    assert desk.verdict(desk.verifier(), desk.token(desk.claims(iss=iss))) == code


def both_forms(desk: Any, **changes: Any) -> Any:
    options = {"tenants": [TENANT]} | changes
    return desk.verifier(desk.rule(V1, **options), desk.rule(V2, **options))


@pytest.mark.parametrize("form", [pytest.param(v1, id="v1"), pytest.param(v2, id="v2")])
@pytest.mark.parametrize(
    ("iss_tenant", "tid", "code"),
    [
        pytest.param(TENANT, TENANT, "accepted", id="the allowed tenant"),
        pytest.param(OTHER, OTHER, "tenant_not_allowed", id="a foreign tenant"),
        pytest.param(OTHER, TENANT, "tenant_not_allowed", id="a foreign issuer with our tid"),
        pytest.param(TENANT, OTHER, "tenant_not_allowed", id="our issuer with a foreign tid"),
        pytest.param(TENANT, ..., "tenant_not_allowed", id="no tid"),
        pytest.param(TENANT, None, "tenant_not_allowed", id="tid null"),
        pytest.param(TENANT, TENANT.upper(), "tenant_not_allowed", id="tid in upper case"),
        pytest.param(TENANT, f"{TENANT} ", "tenant_not_allowed", id="tid with a space"),
        pytest.param(TENANT, [TENANT], "tenant_not_allowed", id="tid a list"),
        pytest.param(TENANT, {"a": TENANT}, "tenant_not_allowed", id="tid an object"),
        pytest.param(TENANT, 1, "tenant_not_allowed", id="tid a number"),
        pytest.param(TENANT, True, "tenant_not_allowed", id="tid a boolean"),
        pytest.param("common", TENANT, "issuer_not_trusted", id="the common endpoint as issuer"),
        pytest.param("contoso.onmicrosoft.com", TENANT, "issuer_not_trusted", id="a domain name as tenant"),
        pytest.param(f"{TENANT}/{OTHER}", TENANT, "issuer_not_trusted", id="two tenants"),
    ],
)
def test_the_issuer_and_tid_name_the_same_allowed_tenant(desk: Any, form: Any, iss_tenant: str, tid: object, code: str) -> None:
    token = desk.token(desk.claims(iss=form(iss_tenant), tid=tid))
    assert desk.verdict(both_forms(desk), token) == code


@pytest.mark.parametrize(
    ("iss", "tid", "code"),
    [
        pytest.param(v2(TENANT), TENANT, "accepted", id="one tenant"),
        pytest.param(v2(OTHER), OTHER, "accepted", id="another tenant"),
        pytest.param(v2(OTHER), TENANT, "tenant_not_allowed", id="tid of another tenant than iss"),
        pytest.param(v2(TENANT), ..., "tenant_not_allowed", id="no tid"),
        pytest.param(v2(TENANT.upper()), TENANT.upper(), "issuer_not_trusted", id="a tenant in upper case"),
        pytest.param(V2, TENANT, "issuer_not_trusted", id="the template itself"),
        pytest.param(V2, "{tenantid}", "issuer_not_trusted", id="the template itself with its placeholder as tid"),
        pytest.param(v2("common"), TENANT, "issuer_not_trusted", id="common"),
        pytest.param(v2(TENANT) + "/", TENANT, "issuer_not_trusted", id="a slash more"),
        pytest.param(v2(TENANT + TENANT), TENANT, "issuer_not_trusted", id="two tenants in one segment"),
        pytest.param("x" + v2(TENANT), TENANT, "issuer_not_trusted", id="text in front"),
        pytest.param(f"https://evil.example/?{v2(TENANT)}", TENANT, "issuer_not_trusted", id="hidden in a query"),
    ],
)
def test_any_tenant_means_any_tenant_of_this_issuer_and_nothing_else(desk: Any, iss: str, tid: object, code: str) -> None:
    verifier = desk.verifier(desk.rule(V2, tenants="any"))
    assert desk.verdict(verifier, desk.token(desk.claims(iss=iss, tid=tid))) == code


def test_an_issuer_without_a_template_does_not_judge_tid(desk: Any) -> None:
    verified = desk.verifier().verify(desk.token(desk.claims(tid=OTHER)))
    assert verified.tenant == OTHER


def test_each_issuer_is_judged_by_its_own_rules(desk: Any) -> None:
    other = desk.rule("https://other.example/", audiences=["other"], algorithms=["ES256"], jwks=desk.jwks("p256"))
    verifier = desk.verifier(desk.rule(), other)
    theirs = {"iss": "https://other.example/", "aud": "other"}
    assert desk.verdict(verifier, desk.token(desk.claims(**theirs), algorithm="ES256")) == "accepted"
    assert desk.verdict(verifier, desk.token(desk.claims(**theirs))) == "algorithm_not_allowed"
    assert desk.verdict(verifier, desk.token(algorithm="ES256")) == "algorithm_not_allowed"
    assert (
        desk.verdict(verifier, desk.token(desk.claims(iss="https://other.example/"), algorithm="ES256"))
        == "audience_not_accepted"
    )
    assert desk.verdict(verifier, desk.token(desk.claims(aud="other"))) == "audience_not_accepted"


def test_a_stray_token_costs_no_fetch(desk: Any) -> None:
    provider = desk.provider({})
    verifier = desk.verifier(desk.rule(jwks=..., jwks_uri="https://idp.example/keys"), fetch=provider)
    strays = {
        "issuer_not_trusted": desk.token(desk.claims(iss="https://evil.example/")),
        "token_expired": desk.token(desk.claims(exp=desk.now - 1)),
        "token_not_yet_valid": desk.token(desk.claims(nbf=desk.now + 60)),
        "audience_not_accepted": desk.token(desk.claims(aud="api://other")),
        "claim_missing": desk.token(desk.claims(exp=...)),
        "claim_malformed": desk.token(desk.claims(exp="soon")),
        "token_type_not_accepted": desk.token(desk.claims(nonce="n")),
        "algorithm_not_allowed": desk.token(algorithm="ES256"),
    }
    assert {code: desk.verdict(verifier, token) for code, token in strays.items()} == {code: code for code in strays}
    assert provider.asked == []
    assert desk.verdict(verifier, desk.token()) == "keys_unavailable"
    assert provider.asked == ["https://idp.example/keys"]


def tenants(count: int) -> list[str]:
    return [f"{number:08x}-0000-4000-8000-000000000000" for number in range(count)]


def test_a_thousand_tenants_are_routed_in_the_time_of_one() -> None:
    def seconds(count: int) -> float:
        policy = _policy(count)
        wanted = v2(tenants(count)[-1])
        best = float("inf")
        for _ in range(7):
            start = time.perf_counter()
            for _ in range(2000):
                policy.route(wanted)
            best = min(best, time.perf_counter() - start)
        return best

    one, thousand = seconds(1), seconds(1000)
    print(f"routing: {one / 2000 * 1e9:.0f} ns with 1 tenant, {thousand / 2000 * 1e9:.0f} ns with 1000")
    assert thousand < 5 * one  # a search through the list would take some hundred times as long


def test_each_of_a_thousand_tenants_finds_its_own_route() -> None:
    policy = _policy(1000)
    routes = [policy.route(v2(tenant)) for tenant in tenants(1000)]
    assert [route.tenant for route in routes if route] == tenants(1000)
    assert policy.route(v2(OTHER)) is None


def _policy(count: int) -> Policy:
    return entra.api("11111111-2222-3333-4444-555555555555", tenants(count))


def test_a_rejection_at_the_gates_says_what_the_token_said_of_itself(desk: Any) -> None:
    rejection = desk.rejection(lambda: desk.verifier().verify(desk.token(desk.claims(iss="https://evil.example/"))))
    assert (rejection.issuer, rejection.kid, rejection.algorithm) == ("https://evil.example/", "kid-rsa", "RS256")
    assert rejection.signature_held is False
