"""What a log may show of a text that a stranger wrote: cut, escaped, and without what could be a token or a part of one.

Masked is any run of base64url characters and dots in which a part

* reads as text once decoded, and has at least SLICE characters, or SEGMENT if a quotation mark is in that text: so do the
  header and the claims of a token, whatever white space their JSON has, and slices of them;
* reads as JSON somewhere inside: so do slices that are joined to other words;
* is longer than IDENTIFIER, and neither words nor hexadecimal in one case: so is every signature. The identifiers that
  operators compare (GUIDs; kids of 27, 43 or 64 characters; hashes in hexadecimal of any length) are not;
* is a Databricks personal access token.

A shorter slice of a signature cannot be told from a kid, and is shown; so is one of the claims whose case was lost, as that of
`typ` is.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from base64 import urlsafe_b64decode

MAX_TEXT = 200
"""Characters of a foreign text in a log; issuers, audiences and kids are shorter."""
MAX_NUMBER = 2**63
"""Larger integers are no dates or sizes, and may have thousands of digits."""
MAX_ITEMS = 10
"""Items of a list in a log; a policy may hold a thousand tenants."""
SEGMENT = 20
"""Characters of the shortest header, `{"alg":"RS256"}`."""
SLICE = 32
"""Of 24 bytes; of fewer, some names in plain words would read as text by chance."""
IDENTIFIER = 64
"""Characters of the longest kids that are seen; the shortest signatures, of ES256 and EdDSA, have 86."""

PREFIX = 16
"""Characters in front of a slice, such as those of a word that it is joined to, without which it is looked at, too."""

FINGERPRINT = 6
"""Bytes of a token's SHA-256 that a log shows: enough that two tokens of one day's log hardly ever share them, and of no use to
whoever would guess the token, whose signature has 64 bytes or more."""

_MASK = "<token>"
_RUN = re.compile(rf"[A-Za-z0-9_.-]{{{SEGMENT},}}")
_WORDS_OR_HEXADECIMAL = re.compile(r"[a-z_-]+|[A-Z_-]+|[0-9a-f_-]+|[0-9A-F_-]+")
_ACCESS_TOKEN = re.compile(r"dapi[0-9a-f]{8}")
_JSON = re.compile(rb'":["\[{0-9]|","|"\],"')
"""Where one member ends and the next begins: three bytes, which a kid of 64 characters holds by chance once in 10,000 times."""
_CONTINUATION = bytes(range(0x80, 0xC0))
_WHITE_SPACE = str.maketrans("", "", "\t\n\r")


def shown(value: object) -> object:
    """A value fit for a log: texts cut, escaped and masked, lists cut, nothing else let through."""
    if value is None or isinstance(value, float) or (isinstance(value, int) and -MAX_NUMBER < value < MAX_NUMBER):
        return value
    if isinstance(value, str):
        return _shown_text(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [
            f"<{type(item).__name__}>" if isinstance(item, (list, dict)) else shown(item) for item in list(value)[:MAX_ITEMS]
        ]
        return items if len(value) <= MAX_ITEMS else [*items, f"... {len(value) - MAX_ITEMS} more"]
    return f"<{type(value).__name__}>"


def fingerprint_of(token: bytes) -> str:
    """Twelve hexadecimal digits by which the log, `explain` and whoever holds a token can tell that they mean the same one.

    Not for texts that may be short, such as passwords: these could be guessed by it.
    """
    return fingerprint(hashlib.sha256(token).digest())


def fingerprint(digest: bytes) -> str:
    """The same, of a SHA-256 that is there already."""
    return digest[:FINGERPRINT].hex()


def _shown_text(value: str) -> str:
    """Masking makes a text shorter, so more of it is looked at than is shown."""
    looked_at = value[: 2 * MAX_TEXT]
    text = _RUN.sub(_masked, looked_at).encode("unicode_escape").decode("ascii")
    return text if len(text) <= MAX_TEXT and looked_at == value else f"{text[:MAX_TEXT]}..."


def _masked(run: re.Match[str]) -> str:
    return _MASK if any(_is_secret(part) for part in run.group().split(".")) else run.group()


def _is_secret(part: str) -> bool:
    if len(part) < SEGMENT - 3:
        return False
    if len(part) > IDENTIFIER and not _WORDS_OR_HEXADECIMAL.fullmatch(part):
        return True
    return bool(_ACCESS_TOKEN.search(part)) or any(
        _reads_as_text(part[start:]) for start in range(min(PREFIX, len(part) - SEGMENT + 4))
    )


def _reads_as_text(part: str) -> bool:
    """Whether base64url from here on is UTF-8 without control characters, or has JSON in it behind something else."""
    decoded = urlsafe_b64decode(part[: len(part) // 4 * 4]).lstrip(_CONTINUATION)
    if _JSON.search(decoded):
        return True
    try:
        text, _ = codecs.utf_8_decode(decoded, "strict", False)
    except UnicodeDecodeError:
        return False
    return text.translate(_WHITE_SPACE).isprintable() and (len(part) >= SLICE - 3 or (len(part) >= SEGMENT - 3 and '"' in text))
