"""Policy: all issuers that a service believes, found by `iss` in one step; refused at construction if it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.identity import Identity
from tokenward.issuer import Issuer
from tokenward.issuer_name import SOME_TENANT, for_tenant, template_of, tenant_of
from tokenward.keys.location import Discovery

MAX_TOKEN_BYTES = 16 * 1024
"""Twice what gunicorn lets a header line hold; Entra moves groups out of a token long before."""

CustomCheck: TypeAlias = Callable[[Identity], None]


@dataclass(frozen=True, slots=True)
class Route:
    """Which rules a token falls under: its issuer's, and the tenant that its `iss` names."""

    issuer: Issuer
    tenant: str | None


@dataclass(frozen=True, eq=False, repr=False)
class Policy:
    """All issuers that a service believes, found by `iss` in one step however many there are.

    issuers          at least one; no two may claim the same `iss`
    max_token_bytes  longer tokens are refused unread
    checks           your own checks, run for every request after all others; raise a TokenRejected to refuse, such as
                     `errors.ClientNotAllowed()`. They must be fast and must not block

    Raises PolicyError.
    """

    issuers: Sequence[Issuer]
    max_token_bytes: int = field(default=MAX_TOKEN_BYTES, kw_only=True)
    checks: Sequence[CustomCheck] = field(default=(), kw_only=True)

    _routes: Mapping[str, Route] = field(init=False)
    _templates: Mapping[str, Issuer] = field(init=False)
    _lengths: frozenset[int] = field(init=False)
    """Of every `iss` that some template stands for: a stranger's is not searched for a tenant unless it has one of them."""

    def __post_init__(self) -> None:
        issuers = _issuers(self.issuers)
        self._keep("issuers", issuers)
        self._keep("max_token_bytes", validation.whole("max_token_bytes", self.max_token_bytes, least=512, most=1024 * 1024))
        self._keep("checks", _checks(self.checks))
        self._keep("_templates", _templates(issuers))
        self._keep("_lengths", frozenset(len(for_tenant(name, SOME_TENANT)) for name in self._templates))
        self._keep("_routes", _routes(issuers, self._templates))
        _require_metadata_of_their_own(issuers)

    def route(self, iss: str) -> Route | None:
        """The rules for this `iss`, or None."""
        return self._routes.get(iss) or self._any_tenant(iss)

    def template_for(self, iss: str) -> Issuer | None:
        """The issuer of which this `iss` is some tenant, allowed or not."""
        return self._templates.get(template_of(iss)) if len(iss) in self._lengths else None

    def _any_tenant(self, iss: str) -> Route | None:
        issuer = self.template_for(iss)
        if issuer is None or issuer.tenants != "any":
            return None
        tenant = tenant_of(iss)
        return Route(issuer, tenant) if tenant else None

    def _keep(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)  # frozen for everybody else

    def __repr__(self) -> str:
        return f"<Policy {', '.join(issuer.issuer for issuer in self.issuers)}>"


def _issuers(value: object) -> tuple[Issuer, ...]:
    example = "[Issuer('https://idp.example/', audiences=[...])]"
    listed = validation.items("issuers", value, example)
    issuers = tuple(item for item in listed if isinstance(item, Issuer))
    if len(issuers) != len(listed):
        raise PolicyError("issuers", "it holds something that is not an Issuer", f"Write a list such as {example}.")
    return issuers


def _checks(value: object) -> tuple[CustomCheck, ...]:
    listed = validation.items("checks", value, "[check]", empty=True)
    return tuple(validation.function("checks", item, "an Identity, which raises to refuse") for item in listed)


def _templates(issuers: Sequence[Issuer]) -> dict[str, Issuer]:
    templates: dict[str, Issuer] = {}
    for issuer in issuers:
        if issuer.issuer in templates:
            raise _declared_twice(issuer.issuer)
        if issuer.is_template:
            templates[issuer.issuer] = issuer
    return templates


def _routes(issuers: Sequence[Issuer], templates: Mapping[str, Issuer]) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    for issuer in issuers:
        for name, tenant in issuer.names().items():
            if name in routes or _is_any_tenants(name, templates):
                raise _declared_twice(name)
            routes[name] = Route(issuer, tenant)
    return routes


def _is_any_tenants(name: str, templates: Mapping[str, Issuer]) -> bool:
    template = templates.get(template_of(name))
    return template is not None and template.tenants == "any"


def _declared_twice(name: str) -> PolicyError:
    return PolicyError("issuers", f"{name} is declared twice", "Join the two, or remove one.")


def _require_metadata_of_their_own(issuers: Sequence[Issuer]) -> None:
    """A discovery document is of one issuer (OpenID Connect Discovery section 4.3); another's keys would never be had."""
    owners: dict[str, Issuer] = {}
    for issuer in issuers:
        location = issuer.location
        if isinstance(location, Discovery) and owners.setdefault(location.url, issuer) is not issuer:
            problem = f"{issuer.issuer} and {owners[location.url].issuer} have one discovery_url, whose document is of one issuer"
            raise PolicyError("issuers", problem, "Give each its own discovery_url, or the jwks_uri that they share.")
