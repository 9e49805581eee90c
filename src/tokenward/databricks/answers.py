"""What a token endpoint is asked and answers (RFC 6749 sections 4 and 5, RFC 8693 section 2), whoever the server is.

What is read here decides nothing for a caller that its own token does not: an answer can only shorten the life of a token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from tokenward.databricks.access import AccessToken, Subject, is_bearer
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.token.lifetime import MAX_DATE
from tokenward.token.strict import decode_base64url, parse_object, parse_unique_object

MAX_ANSWER_BYTES = 128 * 1024
"""An answer is a token or two, of 16 KiB at most, or an error page."""
MAX_ANSWER_PARTS = 4096
"""Brackets and commas; answers have ten, and Entra's errors fifty."""
MAX_SCOPE_CHARS = 8 * 1024
TEMPORARY_ERRORS = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
"""OAuth errors that say nothing of the request (RFC 6749 section 4.1.2.1, RFC 8628 section 3.5)."""
ATTEMPT_TIMEOUT = 10.0
"""Seconds for one request; the total deadline is the driver's, and may be shorter."""

_SCOPE = re.compile(r"(?:[\x21\x23-\x5b\x5d-\x7e]{1,128}(?: |$))*")  # RFC 6749 section 3.3; a longer word is no scope
_DIGITS = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True, slots=True, repr=False)
class Granted:
    """The good answer of a token endpoint. `expires_in` is in seconds, and None where the answer does not say."""

    access_token: str
    expires_in: float | None
    scope: str | None


def form_request(url: str, form: Mapping[str, str], timeout: float = ATTEMPT_TIMEOUT) -> FetchRequest:
    """A POST of a form to a token endpoint; the form is in no repr."""
    fields = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    content = urlencode(form).encode("ascii")
    return FetchRequest(url, timeout, limit=MAX_ANSWER_BYTES, method="POST", content=content, fields=fields)


def members_of(response: FetchResponse) -> dict[str, object]:
    """The members of the JSON object that the body is; none for an HTML page, an empty body or anything else."""
    try:
        return parse_unique_object(response.body, most=MAX_ANSWER_PARTS)
    except ValueError:
        return {}


def read_granted(response: FetchResponse) -> Granted:
    """Read a good answer. Raises ValueError, whose text holds nothing of it."""
    members = members_of(response)
    token, kind = members.get("access_token"), members.get("token_type")
    if not isinstance(token, str) or not is_bearer(token):
        raise ValueError("the answer has no access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ValueError("the answer's token is no bearer token")
    return Granted(token, _expires_in(members.get("expires_in")), _scope(members.get("scope")))


def access_token(granted: Granted, subject: Subject, now: float, *, scope: str, source: str) -> AccessToken:
    """The token as it may be used: until the earliest of what the answer, the token and the caller's token say.

    `now` is when the request began, so that its time counts against the token. Raises ValueError if there is no life in it.
    """
    if granted.access_token == subject.token:  # no grant falls back to it, and no answer may
        raise ValueError("the answer is the caller's own token")
    ends = [subject.expires_at, math.inf if granted.expires_in is None else now + granted.expires_in]
    expires_at = min(*ends, _own_expiry(granted.access_token))
    if not now < expires_at:
        raise ValueError("the answer's token is over already")
    return AccessToken(granted.access_token, expires_at, scope if granted.scope is None else granted.scope, source)


def _expires_in(value: object) -> float | None:
    """A number of seconds, which Entra's older endpoint writes as a string."""
    if value is None:
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
        raise ValueError("the answer's expires_in is no number of seconds")
    return float(min(value, 10**10))


def _scope(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_SCOPE_CHARS or not _SCOPE.fullmatch(value):
        raise ValueError("the answer's scope is no scope")
    return value


def _own_expiry(token: str) -> float:
    """`exp` of the new token, if it is a JWT that can be read: Databricks promises no format. It is not verified here."""
    parts = token.encode("ascii").split(b".")
    try:
        expires = parse_object(decode_base64url(parts[1])).get("exp") if len(parts) == 3 else None
    except ValueError:
        return math.inf
    if isinstance(expires, bool) or not isinstance(expires, (int, float)):
        return math.inf
    return float(min(max(expires, 0), MAX_DATE))
