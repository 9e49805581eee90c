"""Issuer: one issuer to believe, and what its tokens must be like; refused at construction if unsafe or impossible.

A new field is declared here, judged on its own in `issuer_fields`, and judged beside the other fields below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tokenward.errors import PolicyError
from tokenward.identity import CLIENT_CLAIMS, Kind, app_if_subject_is_client
from tokenward.issuer_fields import JUDGES, MAX_LEEWAY
from tokenward.issuer_location import location_of
from tokenward.issuer_name import TENANT_PLACEHOLDER, for_tenant, is_template
from tokenward.keys.location import Location
from tokenward.token.header import type_of

__all__ = ["ACCESS_TOKEN_TYPES", "ID_TOKEN_MARKS", "MAX_LEEWAY", "TENANT_PLACEHOLDER", "Issuer", "KindOf"]

ACCESS_TOKEN_TYPES = ("JWT", "at+jwt", None)
"""`typ` of access tokens: Entra's, RFC 9068's, and none at all."""
ID_TOKEN_MARKS = ("nonce", "at_hash", "c_hash")
"""Claims that belong in ID tokens (OpenID Connect Core sections 2 and 3.3.2.11)."""

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
    kind_of           how claims tell a user from an app; the default knows apps, and nothing of users
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
        for name, judge in JUDGES.items():
            self._keep(name, judge(name, getattr(self, name)))
        for require in COMBINATIONS:
            require(self)
        self._keep("location", self._location())
        self._keep("audience_set", frozenset(self.audiences))
        self._keep("algorithm_set", frozenset(self.algorithms))
        self._keep("type_set", frozenset(type_of(listed) for listed in self.token_types))

    @property
    def is_template(self) -> bool:
        return is_template(self.issuer)

    def for_tenant(self, tenant: str) -> str:
        """The issuer's name with the tenant filled in."""
        return for_tenant(self.issuer, tenant)

    def names(self) -> dict[str, str | None]:
        """Every `iss` that is known in advance, with its tenant."""
        if not self.is_template:
            return {self.issuer: None}
        return {} if self.tenants == "any" else {self.for_tenant(tenant): tenant for tenant in self.tenants or ()}

    def __deepcopy__(self, memo: object) -> Issuer:
        return self  # nothing in it can be changed

    def _location(self) -> Location:
        known = list(self.names())
        return location_of(
            self.issuer, known, self.algorithms, jwks=self.jwks, jwks_uri=self.jwks_uri, discovery_url=self.discovery_url
        )

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # frozen for everybody else


# -- what fields may not be together -----------------------------------------------------------------------------------


def _require_tenants_of_a_template(issuer: Issuer) -> None:
    if issuer.is_template and issuer.tenants is None:
        raise PolicyError("tenants", "the issuer is a template", "List the tenant ids that may call, or write tenants='any'.")
    if issuer.tenants is not None and not issuer.is_template:
        raise PolicyError("tenants", "the issuer holds no {tenantid}", "Put {tenantid} into the issuer, or leave tenants out.")


def _require_marks_that_no_token_needs(issuer: Issuer) -> None:
    needed = {"iss", "aud", *issuer.required_claims, *issuer.required_values, issuer.subject_claim}
    needed |= ({"tid"} if issuer.is_template else set()) | ({"roles"} if issuer.required_roles else set())
    needed |= {"scp", "scope"} if issuer.required_scopes else set()
    needed |= set(CLIENT_CLAIMS) if issuer.clients else set()
    contradicted = sorted(needed & set(issuer.id_token_marks))
    if contradicted:
        problem = f"{contradicted[0]} is required elsewhere, so no token could pass"
        raise PolicyError("id_token_marks", problem, "Leave it out of id_token_marks, or do not require it.")


def _require_kinds_that_can_be_told(issuer: Issuer) -> None:
    if issuer.kind_of is app_if_subject_is_client and "user" in (issuer.kinds or ()):
        problem = "'user' is listed, and the default kind_of never says so: it tells apps, and nothing of users"
        raise PolicyError("kinds", problem, "Give a kind_of that knows this issuer's users, or leave kinds out.")


def _require_a_client_that_may_call(issuer: Issuer) -> None:
    demanded = [issuer.required_values[name] for name in CLIENT_CLAIMS if name in issuer.required_values]
    if demanded and issuer.clients is not None and demanded[0] not in issuer.clients:
        problem = "required_values demand a calling application that is not among them, so no token could pass"
        raise PolicyError("clients", problem, "List the application in clients, or leave it out of required_values.")


COMBINATIONS: tuple[Callable[[Issuer], None], ...] = (
    _require_tenants_of_a_template,
    _require_marks_that_no_token_needs,
    _require_kinds_that_can_be_told,
    _require_a_client_that_may_call,
)
