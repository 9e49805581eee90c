"""What a person pastes -> the token in it: a whole header, a token endpoint's JSON, quotes and white space around."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenward.token.strict import parse_object

MAX_PASTED = 1024 * 1024
"""Bytes; the most that a policy may let a token have. What is longer is looked at no further."""
MEMBERS = ("access_token", "id_token", "token", "assertion", "subject_token", "accessToken")
"""Where answers and requests hold a token, in the order in which they are taken (RFC 6749 section 5.1, RFC 8693 section 2.1);
the last is the Azure CLI's."""

_HEADER = re.compile(rb"(?:(?:proxy-)?authorization\s*:\s*)?bearer\s+", re.IGNORECASE)
_QUOTES = b"\"'`"


@dataclass(frozen=True, slots=True, repr=False)
class Pasted:
    """The token, and what was taken off around it, for a note; empty where it came alone."""

    token: bytes
    note: str = ""


def token_in(text: str | bytes) -> Pasted:
    """The token in a text; where none is found, the text itself. It says nothing of whether the token is one."""
    given = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    bare = given[: MAX_PASTED + 1].removeprefix(b"\xef\xbb\xbf").strip()
    if bare[:1] == b"{":
        return _in_json(bare)
    unquoted = bare.strip(_QUOTES)
    header = _HEADER.match(unquoted)
    if header is not None:
        note = "A whole Authorization header was given; what stands behind the scheme was judged."
        return Pasted(unquoted[header.end() :].strip().strip(_QUOTES), note)
    if unquoted != bare:
        return Pasted(unquoted, "The quotation marks around the token were left out; a client must not send them.")
    return Pasted(bare)


def _in_json(text: bytes) -> Pasted:
    try:
        members = parse_object(text)
    except ValueError:
        return Pasted(text)
    for name in MEMBERS:
        value = members.get(name)
        if isinstance(value, str) and value:
            note = f"JSON was given; its {name} was judged. A client must send the token alone."
            return Pasted(value.strip().encode("utf-8", "surrogatepass"), note)
    return Pasted(text)
