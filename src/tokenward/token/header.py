"""The JOSE header of a token: what it says of its algorithm, key and type (RFC 7515 section 4), and one table of checks on it.

These checks hold whoever the issuer is, and are judged before the claims are opened: what a critical extension does to the
rest of a token, nobody here knows. What an issuer's rules say of a header is judged in `admission`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tokenward.errors import AlgorithmNotAllowed, CriticalHeaderUnsupported, MalformedToken, TokenRejected, TokenTypeNotAccepted
from tokenward.token.algorithms import ALGORITHMS
from tokenward.token.row import Row
from tokenward.token.strict import decode_base64url, parse_unique_object

MAX_HEADER_CHARS = 8 * 1024
"""Of base64url. Headers are 100 to 300 characters; one with a chain of certificates (x5c) is 6,000."""
MAX_HEADER_PARTS = 256
"""Brackets and commas; headers have five to ten, and one with a key (jwk) and a chain of certificates has thirty."""
MAX_KID_CHARS = 200
"""Entra's are 27-43 characters, Databricks' 64; AWS and Google stay below 100."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says, of the right JSON types; nothing of it is judged yet.

    alg     to the letter; it may be anything
    typ     lower case and without its `application/` prefix (RFC 7515 section 4.1.9); absent is ""
    crit    whether it demands an extension: `crit` or `b64` (RFC 7515 section 4.1.11, RFC 7797)
    nonce   whether it holds a nonce, as Microsoft Graph's tokens do
    """

    alg: str
    kid: str | None
    typ: str
    crit: bool
    nonce: bool


def read_header(segment: bytes) -> Header:
    """Parse a header segment, strictly: a member that appears twice is refused, unknown members are ignored.

    Ignored with them, on purpose: `jku`, `x5u`, `jwk` and `x5c`, by which a token would bring its own key
    (RFC 8725 section 3.10).

    Raises MalformedToken.
    """
    if len(segment) > MAX_HEADER_CHARS:
        raise MalformedToken("the header is too long")
    try:
        members = parse_unique_object(decode_base64url(segment), most=MAX_HEADER_PARTS)
    except ValueError as exc:
        raise MalformedToken(f"the header is {exc}") from None
    return Header(
        _text(members, "alg"),
        _kid(members["kid"]) if "kid" in members else None,
        type_of(_text(members, "typ")) if "typ" in members else "",
        "crit" in members or "b64" in members,
        members.get("nonce") is not None,
    )


def type_of(typ: str | None) -> str:
    """A `typ` in the one form in which they compare: lower case, without `application/`; "" stands for its absence."""
    return "" if typ is None else typ.lower().removeprefix("application/")


HeaderCheck: TypeAlias = Callable[[Header], None]


def judge_header(header: Header) -> Header:
    """The header, if it passes every check. Raises TokenRejected."""
    try:
        for _, check in HEADER_CHECKS:
            check(header)
    except TokenRejected as rejection:
        rejection.kid, rejection.algorithm = header.kid, header.alg if header.alg in ALGORITHMS else None
        raise
    return header


def check_extensions(header: Header) -> None:
    """No extension that must be understood: we understand none."""
    if header.crit:
        raise CriticalHeaderUnsupported("the header holds crit or b64")


def check_asymmetric(header: Header) -> None:
    """`none` and HS* prove nothing to whom the keys are public, and no issuer's rules can allow them (RFC 8725 section 2.1)."""
    if header.alg not in ALGORITHMS:
        raise AlgorithmNotAllowed("not an asymmetric signature algorithm", claim="alg", actual=header.alg)


def check_nonce(header: Header) -> None:
    """Microsoft Graph signs a hash of the nonce, so that nobody but Graph can verify its tokens."""
    if header.nonce:
        raise TokenTypeNotAccepted("a nonce in the header", claim="nonce header")


HEADER_CHECKS: tuple[Row[HeaderCheck], ...] = (
    Row("extensions", check_extensions),
    Row("asymmetric", check_asymmetric),
    Row("nonce", check_nonce),
)


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name)
    if type(value) is not str:
        raise MalformedToken(f"the header's {name} is not a string")
    return value


def _kid(value: object) -> str:
    if type(value) is not str or not 1 <= len(value) <= MAX_KID_CHARS:
        raise MalformedToken(f"the header's kid is not a string of 1 to {MAX_KID_CHARS} characters", claim="kid")
    return value
