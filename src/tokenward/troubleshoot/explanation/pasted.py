"""What a person pastes -> the token in it: a header, JSON, a log line or a command around it, quotes, line breaks.

The inspector's page does the same (web/page/recognise.js); a table of texts in tests/web holds the two together.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tokenward.token.strict import decode_base64url, parse_object

MAX_PASTED = 1024 * 1024
"""Bytes; the most that a policy may let a token have. What is longer is looked at no further."""
MEMBERS = ("access_token", "accessToken", "token", "id_token", "idToken", "assertion", "subject_token")
"""Where answers and requests hold a token, in the order in which they are taken, at whatever level of the document
(RFC 6749 section 5.1, RFC 8693 section 2.1); accessToken is the Azure CLI's and MSAL's, as idToken is."""
MAX_LEVELS = 6
"""Of a document; answers that a log or a cache wraps have three."""

_HEADER = re.compile(rb"(?:(?:proxy-)?authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
_QUOTES = b"\"'`"
_EDGES = string.whitespace + "\u00a0\u200b\u2028\u2029\u2060\ufeff"
"""What an editor, a chat or a mail leaves around a text, and nobody sees."""
_AROUND = re.compile(rb"[\s\"'`{\[<&]|://|(?:[^\w.-]|%[0-9A-Fa-f]{2})eyJ")
"""What is in no token, or in front of one: only a text with one of these is searched, so that a damaged token is judged as it was
sent. A header begins with eyJ, as does the base64url of every JSON object without white space."""
_TOKEN = re.compile(rb"(?<![\w-])[\w-]{10,}\.(?:[\w-]*(?:\.[\w-]+){3}|[\w-]+\.[\w-]*)")
"""A JWE or a JWS. It begins where a word does, or a long text without dots would be read again from each of its letters."""
_IN_TEXT = "The first token in the text was judged. A client must send the token alone."
_SEVERAL = "There are several tokens in the text, of which the first was judged. A client must send one token alone."
_QUOTED_MAIL = b"> \t"
"""What stands in front of each line that a mail quotes."""
_BROKEN = "The line breaks in the token were taken out; a client must not send them."


@dataclass(frozen=True, slots=True, repr=False)
class Pasted:
    """The token, and what was taken off around it, for a note; empty where it came alone."""

    token: bytes
    note: str = ""


def token_in(text: str | bytes) -> Pasted:
    """The token in a text; where none is found, the text itself. It says nothing of whether the token is one."""
    bare = _bare(text[: MAX_PASTED + 1])
    named = _member(bare) if bare[:1] == b"{" else None
    if named is None:
        return _alone(bare)
    name, value = named
    note = f"JSON was given; its {name} was judged. A client must send the token alone."
    inner = _alone(value.strip().encode("utf-8", "surrogatepass"))
    return Pasted(inner.token, f"{note} {_SEVERAL}" if inner.note == _SEVERAL else note)


def _bare(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text.decode("utf-8", "surrogateescape").strip(_EDGES).encode("utf-8", "surrogateescape")
    return text.strip(_EDGES).encode("utf-8", "surrogatepass")


def _alone(bare: bytes) -> Pasted:
    unquoted = bare.strip(_QUOTES)
    header = _HEADER.match(unquoted)
    inner = unquoted if header is None else unquoted[header.end() :].strip().strip(_QUOTES)
    if _AROUND.search(inner) and len(inner) <= MAX_PASTED:
        found = _in_text(inner)
        if found is not None:
            return found
    if header is not None:
        return Pasted(inner, "A whole Authorization header was given; what stands behind the scheme was judged.")
    if unquoted != bare:
        return Pasted(unquoted, "The quotation marks around the token were left out; a client must not send them.")
    return Pasted(bare)


# -- JSON --------------------------------------------------------------------------------------------------------------


def _member(text: bytes) -> tuple[str, str] | None:
    """The first of MEMBERS that the document has, where it is nearest to the document's beginning."""
    try:
        document = parse_object(text)
    except ValueError:
        return None
    found: dict[str, str] = {}
    for inner in _objects(document):
        for name in MEMBERS:
            value = inner.get(name)
            if isinstance(value, str) and value.strip():
                found.setdefault(name, value)
    return next(((name, found[name]) for name in MEMBERS if name in found), None)


def _objects(document: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    level: list[object] = [document]
    for _ in range(MAX_LEVELS):
        yield from (outer for outer in level if isinstance(outer, dict))
        level = [inner for outer in level for inner in _within(outer)]


def _within(outer: object) -> list[object]:
    if isinstance(outer, dict):
        return list(outer.values())
    return outer if isinstance(outer, list) else []


# -- text --------------------------------------------------------------------------------------------------------------


def _in_text(text: bytes) -> Pasted | None:
    lines = [line.strip().lstrip(_QUOTED_MAIL) for line in text.splitlines()]
    if len(lines) > 1 and not any(b" " in line or b"\t" in line for line in lines):
        joined = re.sub(rb"[\"'`\\]+", b"", b"".join(lines))
        if _TOKEN.fullmatch(joined) and _token(joined) == joined:
            return Pasted(joined, _BROKEN)
    found = (token for candidate in _TOKEN.finditer(text) if (token := _token(candidate[0])) is not None)
    first = next(found, None)
    if first is None:
        return None
    return Pasted(first, _SEVERAL if any(other != first for other in found) else _IN_TEXT)


def _token(candidate: bytes) -> bytes | None:
    """The part of it that begins with a header that can be read."""
    for start in (0, max(0, candidate.find(b"eyJ"))):
        parts = candidate[start:].split(b".")
        try:
            header = parse_object(decode_base64url(parts[0]))
        except ValueError:
            continue
        return b".".join(parts if "enc" in header else parts[:3])
    return None
