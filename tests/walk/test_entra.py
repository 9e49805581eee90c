"""Entra ID and Azure Databricks: three clouds, v1 and v2 tokens, and the pairing of issuer, version, audience and tenant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward import Policy, PolicyError, entra
from tokenward.keys.location import Discovery

TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "bbbbbbbb-2222-3333-4444-555555555555"
API = "cccccccc-2222-3333-4444-555555555555"
APP = "dddddddd-2222-3333-4444-555555555555"
DATABRICKS = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"
CLOUDS = [
    pytest.param(
        entra.PUBLIC,
        "https://login.microsoftonline.com",
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.com/{TENANT}/v2.0",
        id="public",
    ),
    pytest.param(
        entra.US_GOV,
        "https://login.microsoftonline.us",
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.us/{TENANT}/v2.0",
        id="US government",
    ),
    pytest.param(
        entra.CHINA,
        "https://login.partner.microsoftonline.cn",
        f"https://sts.chinacloudapi.cn/{TENANT}/",
        f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0",
        id="China",
    ),
]


def provider_of(desk: Any, policy: Policy, **key_members: Any) -> Any:
    """A provider that answers where the policy looks, in Entra's shapes: no `alg`, keys bound to the issuer's template."""
    documents: dict[str, Any] = {}
    for rule in policy.issuers:
        assert isinstance(rule.location, Discovery)
        keys = rule.location.url.replace("/.well-known/openid-configuration", "/discovery/keys")
        names = list(rule.names())
        documents[rule.location.url] = {"issuer": names[0] if len(names) == 1 else rule.issuer, "jwks_uri": keys}
        documents[keys] = desk.jwks(issuer=rule.issuer, x5c=["MIIC"], x5t="t", **key_members)
    return desk.provider(documents)


def guarded(desk: Any, policy: Policy, **key_members: Any) -> Any:
    return desk.verifier(policy=policy, fetch=provider_of(desk, policy, **key_members))


def v1_claims(desk: Any, issuer: str, aud: Any = DATABRICKS, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = desk.claims(
        iss=issuer, aud=aud, **({"tid": TENANT, "ver": "1.0", "appid": APP, "scp": "user_impersonation"} | changes)
    )
    return made


def v2_claims(desk: Any, issuer: str, aud: Any = DATABRICKS, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = desk.claims(
        iss=issuer, aud=aud, **({"tid": TENANT, "ver": "2.0", "azp": APP, "scp": "user_impersonation"} | changes)
    )
    return made


@pytest.mark.parametrize(("cloud", "authority", "v1", "v2"), CLOUDS)
def test_databricks_accepts_the_tenants_tokens_of_its_cloud(desk: Any, cloud: Any, authority: str, v1: str, v2: str) -> None:
    policy = entra.databricks(TENANT, cloud=cloud)
    provider = provider_of(desk, policy, cloud_instance_name=cloud.instance_name)
    verifier = desk.verifier(policy=policy, fetch=provider)
    assert desk.verdict(verifier, desk.token(v1_claims(desk, v1))) == "accepted"
    assert desk.verdict(verifier, desk.token(v2_claims(desk, v2))) == "accepted"
    assert provider.asked == [
        f"{authority}/{TENANT}/.well-known/openid-configuration",
        f"{authority}/{TENANT}/discovery/keys",
        f"{authority}/{TENANT}/v2.0/.well-known/openid-configuration",
        f"{authority}/{TENANT}/v2.0/discovery/keys",
    ]


@pytest.mark.parametrize(("cloud", "authority", "v1", "v2"), CLOUDS)
def test_an_issuer_of_another_cloud_is_not_trusted(desk: Any, cloud: Any, authority: str, v1: str, v2: str) -> None:
    verifier = guarded(desk, entra.databricks(TENANT, cloud=cloud))
    others = [f"{other.authority}/{TENANT}/v2.0" for other in (entra.PUBLIC, entra.US_GOV, entra.CHINA) if other is not cloud]
    assert desk.verdicts(verifier, [desk.token(v2_claims(desk, iss)) for iss in others]) == {"issuer_not_trusted"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({}, "accepted", id="as documented"),
        pytest.param({"aud": "https://management.core.windows.net/"}, "audience_not_accepted", id="for Azure's management"),
        pytest.param({"aud": "00000003-0000-0000-c000-000000000000"}, "audience_not_accepted", id="for Microsoft Graph"),
        pytest.param({"aud": f"{DATABRICKS}/"}, "audience_not_accepted", id="the audience with a slash"),
        pytest.param({"aud": f"api://{DATABRICKS}"}, "audience_not_accepted", id="the audience as a URI"),
        pytest.param({"iss": f"https://sts.windows.net/{OTHER}/", "tid": OTHER}, "tenant_not_allowed", id="a foreign tenant"),
        pytest.param({"tid": OTHER}, "tenant_not_allowed", id="tid of another tenant"),
        pytest.param({"tid": None}, "tenant_not_allowed", id="tid null"),
        pytest.param({"nbf": ...}, "claim_missing", id="no nbf"),
        pytest.param({"nbf": 1_800_000_060}, "token_not_yet_valid", id="nbf in the future"),
        pytest.param({"exp": 1_800_000_000}, "token_expired", id="expired this second"),
        pytest.param({"appid": ..., "azp": ...}, "claim_missing", id="no calling application, as in an ID token"),
        pytest.param({"sub": ...}, "claim_missing", id="no subject"),
        pytest.param({"ver": "2.0"}, "issuer_not_trusted", id="a v1 issuer with ver 2.0"),
        pytest.param({"ver": ...}, "claim_missing", id="no ver"),
        pytest.param({"nonce": "n"}, "token_type_not_accepted", id="an ID token"),
    ],
)
def test_databricks_makes_the_documented_checks(desk: Any, changes: dict[str, Any], code: str) -> None:
    verifier = guarded(desk, entra.databricks(TENANT))
    token = desk.token(
        v1_claims(desk, f"https://sts.windows.net/{TENANT}/") | changes
        if ... not in changes.values()
        else _without(desk, changes)
    )
    assert desk.verdict(verifier, token) == code


def _without(desk: Any, changes: dict[str, Any]) -> dict[str, Any]:
    claims = v1_claims(desk, f"https://sts.windows.net/{TENANT}/")
    return {name: value for name, value in claims.items() if changes.get(name, 0) is not ...}


def test_a_v2_issuer_with_ver_1_is_not_trusted(desk: Any) -> None:
    verifier = guarded(desk, entra.databricks(TENANT))
    token = desk.token(v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0", ver="1.0"))
    rejection = desk.rejection(lambda: verifier.verify(token))
    assert (rejection.code, rejection.claim) == ("issuer_not_trusted", "ver")
    assert "contradict" in rejection.hint


def test_databricks_may_be_narrowed_to_v1(desk: Any) -> None:
    verifier = guarded(desk, entra.databricks(TENANT, versions=["1.0"]))
    v1 = desk.token(v1_claims(desk, f"https://sts.windows.net/{TENANT}/"))
    v2 = desk.token(v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0"))
    assert (desk.verdict(verifier, v1), desk.verdict(verifier, v2)) == ("accepted", "issuer_not_trusted")


@pytest.mark.parametrize(
    ("aud", "v1_code", "v2_code"),
    [
        pytest.param(API, "accepted", "accepted", id="the client id"),
        pytest.param(f"api://{API}", "accepted", "audience_not_accepted", id="its URI"),
        pytest.param(f"api://{API}/", "accepted", "audience_not_accepted", id="its URI with a slash"),
        pytest.param("api://jobs.example", "accepted", "audience_not_accepted", id="a declared URI"),
        pytest.param("api://jobs.example/", "accepted", "audience_not_accepted", id="a declared URI with a slash"),
        pytest.param("https://jobs.example", "accepted", "audience_not_accepted", id="a URI declared with a slash"),
        pytest.param(f"{API}/", "audience_not_accepted", "audience_not_accepted", id="the client id with a slash"),
        pytest.param(f"spn:{API}", "audience_not_accepted", "audience_not_accepted", id="a service principal name"),
        pytest.param(API.upper(), "audience_not_accepted", "audience_not_accepted", id="the client id in upper case"),
        pytest.param(f"api://{API}/jobs", "audience_not_accepted", "audience_not_accepted", id="below its URI"),
        pytest.param(DATABRICKS, "audience_not_accepted", "audience_not_accepted", id="Databricks"),
    ],
)
def test_a_v1_token_may_name_the_api_by_its_uris_and_a_v2_token_only_by_its_id(
    desk: Any, aud: str, v1_code: str, v2_code: str
) -> None:
    verifier = guarded(desk, entra.api(API, [TENANT], audiences=["api://jobs.example", "https://jobs.example/"]))
    v1 = desk.token(v1_claims(desk, f"https://sts.windows.net/{TENANT}/", aud))
    v2 = desk.token(v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0", aud))
    assert (desk.verdict(verifier, v1), desk.verdict(verifier, v2)) == (v1_code, v2_code)


@pytest.mark.parametrize(("cloud", "authority", "v1", "v2"), CLOUDS)
def test_several_tenants_share_the_clouds_common_metadata(desk: Any, cloud: Any, authority: str, v1: str, v2: str) -> None:
    for tenants in ([TENANT, OTHER], "any"):
        policy = entra.api(API, tenants, cloud=cloud)
        provider = provider_of(desk, policy)
        verifier = desk.verifier(policy=policy, fetch=provider)
        assert desk.verdict(verifier, desk.token(v1_claims(desk, v1, API))) == "accepted"
        assert desk.verdict(verifier, desk.token(v2_claims(desk, v2, API))) == "accepted"
        theirs = v2_claims(desk, v2.replace(TENANT, OTHER), API, tid=OTHER)
        assert desk.verdict(verifier, desk.token(theirs)) == "accepted"
        assert {url.split("/common/")[0] for url in provider.asked} == {authority}
        assert len(provider.asked) == 4


def test_a_foreign_tenant_is_told_from_a_foreign_issuer(desk: Any) -> None:
    verifier = guarded(desk, entra.api(API, [TENANT]))
    stranger = v2_claims(desk, f"https://login.microsoftonline.com/{OTHER}/v2.0", API, tid=OTHER)
    rejection = desk.rejection(lambda: verifier.verify(desk.token(stranger)))
    assert (rejection.code, rejection.expected) == ("tenant_not_allowed", (TENANT,))
    foreign = v2_claims(desk, "https://accounts.google.com", API)
    assert desk.verdict(verifier, desk.token(foreign)) == "issuer_not_trusted"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"scp": "jobs.read"}, "accepted", id="a user"),
        pytest.param({"scp": None, "roles": ["Jobs.Run"]}, "accepted", id="an app with a role"),
        pytest.param({"scp": None}, "caller_kind_not_allowed", id="an app without roles"),
        pytest.param({"scp": None, "idtyp": "app"}, "caller_kind_not_allowed", id="an app that says so, and has no role"),
        pytest.param({"scp": None, "idtyp": "app", "roles": ["Jobs.Run"]}, "accepted", id="an app that says so, with a role"),
        pytest.param({"scp": None, "idtyp": "user"}, "caller_kind_not_allowed", id="a user that says so, and has no scope"),
        pytest.param({"acct": 1}, "accepted", id="a guest, by default"),
    ],
)
def test_an_api_refuses_callers_that_any_client_could_be(desk: Any, changes: dict[str, Any], code: str) -> None:
    verifier = guarded(desk, entra.api(API, [TENANT]))
    claims = v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0", API, **changes)
    assert desk.verdict(verifier, desk.token(claims)) == code


@pytest.mark.parametrize("options", [{"clients": [APP]}, {"kinds": None}], ids=["listed applications", "every kind"])
def test_an_app_that_says_so_needs_no_role_where_it_is_listed_or_every_kind_is_allowed(
    desk: Any, options: dict[str, Any]
) -> None:
    verifier = guarded(desk, entra.api(API, [TENANT], **options))
    claims = v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0", API, scp=None, idtyp="app", azp=APP)
    assert verifier.verify(desk.token(claims)).kind == "app"


def test_an_api_passes_its_rules_on_to_both_versions(desk: Any) -> None:
    policy = entra.api(
        API, [TENANT], clients=[APP], guests=False, required_scopes=["s"], required_roles=["r"], leeway=30, kinds=["user"]
    )
    for rule in policy.issuers:
        assert (rule.clients, rule.guests, rule.required_scopes, rule.required_roles) == ((APP,), False, ("s",), ("r",))
        assert (rule.leeway, rule.kinds, rule.algorithms) == (30, ("user",), ("RS256",))


def test_checks_are_passed_on(desk: Any) -> None:
    def check(identity: object) -> None:
        del identity

    assert entra.api(API, [TENANT], checks=[check]).checks == (check,)
    assert entra.databricks(TENANT, checks=[check]).checks == (check,)


def test_a_key_of_another_cloud_in_the_common_set_does_not_serve(desk: Any) -> None:
    claims = v2_claims(desk, f"https://login.microsoftonline.com/{TENANT}/v2.0", API)
    ours = guarded(desk, entra.api(API, [TENANT]), cloud_instance_name="microsoftonline.com")
    theirs = guarded(desk, entra.api(API, [TENANT]), cloud_instance_name="microsoftonline.us")
    assert desk.verdict(ours, desk.token(claims)) == "accepted"
    assert desk.verdict(theirs, desk.token(claims)) == "key_not_for_issuer"


databricks: Any = entra.databricks  # wrong types are the point of some rows
api: Any = entra.api
GUID = "is not a GUID"


@pytest.mark.parametrize(
    ("make", "field", "problem", "fix"),
    [
        pytest.param(lambda: databricks(""), "tenant", GUID, "Directory (tenant) ID", id="an empty tenant"),
        pytest.param(lambda: databricks("any"), "tenant", GUID, "Directory (tenant) ID", id="any tenant at Databricks"),
        pytest.param(lambda: databricks("contoso.com"), "tenant", GUID, "Directory (tenant) ID", id="a domain name"),
        pytest.param(lambda: databricks("common"), "tenant", GUID, "Directory (tenant) ID", id="common"),
        pytest.param(lambda: databricks([TENANT]), "tenant", GUID, "Directory (tenant) ID", id="a list"),
        pytest.param(lambda: databricks(TENANT, versions=[]), "versions", "empty", "Name at least one", id="no versions"),
        pytest.param(lambda: databricks(TENANT, versions=["3.0"]), "versions", "'3.0'", "Take one", id="an unheard-of version"),
        pytest.param(lambda: databricks(TENANT, versions="1.0"), "versions", "not a list", "1.0", id="a version for a list"),
        pytest.param(lambda: databricks(TENANT, cloud="public"), "cloud", "not a Cloud", "entra.PUBLIC", id="a cloud by name"),
        pytest.param(lambda: databricks(TENANT, leeway=-1), "leeway", "-1 is not", "0 or 60", id="negative leeway"),
        pytest.param(lambda: databricks(TENANT, clients=[]), "clients", "empty", "<application id>", id="no clients"),
        pytest.param(lambda: api("", [TENANT]), "client_id", GUID, "Application (client) ID", id="an empty client id"),
        pytest.param(lambda: api("api://x", [TENANT]), "client_id", GUID, "Application (client) ID", id="a URI as client id"),
        pytest.param(lambda: api(API, []), "tenants", "it is empty", "<tenant id>", id="no tenants"),
        pytest.param(lambda: api(API, TENANT), "tenants", "not a list", "<tenant id>", id="a tenant for a list"),
        pytest.param(lambda: api(API, ["any"]), "tenants", GUID, "Directory (tenant) ID", id="any in a list"),
        pytest.param(lambda: api(API, [TENANT], audiences="a"), "audiences", "not a list", "api://", id="an audience for a list"),
        pytest.param(lambda: api(API, [TENANT], audiences=[""]), "audiences", "plain", "api://", id="an empty audience"),
        pytest.param(
            lambda: api(API, [TENANT], kinds=["app"], required_scopes=["s"]),
            "required_scopes",
            "no users may call",
            "required_roles",
            id="scopes of apps",
        ),
    ],
)
def test_impossible_or_unsafe_arguments_are_refused(make: Callable[[], object], field: str, problem: str, fix: str) -> None:
    with pytest.raises(PolicyError) as caught:
        make()
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_ids_may_be_written_in_upper_case() -> None:
    policy = entra.api(API.upper(), [TENANT.upper()])
    assert policy.issuers[1].audiences == (API,)
    assert policy.route(f"https://login.microsoftonline.com/{TENANT}/v2.0") is not None
