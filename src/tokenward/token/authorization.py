"""Authorization values -> one token (RFC 6750 section 2.1, RFC 9110 section 11.6.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tokenward.errors import InvalidAuthorization, MissingToken, MultipleTokens

MAX_AUTHORIZATION_BYTES = 64 * 1024
"""Longest header looked into; servers stop earlier (h11 16 KiB, gunicorn 8 KiB), so this is for callers without one."""

_LATER_BEARER = re.compile(rb",[ \t]*bearer ")
_B64TOKEN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/="


def bearer_token(values: Sequence[str | bytes]) -> bytes:
    """The token of the only Authorization value; a bare string counts as one value.

    It does not look into the token: whether its characters are those of the grammar is judged by `require_b64token`, once
    the strict parser has refused it, so that a good token is not read twice.

    Raises MissingToken, MultipleTokens or InvalidAuthorization.
    """
    if not isinstance(values, (list, tuple)):
        values = [values] if isinstance(values, (str, bytes)) else _listed(values)
    if len(values) != 1:
        raise MultipleTokens("more than one Authorization value") if values else MissingToken("no Authorization header")
    value = values[0] if isinstance(values[0], bytes) else _encoded(values[0])
    if value[:7].lower() == b"bearer ":
        return value[7:].strip(b" ")
    value = value.strip(b" \t")
    if value[:7].lower() != b"bearer ":
        raise _not_bearer(value)
    return value[7:].strip(b" ")


def require_b64token(token: bytes) -> None:
    """Raise MultipleTokens or InvalidAuthorization if this is not one b64token of RFC 6750 section 2.1."""
    if b"," in token:
        raise MultipleTokens("several credentials joined with commas")
    if not token:
        raise InvalidAuthorization("no token follows the scheme")
    if token.translate(None, _B64TOKEN):
        raise InvalidAuthorization("the token has characters that RFC 6750 does not allow")


def _listed(values: object) -> Sequence[str | bytes]:
    if not isinstance(values, Sequence):
        raise InvalidAuthorization("what was given is no list of values")
    return values


def _encoded(value: str) -> bytes:
    """WSGI and some ASGI callers hold header bytes as latin-1 text (PEP 3333)."""
    try:
        return value.encode("latin-1")
    except (UnicodeEncodeError, AttributeError):
        raise InvalidAuthorization("the header is no text, or holds characters outside latin-1") from None


def _not_bearer(value: bytes) -> MissingToken | MultipleTokens | InvalidAuthorization:
    head = value[:MAX_AUTHORIZATION_BYTES].lower()
    if head in (b"", b"bearer"):
        return InvalidAuthorization("no token follows the scheme" if head else "the header is empty")
    if _LATER_BEARER.search(head):
        return MultipleTokens("several credentials joined with commas")
    if head.startswith(b"bearer") and not head[6:7].isalnum():
        return InvalidAuthorization("no space follows the scheme")
    return MissingToken("the scheme is not Bearer", claim="scheme")
