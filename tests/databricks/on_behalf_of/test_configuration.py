"""What an OnBehalfOf is made of is judged when it is made; and what its cache key depends on."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward import entra
from tokenward.databricks.access import Subject
from tokenward.databricks.on_behalf_of.client_auth import ClientSecret, FederatedCredential
from tokenward.databricks.on_behalf_of.on_behalf_of import DEFAULT_SCOPE, OnBehalfOf
from tokenward.errors import PolicyError
from tokenward.keys.port import FetchRequest
from tokenward.testing import HandClock, LocalIssuer

Grants = Callable[..., OnBehalfOf]
TENANT, OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47", "9f1c5a27-0b8e-4c63-a7d2-64e3b8f01c95"
CLIENT, OTHER_CLIENT = "8f7a2c1e-3d54-4b6f-9a0c-5e1d2b3c4f60", "b0f2f9c3-7a61-4e0d-8d35-1c9e6a4b2d70"
SECRET = ClientSecret("canary~secret")


def made(**options: object) -> OnBehalfOf:
    arguments = {"tenant": TENANT, "client_id": CLIENT, "credential": SECRET, **options}
    return OnBehalfOf(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        pytest.param({"tenant": "common"}, "tenant", id="common, where guests have no home"),
        pytest.param({"tenant": "contoso.example"}, "tenant", id="a domain"),
        pytest.param({"client_id": "my-app"}, "client_id", id="no GUID"),
        pytest.param({"client_id": entra.DATABRICKS_RESOURCE}, "client_id", id="Databricks in place of this service"),
        pytest.param({"client_id": "00000003-0000-0000-c000-000000000000"}, "client_id", id="Graph in place of this service"),
        pytest.param({"credential": "canary~secret"}, "credential", id="a bare secret"),
        pytest.param({"credential": None}, "credential", id="no credential"),
        pytest.param({"credential": ClientSecret}, "credential", id="a class"),
        pytest.param({"scope": ""}, "scope", id="no scope"),
        pytest.param({"scope": "user_impersonation"}, "scope", id="a scope without its resource"),
        pytest.param({"scope": f"{DEFAULT_SCOPE} offline_access"}, "scope", id="a refresh token"),
        pytest.param({"scope": f"{DEFAULT_SCOPE} openid"}, "scope", id="an ID token"),
        pytest.param({"scope": f"{DEFAULT_SCOPE} api://x/y"}, "scope", id="two resources"),
        pytest.param({"audiences": "api://x"}, "audiences", id="audiences as one string"),
        pytest.param({"audiences": ["api://*"]}, "audiences", id="a star"),
        pytest.param({"version": "3.0"}, "version", id="a version that is none"),
        pytest.param({"version": 2}, "version", id="a version as a number"),
        pytest.param({"cloud": "public"}, "cloud", id="a cloud as a string"),
        pytest.param({"authority": "http://login.example"}, "authority", id="plain http"),
        pytest.param({"authority": "https://login.example/tenant"}, "authority", id="an authority with a path"),
        pytest.param({"claims": "not json"}, "claims", id="claims that are no JSON"),
        pytest.param({"claims": "[]"}, "claims", id="claims that are a list"),
        pytest.param({"claims": {"access_token": {}}}, "claims", id="claims as a dict"),
    ],
)
def test_a_configuration_that_could_never_work_is_refused(options: dict[str, object], field: str) -> None:
    with pytest.raises(PolicyError) as refused:
        made(**options)
    assert refused.value.field == field
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token", id="public, v2"),
        pytest.param({"version": "1.0"}, f"https://login.microsoftonline.com/{TENANT}/oauth2/token", id="public, v1"),
        pytest.param({"cloud": entra.US_GOV}, f"https://login.microsoftonline.us/{TENANT}/oauth2/v2.0/token", id="US Government"),
        pytest.param(
            {"cloud": entra.CHINA, "version": "1.0"},
            f"https://login.partner.microsoftonline.cn/{TENANT}/oauth2/token",
            id="China",
        ),
        pytest.param(
            {"cloud": entra.CHINA, "authority": "https://login.chinacloudapi.cn"},
            f"https://login.chinacloudapi.cn/{TENANT}/oauth2/v2.0/token",
            id="another authority",
        ),
        pytest.param(
            {"tenant": TENANT.upper()}, f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token", id="a tenant in capitals"
        ),
    ],
)
def test_each_cloud_and_version_has_its_endpoint(options: dict[str, object], expected: str) -> None:
    assert made(**options).endpoint == expected


def form_of(grant: OnBehalfOf, token: str, now: float) -> tuple[FetchRequest, dict[str, str]]:
    request = next(grant.steps(Subject.read(token), now))
    assert isinstance(request, FetchRequest)
    return request, dict(parse_qsl(request.content.decode(), strict_parsing=True))


def test_the_v2_form_has_the_scope_and_the_v1_form_its_resource(issuer: LocalIssuer, wall: HandClock) -> None:
    token = issuer.user_token()
    request, form = form_of(made(claims='{"access_token":{"xms_cc":{"values":["cp1"]}}}'), token, wall())
    assert (request.method, request.headers["Content-Type"]) == ("POST", "application/x-www-form-urlencoded")
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "client_id": CLIENT,
        "client_secret": "canary~secret",
        "assertion": token,
        "requested_token_use": "on_behalf_of",
        "scope": DEFAULT_SCOPE,
        "claims": '{"access_token":{"xms_cc":{"values":["cp1"]}}}',
    }
    _, older = form_of(made(version="1.0"), token, wall())
    assert "scope" not in older
    assert older["resource"] == entra.DATABRICKS_RESOURCE


def test_no_repr_and_no_name_shows_a_secret_or_a_token(issuer: LocalIssuer, wall: HandClock) -> None:
    token = issuer.user_token()
    grant = made()
    request, _ = form_of(grant, token, wall())
    for shown in (repr(grant), grant.name, repr(request), str(request), repr(grant.credential), repr(grant.steps)):
        assert "canary" not in shown
        assert token[:40] not in shown
    assert grant.name == "on_behalf_of login.microsoftonline.com"


# -- the key -----------------------------------------------------------------------------------------------------------

VARIANTS: dict[str, list[object]] = {
    "tenant": [TENANT, OTHER],
    "client_id": [CLIENT, OTHER_CLIENT],
    "scope": [DEFAULT_SCOPE, f"{entra.DATABRICKS_RESOURCE}/user_impersonation", "api://other/.default"],
    "version": ["1.0", "2.0"],
    "cloud": [entra.PUBLIC, entra.US_GOV],
    "authority": [None, "https://login.windows.net"],
    "claims": [None, '{"access_token":{}}', '{"access_token":{"a":null}}'],
}
OPTIONS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VARIANTS.items()})


@given(OPTIONS, OPTIONS, st.sampled_from(["a", "b"]), st.sampled_from(["a", "b"]))
def test_two_requests_share_a_key_only_if_caller_and_request_are_the_same(
    first: dict[str, object], second: dict[str, object], one: str, other: str
) -> None:
    left, right = made(**first), made(**second)
    same = one == other and (left.endpoint, left.client_id, left.scope, left.claims) == (
        right.endpoint,
        right.client_id,
        right.scope,
        right.claims,
    )
    assert (left.key(subject(one)) == right.key(subject(other))) == same


def subject(token: str) -> Subject:
    return Subject(token, 1.0, "RS256", {})


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_part_of_the_request_changes_the_key(name: str) -> None:
    keys = [made(**{name: value}).key(subject("a")) for value in VARIANTS[name]]
    assert len(set(keys)) == len(VARIANTS[name])


def test_the_order_of_scopes_and_the_credential_do_not_change_the_key() -> None:
    one, two = f"{entra.DATABRICKS_RESOURCE}/a", f"{entra.DATABRICKS_RESOURCE}/b"
    keys = {
        made(scope=f"{one} {two}").key(subject("a")),
        made(scope=f"{two}  {one} {two}").key(subject("a")),
        made(scope=f"{one} {two}", credential=ClientSecret("renewed~secret")).key(subject("a")),
        made(scope=f"{one} {two}", credential=FederatedCredential(lambda: "a.b.c")).key(subject("a")),
    }
    assert len(keys) == 1
