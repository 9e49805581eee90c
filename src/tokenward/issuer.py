"""Issuer: one issuer to believe, and what its tokens must be like; refused at construction if unsafe or impossible."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.identity import Kind, app_if_subject_is_client
from tokenward.keys.keyset import read_keyset
from tokenward.keys.location import Discovery, JwksUri, Location, Static
from tokenward.token.algorithms import ALGORITHMS

TENANT_PLACEHOLDER = "{tenantid}"
"""As Entra's own tenant-independent metadata writes it."""
MAX_LEEWAY = 300.0
"""Seconds. Microsoft's .NET default; more would only hide a broken clock."""
ACCESS_TOKEN_TYPES = ("JWT", "at+jwt", None)
"""`typ` of access tokens: Entra's, RFC 9068's, and none at all."""
ID_TOKEN_MARKS = ("nonce", "at_hash", "c_hash")
"""Claims that belong in ID tokens (OpenID Connect Core sections 2 and 3.3.2.11)."""

_NOBODY = re.compile(r"https://login\.[^/]+/(common|organizations|consumers)(/|$)")

KindOf: TypeAlias = Callable[[Mapping[str, Any]], Kind]


@dataclass(frozen=True, eq=False)
class Issuer:
    """One issuer to believe, and what its tokens must be like.

    issuer            `iss`, to the letter; may hold "{tenantid}", and then `tenants` says which
    audiences         what `aud` may be: this service's names. Never someone else's: a token for another service would pass
    algorithms        what `alg` may be. The list is yours and not the token's, or a forger would choose how the signature
                      is checked (RFC 8725 section 3.1); `none` and HS* cannot be listed
    jwks, jwks_uri,   where the keys are: given here, at an address, or named by the discovery document at an address;
    discovery_url       none of them means the issuer's own discovery address (OpenID Connect Discovery section 4)
    tenants           a list of tenant ids, or "any", said outright; `tid` and `iss` must agree in either case
    leeway            seconds by which clocks may differ, for exp, nbf and iat; Databricks itself allows none
    required_claims   claims that must be there; `exp`, `iss` and `aud` always must
    required_values   claims that must have exactly this value, such as {"ver": "2.0"}
    subject_claim     the claim that becomes `Identity.subject`
    token_types       what the `typ` header may be; None stands for its absence
    id_token_marks    claims by which ID tokens are known and refused; Keycloak before 25 copies `nonce` into access
                      tokens, so leave it out there
    kind_of           how claims tell a user from an app
    kinds, clients,   who may call: kinds of caller, calling applications, guests of the tenant; what every caller's token
    guests,             must hold of scopes and of application roles (all of them). Each of these is judged after the
    required_scopes,    signature, and answered with 403
    required_roles
    cloud_instance_name  Entra's name of the cloud; keys that name another are refused

    Raises PolicyError. Nothing is fetched here.
    """

    issuer: str
    audiences: Sequence[str] = field(kw_only=True)
    algorithms: Sequence[str] = field(default=("RS256",), kw_only=True)
    jwks: Mapping[str, Any] | None = field(default=None, kw_only=True, repr=False)
    jwks_uri: str | None = field(default=None, kw_only=True)
    discovery_url: str | None = field(default=None, kw_only=True)
    tenants: Sequence[str] | Literal["any"] | None = field(default=None, kw_only=True)
    leeway: float = field(default=0.0, kw_only=True)
    required_claims: Sequence[str] = field(default=("exp",), kw_only=True)
    required_values: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    subject_claim: str = field(default="sub", kw_only=True)
    token_types: Sequence[str | None] = field(default=ACCESS_TOKEN_TYPES, kw_only=True)
    id_token_marks: Sequence[str] = field(default=ID_TOKEN_MARKS, kw_only=True)
    kind_of: KindOf = field(default=app_if_subject_is_client, kw_only=True)
    kinds: Sequence[Kind] | None = field(default=None, kw_only=True)
    clients: Sequence[str] | None = field(default=None, kw_only=True)
    guests: bool = field(default=True, kw_only=True)
    required_scopes: Sequence[str] = field(default=(), kw_only=True)
    required_roles: Sequence[str] = field(default=(), kw_only=True)
    cloud_instance_name: str | None = field(default=None, kw_only=True)

    location: Location = field(init=False, repr=False)
    audience_set: frozenset[str] = field(init=False, repr=False)
    algorithm_set: frozenset[str] = field(init=False, repr=False)
    type_set: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        judged = _judged(self)
        for name, value in judged.items():
            object.__setattr__(self, name, value)
        _require_reachable(self)
        object.__setattr__(self, "location", _location(self))

    @property
    def is_template(self) -> bool:
        return TENANT_PLACEHOLDER in self.issuer

    def for_tenant(self, tenant: str) -> str:
        """The issuer's name with the tenant filled in."""
        return self.issuer.replace(TENANT_PLACEHOLDER, tenant)

    def names(self) -> dict[str, str | None]:
        """Every `iss` that is known in advance, with its tenant."""
        if not self.is_template:
            return {self.issuer: None}
        return {} if self.tenants == "any" else {self.for_tenant(tenant): tenant for tenant in self.tenants or ()}


# -- judging an Issuer -------------------------------------------------------------------------------------------------


def _judged(given: Issuer) -> dict[str, object]:
    """Every argument in its final form, and the sets that the walk reads."""
    audiences = validation.texts("audiences", given.audiences, "['api://my-service']")
    algorithms = validation.choices("algorithms", given.algorithms, ALGORITHMS)
    types = _types(given.token_types)
    return {
        "issuer": _issuer_name(given.issuer),
        "audiences": audiences,
        "algorithms": algorithms,
        "tenants": _tenants(given),
        "leeway": validation.seconds("leeway", given.leeway, most=MAX_LEEWAY),
        "required_claims": _required_claims(given.required_claims),
        "required_values": _required_values(given.required_values),
        "subject_claim": validation.texts("subject_claim", [given.subject_claim], "'sub'")[0],
        "id_token_marks": validation.texts("id_token_marks", given.id_token_marks, "['at_hash']", empty=True),
        "kinds": None if given.kinds is None else validation.choices("kinds", given.kinds, ("user", "app", "unknown")),
        "clients": None if given.clients is None else validation.texts("clients", given.clients, "['<application id>']"),
        "guests": validation.boolean("guests", given.guests),
        "required_scopes": _scopes(given.required_scopes),
        "required_roles": validation.texts("required_roles", given.required_roles, "['Jobs.Admin']", empty=True),
        "audience_set": frozenset(audiences),
        "algorithm_set": frozenset(algorithms),
        "type_set": types,
    }


def _issuer_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise PolicyError("issuer", "it is not a string", "Give the iss of the tokens, such as 'https://idp.example/'.")
    if value.count(TENANT_PLACEHOLDER) > 1 or set(value.replace(TENANT_PLACEHOLDER, "")) & set("{}<>"):
        raise PolicyError("issuer", "it holds a placeholder", f"Fill it in; only {TENANT_PLACEHOLDER}, once, has a meaning here.")
    validation.address("issuer", value.replace(TENANT_PLACEHOLDER, "0"))
    if _NOBODY.match(value):
        fix = "Use entra.api(client_id, tenants=[...]), or put {tenantid} in its place and list the tenants."
        raise PolicyError("issuer", "no token carries it: Entra's tokens name their tenant", fix)
    return value


def _tenants(given: Issuer) -> tuple[str, ...] | Literal["any"] | None:
    template = isinstance(given.issuer, str) and TENANT_PLACEHOLDER in given.issuer
    if given.tenants is None and template:
        raise PolicyError("tenants", "the issuer is a template", "List the tenant ids that may call, or write tenants='any'.")
    if given.tenants is None:
        return None
    if not template:
        raise PolicyError("tenants", "the issuer holds no {tenantid}", "Put {tenantid} into the issuer, or leave tenants out.")
    if given.tenants == "any":
        return "any"
    listed = validation.texts("tenants", given.tenants, "['<tenant id>']")
    return tuple(dict.fromkeys(validation.tenant("tenants", item) for item in listed))


def _types(value: object) -> frozenset[str]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise PolicyError("token_types", "it is not a list, or is empty", "Write a list such as ['JWT', 'at+jwt', None].")
    if not all(item is None or (isinstance(item, str) and item) for item in value):
        raise PolicyError("token_types", "it holds something other than strings and None", "Write ['JWT', 'at+jwt', None].")
    return frozenset("" if item is None else item.lower().removeprefix("application/") for item in value)


def _required_claims(value: object) -> tuple[str, ...]:
    listed = validation.texts("required_claims", value, "['exp', 'tid']", empty=True)
    return tuple(dict.fromkeys(("exp", *listed)))


def _required_values(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise PolicyError("required_values", "it does not map claims to strings", "Write a dict such as {'ver': '2.0'}.")
    return dict(value)


def _scopes(value: object) -> tuple[str, ...]:
    scopes = validation.texts("required_scopes", value, "['jobs.read']", empty=True)
    if any(set(scope) & set(' "\\') or not (scope.isascii() and scope.isprintable()) for scope in scopes):
        problem = "a scope holds spaces, quotes, backslashes or characters outside printable ASCII (RFC 6749 section 3.3)"
        raise PolicyError("required_scopes", problem, "Write one scope per item, such as ['jobs.read', 'jobs.write'].")
    return scopes


def _require_reachable(issuer: Issuer) -> None:
    contradicted = sorted(set(issuer.id_token_marks) & {*issuer.required_claims, *issuer.required_values, issuer.subject_claim})
    if contradicted:
        problem = f"{contradicted[0]} is required elsewhere, so no token could pass"
        raise PolicyError("id_token_marks", problem, "Leave it out of id_token_marks, or do not require it.")


# -- where the keys are ------------------------------------------------------------------------------------------------


def _location(issuer: Issuer) -> Location:
    given = [name for name in ("jwks", "jwks_uri", "discovery_url") if getattr(issuer, name) is not None]
    if len(given) > 1:
        raise PolicyError(given[1], f"{given[0]} is given as well", "Say in one way only where the keys are.")
    if issuer.jwks is not None:
        return _static(issuer, issuer.jwks)
    if issuer.jwks_uri is not None:
        return JwksUri(validation.address("jwks_uri", issuer.jwks_uri))
    return Discovery(_discovery_url(issuer), frozenset({issuer.issuer, *issuer.names()}))


def _static(issuer: Issuer, jwks: object) -> Static:
    if not isinstance(jwks, Mapping):
        raise PolicyError("jwks", "it is not a JWKS", "Give a dict of the form {'keys': [...]}.")
    try:
        keyset = read_keyset(jwks)
    except ValueError as exc:
        raise PolicyError("jwks", str(exc), "Give public keys in a dict of the form {'keys': [...]}.") from None
    allowed = [ALGORITHMS[name] for name in issuer.algorithms]
    if not any(key.serves(algorithm) for keys in keyset.keys.values() for key in keys for algorithm in allowed):
        raise PolicyError("jwks", "none of its keys serves the listed algorithms", "List the algorithm that the keys are for.")
    return Static(keyset)


def _discovery_url(issuer: Issuer) -> str:
    if issuer.discovery_url is not None:
        return validation.address("discovery_url", issuer.discovery_url)
    known = list(issuer.names())
    if len(known) != 1:
        fix = "Give the address of the tenant-independent metadata, such as .../common/v2.0/.well-known/openid-configuration."
        raise PolicyError("discovery_url", "an issuer with several tenants has no discovery address of its own", fix)
    return known[0].rstrip("/") + "/.well-known/openid-configuration"
