"""Policies: what is unsafe or impossible is refused at construction, with the field, the problem and the fix."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields, replace
from functools import partial
from typing import Any

import pytest

from tokenward import AsyncVerifier, Issuer, Policy, PolicyError, Verifier, entra
from tokenward.issuer import MAX_LEEWAY
from tokenward.keys.location import Discovery, JwksUri, Static

Anything: Any = Policy  # wrong types are the point of some tests
TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "bbbbbbbb-2222-3333-4444-555555555555"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"


def refused(make: Callable[[], object], field: str, problem: str, fix: str) -> None:
    """The error names the field, says the problem and the fix, and holds all three in its text."""
    with pytest.raises(PolicyError) as caught:
        make()
    error = caught.value
    assert error.field == field
    assert problem in error.problem
    assert fix in error.fix
    assert str(error) == f"{error.field}: {error.problem}. {error.fix}"


PLAIN = "other than plain, non-empty strings"


@pytest.mark.parametrize(
    ("options", "field", "problem", "fix"),
    [
        pytest.param({"audiences": []}, "audiences", "it is empty", "api://my-service", id="no audience"),
        pytest.param(
            {"audiences": "api://jobs"}, "audiences", "it is not a list", "api://my-service", id="an audience for a list"
        ),
        pytest.param({"audiences": None}, "audiences", "it is not a list", "api://my-service", id="audiences None"),
        pytest.param({"audiences": [""]}, "audiences", PLAIN, "api://my-service", id="an empty audience"),
        pytest.param({"audiences": ["a", None]}, "audiences", PLAIN, "api://my-service", id="None as an audience"),
        pytest.param({"audiences": [" a"]}, "audiences", PLAIN, "api://my-service", id="an audience with a space"),
        pytest.param({"algorithms": []}, "algorithms", "it is empty", "Name at least one", id="no algorithms"),
        pytest.param({"algorithms": "RS256"}, "algorithms", "it is not a list", "ES256", id="an algorithm for a list"),
        pytest.param({"algorithms": ["none"]}, "algorithms", "'none' is not one of", "Take one of these", id="none"),
        pytest.param({"algorithms": ["RS256", "none"]}, "algorithms", "'none' is not one of", "Take one", id="none among others"),
        pytest.param({"algorithms": ["HS256"]}, "algorithms", "'HS256' is not one of", "Take one of these", id="HS256"),
        pytest.param({"algorithms": ["rs256"]}, "algorithms", "'rs256' is not one of", "Take one of these", id="lower case"),
        pytest.param({"algorithms": ["RSA-OAEP"]}, "algorithms", "RSA-OAEP", "Take one of these", id="an encryption algorithm"),
        pytest.param({"leeway": -1}, "leeway", "-1 is not between 0 and 300", "0 or 60", id="negative leeway"),
        pytest.param({"leeway": MAX_LEEWAY + 1}, "leeway", "301 is not between", "0 or 60", id="too much leeway"),
        pytest.param({"leeway": math.nan}, "leeway", "not a finite number", "0 or 60", id="leeway NaN"),
        pytest.param({"leeway": math.inf}, "leeway", "not a finite number", "0 or 60", id="leeway infinite"),
        pytest.param({"leeway": True}, "leeway", "not a finite number", "0 or 60", id="leeway a boolean"),
        pytest.param({"leeway": "60"}, "leeway", "not a finite number", "0 or 60", id="leeway a string"),
        pytest.param({"leeway": None}, "leeway", "not a finite number", "0 or 60", id="leeway None"),
        pytest.param({"jwks": None, "jwks_uri": "http://idp.example/k"}, "jwks_uri", "not https", "loopback", id="http keys"),
        pytest.param({"jwks": None, "jwks_uri": "file:///etc/passwd"}, "jwks_uri", "no host", "https address", id="a file"),
        pytest.param({"jwks": None, "jwks_uri": "ftp://idp.example/k"}, "jwks_uri", "not https", "https address", id="ftp"),
        pytest.param(
            {"jwks": None, "jwks_uri": "https://u:p@idp.example/k"}, "jwks_uri", "credentials", "https", id="credentials"
        ),
        pytest.param({"jwks": None, "jwks_uri": "https://idp.example/k#f"}, "jwks_uri", "fragment", "https", id="a fragment"),
        pytest.param({"jwks": None, "jwks_uri": "https://idp.example:x/"}, "jwks_uri", "not a URL", "https", id="a bad port"),
        pytest.param({"jwks": None, "jwks_uri": "https://[::1"}, "jwks_uri", "not a URL", "https", id="a bad host"),
        pytest.param({"jwks": None, "jwks_uri": "https://idp.example/ k"}, "jwks_uri", "not a URL", "https", id="a space"),
        pytest.param({"jwks": None, "jwks_uri": "https://\u0131dp.example/"}, "jwks_uri", "not a URL", "https", id="not ASCII"),
        pytest.param({"jwks": None, "jwks_uri": "https://a/" + "k" * 2048}, "jwks_uri", "not a URL", "https", id="too long"),
        pytest.param({"jwks": None, "jwks_uri": 5}, "jwks_uri", "not a string", "https://idp.example/", id="keys at a number"),
        pytest.param(
            {"jwks": None, "discovery_url": "http://idp.example/d"}, "discovery_url", "not https", "https", id="http metadata"
        ),
        pytest.param({"jwks_uri": "https://a/"}, "jwks_uri", "jwks is given as well", "one way only", id="keys in two ways"),
        pytest.param(
            {"discovery_url": "https://a/"}, "discovery_url", "jwks is given as well", "one way", id="keys here and there"
        ),
        pytest.param({"jwks": []}, "jwks", "it is not a JWKS", "{'keys': [...]}", id="a list of keys"),
        pytest.param({"jwks": {}}, "jwks", "keys is not a list", "{'keys': [...]}", id="no keys member"),
        pytest.param({"jwks": {"keys": []}}, "jwks", "keys is not a list of 1", "public keys", id="an empty set"),
        pytest.param(
            {"jwks": {"keys": [{"kty": "oct", "k": "AQ"}]}}, "jwks", "no usable key (unknown_kty)", "public keys", id="a secret"
        ),
        pytest.param(
            {"algorithms": ["ES256"]}, "jwks", "none of its keys serves", "List the algorithm", id="keys of another algorithm"
        ),
        pytest.param(
            {"tenants": [TENANT]}, "tenants", "holds no {tenantid}", "leave tenants out", id="tenants without a template"
        ),
        pytest.param({"tenants": "any"}, "tenants", "holds no {tenantid}", "leave tenants out", id="any without a template"),
        pytest.param({"required_claims": "exp"}, "required_claims", "not a list", "['exp', 'tid']", id="a claim for a list"),
        pytest.param({"required_claims": [1]}, "required_claims", PLAIN, "['exp', 'tid']", id="a number as a claim"),
        pytest.param(
            {"required_values": [("ver", "1")]}, "required_values", "does not map", "{'ver': '2.0'}", id="pairs for a dict"
        ),
        pytest.param({"required_values": {"ver": 2}}, "required_values", PLAIN, "{'ver': '2.0'}", id="a number as a value"),
        pytest.param({"subject_claim": ""}, "subject_claim", "plain, non-empty", "'sub'", id="an empty subject claim"),
        pytest.param({"subject_claim": None}, "subject_claim", "plain, non-empty", "'sub'", id="no subject claim"),
        pytest.param({"token_types": []}, "token_types", "it is empty", "at+jwt", id="no types"),
        pytest.param({"token_types": "JWT"}, "token_types", "it is not a list", "at+jwt", id="a type for a list"),
        pytest.param({"token_types": ["JWT", 1]}, "token_types", PLAIN, "at+jwt", id="a number as a type"),
        pytest.param({"token_types": [""]}, "token_types", PLAIN, "at+jwt", id="an empty type"),
        pytest.param({"token_types": ["application/"]}, "token_types", "names no type", "at+jwt", id="a type without a name"),
        pytest.param({"id_token_marks": "nonce"}, "id_token_marks", "not a list", "at_hash", id="a mark for a list"),
        pytest.param({"kinds": []}, "kinds", "it is empty", "Name at least one", id="no kinds"),
        pytest.param(
            {"kinds": ["robot"]}, "kinds", "'robot' is not one of app, unknown, user", "Take one", id="an unheard-of kind"
        ),
        pytest.param({"kinds": "user"}, "kinds", "it is not a list", "app", id="a kind for a list"),
        pytest.param({"clients": []}, "clients", "it is empty", "<application id>", id="no clients"),
        pytest.param({"clients": "app-1"}, "clients", "it is not a list", "<application id>", id="a client for a list"),
        pytest.param({"guests": None}, "guests", "not True or False", "Write True or False", id="guests None"),
        pytest.param({"guests": 0}, "guests", "not True or False", "Write True or False", id="guests 0"),
        pytest.param({"required_scopes": "a b"}, "required_scopes", "not a list", "jobs.read", id="scopes in a string"),
        pytest.param(
            {"required_scopes": ["a b"]},
            "required_scopes",
            "",
            "jobs.read",
            id="two scopes in one string, which no token could hold",
        ),
        pytest.param({"required_roles": [""]}, "required_roles", PLAIN, "Jobs.Admin", id="an empty role"),
        pytest.param(
            {"required_claims": ["nonce"]}, "id_token_marks", "nonce is required elsewhere", "Leave it out", id="required mark"
        ),
        pytest.param(
            {"required_values": {"at_hash": "x"}}, "id_token_marks", "at_hash is required", "Leave it", id="mark with a value"
        ),
        pytest.param({"subject_claim": "c_hash"}, "id_token_marks", "c_hash is required", "Leave it", id="a mark as the subject"),
    ],
)
def test_an_issuer_that_is_unsafe_or_impossible_is_refused(
    desk: Any, options: dict[str, Any], field: str, problem: str, fix: str
) -> None:
    refused(lambda: desk.rule(**options), field, problem, fix)


@pytest.mark.parametrize(
    ("issuer", "field", "problem", "fix"),
    [
        pytest.param("http://idp.example/", "issuer", "not https", "loopback only", id="http"),
        pytest.param("http://127.0.0.1.evil.example/", "issuer", "not https", "loopback", id="a host that looks like loopback"),
        pytest.param("http://localhost.evil.example/", "issuer", "not https", "loopback", id="a host that begins like loopback"),
        pytest.param("idp.example", "issuer", "no host", "https address", id="no scheme"),
        pytest.param("", "issuer", "not a string", "https://idp.example/", id="empty"),
        pytest.param(None, "issuer", "not a string", "https://idp.example/", id="None"),
        pytest.param("https://idp.example/{tenant}/", "issuer", "holds a placeholder", "{tenantid}", id="another placeholder"),
        pytest.param("https://idp.example/<tenant>/", "issuer", "holds a placeholder", "Fill it in", id="angle brackets"),
        pytest.param(
            "https://{tenantid}.example/{tenantid}/", "issuer", "holds a placeholder", "once", id="the placeholder twice"
        ),
        pytest.param(TEMPLATE, "tenants", "the issuer is a template", "write tenants='any'", id="a template without tenants"),
    ],
)
def test_an_issuer_name_that_cannot_be_trusted_is_refused(desk: Any, issuer: Any, field: str, problem: str, fix: str) -> None:
    refused(lambda: desk.rule(issuer), field, problem, fix)


@pytest.mark.parametrize(
    ("tenants", "problem", "fix"),
    [
        pytest.param([], "it is empty", "<tenant id>", id="none"),
        pytest.param(TENANT, "it is not a list", "<tenant id>", id="a tenant for a list"),
        pytest.param("all", "it is not a list", "<tenant id>", id="another word for any"),
        pytest.param(["contoso.onmicrosoft.com"], "is not a GUID", "Directory (tenant) ID", id="a domain name"),
        pytest.param(["common"], "is not a GUID", "Directory (tenant) ID", id="common"),
        pytest.param([TENANT, "any"], "is not a GUID", "Directory (tenant) ID", id="any among others"),
        pytest.param([TENANT + "\n"], PLAIN, "<tenant id>", id="a line break"),
        pytest.param(["*"], "is not a GUID", "Directory (tenant) ID", id="a star"),
    ],
)
def test_tenants_are_ids_or_the_word_any(desk: Any, tenants: Any, problem: str, fix: str) -> None:
    refused(lambda: desk.rule(TEMPLATE, tenants=tenants), "tenants", problem, fix)


def test_tenants_may_be_written_in_upper_case_and_twice(desk: Any) -> None:
    rule = desk.rule(TEMPLATE, tenants=[TENANT.upper(), TENANT])
    assert rule.tenants == (TENANT,)
    assert rule.names() == {TEMPLATE.replace("{tenantid}", TENANT): TENANT}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_http_is_for_this_machine_only(desk: Any, host: str) -> None:
    rule = Issuer(f"http://{host}:8000", audiences=["a"], jwks_uri=f"http://{host}:8000/keys")
    assert rule.location == JwksUri(f"http://{host}:8000/keys")


@pytest.mark.parametrize(
    ("make", "field", "problem", "fix"),
    [
        pytest.param(lambda rule: Anything([]), "issuers", "it is empty", "Issuer(", id="no issuers"),
        pytest.param(lambda rule: Anything(rule), "issuers", "it is not a list", "Issuer(", id="an issuer for a list"),
        pytest.param(lambda rule: Anything(["https://a/"]), "issuers", "not an Issuer", "Issuer(", id="a string"),
        pytest.param(lambda rule: Anything([rule, rule]), "issuers", "is declared twice", "Join the two", id="twice"),
        pytest.param(lambda rule: Anything([rule], checks=[1]), "checks", "it is not a function", "Identity", id="no function"),
        pytest.param(lambda rule: Anything([rule], checks=print), "checks", "it is not a list", "[check]", id="one function"),
        pytest.param(lambda rule: Anything([rule], max_token_bytes=0), "max_token_bytes", "from 512 to", "range", id="no room"),
        pytest.param(
            lambda rule: Anything([rule], max_token_bytes=2**30), "max_token_bytes", "512 to", "range", id="too much room"
        ),
        pytest.param(lambda rule: Anything([rule], max_token_bytes=1e4), "max_token_bytes", "not a whole", "range", id="a float"),
        pytest.param(
            lambda rule: Anything([rule], max_token_bytes=True), "max_token_bytes", "not a whole", "range", id="a boolean"
        ),
        pytest.param(
            lambda rule: Verifier(Policy([rule]), remember=-1), "remember", "from 0 to", "0 is none", id="less than none"
        ),
        pytest.param(lambda rule: Verifier(Policy([rule]), remember=10**9), "remember", "from 0 to", "0 is none", id="too many"),
        pytest.param(
            lambda rule: Verifier(Policy([rule]), remember=True), "remember", "not a number", "0 is none", id="remember True"
        ),
        pytest.param(lambda rule: AsyncVerifier(Policy([rule]), remember=-1), "remember", "from 0", "0 is none", id="async too"),
    ],
)
def test_a_policy_that_is_unsafe_or_impossible_is_refused(desk: Any, make: Any, field: str, problem: str, fix: str) -> None:
    refused(lambda: make(desk.rule()), field, problem, fix)


def test_two_rules_may_not_claim_the_same_tenant_or_template(desk: Any) -> None:
    one = desk.rule(TEMPLATE, tenants=[TENANT])
    plain = desk.rule(TEMPLATE.replace("{tenantid}", TENANT))
    anyone = desk.rule(TEMPLATE, tenants="any")
    for pair in ([one, plain], [plain, one], [one, anyone], [anyone, anyone]):
        refused(partial(Policy, pair), "issuers", "is declared twice", "Join the two, or remove one")


def test_an_issuer_with_several_tenants_must_say_where_its_keys_are() -> None:
    other = TENANT.replace("a", "b")
    for tenants in ([TENANT, other], "any"):
        make = partial(Issuer, TEMPLATE, audiences=["a"], tenants=tenants)
        refused(make, "discovery_url", "several tenants", "common")
    single = Issuer(TEMPLATE, audiences=["a"], tenants=[TENANT])
    assert isinstance(single.location, Discovery)
    assert single.location.url == f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"


def test_keys_are_where_the_configuration_says(desk: Any) -> None:
    assert isinstance(desk.rule().location, Static)
    assert desk.rule(jwks=..., jwks_uri="https://idp.example/keys").location == JwksUri("https://idp.example/keys")
    discovered = desk.rule(jwks=...).location
    assert discovered.url == "https://idp.example/.well-known/openid-configuration"
    assert discovered.issuers == {desk.issuer}


def test_lists_are_copied_so_that_changing_them_changes_no_rule(desk: Any) -> None:
    audiences, values = ["api://jobs"], {"ver": "2.0"}
    rule = desk.rule(audiences=audiences, required_values=values)
    audiences.append("api://evil")
    values.clear()
    assert rule.audience_set == {"api://jobs"}
    assert rule.required_values == {"ver": "2.0"}


def test_a_rule_cannot_be_changed_after_it_was_judged(desk: Any) -> None:
    rule = desk.rule()
    with pytest.raises(AttributeError):
        rule.algorithms = ("none",)


def test_no_repr_holds_key_material(desk: Any) -> None:
    rule = desk.rule()
    modulus = desk.signers["rsa"].jwk["n"]
    assert modulus not in repr(rule) + repr(Policy([rule])) + repr(rule.location)
    assert repr(Policy([rule])) == "<Policy https://idp.example/>"


def test_a_private_key_in_the_configuration_is_refused_without_repeating_it(desk: Any) -> None:
    jwks = {"keys": [desk.signers["rsa"].jwk | {"d": "c2VjcmV0LWNhbmFyeQ"}]}
    with pytest.raises(PolicyError) as caught:
        desk.rule(jwks=jwks)
    assert "private_key_published" in caught.value.problem
    assert "c2VjcmV0" not in json.dumps([str(caught.value), repr(caught.value), caught.value.fix])


def test_nothing_in_an_issuer_or_a_policy_can_be_changed(desk: Any) -> None:
    rule = desk.rule(
        required_values={"ver": "2.0"}, clients=["c"], required_scopes=["s"], required_roles=["r"], token_types=["JWT"]
    )
    policy = Policy([rule], checks=[print])
    for owner in (rule, policy):
        for field in fields(owner):
            if not field.name.startswith("_"):
                assert not isinstance(getattr(owner, field.name), (list, dict, set)), field.name
                with pytest.raises(AttributeError):
                    setattr(owner, field.name, ())
    for held in (rule.required_values, rule.jwks, rule.jwks["keys"][0]):
        with pytest.raises(TypeError):
            held["ver"] = "1.0"


def test_keys_that_are_added_to_the_given_set_later_do_not_serve(desk: Any) -> None:
    given_keys = desk.jwks("rsa")
    rule = desk.rule(jwks=given_keys)
    given_keys["keys"].append(desk.signers["rsa-2"].jwk)
    given_keys["keys"][0]["kid"] = "another"
    assert desk.verdict(desk.verifier(rule), desk.token()) == "accepted"
    assert desk.verdict(desk.verifier(rule), desk.token(signer="rsa-2")) == "unknown_key"


def test_an_issuer_with_one_field_replaced_is_judged_again_and_keeps_the_others(desk: Any) -> None:
    rule = desk.rule(required_values={"ver": "2.0"}, token_types=["at+jwt", None])
    changed = replace(rule, leeway=30)
    assert (changed.leeway, changed.required_values, changed.type_set) == (30, {"ver": "2.0"}, {"at+jwt", ""})
    assert desk.verdict(desk.verifier(changed), desk.token(desk.claims(ver="2.0"), typ=...)) == "accepted"
    with pytest.raises(PolicyError) as caught:
        replace(rule, algorithms=["none"])
    assert caught.value.field == "algorithms"


def test_settings_that_hold_a_policy_can_be_copied(desk: Any) -> None:
    policy = Policy([desk.rule()])
    copied = deepcopy({"policy": policy})["policy"]
    assert copied.issuers == policy.issuers
    assert desk.verdict(desk.verifier(policy=copied), desk.token()) == "accepted"


def test_sets_and_views_are_lists_enough() -> None:
    sets: Any = {"audiences": {"api://jobs": 1}.keys(), "token_types": {"JWT", None}, "clients": frozenset({"c"})}
    rule: Any = Issuer("https://idp.example/", **sets)
    assert (rule.audiences, rule.type_set, rule.clients) == (("api://jobs",), {"jwt", ""}, ("c",))


def test_what_is_named_twice_counts_once() -> None:
    policy = entra.api(OTHER, [TENANT, TENANT.upper()], versions=["2.0", "2.0"])
    assert [rule.tenants for rule in policy.issuers] == [(TENANT,)]
    assert policy.issuers[0].location.name == f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
