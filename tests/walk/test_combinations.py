"""What one argument says of another: combinations that no token could satisfy are refused, and the others are found again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tokenward import Issuer, Policy, PolicyError, entra
from tokenward.issuer_name import template_of, tenant_of

TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "bbbbbbbb-2222-3333-4444-555555555555"
CLIENT = "cccccccc-2222-3333-4444-555555555555"
GRAPH = "00000003-0000-0000-c000-000000000000"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
Values = dict[str, Any]
MAKERS: dict[str, Callable[..., object]] = {"Issuer": Issuer, "api": entra.api}
RIGHT: dict[str, Values] = {
    "Issuer": {"issuer": "https://idp.example/", "audiences": ["api://jobs"]},
    "api": {"client_id": CLIENT, "tenants": [TENANT]},
}


def refusal(make: Callable[[], object]) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        make()
    return caught.value


@pytest.mark.parametrize(
    ("subject", "options", "field", "problem", "fix"),
    [
        pytest.param(
            "Issuer", {"issuer": TEMPLATE}, "tenants", "is a template", "tenants='any'", id="a template without tenants"
        ),
        pytest.param(
            *("Issuer", {"jwks_uri": "https://a/", "discovery_url": "https://a/"}),
            *("discovery_url", "jwks_uri is given as well", "one way only"),
            id="keys in two places",
        ),
        pytest.param(
            *("Issuer", {"required_roles": ["r"], "id_token_marks": ["roles"]}),
            *("id_token_marks", "roles is required elsewhere", "Leave it out"),
            id="roles, demanded and refused",
        ),
        pytest.param(
            *("Issuer", {"issuer": TEMPLATE, "tenants": [TENANT], "id_token_marks": ["tid"]}),
            *("id_token_marks", "tid is required elsewhere", "Leave it out"),
            id="the tenant, demanded and refused",
        ),
        pytest.param("Issuer", {"kinds": ["user"]}, "kinds", "never says so", "Give a kind_of", id="users whom nobody can tell"),
        pytest.param(
            "Issuer", {"required_values": {"tid": TENANT}}, "required_values", "tid", "{tenantid}", id="a tenant by its value"
        ),
        pytest.param("Issuer", {"required_values": {"exp": "1"}}, "required_values", "exp", "required_claims", id="a date"),
        pytest.param("Issuer", {"audiences": [GRAPH]}, "audiences", "Microsoft Graph", "own audience", id="Graph's tokens"),
        pytest.param("Issuer", {"audiences": ["*"]}, "audiences", "no wildcards", "in full", id="every audience"),
        pytest.param(
            "Issuer", {"issuer": "https://idp.example/?a"}, "issuer", "Discovery section 3", "discovery_url", id="a query"
        ),
        pytest.param(
            "Issuer",
            {"issuer": f"https://a/{OTHER}/{{tenantid}}", "tenants": "any"},
            *("issuer", "taken for the tenant", "first GUID"),
            id="a GUID before the tenant's",
        ),
        pytest.param("Issuer", {"subject_claim": "exp"}, "subject_claim", "not name the caller", "'sub'", id="a date calls"),
        pytest.param(
            *("api", {"versions": ["2.0"], "audiences": ["api://jobs"]}),
            *("audiences", "only v1 tokens", "always the client id"),
            id="URIs where only v2 tokens are accepted",
        ),
        pytest.param(
            *("api", {"kinds": ["app", "unknown"], "required_scopes": ["s"]}),
            *("required_scopes", "no users may call", "required_roles"),
            id="scopes where no user may call",
        ),
    ],
)
def test_what_no_token_could_satisfy_is_refused(subject: str, options: Values, field: str, problem: str, fix: str) -> None:
    error = refusal(lambda: MAKERS[subject](**RIGHT[subject] | options))
    assert error.field == field
    assert problem in error.problem
    assert fix in error.fix


def test_two_issuers_of_one_discovery_document_are_refused_because_it_is_of_one() -> None:
    where: Any = {"audiences": ["a"], "discovery_url": "https://idp.example/metadata"}
    error = refusal(lambda: Policy([Issuer("https://a.example/", **where), Issuer("https://b.example/", **where)]))
    assert error.field == "issuers"
    assert "https://a.example/" in error.problem
    assert "https://b.example/" in error.problem
    shared: Any = {"audiences": ["a"], "jwks_uri": "https://idp.example/keys"}
    Policy([Issuer("https://a.example/", **shared), Issuer("https://b.example/", **shared)])


def test_an_issuer_may_not_be_declared_beside_a_template_of_any_tenant() -> None:
    where: Any = {"audiences": ["a"], "jwks_uri": "https://idp.example/keys"}
    anyone = Issuer(TEMPLATE, tenants="any", **where)
    ours = Issuer(TEMPLATE.replace("{tenantid}", TENANT), **where)
    for pair in ([anyone, ours], [ours, anyone]):
        assert "is declared twice" in refusal(partial(Policy, pair)).problem
    Policy([Issuer(TEMPLATE, tenants=[OTHER], **where), ours])


def test_a_login_host_of_another_provider_may_have_a_common_path() -> None:
    assert Issuer("https://login.idp.example/common", audiences=["a"]).issuer == "https://login.idp.example/common"


@pytest.mark.parametrize("template", [TEMPLATE, "https://{tenantid}.idp.example/", f"https://idp.example/{{tenantid}}/{OTHER}"])
def test_a_template_is_found_again_in_the_names_of_its_tenants(template: str) -> None:
    anyone = Issuer(template, audiences=["a"], tenants="any", jwks_uri="https://idp.example/keys")
    name = anyone.for_tenant(TENANT)
    assert (template_of(name), tenant_of(name)) == (template, TENANT)
    route = Policy([anyone]).route(name)
    assert route is not None
    assert (route.issuer, route.tenant) == (anyone, TENANT)
