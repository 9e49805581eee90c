"""What was given, in one sentence, and what it is if it is no JWT: which of the many tokens (or no tokens) that people paste.

The sentences hold no claim of the token, so that they may stand where the claims may not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tokenward.token.header import MAX_HEADER_PARTS
from tokenward.token.strict import decode_base64url, parse_object

ASK_ACCESS = "Have the client send the access token for this API, which it gets by asking for a scope of it."


@dataclass(frozen=True, slots=True)
class What:
    """A word for machines, a sentence for people, and what to do if it is not the right thing; empty if it may be."""

    kind: str
    sentence: str
    advice: str = ""


def recognise_text(text: bytes) -> What:
    """What this is if it is no JWT; the words for what it looks like come first."""
    for pattern, what in _TEXTS:
        if pattern.match(text):
            return what
    if _is_encrypted(text):
        return _ENCRYPTED
    if text.count(b".") == 2:
        return What("damaged_jwt", "Three parts as of a JWT, which cannot be decoded.", _WHOLE)
    if text.startswith(b"eyJ"):
        return What("damaged_jwt", "It begins as a JWT does, but has not three parts: it was cut, or is none.", _WHOLE)
    return What("opaque", "No JWT: an opaque token, or a part of one.", _OPAQUE)


def _is_encrypted(text: bytes) -> bool:
    """Five parts (RFC 7516 section 7.1), of which the first is a header with `enc`: other texts have four dots, too."""
    parts = text.split(b".", 5)
    try:
        return len(parts) == 5 and "enc" in parse_object(decode_base64url(parts[0]), most=MAX_HEADER_PARTS)
    except ValueError:
        return False


_WHOLE = "Copy it again as a whole: look for a cut end, line breaks, or characters that a chat or a mail has changed."
_OPAQUE = "Only its issuer can judge an opaque token; send a JWT, which has three parts with dots between them."
_ENCRYPTED = What(
    "encrypted_token",
    "An encrypted token (JWE), which nobody but its addressee can read.",
    "Have the issuer send signed tokens; in Entra, remove the token encryption key of the API's registration.",
)
_TEXTS: tuple[tuple[re.Pattern[bytes], What], ...] = (
    (re.compile(rb"$"), What("nothing", "Nothing was given.", "Give the token that was refused.")),
    (
        re.compile(rb"dapi[0-9a-fA-F]{8,}(-[0-9]+)?$"),
        What(
            "databricks_pat",
            "A Databricks personal access token (PAT): opaque, and judged by the workspace alone.",
            "Send it to the workspace itself; for this service get a token of the identity provider.",
        ),
    ),
    (
        re.compile(rb"[01]\.A[A-Za-z0-9_-]{20,}"),
        What(
            "entra_refresh_token",
            "A refresh token or authorization code of Entra: opaque, and for Entra's token endpoint alone.",
            f"Keep it secret, and never send it to an API. {ASK_ACCESS}",
        ),
    ),
    (
        re.compile(rb"basic\s", re.IGNORECASE),
        What(
            "basic_credentials",
            "Basic credentials: a name and a password, and no token.",
            "Send 'Authorization: Bearer <token>'.",
        ),
    ),
    (
        re.compile(rb"-----BEGIN "),
        What("pem", "A key or a certificate in PEM, and no token.", "If it is a private key, keep it secret; give the token."),
    ),
    (
        re.compile(rb".{0,200}AADSTS[0-9]{4,}", re.DOTALL),
        What("error_text", "An error of Entra's, and no token.", "Give it to `tokenward diagnose`."),
    ),
    (
        re.compile(rb"\{"),
        What(
            "json",
            "JSON that holds no token under a name that is known.",
            "Give the token alone, such as with jq -r .access_token.",
        ),
    ),
    (
        re.compile(rb"\S+\s+\S"),
        What("several_words", "Several words, so no token: white space cannot be in one.", _WHOLE),
    ),
)
