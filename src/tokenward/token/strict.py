"""Strict base64url and strict JSON: one reading for every text, or none.

msgspec does the byte work, because a token is mostly base64 and JSON: it decodes both twice as fast as the standard library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

import msgspec

MAX_DEPTH = 64
"""Levels of nesting; tokens and key sets have two to four. Without a limit of our own the caller's stack would decide."""

SHORT_DOCUMENT = 2048
"""Bytes. Whatever these are made of, they are read in a fraction of a millisecond; most claims and all headers are as short."""
FEW_PARTS = 256
_EXTREME_NUMBER = re.compile(rb"[,:\[]\s*-?[0-9][0-9.]*[eE][+-]?[0-9]{3}")
"""A number beyond 1e99 or below 1e-99: the slowest to read, and in no token at all; a document of many parts may hold none."""
_LONG_NUMBER = re.compile(rb"[0-9]{256}")
"""Python takes a tenth of a millisecond for thousands of digits; the texts that are looked into for duplicates hold none."""
_PADDING = ("", "", "==", "=")
_LAST = ("", "", "AQgw", "AEIMQUYcgkosw048")
"""By length modulo 4, what the last character may be: the spare bits are zero (RFC 4648 section 3.5)."""


def _finite(number: str) -> float:
    """msgspec's own reading of extreme numbers takes a hundred times as long as Python's."""
    value = float(number)
    if value - value:  # infinite: the difference is not a number, and so true
        raise ValueError
    return value


_decode_json = msgspec.json.Decoder(float_hook=_finite).decode
_encode_json = msgspec.json.Encoder().encode


def decode_base64url(segment: bytes) -> bytes:
    """Decode RFC 7515 section 2 base64url: its alphabet, no padding, no white space, spare bits zero.

    Raises ValueError otherwise; the message holds nothing of the text.
    """
    try:
        text = segment.decode("ascii")
        rest = len(text) & 3
        # msgspec takes the standard alphabet with padding, so these three must not come in
        if (rest and text[-1] not in _LAST[rest]) or "+" in text or "/" in text or "=" in text:
            raise ValueError
        return msgspec.convert(text.replace("-", "+").replace("_", "/") + _PADDING[rest], bytes)
    except (ValueError, msgspec.ValidationError):
        raise ValueError("not base64url") from None


def parse_object(document: bytes, *, most: int | None = None) -> dict[str, object]:
    """Parse one JSON object; of members with the same name the last counts (RFC 7519 section 4).

    NaN, Infinity, numbers too large for a double, lone surrogates, a byte order mark, invalid UTF-8, nesting beyond
    MAX_DEPTH raise ValueError, whose message holds nothing of the document; so do, unless it is short, more than `most` opening
    brackets and commas, and extreme numbers among many others.
    """
    brackets = document.count(b"{") + document.count(b"[")
    if len(document) > SHORT_DOCUMENT:
        _require_few_parts(document, brackets + document.count(b","), most)
    try:
        value = _decode_json(document)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        raise ValueError("not JSON") from None
    if type(value) is not dict:
        raise ValueError("not a JSON object")
    if brackets > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError("nested too deep")
    return value


def _require_few_parts(document: bytes, parts: int, most: int | None) -> None:
    if (most is not None and parts > most) or (parts > FEW_PARTS and _EXTREME_NUMBER.search(document)):
        raise ValueError("made of too many parts")


def parse_again(document: bytes) -> dict[str, object]:
    """Parse what `parse_object` has accepted before: nothing is left to check."""
    return _decode_json(document)  # type: ignore[no-any-return]


def _is_deeper(value: object, limit: int) -> bool:
    """Whether a document nests deeper, found level by level, because recursion would itself depend on the stack."""
    level = [value]
    for _ in range(limit):
        level = [item for outer in level for item in _items(outer) if type(item) in (dict, list)]
        if not level:
            return False
    return True


def _items(outer: object) -> Iterable[object]:
    if isinstance(outer, dict):
        return outer.values()
    return outer if isinstance(outer, list) else ()


def parse_unique_object(document: bytes, *, most: int | None = None) -> dict[str, object]:
    """As `parse_object`, and at every level no member is named twice; raises ValueError otherwise."""
    value = parse_object(document, most=most)
    if not _written_back_the_same(value, document):
        _refuse_duplicates(document)
    return value


def _written_back_the_same(value: dict[str, object], document: bytes) -> bool:
    """Equal texts cannot hide a second member: it would be gone. Most headers pass here, without a slow parse."""
    try:
        return _encode_json(value) == document
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False


def _refuse_duplicates(document: bytes) -> None:
    if _LONG_NUMBER.search(document):
        raise ValueError("a number has too many digits")
    try:
        json.loads(document, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise ValueError("a member is named twice, or nesting is too deep") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
