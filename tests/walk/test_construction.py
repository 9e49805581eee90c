"""Every argument of everything that a policy is made of: whatever is given, it is judged at construction, by its own name.

`WRONG` has a row for every argument, and a test fails where one is missing; so a new field begins with its wrong values.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from inspect import signature
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward import Issuer, Policy, PolicyError, entra
from tokenward.issuer_fields import JUDGES, NOT_ACCESS_TOKENS, NOT_SUBJECTS
from tokenward.issuer_name import template_of, tenant_of

Maker = Callable[..., object]
Values = dict[str, Any]

TENANT = "aaaaaaaa-2222-3333-4444-555555555555"
OTHER = "bbbbbbbb-2222-3333-4444-555555555555"
CLIENT = "cccccccc-2222-3333-4444-555555555555"
GRAPH = "00000003-0000-0000-c000-000000000000"
TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"


class UnreadableList(Sequence[Any]):
    """A list of someone else's whose reading fails."""

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: Any) -> Any:
        raise RuntimeError


class UnreadableDict(Mapping[str, Any]):
    """A dict of someone else's whose reading fails."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(["keys"])

    def __getitem__(self, name: str) -> Any:
        raise RuntimeError


class Unequal:
    """Compared with anything, it fails, as an array does that gives no single answer."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError


async def asynchronous(claims: object) -> None:
    """Awaited by nobody."""


def generator(claims: object) -> Iterator[None]:
    """Run by nobody."""
    yield


class Asynchronous:
    async def __call__(self, claims: object) -> None:
        """Awaited by nobody."""


ANYTHING: Values = {"a number": 5, "an object": object(), "bytes": b"x", "what has no truth": Unequal(), "a class": int}
NOT_TEXT = {**ANYTHING, "a list": ["x"], "a dict": {"x": "y"}, "a boolean": True, "": "", "a space": " x", "unseen": "x\u200by"}
NOT_LIST = {
    **ANYTHING,
    "text": "x",
    "a dict": {"x": "y"},
    "a generator": (letter for letter in "xy"),
    "an iterator": iter(["x"]),
    "an unreadable list": UnreadableList(),
    "a list of numbers": [5],
    "a list of None": [None, 5],
    "a list of lists": [["x"]],
    "a list of nothing": [""],
    "a list with an unseen character": ["x\u200b"],
    "a list with a line break": ["x\ny"],
}
NOT_DICT = {**ANYTHING, "text": "x", "a list": [["x", "y"]], "an unreadable dict": UnreadableDict()}
NOT_NUMBER = {
    **{name: value for name, value in ANYTHING.items() if name != "a number"},
    "None": None,
    "text": "1",
    "a boolean": True,
    "NaN": math.nan,
    "infinity": math.inf,
    "negative": -1,
    "huge": 10**400,
}
NOT_SWITCH = {**ANYTHING, "None": None, "text": "false", "one": 1, "nought": 0}
NOT_FUNCTION = {
    **{name: value for name, value in ANYTHING.items() if name != "a class"},
    "text": "app",
    "async": asynchronous,
    "an async object": Asynchronous(),
    "a generator": generator,
    "async, in part": functools.partial(asynchronous),
    "of no argument": lambda: None,
    "of two": lambda one, two: None,
}
NOT_URL = {
    **NOT_TEXT,
    "http": "http://idp.example/k",
    "no scheme": "idp.example",
    "a placeholder": "https://idp.example/{tenantid}/k",
    "another placeholder": "https://idp.example/<tenant>/k",
    "credentials": "https://u:p@idp.example/k",
    "a fragment": "https://idp.example/k#f",
    "a backslash": "https://idp.example\\@evil.example/k",
    "port 0": "https://idp.example:0/k",
}
NOT_ISSUER = {
    **{name: value for name, value in NOT_URL.items() if name != "a placeholder"},
    "None": None,
    "a query": "https://idp.example/?a=b",
    "an empty query": "https://idp.example/?",
    "an empty fragment": "https://idp.example/#",
    "the placeholder twice": "https://{tenantid}.example/{tenantid}/",
    "a GUID before the placeholder": f"https://idp.example/{OTHER}/{{tenantid}}/",
    "half a GUID before the placeholder": "https://idp.example/aaaaaaaa-2222-3333-4444-5555{tenantid}/",
    "common": "https://login.microsoftonline.com/common/v2.0",
    "organizations": "https://login.microsoftonline.us/organizations/v2.0",
    "consumers": "https://sts.windows.net/consumers/",
    "common in China": "https://login.partner.microsoftonline.cn/common/v2.0",
}
NOT_TENANTS = {
    **NOT_LIST,
    "none": [],
    "another word": "all",
    "a domain": ["contoso.com"],
    "a star": ["*"],
    "any in a list": ["any"],
}
NOT_LISTED = {**NOT_LIST, "a star": ["*"], "a pattern": ["https://*.example/"]}
NOT_AUDIENCES = {**NOT_LISTED, "Graph": ["api://jobs", GRAPH], "Graph's URI": ["https://graph.microsoft.com/"]}
NOT_KINDS = {**NOT_LIST, "none": [], "an unheard-of kind": ["robot"]}
NOT_CLIENTS = {**NOT_LISTED, "none": []}
NOT_SCOPES = {**NOT_LIST, "None": None, "two in one": ["a b"], "quotes": ['"'], "not ASCII": ["\xe4"]}
NOT_BYTES = {**NOT_NUMBER, "a float": 1e4, "none": 0, "too many": 2**30}
NOT_CHECKS = {**NOT_LIST, "None": None, "a function": print, **{name: [value] for name, value in NOT_FUNCTION.items()}}
NOT_CLOUD = {**ANYTHING, "None": None, "text": "public"}
NOT_VERSIONS = {**NOT_LIST, "None": None, "none": [], "a version for a list": "1.0", "an unheard-of version": ["3.0"]}

WRONG: dict[str, dict[str, Values]] = {
    "Issuer": {
        "issuer": NOT_ISSUER,
        "audiences": {**NOT_AUDIENCES, "None": None, "none": []},
        "algorithms": {**NOT_LIST, "None": None, "none": [], "alg none": ["none"], "HS256": ["HS256"], "a star": ["*"]},
        "jwks": {**NOT_DICT, "no keys": {}, "keys that are no list": {"keys": {}}, "no key": {"keys": [5, None, {}]}},
        "jwks_uri": NOT_URL,
        "discovery_url": NOT_URL,
        "tenants": {**NOT_TENANTS, "tenants of a plain issuer": [TENANT], "any of a plain issuer": "any"},
        "leeway": {**NOT_NUMBER, "too long": 301},
        "required_claims": {**NOT_LISTED, "None": None},
        "required_values": {
            **NOT_DICT,
            "None": None,
            "a number": {"ver": 2},
            "nothing": {"ver": ""},
            "no name": {"": "x"},
            "a star": {"*": "x"},
            **{name: {name: "x"} for name in ("iss", "aud", "tid", "exp", "nbf", "iat")},
            **{f"{name} {value}": {name: value} for name, values in NOT_ACCESS_TOKENS.items() for value in values},
        },
        "subject_claim": {**NOT_TEXT, "None": None, **{name: name for name in sorted(NOT_SUBJECTS)}},
        "token_types": {
            **NOT_LIST,
            "None": None,
            "none": [],
            "no name": ["application/"],
            "a list of None": [None, 5],
        },
        "id_token_marks": {**NOT_LISTED, "None": None, "exp": ["exp"], "aud": ["aud"], "sub": ["nonce", "sub"]},
        "kind_of": {**NOT_FUNCTION, "None": None},
        "kinds": {**NOT_KINDS, "users, whom the default kind_of cannot tell": ["user", "app"]},
        "clients": NOT_CLIENTS,
        "guests": NOT_SWITCH,
        "required_scopes": NOT_SCOPES,
        "required_roles": {**NOT_LIST, "None": None},
        "cloud_instance_name": NOT_TEXT,
    },
    "Policy": {
        "issuers": {
            **NOT_LIST,
            "None": None,
            "none": [],
            "an issuer for a list": Issuer("https://idp.example/", audiences=["a"]),
            "a dict of issuers": {"a": Issuer("https://idp.example/", audiences=["a"])},
        },
        "max_token_bytes": NOT_BYTES,
        "checks": NOT_CHECKS,
    },
    "Cloud": {
        "authority": {
            **NOT_URL,
            "None": None,
            "a slash": "https://login.example/",
            "a path": "https://login.example/common",
            "a query": "https://login.example?a=b",
            "an empty query": "https://login.example?",
        },
        "v1_issuer": {**NOT_ISSUER, "no placeholder": f"https://sts.windows.net/{TENANT}/"},
        "v2_issuer": {
            **NOT_ISSUER,
            "no placeholder": "https://login.example/v2.0",
            "the v1 issuer": "https://sts.example/{tenantid}/",
        },
        "instance_name": NOT_TEXT,
    },
    "databricks": {
        "tenant": {**NOT_TEXT, "None": None, "any": "any", "a domain": "contoso.com", "a list": [TENANT]},
        "cloud": NOT_CLOUD,
        "versions": NOT_VERSIONS,
        "kinds": NOT_KINDS,
        "clients": {**NOT_CLIENTS, "no id": ["app-1"]},
        "leeway": NOT_NUMBER,
        "max_token_bytes": NOT_BYTES,
        "checks": NOT_CHECKS,
    },
    "api": {
        "client_id": {**NOT_TEXT, "None": None, "a URI": "api://jobs", "Graph": GRAPH.upper()},
        "tenants": {**NOT_TENANTS, "None": None},
        "audiences": {**NOT_AUDIENCES, "None": None, "a slash": ["/"]},
        "cloud": NOT_CLOUD,
        "versions": NOT_VERSIONS,
        "kinds": NOT_KINDS,
        "clients": {**NOT_CLIENTS, "no id": ["app-1"]},
        "guests": NOT_SWITCH,
        "required_scopes": {**NOT_SCOPES, "the long form": ["api://jobs/jobs.read"]},
        "required_roles": {**NOT_LIST, "None": None},
        "leeway": NOT_NUMBER,
        "max_token_bytes": NOT_BYTES,
        "checks": NOT_CHECKS,
    },
}
MAKERS: dict[str, Maker] = {
    "Issuer": Issuer,
    "Policy": Policy,
    "Cloud": entra.Cloud,
    "databricks": entra.databricks,
    "api": entra.api,
}
RIGHT: dict[str, Values] = {
    "Issuer": {"issuer": "https://idp.example/", "audiences": ["api://jobs"]},
    "Policy": {"issuers": [Issuer("https://idp.example/", audiences=["api://jobs"])]},
    "Cloud": {"authority": "https://login.example", "v1_issuer": "https://sts.example/{tenantid}/", "v2_issuer": TEMPLATE},
    "databricks": {"tenant": TENANT},
    "api": {"client_id": CLIENT, "tenants": [TENANT]},
}
ARGUMENTS = [(subject, name) for subject, maker in MAKERS.items() for name in signature(maker).parameters]


def refusal(subject: str, **wrong: Any) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        MAKERS[subject](**RIGHT[subject] | wrong)
    return caught.value


@pytest.mark.parametrize("subject", MAKERS)
def test_every_argument_has_a_row_of_wrong_values(subject: str) -> None:
    assert list(WRONG[subject]) == list(signature(MAKERS[subject]).parameters)
    assert all(WRONG[subject].values())
    MAKERS[subject](**RIGHT[subject])  # without the wrong value it is accepted


def test_every_field_of_an_issuer_has_its_judge() -> None:
    assert list(JUDGES) == [field.name for field in fields(Issuer) if field.init]


@pytest.mark.parametrize(
    ("subject", "field", "value"),
    [
        pytest.param(subject, field, value, id=f"{subject} {field} {label}")
        for subject, rows in WRONG.items()
        for field, values in rows.items()
        for label, value in values.items()
    ],
)
def test_a_wrong_value_is_refused_under_the_name_of_its_argument(subject: str, field: str, value: Any) -> None:
    error = refusal(subject, **{field: value})
    assert error.field == field
    assert error.problem.strip() == error.problem != ""
    assert error.fix.endswith(".")
    assert str(error) == f"{error.field}: {error.problem}. {error.fix}"


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=5)
    | st.sampled_from([object(), int, print, generator, asynchronous, Unequal(), UnreadableList(), UnreadableDict(), 10**400, 1j])
    | st.sampled_from(
        ["any", "sub", "exp", "user", "RS256", "1.0", "*", TEMPLATE, TENANT, "https://idp.example/", "\ud800", "https://["]
    )
)
OBJECTS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.lists(inner, max_size=3).map(iter)
        | st.dictionaries(st.sampled_from(["keys", "kty", "ver", "iss", "", "n", "e"]) | st.integers(), inner, max_size=3)
        | st.sets(st.text(max_size=5) | st.integers(), max_size=3)
        | st.just({"a": "b"}.keys())
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(("subject", "field"), ARGUMENTS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=OBJECTS)
def test_no_object_causes_any_other_error(subject: str, field: str, value: Any) -> None:
    error = None
    try:
        MAKERS[subject](**RIGHT[subject] | {field: value})
    except PolicyError as refused:
        error = refused
    assert error is None or (error.field in signature(MAKERS[subject]).parameters and error.problem and error.fix)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(members=st.dictionaries(st.sampled_from(["kty", "kid", "alg", "use", "key_ops", "crv", "x", "y", "n", "e", "d"]), OBJECTS))
def test_no_key_in_the_configuration_causes_any_other_error(members: dict[str, Any]) -> None:
    for kty in ("RSA", "EC", "OKP"):
        with pytest.raises(PolicyError) as caught:
            Issuer("https://idp.example/", audiences=["a"], jwks={"keys": [{"kty": kty, **members}]})
        assert caught.value.field == "jwks"


# -- what one field says of another ------------------------------------------------------------------------------------


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
    error = refusal(subject, **options)
    assert error.field == field
    assert problem in error.problem
    assert fix in error.fix


def test_two_issuers_of_one_discovery_document_are_refused_because_it_is_of_one() -> None:
    where = {"audiences": ["a"], "discovery_url": "https://idp.example/metadata"}
    error = refusal("Policy", issuers=[Issuer("https://a.example/", **where), Issuer("https://b.example/", **where)])  # type: ignore[arg-type]
    assert error.field == "issuers"
    assert "https://a.example/" in error.problem
    assert "https://b.example/" in error.problem
    shared = {"audiences": ["a"], "jwks_uri": "https://idp.example/keys"}
    Policy([Issuer("https://a.example/", **shared), Issuer("https://b.example/", **shared)])  # type: ignore[arg-type]


def test_an_issuer_may_not_be_declared_beside_a_template_of_any_tenant() -> None:
    where: Any = {"audiences": ["a"], "jwks_uri": "https://idp.example/keys"}
    anyone = Issuer(TEMPLATE, tenants="any", **where)
    ours = Issuer(TEMPLATE.replace("{tenantid}", TENANT), **where)
    for pair in ([anyone, ours], [ours, anyone]):
        assert "is declared twice" in refusal("Policy", issuers=pair).problem
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


# -- after construction ------------------------------------------------------------------------------------------------


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
    assert isinstance(rule.required_values, MappingProxyType)
    with pytest.raises(TypeError):
        rule.required_values["ver"] = "1.0"
    with pytest.raises(TypeError):
        rule.jwks["keys"][0]["kid"] = "another"


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


def test_sets_and_views_are_lists_enough() -> None:
    rule = Issuer("https://idp.example/", audiences={"api://jobs": 1}.keys(), token_types={"JWT", None}, clients=frozenset({"c"}))  # type: ignore[arg-type]
    assert (rule.audiences, rule.type_set, rule.clients) == (("api://jobs",), {"jwt", ""}, ("c",))


def test_what_is_named_twice_counts_once() -> None:
    policy = entra.api(CLIENT, [TENANT, TENANT.upper()], versions=["2.0", "2.0"])
    assert [rule.tenants for rule in policy.issuers] == [(TENANT,)]
    assert policy.issuers[0].location.name == f"https://login.microsoftonline.com/{TENANT}/v2.0/.well-known/openid-configuration"
