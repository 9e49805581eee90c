"""Every verdict that is not an identity. One class, one stable code; nothing else leaves `verify` or `authenticate`, unless a
check or `kind_of` of the user's own raises it.

AuthenticationError
├── TokenRejected                    the caller's doing: 400, 401 or 403
│   ├── MissingToken                 missing_token
│   ├── InvalidAuthorization         invalid_authorization
│   ├── MultipleTokens               multiple_tokens
│   ├── TokenTooLarge                token_too_large
│   ├── MalformedToken               malformed_token
│   ├── AlgorithmNotAllowed          algorithm_not_allowed
│   ├── TokenTypeNotAccepted         token_type_not_accepted
│   ├── CriticalHeaderUnsupported    critical_header_unsupported
│   ├── IssuerNotTrusted             issuer_not_trusted
│   ├── TenantNotAllowed             tenant_not_allowed
│   ├── AudienceNotAccepted          audience_not_accepted
│   ├── UnknownKey                   unknown_key
│   ├── KeyNotForIssuer              key_not_for_issuer
│   ├── SignatureInvalid             signature_invalid
│   ├── TokenExpired                 token_expired
│   ├── TokenNotYetValid             token_not_yet_valid
│   ├── ClaimMissing                 claim_missing
│   ├── ClaimMalformed               claim_malformed
│   ├── ClaimsChallenge              claims_challenge
│   ├── ExchangeRefused              exchange_refused
│   └── CallerNotAllowed             403, raised only after the signature held
│       ├── CallerKindNotAllowed     caller_kind_not_allowed
│       ├── ClientNotAllowed         client_not_allowed
│       ├── GuestNotAllowed          guest_not_allowed
│       ├── InsufficientScope        insufficient_scope
│       ├── InsufficientRole         insufficient_role
│       └── UserNotInWorkspace       user_not_in_workspace
└── ServiceUnavailable               our own inability: 503 with Retry-After, never 401
    ├── KeysUnavailable              keys_unavailable
    └── ExchangeUnavailable          exchange_unavailable

`error` is the OAuth 2.0 error of RFC 6750 section 3.1. `description` is the fixed text a caller may read; the rest is for
the operator. Neither `str()` nor `repr()` of an error holds anything that came with the request. A new code is a
class and its line above, a hint in `hints`, an entry in `acquisition/codes.json` (then
`python -m tokenward.acquisition codes > docs/codes.md`), and a row in the README's table.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, TypedDict, Unpack

from tokenward.hints import hint_for

UNVERIFIED_DESCRIPTION = "The access token is invalid"
"""What a caller reads while the signature has not held: the same text for every reason (design promise 3)."""


_NOTHING: Mapping[str, object] = MappingProxyType({})


class Details(TypedDict, total=False):
    """What an error may say to the operator beyond its reason."""

    claim: str | None
    expected: object
    actual: object
    issuer: str | None
    kid: str | None
    algorithm: str | None
    client: str | None
    scope: str | None
    retry_after: float | None
    hint: str | None


class AuthenticationError(Exception):
    """A request that did not become an identity.

    What it carries is for the operator's log and never for the caller: `reason` is our own fixed sentence; `claim`,
    `expected` and `actual` say what was judged; `issuer`, `kid` and `algorithm` are what the token said of itself
    (unverified unless `signature_held`); `client` is the calling application, once the signature held; `key_age` and
    `retry_after` are in seconds; `fingerprint` is the beginning of the token's SHA-256, if it was a token at all.
    """

    code: ClassVar[str]
    status: ClassVar[int] = 401
    error: ClassVar[str | None] = "invalid_token"
    description: ClassVar[str] = UNVERIFIED_DESCRIPTION

    claim: str | None = None
    expected: object = None
    actual: object = None
    issuer: str | None = None
    kid: str | None = None
    algorithm: str | None = None
    client: str | None = None
    scope: str | None = None
    retry_after: float | None = None
    key_age: float | None = None
    signature_held: bool = False
    fingerprint: str | None = None

    def __init__(self, reason: str = "", **details: Unpack[Details]) -> None:
        super().__init__(reason)
        self.reason = reason
        self._hint = details.pop("hint", None)
        if not details.keys() <= Details.__annotations__.keys():
            raise TypeError(f"unknown detail: {', '.join(sorted(details.keys() - Details.__annotations__.keys()))}")
        self.__dict__.update(details)

    def __str__(self) -> str:
        code = getattr(self, "code", type(self).__name__)
        return f"{code}: {self.reason}" if self.reason else code

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    @property
    def public_description(self) -> str:
        """The text the caller may read: the plain one until the signature held, except about the request's own form."""
        if self.signature_held or self.error != "invalid_token":
            return self.description
        return UNVERIFIED_DESCRIPTION

    @property
    def hint(self) -> str:
        """One line for the operator: what to look at or change. Never empty; a check of your own may give its own."""
        return self._hint or hint_for(self.code, self.claim, self.expected, self.actual, self.issuer)

    @property
    def upstream(self) -> Mapping[str, object]:
        """What is known of another server's error that led to this one, as fields for the log; empty where none did."""
        return _NOTHING


class TokenRejected(AuthenticationError):
    """The request's token was judged, and refused."""


class ServiceUnavailable(AuthenticationError):
    """We cannot tell: nothing is known against the token. `retry_after` is in seconds."""

    status = 503
    error = None


class MissingToken(TokenRejected):
    """No bearer credentials; the challenge then carries no error (RFC 6750 section 3.1)."""

    code = "missing_token"
    error = None
    description = "A bearer token is required"


class InvalidAuthorization(TokenRejected):
    """The Authorization header is not of the grammar of RFC 6750 section 2.1."""

    code = "invalid_authorization"
    status = 400
    error = "invalid_request"
    description = "The Authorization header is malformed"


class MultipleTokens(TokenRejected):
    """More than one Authorization value, or several joined with commas by a proxy."""

    code = "multiple_tokens"
    status = 400
    error = "invalid_request"
    description = "More than one set of credentials was sent"


class TokenTooLarge(TokenRejected):
    """The token is longer than the policy's limit in bytes."""

    code = "token_too_large"


class MalformedToken(TokenRejected):
    """Not a strict compact JWS (RFC 7515 section 7.1) with a JSON object as header and as claims; JWE too."""

    code = "malformed_token"


class AlgorithmNotAllowed(TokenRejected):
    """The header's `alg` is not in the issuer's list (RFC 8725 section 3.1)."""

    code = "algorithm_not_allowed"


class TokenTypeNotAccepted(TokenRejected):
    """Not an access token for an API: wrong `typ`, an ID or refresh token, or a Microsoft Graph token."""

    code = "token_type_not_accepted"
    description = "The token is not an access token for this service"


class CriticalHeaderUnsupported(TokenRejected):
    """The header holds `crit` or `b64` (RFC 7515 section 4.1.11, RFC 7797)."""

    code = "critical_header_unsupported"


class IssuerNotTrusted(TokenRejected):
    """The token's `iss` is not declared in the policy, or contradicts its `ver`."""

    code = "issuer_not_trusted"


class TenantNotAllowed(TokenRejected):
    """`tid` is missing, is not the issuer's tenant, or is not in the allow-list."""

    code = "tenant_not_allowed"


class AudienceNotAccepted(TokenRejected):
    """None of the token's audiences is this service (RFC 7519 section 4.1.3)."""

    code = "audience_not_accepted"
    description = "The access token was issued for another service"


class UnknownKey(TokenRejected):
    """The issuer's keys are known and current, and none fits the token's `kid` and `alg`."""

    code = "unknown_key"


class KeyNotForIssuer(TokenRejected):
    """The key is bound to another issuer, tenant or cloud than the token claims."""

    code = "key_not_for_issuer"


class SignatureInvalid(TokenRejected):
    """The signature is not the key's over these bytes."""

    code = "signature_invalid"


class TokenExpired(TokenRejected):
    """`now >= exp + leeway` (RFC 7519 section 4.1.4)."""

    code = "token_expired"
    description = "The access token expired"


class TokenNotYetValid(TokenRejected):
    """`now < nbf - leeway`, or `iat` lies in the future by more than the leeway."""

    code = "token_not_yet_valid"
    description = "The access token is not valid yet"


class ClaimMissing(TokenRejected):
    """A required claim is absent or null."""

    code = "claim_missing"
    description = "The access token lacks a required claim"


class ClaimMalformed(TokenRejected):
    """A claim has the wrong JSON type or form."""

    code = "claim_malformed"
    description = "The access token has a malformed claim"


class ClaimsChallenge(TokenRejected):
    """The provider asks for more (conditional access); `claims` is the base64 of its JSON, passed down unread.

    Sent only to a caller whose token says it can handle it (`xms_cc` holds cp1).
    Source: learn.microsoft.com/entra/identity-platform/claims-challenge
    """

    code = "claims_challenge"
    error = "insufficient_claims"
    description = "The access token must be renewed with additional claims"

    def __init__(self, reason: str = "", *, claims: str = "") -> None:
        super().__init__(reason)
        self.claims = claims


class ExchangeRefused(TokenRejected):
    """Databricks or Entra gives no token for the caller's (RFC 8693 section 2.2.2), or the workspace refuses the one it got."""

    code = "exchange_refused"
    description = "The access token was not accepted for exchange"


class CallerNotAllowed(TokenRejected):
    """A genuine token whose bearer may not do this; raised only after the signature held."""

    status = 403
    error = "insufficient_scope"


class CallerKindNotAllowed(CallerNotAllowed):
    """A user where only apps may call, or an app where only users may."""

    code = "caller_kind_not_allowed"
    description = "This kind of caller is not allowed"


class ClientNotAllowed(CallerNotAllowed):
    """The calling application (`azp`, `appid`, `client_id`) is not in the allow-list."""

    code = "client_not_allowed"
    description = "This client application is not allowed"


class GuestNotAllowed(CallerNotAllowed):
    """The user is a guest in the tenant (`acct` is 1, or `idp` differs from `iss`)."""

    code = "guest_not_allowed"
    description = "Guest users are not allowed"


class InsufficientScope(CallerNotAllowed):
    """A required scope is missing; `scope` lists what is needed, space separated."""

    code = "insufficient_scope"
    description = "The access token lacks a required scope"


class InsufficientRole(CallerNotAllowed):
    """A required application role is missing."""

    code = "insufficient_role"
    description = "The caller lacks a required role"


class UserNotInWorkspace(CallerNotAllowed):
    """The Databricks workspace does not know this user."""

    code = "user_not_in_workspace"
    description = "The user is not in the workspace"


class KeysUnavailable(ServiceUnavailable):
    """The issuer's keys could not be had in time; retry after `retry_after` seconds."""

    code = "keys_unavailable"
    description = "The service cannot verify tokens at the moment"


class ExchangeUnavailable(ServiceUnavailable):
    """The token endpoint or the workspace could not be asked, or cannot tell; retry after `retry_after` seconds."""

    code = "exchange_unavailable"
    description = "The service cannot exchange tokens at the moment"


class PolicyError(ValueError):
    """A configuration that would be unsafe or could never work; raised at construction.

    `field` is the argument, `problem` what is wrong with its value, `fix` what to write instead.
    """

    def __init__(self, field: str, problem: str, fix: str) -> None:
        super().__init__(f"{field}: {problem}. {fix}")
        self.field = field
        self.problem = problem
        self.fix = fix


def with_code(error: AuthenticationError) -> AuthenticationError:
    """The error, or one with a code where code of the user's own has raised a base of the tree, which has none."""
    if hasattr(error, "code"):
        return error
    if isinstance(error, ServiceUnavailable):
        return ExchangeUnavailable(error.reason, retry_after=error.retry_after, hint=_OWN_INABILITY)
    return ClientNotAllowed(error.reason, claim="check")


_OWN_INABILITY = "The service's own code says that it cannot answer now; see the reason."


def _leaves(cls: type[AuthenticationError]) -> list[type[AuthenticationError]]:
    below = cls.__subclasses__()
    return [leaf for sub in below for leaf in _leaves(sub)] if below else [cls]


CODES: dict[str, type[AuthenticationError]] = {leaf.code: leaf for leaf in _leaves(AuthenticationError)}
"""The closed set: code -> its class."""
