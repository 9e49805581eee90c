"""What the claims must be, whatever the time and whoever calls: one table of checks.

First their types, on which everything after relies (`lifetime` and `caller` are judged only where SHAPE_CHECKS hold), then
their values. A new check is a function and a row. It must not depend on the time (that is `lifetime`'s) nor judge the caller
(`caller`'s): the table may be run before the signature, to see whether a token is worth a fetch of keys, and is not run again
for a token that is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tokenward.errors import AudienceNotAccepted, ClaimMalformed, ClaimMissing, IssuerNotTrusted, TokenTypeNotAccepted
from tokenward.identity import Claims, client_of
from tokenward.issuer import Issuer
from tokenward.issuer_fields import NOT_ACCESS_TOKENS
from tokenward.token.lifetime import check_dates
from tokenward.token.row import Row

ClaimCheck: TypeAlias = Callable[[Issuer, Claims], None]

_NOT_ACCESS = tuple(NOT_ACCESS_TOKENS.items())


def check_access_token(issuer: Issuer, claims: Claims) -> None:
    """Marks of ID, refresh and logout tokens (OpenID Connect Core 2; Keycloak's `typ`, Cognito's `token_use`)."""
    for name in issuer.id_token_marks:
        if claims.get(name) is not None:
            raise TokenTypeNotAccepted(f"{name} marks an ID token", claim=name)
    for name, values in _NOT_ACCESS:
        if claims.get(name) in values:
            raise TokenTypeNotAccepted(f"{name} says that it is no access token", claim=name, actual=claims[name])


def check_required(issuer: Issuer, claims: Claims) -> None:
    """Required claims are there; null is absent."""
    for name in issuer.required_claims:
        if claims.get(name) is None:
            raise ClaimMissing(f"no {name}", claim=name)


def check_audience(issuer: Issuer, claims: Claims) -> None:
    """RFC 7519 section 4.1.3: one string, or a list of strings, of which one names this service."""
    audience = claims.get("aud")
    if type(audience) is str:
        if audience not in issuer.audience_set:
            raise _audience_not_accepted(issuer, audience)
        return
    if audience is None:
        raise ClaimMissing("no aud", claim="aud")
    if not _is_list_of_texts(audience):
        raise ClaimMalformed("aud is not a string or a list of strings", claim="aud")
    if issuer.audience_set.isdisjoint(audience):
        raise _audience_not_accepted(issuer, audience)


def check_names(issuer: Issuer, claims: Claims) -> None:
    """What names the caller, the tenant and the token is a string (RFC 7519 sections 4.1.2 and 4.1.7)."""
    for name in ("sub", "jti"):
        if type(claims.get(name, "")) is not str and claims[name] is not None:
            raise ClaimMalformed(f"{name} is not a string", claim=name)
    for name in (issuer.subject_claim, "tid"):
        value = claims.get(name)
        if value is not None and (type(value) is not str or not value):
            raise ClaimMalformed(f"{name} is not a non-empty string", claim=name)
    client: object = client_of(claims)
    if client is not None and (type(client) is not str or not client):
        raise ClaimMalformed("the calling application is not a non-empty string", claim="client")


def check_permissions(issuer: Issuer, claims: Claims) -> None:  # one form for all issuers
    """Scopes and roles are a space separated string (RFC 8693 section 4.2) or a list of strings."""
    for name in ("scp", "scope", "roles"):
        words = claims.get(name)
        if words is not None and type(words) is not str and not _is_list_of_texts(words):
            raise ClaimMalformed(f"{name} is not a string or a list of strings", claim=name)


def check_values(issuer: Issuer, claims: Claims) -> None:
    """Claims with only one right value, such as Entra's `ver`, which must be of the same form as `iss`."""
    for name, expected in issuer.required_values.items():
        actual = claims.get(name)
        if actual is None:
            raise ClaimMissing(f"no {name}", claim=name)
        if actual != expected:
            raise _contradiction(name, expected, actual)


SHAPE_CHECKS: tuple[Row[ClaimCheck], ...] = (
    Row("dates", check_dates),
    Row("names", check_names),
    Row("permissions", check_permissions),
)
CLAIM_CHECKS: tuple[Row[ClaimCheck], ...] = (
    *SHAPE_CHECKS,
    Row("access token", check_access_token),
    Row("required", check_required),
    Row("audience", check_audience),
    Row("values", check_values),
)


def _is_list_of_texts(value: object) -> bool:
    return type(value) is list and all(type(item) is str for item in value)


def _audience_not_accepted(issuer: Issuer, actual: object) -> AudienceNotAccepted:
    return AudienceNotAccepted("aud is not this service", claim="aud", expected=list(issuer.audiences), actual=actual)


def _contradiction(name: str, expected: str, actual: object) -> IssuerNotTrusted | ClaimMalformed:
    if name == "ver":
        return IssuerNotTrusted("ver is not the version of iss", claim=name, expected=expected, actual=actual)
    return ClaimMalformed(f"{name} has another value", claim=name, expected=expected, actual=actual)
