"""Who calls: checked claims -> Identity, and one table of checks on the caller, which is never run before the signature.

A new check is a function, and a row that also says when an issuer's rules ask for it. It must depend on nothing but these rules
and the claims, because it is not run again for a token that is remembered; what must run for every request is one of the
policy's own checks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from tokenward.errors import CallerKindNotAllowed, ClientNotAllowed, GuestNotAllowed, InsufficientRole, InsufficientScope
from tokenward.identity import Claims, Identity, client_of
from tokenward.issuer import Issuer

CallerCheck: TypeAlias = Callable[[Issuer, Identity], None]

_NONE: frozenset[str] = frozenset()
_NO_WORD = frozenset({""})


class CallerRow(NamedTuple):
    """`asked` says whether an issuer's rules need the check, so that the others cost nothing."""

    name: str
    check: CallerCheck
    asked: Callable[[Issuer], bool]


def identity_of(issuer: Issuer, claims: Claims) -> Identity:
    """The identity that checked claims describe; it raises nothing, unless the issuer's own `kind_of` does."""
    return Identity(
        claims.get(issuer.subject_claim),
        claims["iss"],
        claims.get("tid"),
        client_of(claims),
        issuer.kind_of(claims),
        _words(claims.get("scp")) or _words(claims.get("scope")),
        _words(claims.get("roles")),
        claims["exp"],
        claims,
    )


def check_kind(issuer: Issuer, identity: Identity) -> None:
    """Users, apps, or both."""
    if identity.kind not in (issuer.kinds or ()):
        raise CallerKindNotAllowed("the kind of caller", claim="kind", expected=issuer.kinds, actual=identity.kind)


def check_client(issuer: Issuer, identity: Identity) -> None:
    """The calling application is in the allow-list."""
    if identity.client_id not in (issuer.clients or ()):
        raise ClientNotAllowed("the calling application", claim="client", expected=issuer.clients, actual=identity.client_id)


def check_guest(issuer: Issuer, identity: Identity) -> None:
    """Entra says guest by `acct` 1, or by an `idp` that is not `iss`; where it says neither, nobody knows."""
    claims = identity.claims
    if is_guest(claims):
        raise GuestNotAllowed("a guest of the tenant", claim="acct" if claims.get("acct") is not None else "idp")


def is_guest(claims: Mapping[str, object]) -> bool:
    """Whether the claims, which may be unverified, say that the user is a guest."""
    return claims.get("acct") in (1, "1") or _is_foreign(claims.get("idp"), claims)


def check_scopes(issuer: Issuer, identity: Identity) -> None:
    """Every required scope is granted."""
    if not identity.scopes.issuperset(issuer.required_scopes):
        raise lacks_scopes(issuer.required_scopes, identity)


def check_roles(issuer: Issuer, identity: Identity) -> None:
    """Every required application role is assigned."""
    if not identity.roles.issuperset(issuer.required_roles):
        raise InsufficientRole(
            "a required role is missing", claim="roles", expected=issuer.required_roles, actual=sorted(identity.roles)
        )


CALLER_CHECKS: tuple[CallerRow, ...] = (
    CallerRow("kind", check_kind, lambda issuer: issuer.kinds is not None),
    CallerRow("client", check_client, lambda issuer: issuer.clients is not None),
    CallerRow("guest", check_guest, lambda issuer: not issuer.guests),
    CallerRow("scopes", check_scopes, lambda issuer: bool(issuer.required_scopes)),
    CallerRow("roles", check_roles, lambda issuer: bool(issuer.required_roles)),
)


def caller_checks_of(issuer: Issuer) -> tuple[CallerCheck, ...]:
    """The checks that the issuer's rules ask for."""
    return tuple(row.check for row in CALLER_CHECKS if row.asked(issuer))


def lacks_scopes(required: Sequence[str], identity: Identity) -> InsufficientScope:
    """The rejection for missing scopes; the challenge lists what is needed (RFC 6750 section 3.1)."""
    is_app = identity.kind == "app"
    rejection = InsufficientScope(
        "a required scope is missing",
        claim="kind" if is_app else "scp",
        expected=list(required),
        actual="app" if is_app else sorted(identity.scopes),
        issuer=identity.issuer,
        client=identity.client_id,
        scope=" ".join(required),
    )
    rejection.signature_held = True
    return rejection


def _words(value: str | list[str] | None) -> frozenset[str]:
    """A space separated string, or a list (see `claims.check_permissions`)."""
    if value is None:
        return _NONE
    return frozenset(value.split(" ")) - _NO_WORD if isinstance(value, str) else frozenset(value)


def _is_foreign(idp: object, claims: Mapping[str, object]) -> bool:
    """Whether another provider signed the user in; the tenant's own may be named in its v1 or its v2 form."""
    if idp is None or idp == claims.get("iss"):
        return False
    tenant = claims.get("tid")
    return not isinstance(tenant, str) or tenant not in str(idp)
