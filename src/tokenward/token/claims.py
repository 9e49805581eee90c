"""Claims -> Identity: one table of checks on the token, one on the caller.

A new check of the token is a function and a row, and must not depend on the time, because remembered tokens are judged by
`lifetime` alone; a check of the caller also needs its line in `caller_checks_of`. Each check returns, or raises a rejection.
The first table may be run before the signature, to see whether a token is worth a fetch of keys; the second never is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tokenward.errors import (
    AudienceNotAccepted,
    CallerKindNotAllowed,
    ClaimMalformed,
    ClaimMissing,
    ClientNotAllowed,
    GuestNotAllowed,
    InsufficientRole,
    InsufficientScope,
    IssuerNotTrusted,
    TokenExpired,
    TokenNotYetValid,
    TokenTypeNotAccepted,
)
from tokenward.identity import Claims, Identity, client_of
from tokenward.issuer import Issuer

MAX_DATE = 2**53
"""Beyond it a JSON number is not exact everywhere (RFC 8259 section 6), and arithmetic with it could overflow."""

_NUMBERS = (int, float)
"""JSON numbers; not bool, whose type is its own (RFC 7519 section 2)."""
_NONE: frozenset[str] = frozenset()
_NO_WORD = frozenset({""})

TokenCheck: TypeAlias = Callable[[Issuer, Claims, float], None]
CallerCheck: TypeAlias = Callable[[Issuer, Identity], None]

_NOT_ACCESS = {"typ": frozenset({"ID", "Refresh", "Offline", "Logout"}), "token_use": frozenset({"id"})}
"""How Keycloak and Cognito mark tokens that are not access tokens, in a claim."""


def check_required(issuer: Issuer, claims: Claims, now: float) -> None:
    """Required claims are there; null is absent."""
    for name in issuer.required_claims:
        if claims.get(name) is None:
            raise ClaimMissing(f"no {name}", claim=name)


def check_types(issuer: Issuer, claims: Claims, now: float) -> None:
    """RFC 7519 sections 4.1.2 and 4.1.7: `sub` and `jti` are strings."""
    for name in ("sub", "jti"):
        if type(claims.get(name, "")) is not str and claims[name] is not None:
            raise ClaimMalformed(f"{name} is not a string", claim=name)


def check_audience(issuer: Issuer, claims: Claims, now: float) -> None:
    """RFC 7519 section 4.1.3: one string, or a list of strings, of which one names this service."""
    audience = claims.get("aud")
    if type(audience) is str:
        if audience not in issuer.audience_set:
            raise _audience_not_accepted(issuer, audience)
        return
    if audience is None:
        raise ClaimMissing("no aud", claim="aud")
    if type(audience) is not list or not all(type(item) is str for item in audience):
        raise ClaimMalformed("aud is not a string or a list of strings", claim="aud")
    if issuer.audience_set.isdisjoint(audience):
        raise _audience_not_accepted(issuer, audience)


def check_lifetime(issuer: Issuer, claims: Claims, now: float) -> None:
    """RFC 7519 sections 4.1.4 to 4.1.6, with the issuer's leeway. The parser has refused NaN, Infinity and what overflows."""
    expires: Any = claims.get("exp")
    leeway = issuer.leeway
    if type(expires) not in _NUMBERS or abs(expires) > MAX_DATE:
        raise ClaimMalformed("exp is not a date in seconds", claim="exp")
    if now >= expires + leeway:
        raise TokenExpired("exp has passed", claim="exp", expected=f"after {now:.0f}", actual=expires)
    for name in ("nbf", "iat"):
        starts = claims.get(name)
        if starts is None:
            continue
        if type(starts) not in _NUMBERS or abs(starts) > MAX_DATE:
            raise ClaimMalformed(f"{name} is not a date in seconds", claim=name)
        if now < starts - leeway:
            raise TokenNotYetValid(f"{name} lies in the future", claim=name, expected=f"not after {now:.0f}", actual=starts)


def check_values(issuer: Issuer, claims: Claims, now: float) -> None:
    """Claims with only one right value, such as Entra's `ver`, which must be of the same form as `iss`."""
    for name, expected in issuer.required_values.items():
        actual = claims.get(name)
        if actual is None:
            raise ClaimMissing(f"no {name}", claim=name)
        if actual != expected:
            raise _contradiction(name, expected, actual)


def check_access_token(issuer: Issuer, claims: Claims, now: float) -> None:
    """Marks of ID, refresh and logout tokens (OpenID Connect Core 2; Keycloak's `typ`, Cognito's `token_use`)."""
    for name in issuer.id_token_marks:
        if claims.get(name) is not None:
            raise TokenTypeNotAccepted(f"{name} marks an ID token", claim=name)
    for name, values in _NOT_ACCESS.items():
        if claims.get(name) is not None and claims[name] in tuple(values):
            raise TokenTypeNotAccepted(f"{name} says that it is no access token", claim=name, actual=claims[name])


TOKEN_CHECKS: tuple[TokenCheck, ...] = (
    check_access_token,
    check_required,
    check_types,
    check_audience,
    check_lifetime,
    check_values,
)


def check_kind(issuer: Issuer, identity: Identity) -> None:
    """Users, apps, or both."""
    if issuer.kinds is not None and identity.kind not in issuer.kinds:
        raise CallerKindNotAllowed("the kind of caller", claim="kind", expected=issuer.kinds, actual=identity.kind)


def check_client(issuer: Issuer, identity: Identity) -> None:
    """The calling application is in the allow-list."""
    if issuer.clients is not None and identity.client_id not in issuer.clients:
        raise ClientNotAllowed("the calling application", claim="client", expected=issuer.clients, actual=identity.client_id)


def check_guest(issuer: Issuer, identity: Identity) -> None:
    """Entra says guest by `acct` 1, or by an `idp` that is not `iss`; where it says neither, nobody knows."""
    if issuer.guests:
        return
    claims = identity.claims
    if claims.get("acct") in (1, "1") or _is_foreign(claims.get("idp"), identity):
        raise GuestNotAllowed("a guest of the tenant", claim="acct" if claims.get("acct") is not None else "idp")


def _is_foreign(idp: object, identity: Identity) -> bool:
    """Whether another provider signed the user in; the tenant's own may be named in its v1 or its v2 form."""
    if idp is None or idp == identity.issuer:
        return False
    return identity.tenant is None or identity.tenant not in str(idp)


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


CALLER_CHECKS: tuple[CallerCheck, ...] = (check_kind, check_client, check_guest, check_scopes, check_roles)


def caller_checks_of(issuer: Issuer) -> tuple[CallerCheck, ...]:
    """The rows of CALLER_CHECKS that the issuer's rules ask for, so that the others cost nothing."""
    asked: dict[CallerCheck, bool] = {
        check_kind: issuer.kinds is not None,
        check_client: issuer.clients is not None,
        check_guest: not issuer.guests,
        check_scopes: bool(issuer.required_scopes),
        check_roles: bool(issuer.required_roles),
    }
    return tuple(check for check in CALLER_CHECKS if asked[check])


def identity_of(issuer: Issuer, claims: Claims) -> Identity:
    """The identity that checked claims describe. Raises ClaimMalformed where one of them is not of its type."""
    return Identity(
        _text(claims, issuer.subject_claim),
        claims["iss"],
        _text(claims, "tid"),
        _client(claims),
        issuer.kind_of(claims),
        _words(claims, "scp") or _words(claims, "scope"),
        _words(claims, "roles"),
        claims["exp"],
        claims,
    )


def lifetime(issuer: Issuer, claims: Claims) -> tuple[float, float]:
    """From when until when checked claims pass `check_lifetime`, seconds since the epoch."""
    starts = [claims[name] for name in ("nbf", "iat") if claims.get(name) is not None]
    return max(starts, default=float("-inf")) - issuer.leeway, claims["exp"] + issuer.leeway


def lacks_scopes(required: Any, identity: Identity) -> InsufficientScope:
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


def _audience_not_accepted(issuer: Issuer, actual: object) -> AudienceNotAccepted:
    return AudienceNotAccepted("aud is not this service", claim="aud", expected=list(issuer.audiences), actual=actual)


def _contradiction(name: str, expected: str, actual: object) -> IssuerNotTrusted | ClaimMalformed:
    if name == "ver":
        return IssuerNotTrusted("ver is not the version of iss", claim=name, expected=expected, actual=actual)
    return ClaimMalformed(f"{name} has another value", claim=name, expected=expected, actual=actual)


def _text(claims: Claims, name: str) -> str | None:
    value = claims.get(name)
    if value is None or (type(value) is str and value):
        return value
    raise ClaimMalformed(f"{name} is not a non-empty string", claim=name)


def _client(claims: Claims) -> str | None:
    client: object = client_of(claims)
    if client is None or (type(client) is str and client):
        return client
    raise ClaimMalformed("the calling application is not a non-empty string", claim="client")


def _words(claims: Claims, name: str) -> frozenset[str]:
    """A space separated string (RFC 8693 section 4.2) or a list of strings."""
    value = claims.get(name)
    if value is None:
        return _NONE
    if type(value) is str:
        return frozenset(value.split(" ")) - _NO_WORD
    if type(value) is not list or not all(type(word) is str for word in value):
        raise ClaimMalformed(f"{name} is not a string or a list of strings", claim=name)
    return frozenset(value)
