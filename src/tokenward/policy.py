"""Policy: all issuers that a service believes, found by `iss` in one step; refused at construction if it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tokenward import validation
from tokenward.errors import PolicyError
from tokenward.identity import Identity
from tokenward.issuer import TENANT_PLACEHOLDER, Issuer

MAX_TOKEN_BYTES = 16 * 1024
"""Twice what gunicorn lets a header line hold; Entra moves groups out of a token long before."""

CustomCheck: TypeAlias = Callable[[Identity], None]


@dataclass(frozen=True, slots=True)
class Route:
    """Which rules a token falls under: its issuer's, and the tenant that its `iss` names."""

    issuer: Issuer
    tenant: str | None


class Policy:
    """All issuers that a service believes, found by `iss` in one step however many there are.

    issuers          at least one; no two may claim the same `iss`
    max_token_bytes  longer tokens are refused unread
    checks           your own checks, run for every request after all others; raise a TokenRejected to refuse, such as
                     `errors.ClientNotAllowed()`. They must be fast and must not block

    Raises PolicyError.
    """

    def __init__(
        self,
        issuers: Sequence[Issuer],
        *,
        max_token_bytes: int = MAX_TOKEN_BYTES,
        checks: Sequence[CustomCheck] = (),
    ) -> None:
        self.issuers = _issuers(issuers)
        self.max_token_bytes = validation.whole("max_token_bytes", max_token_bytes, least=512, most=1024 * 1024)
        self.checks = _checks(checks)
        self._routes = _routes(self.issuers)
        self._templates = {issuer.issuer: issuer for issuer in self.issuers if issuer.is_template}

    def route(self, iss: str) -> Route | None:
        """The rules for this `iss`, or None."""
        return self._routes.get(iss) or self._any_tenant(iss)

    def template_for(self, iss: str) -> Issuer | None:
        """The issuer of which this `iss` is some tenant, allowed or not."""
        return self._templates.get(validation.GUID.sub(TENANT_PLACEHOLDER, iss, count=1)) if self._templates else None

    def _any_tenant(self, iss: str) -> Route | None:
        issuer = self.template_for(iss)
        if issuer is None or issuer.tenants != "any":
            return None
        found = validation.GUID.search(iss)
        return Route(issuer, found.group()) if found else None

    def __repr__(self) -> str:
        return f"<Policy {', '.join(issuer.issuer for issuer in self.issuers)}>"


def _issuers(value: object) -> tuple[Issuer, ...]:
    if not isinstance(value, Sequence) or not value or not all(isinstance(item, Issuer) for item in value):
        raise PolicyError(
            "issuers", "it is not a list of Issuer", "Write Policy([Issuer('https://idp.example/', audiences=[...])])."
        )
    return tuple(value)


def _checks(value: object) -> tuple[CustomCheck, ...]:
    if not isinstance(value, Sequence) or not all(callable(item) for item in value):
        raise PolicyError("checks", "it is not a list of functions", "Give functions that take an Identity.")
    if any(validation.is_async(item) for item in value):
        raise PolicyError("checks", "a function is async, and would never refuse", "Give plain functions, which must not block.")
    return tuple(value)


def _routes(issuers: Sequence[Issuer]) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    templates: set[str] = set()
    for issuer in issuers:
        names = issuer.names()
        taken = issuer.issuer in templates or not routes.keys().isdisjoint(names)
        if taken:
            raise PolicyError("issuers", f"{issuer.issuer} is declared twice", "Join the two, or remove one.")
        templates.add(issuer.issuer)
        routes.update({name: Route(issuer, tenant) for name, tenant in names.items()})
    return routes
