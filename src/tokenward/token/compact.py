"""A token's text -> its parts, opened once (RFC 7515 section 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tokenward.errors import MalformedToken
from tokenward.identity import Claims
from tokenward.token.header import Header, judge_header, read_header
from tokenward.token.strict import decode_base64url, parse_object

REMEMBERED_HEADERS = 256
"""An issuer signs every token of a key under the same header; 256 serves 100 issuers in the middle of a rotation."""
FREE_PARTS = 256
BYTES_PER_PART = 10
"""How many brackets and commas claims may have: 256, and one for 10 bytes, so 1,500 in 12 KiB. Group ids take 39 bytes, and each
of the three parts of Keycloak's roles by client 10; empty lists and numbers take 2 to 7, and 12 KiB of them a millisecond."""


@dataclass(slots=True, repr=False)
class Compact:
    """An opened token. Nothing in it is verified."""

    header_text: bytes
    header: Header
    claims: Claims
    claims_json: bytes
    signed: bytes
    signature: bytes


def open_compact(token: bytes, header_of: Callable[[bytes], Header] = read_header) -> Compact:
    """Split, decode and parse. It judges nothing but the form, unless `header_of` does.

    Raises MalformedToken, and what `header_of` raises.
    """
    signed, _, signature_text = token.rpartition(b".")
    header_text, _, claims_text = signed.partition(b".")
    if not header_text or b"." in claims_text:
        raise _wrong_shape(token)
    header = header_of(header_text)
    try:
        claims_json = decode_base64url(claims_text)
        claims = parse_object(claims_json, most=FREE_PARTS + len(claims_json) // BYTES_PER_PART)
        signature = decode_base64url(signature_text)
    except ValueError as exc:
        raise _undecodable(exc, header) from None
    return Compact(header_text, header, claims, claims_json, signed, signature)


class Opener:
    """Opens tokens whose header passes, and knows the headers of verified tokens, so that the strict parse is paid once a key."""

    def __init__(self) -> None:
        self._headers: dict[bytes, Header] = {}

    def open(self, token: bytes) -> Compact:
        """As `open_compact`; raises what `judge_header` raises, too."""
        return open_compact(token, self._header)

    def _header(self, segment: bytes) -> Header:
        return self._headers.get(segment) or judge_header(read_header(segment))

    def remember_header(self, compact: Compact) -> None:
        """Keep the header of a token whose signature held, and only of such."""
        if len(self._headers) >= REMEMBERED_HEADERS:
            self._headers = {}
        self._headers[compact.header_text] = compact.header


def _wrong_shape(token: bytes) -> MalformedToken:
    if token.count(b".") == 4:
        return MalformedToken("an encrypted token (JWE), which nobody but its addressee can read")
    return MalformedToken("not three parts joined by dots")


def _undecodable(exc: ValueError, header: Header) -> MalformedToken:
    return MalformedToken(f"the claims or the signature are {exc}", kid=header.kid, algorithm=header.alg)
