"""Every argument of everything that a policy is made of: whatever is given, it is judged at construction, by its own name.

`WRONG` has a row for every argument, and a test fails where one is missing; so a new field begins with its wrong values.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from inspect import signature
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenward import Issuer, Policy, PolicyError, entra
from tokenward.issuer_fields import JUDGES

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
NO_SUBJECTS = ("iss", "aud", "exp", "nbf", "iat", "jti", "tid", "ver", "scp", "scope", "roles")
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
            "an ID token of Keycloak": {"typ": "ID"},
            "a refresh token of Keycloak": {"typ": "Refresh"},
            "an ID token of Cognito": {"token_use": "id"},
        },
        "subject_claim": {**NOT_TEXT, "None": None, **{name: name for name in NO_SUBJECTS}},
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
