"""A token's text -> as much of it as can be opened, for people to see. Nothing is judged here, and nothing verified."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward.errors import MalformedToken, TokenRejected
from tokenward.identity import Claims
from tokenward.token.compact import Compact, open_compact
from tokenward.token.header import Header, read_header
from tokenward.token.strict import decode_base64url, parse_object
from tokenward.troubleshoot.explanation.pasted import MAX_PASTED

MAX_PARTS = 8192
"""Brackets and commas of claims that are shown though the token cannot be opened: five times those of the largest tokens."""


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """What could be opened: all of it (`compact`), or at least a header or claims; `rejection` says why not all of it.

    `header_members` and `claims` are what the token says; `header` is what of it the checks look at.
    """

    text: bytes
    compact: Compact | None = None
    rejection: TokenRejected | None = None
    header: Header | None = None
    header_members: Claims | None = None
    claims: Claims | None = None


def opened(text: bytes) -> Opened:
    """Open it as far as it goes; it raises nothing."""
    parts = text.split(b".", 5)
    if len(text) > MAX_PASTED or len(parts) not in (2, 3):
        return Opened(text, None, _wrong_form(text), header_members=_members(parts[0]) if len(parts) == 5 else None)
    try:
        compact: Compact | None = open_compact(text)
        rejection = None
    except TokenRejected as exc:
        compact, rejection = None, exc.with_traceback(None)
    return Opened(
        text, compact, rejection, _header(parts[0]), _members(parts[0]), compact.claims if compact else _members(parts[1])
    )


def _wrong_form(text: bytes) -> TokenRejected:
    if len(text) > MAX_PASTED:
        return MalformedToken("longer than any token")
    try:
        open_compact(text)
    except TokenRejected as rejection:
        return rejection.with_traceback(None)
    return MalformedToken("not three parts joined by dots")


def _header(segment: bytes) -> Header | None:
    try:
        return read_header(segment)
    except TokenRejected:
        return None


def _members(segment: bytes) -> Claims | None:
    """Of a header or of claims, for people; a token of another form may still show who made it."""
    try:
        return dict(parse_object(decode_base64url(segment), most=MAX_PARTS))
    except ValueError:
        return None
