"""Strict base64url and strict JSON: one reading for every text, or none."""

from __future__ import annotations

import binascii
import json

import orjson

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")  # "!" is in no alphabet, so the strict decoder refuses it
_PADDING = (b"", b"!", b"==", b"=")
_LAST_OF_TWO = frozenset(b"AQgw")  # RFC 4648 section 3.5: the spare bits of the last character are zero
_LAST_OF_THREE = frozenset(b"AEIMQUYcgkosw048")


def decode_base64url(text: bytes) -> bytes:
    """Decode RFC 7515 section 2 base64url: its alphabet, no padding, no white space, spare bits zero.

    Raises ValueError otherwise; the message holds nothing of the text.
    """
    rest = len(text) & 3
    if rest and (rest == 1 or text[-1] not in (_LAST_OF_TWO if rest == 2 else _LAST_OF_THREE)):
        raise ValueError("not base64url")
    try:
        return binascii.a2b_base64(text.translate(_TO_STANDARD) + _PADDING[rest], strict_mode=True)
    except binascii.Error:
        raise ValueError("not base64url") from None


def parse_object(document: bytes) -> dict[str, object]:
    """Parse one JSON object; of members with the same name the last counts (RFC 7519 section 4).

    NaN, Infinity, numbers too large for a double, lone surrogates, a byte order mark, invalid UTF-8 and nesting beyond
    1024 levels raise ValueError, whose message holds nothing of the document.
    """
    try:
        value = orjson.loads(document)
    except ValueError:
        raise ValueError("not JSON") from None
    if type(value) is not dict:
        raise ValueError("not a JSON object")
    return value


def parse_unique_object(document: bytes) -> dict[str, object]:
    """Parse one JSON object in which, at every level, no member is named twice; raises ValueError otherwise."""
    value = parse_object(document)
    if not _written_back_the_same(value, document):
        _refuse_duplicates(document)
    return value


def _written_back_the_same(value: dict[str, object], document: bytes) -> bool:
    """Equal texts cannot hide a second member: it would be gone. Most headers pass here, without a slow parse."""
    try:
        return orjson.dumps(value) == document
    except TypeError:  # orjson nests less deep when it writes
        return False


def _refuse_duplicates(document: bytes) -> None:
    try:
        json.loads(document, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise ValueError("a member is named twice, or nesting is too deep") from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
