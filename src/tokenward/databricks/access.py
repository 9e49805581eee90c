"""The two tokens of an exchange: the caller's own, and what it was exchanged for. Neither shows itself in a repr."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self, TypeVar

from tokenward.errors import ClaimMalformed, ClaimMissing, ExchangeRefused, MalformedToken, TokenRejected, TokenTooLarge
from tokenward.identity import Claims
from tokenward.token.compact import Opener
from tokenward.token.lifetime import MAX_DATE

E = TypeVar("E", bound=TokenRejected)

ALGORITHMS = ("RS256", "ES256")
"""Databricks takes no others: docs.databricks.com/aws/en/dev-tools/auth/oauth-federation-exchange. No policy can change it."""
REFUSED_AT = 30.0
"""Seconds before its end from which Databricks refuses a token."""
MARGIN = 40.0
"""Seconds before its end from which a token is not handed out again, as Databricks' own SDK has it."""
_B64TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1; anything else would break out of a header
MAX_TOKEN_BYTES = 16 * 1024
"""The default of a policy: whoever raises it there sends tokens that no header of a usual server holds."""

_OPENER = Opener()


@dataclass(frozen=True, slots=True, repr=False)
class AccessToken:
    """A token for Databricks' APIs. `value` is a secret, and no repr shows it.

    expires_at  seconds since the epoch: the earliest of what the answer, the token itself and the caller's token say
    scope       as granted, space separated
    source      how it was had: "exchange", "on_behalf_of", "pass_through" (the caller's own) or "fixed"
    """

    value: str
    expires_at: float
    scope: str
    source: str

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return f"Bearer {self.value}"

    def __repr__(self) -> str:
        return f"<AccessToken source={self.source} scope={self.scope!r}>"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Subject:
    """The caller's token, opened. It verifies nothing: whoever hands it on must have verified it.

    expires_at  its `exp`, seconds since the epoch
    algorithm   its header's `alg`
    claims      unverified
    """

    token: str
    expires_at: float
    algorithm: str
    claims: Claims

    @classmethod
    def read(cls, token: str | bytes) -> Self:
        """Open a token. It checks the form, and neither the signature nor the time.

        Raises TokenRejected: ExchangeRefused for a Databricks personal access token, which nothing can be exchanged for, else
        what the walk raises of a token's form.
        """
        text = token_bytes(token)
        compact = _OPENER.open(text)
        return cls(text.decode("ascii"), _expiry(compact.claims), compact.header.alg, compact.claims)

    def noted_on(self, error: E) -> E:
        """The error, with what the token says of itself, for the log."""
        issuer = self.claims.get("iss")
        error.issuer, error.algorithm = issuer if isinstance(issuer, str) else None, self.algorithm
        return error

    def __repr__(self) -> str:
        return f"<Subject algorithm={self.algorithm}>"


def is_bearer(value: object) -> bool:
    """Whether this may stand behind "Bearer" in a header, and is no longer than any token."""
    return isinstance(value, str) and len(value) <= MAX_TOKEN_BYTES and _B64TOKEN.fullmatch(value) is not None


def token_bytes(token: str | bytes) -> bytes:
    """A token as it is sent, if it may be a JWT at all. Raises TokenRejected."""
    try:
        text = token if isinstance(token, bytes) else token.encode("ascii")
    except (UnicodeEncodeError, AttributeError):
        raise MalformedToken("the token is no text, or holds characters outside ASCII") from None
    if len(text) > MAX_TOKEN_BYTES:
        raise TokenTooLarge("longer than any token that is exchanged", expected=MAX_TOKEN_BYTES, actual=len(text))
    if text[:4] == b"dapi" and b"." not in text:
        raise ExchangeRefused("a Databricks personal access token, and not a JWT", claim="personal access token")
    if text[:7].lower() == b"bearer ":
        raise MalformedToken("a whole Authorization value, where a token alone is meant", claim="scheme")
    return text


def _expiry(claims: Claims) -> float:
    expires = claims.get("exp")
    if expires is None:
        raise ClaimMissing("no exp", claim="exp")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not -MAX_DATE <= expires <= MAX_DATE:
        raise ClaimMalformed("exp is not a date in seconds", claim="exp")
    return float(expires)
