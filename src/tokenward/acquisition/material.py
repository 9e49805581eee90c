"""What a person has at hand -> one text in lower case, of bounded size, in which codes and ids can be looked for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

MAX_CHARS = 1024 * 1024
"""Of a text that is looked at, from its beginning; half a day of errors."""
MAX_MEMBERS = 512
"""Of a document and all within it."""
MAX_DEPTH = 6
MAX_NUMBERS = 64
"""Of a list of codes; Entra's have one or two."""

_ENCODED = re.compile(r"error_description=[^\s\"'<>&#]{1,8192}")
"""In the address of a redirect (RFC 6749 section 4.1.2.1); texts have 100 to 1,000 characters."""
_TAG = re.compile(r"</?[a-z][^<>]{0,512}>")


def material(text: str | bytes | Mapping[str, object]) -> str:
    """The text, without an address's percent-encoding and without a web page's tags."""
    content = _content(text).lower()
    if "error_description=" in content:
        content = _ENCODED.sub(lambda found: unquote_plus(found[0]), content)
    return _TAG.sub(" ", content) if "</" in content else content


def _content(text: str | bytes | Mapping[str, object]) -> str:
    if isinstance(text, bytes):
        return text[:MAX_CHARS].replace(b"\0", b"").decode("utf-8", "replace")  # PowerShell writes UTF-16
    return text[:MAX_CHARS] if isinstance(text, str) else "\n ".join(_lines(text))[:MAX_CHARS]


def _lines(document: object) -> Iterator[str]:
    """A document's members as the lines of one message, level by level, since recursion would depend on the document."""
    level, left = [("", document)], MAX_MEMBERS
    for _ in range(MAX_DEPTH):
        inner: list[tuple[str, object]] = []
        for name, value in level:
            yield from _line(name, value)
            members = _members(name, value, left)
            left -= len(members)
            inner += members
        level = inner


def _line(name: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name}: {value[:MAX_CHARS]}"
    elif name == "error_code" and type(value) is int and 0 < value < 10**9:
        yield f'"error_code": {value}'
    elif name == "error_codes" and isinstance(value, list):
        numbers = [number for number in value[:MAX_NUMBERS] if type(number) is int and 0 < number < 10**9]
        yield from (f"AADSTS{number}" for number in numbers)


def _members(name: str, value: object, most: int) -> list[tuple[str, object]]:
    """Names are cut: one may be as long as its author likes."""
    if isinstance(value, Mapping):
        return [(str(key)[:64] if isinstance(key, str) else "", inner) for key, inner in list(value.items())[:most]]
    return [(name, inner) for inner in value[:most]] if isinstance(value, list) else []
