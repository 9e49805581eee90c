"""What each field of an Issuer may be on its own: one judge per field, which returns its final, unchangeable form.

A new field needs its line in JUDGES. What two fields may not be together is judged in `issuer`, after all of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.hints import GRAPH_AUDIENCES
from tokenward.identity import KINDS
from tokenward.issuer_name import issuer_name
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.header import type_of

Judge: TypeAlias = Callable[[str, object], object]

MAX_LEEWAY = 300.0
"""Seconds. Microsoft's .NET default; more would only hide a broken clock."""
NOT_SUBJECTS = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "tid", "ver", "scp", "scope", "roles"})
"""Claims that say nothing of who calls: taken for the subject they would make one caller of many, or many of one."""
NOT_ACCESS_TOKENS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"typ": ("ID", "Refresh", "Offline", "Logout"), "token_use": ("id",)}
)
"""How Keycloak and Cognito mark tokens that are not access tokens, in a claim."""

_NO_FIXED_DATE = "No date is the same in every token; to demand one, name it in required_claims."
_JUDGED_ELSEWHERE = {
    "iss": "Give it as the issuer.",
    "aud": "Name it in audiences.",
    "tid": "Put {tenantid} into the issuer and list the tenant in tenants, so that iss and tid are compared as well.",
    "exp": _NO_FIXED_DATE,
    "nbf": _NO_FIXED_DATE,
    "iat": _NO_FIXED_DATE,
}


def audiences(field: str, value: object) -> tuple[str, ...]:
    """Names of this service, and never Microsoft Graph's."""
    listed = validation.exact(field, value, "['api://my-service']")
    if any(item.lower().rstrip("/") in GRAPH_AUDIENCES for item in listed):
        problem = "it names Microsoft Graph, whose tokens nobody else can verify"
        raise PolicyError(field, problem, "Name this API's own audience, and have clients ask for its scope.")
    return listed


def tenants(field: str, value: object) -> tuple[str, ...] | Literal["any"]:
    """Tenant ids, each once, or the word "any"."""
    if isinstance(value, str) and value == "any":
        return "any"
    listed = validation.texts(field, value, "['<tenant id>']")
    return tuple(dict.fromkeys(validation.tenant(field, item) for item in listed))


def kinds(field: str, value: object) -> tuple[str, ...]:
    return validation.choices(field, value, KINDS)


def clients(field: str, value: object) -> tuple[str, ...]:
    return validation.exact(field, value, "['<application id>']")


def scopes(field: str, value: object) -> tuple[str, ...]:
    """Scopes as RFC 6749 section 3.3 writes them."""
    listed = validation.texts(field, value, "['jobs.read']", empty=True)
    if any(set(scope) & set(' "\\') or not scope.isascii() for scope in listed):
        problem = "a scope holds spaces, quotes, backslashes or characters outside printable ASCII (RFC 6749 section 3.3)"
        raise PolicyError(field, problem, "Write one scope per item, such as ['jobs.read', 'jobs.write'].")
    return listed


def roles(field: str, value: object) -> tuple[str, ...]:
    return validation.texts(field, value, "['Jobs.Admin']", empty=True)


def optional(judge: Judge) -> Judge:
    """The same, where None says that the field is not used."""
    return lambda field, value: None if value is None else judge(field, value)


def _algorithms(field: str, value: object) -> tuple[str, ...]:
    return validation.choices(field, value, ALGORITHMS)


def _jwks(field: str, value: object) -> Mapping[str, object]:
    """A copy that nobody can change; whether its keys can be used is judged where they are read."""
    fix = "Give public keys in a dict of the form {'keys': [...]}."
    keys = validation.mapping(field, value, "it is not a JWKS", fix).get("keys")
    if not isinstance(keys, (list, tuple)):
        raise PolicyError(field, "keys is not a list", fix)
    copied = (validation.mapping(field, key, "", fix) if isinstance(key, Mapping) else {} for key in keys)
    return MappingProxyType({"keys": tuple(MappingProxyType(key) for key in copied)})


def _leeway(field: str, value: object) -> float:
    return validation.seconds(field, value, most=MAX_LEEWAY)


def _required_claims(field: str, value: object) -> tuple[str, ...]:
    listed = validation.exact(field, value, "['exp', 'tid']", empty=True)
    return tuple(dict.fromkeys(("exp", *listed)))


def _required_values(field: str, value: object) -> Mapping[str, str]:
    problem, fix = "it does not map claims to plain strings", "Write a dict such as {'ver': '2.0'}."
    given = validation.mapping(field, value, problem, fix)
    names = validation.exact(field, list(given), "{'ver': '2.0'}", empty=True)
    values = validation.texts(field, list(given.values()), "{'ver': '2.0'}", empty=True)
    for name, expected in zip(names, values, strict=True):
        if name in _JUDGED_ELSEWHERE:
            raise PolicyError(field, f"{name} is judged by a rule of its own", _JUDGED_ELSEWHERE[name])
        if expected in NOT_ACCESS_TOKENS.get(name, ()):
            raise PolicyError(field, f"{name} marks a token that is no access token", "Have clients send the access token.")
    return MappingProxyType(dict(zip(names, values, strict=True)))


def _subject_claim(field: str, value: object) -> str:
    name = validation.text(field, value, "'sub'")
    if name in NOT_SUBJECTS:
        raise PolicyError(field, f"{name} does not name the caller", "Name the claim that does, such as 'sub' or 'oid'.")
    return name


def _token_types(field: str, value: object) -> tuple[str | None, ...]:
    example = "['JWT', 'at+jwt', None]"
    held = validation.items(field, value, example)
    named = validation.texts(field, [item for item in held if item is not None], example, empty=True)
    if not all(type_of(item) for item in named):
        problem = "'application/' names no type, and would stand for the absence of one"
        raise PolicyError(field, problem, f"Write it like {example}.")
    return named if len(named) == len(held) else (*named, None)


def _id_token_marks(field: str, value: object) -> tuple[str, ...]:
    return validation.exact(field, value, "['at_hash']", empty=True)


def _kind_of(field: str, value: object) -> Callable[..., Any]:
    return validation.function(field, value, "the claims that returns 'user', 'app' or 'unknown'")


def _cloud_instance_name(field: str, value: object) -> str:
    return validation.text(field, value, "'microsoftonline.com'")


JUDGES: Mapping[str, Judge] = MappingProxyType(
    {
        "issuer": issuer_name,
        "audiences": audiences,
        "algorithms": _algorithms,
        "jwks": optional(_jwks),
        "jwks_uri": optional(validation.address),
        "discovery_url": optional(validation.address),
        "tenants": optional(tenants),
        "leeway": _leeway,
        "required_claims": _required_claims,
        "required_values": _required_values,
        "subject_claim": _subject_claim,
        "token_types": _token_types,
        "id_token_marks": _id_token_marks,
        "kind_of": _kind_of,
        "kinds": optional(kinds),
        "clients": optional(clients),
        "guests": validation.boolean,
        "required_scopes": scopes,
        "required_roles": roles,
        "cloud_instance_name": optional(_cloud_instance_name),
    }
)
"""Every field of an Issuer, in its order."""
