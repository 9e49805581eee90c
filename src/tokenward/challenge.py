"""An error -> the HTTP answer: status, headers, body (RFC 6750 section 3, RFC 9110 section 11.6.1); or a WebSocket close code.

The caller learns the OAuth error and a fixed sentence: the plainest one until the signature held, except about the request's own
form. The rest is for the log.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tokenward.errors import AuthenticationError, ClaimsChallenge, PolicyError, ServiceUnavailable

MAX_RETRY_AFTER = 300
"""Seconds. The longest that our own cooldown makes anyone wait."""
POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
"""WebSocket close codes (RFC 6455 section 7.4.1, and its registry)."""

_SCOPE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6749 section 3.3
_UNQUOTABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")  # what RFC 6750 section 3 keeps out of error_description
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in text; `headers` are latin-1, and `WWW-Authenticate` is among them at most once."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def body_for(self, method: str | None) -> bytes:
        """The body as it is sent: none to HEAD, whose headers are those of GET (RFC 9110 section 9.3.2)."""
        return b"" if method == "HEAD" else self.body


def require_realm(realm: str | None) -> str | None:
    """Judge a realm at construction: it is quoted into a header. Raises PolicyError."""
    if realm is None or (isinstance(realm, str) and realm.isascii() and realm.isprintable() and not set(realm) & set('"\\')):
        return realm
    raise PolicyError(
        "realm", "it holds quotes, backslashes or characters outside printable ASCII", "Give a plain name such as 'jobs'."
    )


def answer(error: AuthenticationError, realm: str | None = None, *, resource_metadata: str | None = None) -> Answer:
    """The answer to a request that was refused; `resource_metadata` is the address of RFC 9728 section 5.1."""
    if isinstance(error, ServiceUnavailable):
        header = ("Retry-After", retry_after(error.retry_after))
    else:
        header = ("WWW-Authenticate", challenge(error, realm, resource_metadata=resource_metadata))
    return refusal_answer(error.status, error.error or error.code, error.public_description, header)


def refusal_answer(status: int, error: str, description: str, *more: tuple[str, str]) -> Answer:
    """An answer that refuses, as RFC 6749 section 5.2 words it in JSON; `more` are headers of its own."""
    return json_answer(status, {"error": error, "error_description": description}, *more)


def json_answer(status: int, document: Mapping[str, object], *more: tuple[str, str], cache: str = "no-store") -> Answer:
    """An answer in JSON; `cache` is its Cache-Control."""
    body = json.dumps(document).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Cache-Control", cache))
    return Answer(status, (*headers, *more), body)


def retry_after(seconds: float | None) -> str:
    """Whole seconds for a Retry-After, from 1 to MAX_RETRY_AFTER."""
    return str(min(max(math.ceil(seconds or 1.0), 1), MAX_RETRY_AFTER))


def close_code(error: AuthenticationError) -> int:
    """The code that closes a websocket where no HTTP answer can be sent; the reason beside it is `public_description`."""
    return TRY_AGAIN_LATER if isinstance(error, ServiceUnavailable) else POLICY_VIOLATION


def challenge(error: AuthenticationError, realm: str | None = None, *, resource_metadata: str | None = None) -> str:
    """One Bearer challenge; without an error where no credentials were sent (RFC 6750 section 3.1)."""
    parameters = {"realm": realm} if realm is not None else {}
    if error.error is not None:
        parameters |= {"error": error.error, "error_description": error.public_description}
    if error.scope and _SCOPE.fullmatch(error.scope):
        parameters["scope"] = error.scope
    if isinstance(error, ClaimsChallenge) and _BASE64.fullmatch(error.claims):
        parameters["claims"] = error.claims
    if resource_metadata is not None:
        parameters["resource_metadata"] = resource_metadata
    listed = ", ".join(f'{name}="{_UNQUOTABLE.sub("", value)}"' for name, value in parameters.items())
    return f"Bearer {listed}" if listed else "Bearer"
