"""The JOSE header of a token: what it says of its algorithm, key and type (RFC 7515 section 4)."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward.errors import AlgorithmNotAllowed, CriticalHeaderUnsupported, MalformedToken, TokenTypeNotAccepted
from tokenward.token.algorithms import ALGORITHMS, Algorithm
from tokenward.token.strict import decode_base64url, parse_unique_object

MAX_HEADER_CHARS = 8 * 1024
"""Of base64url. Headers are 100 to 300 characters; one with a chain of certificates (x5c) is 6,000."""
MAX_KID_CHARS = 200
"""Entra's are 27-43 characters, Databricks' 64; AWS and Google stay below 100."""


@dataclass(frozen=True, slots=True)
class Header:
    """`typ` is lower case and without its `application/` prefix (RFC 7515 section 4.1.9); absent is ""."""

    algorithm: Algorithm
    kid: str | None
    typ: str


def read_header(segment: bytes) -> Header:
    """Parse a header segment, strictly: a member that appears twice is refused, unknown members are ignored.

    Ignored with them, on purpose: `jku`, `x5u`, `jwk` and `x5c`, by which a token would bring its own key
    (RFC 8725 section 3.10).

    Raises MalformedToken, CriticalHeaderUnsupported, AlgorithmNotAllowed or TokenTypeNotAccepted.
    """
    if len(segment) > MAX_HEADER_CHARS:
        raise MalformedToken("the header is too long")
    try:
        members = parse_unique_object(decode_base64url(segment))
    except ValueError as exc:
        raise MalformedToken(f"the header is {exc}") from None
    if "crit" in members or "b64" in members:
        raise CriticalHeaderUnsupported("the header holds crit or b64")
    kid = _kid(members["kid"]) if "kid" in members else None
    algorithm = _algorithm(members.get("alg"), kid)
    if members.get("nonce") is not None:
        raise TokenTypeNotAccepted("a nonce in the header", claim="nonce header", kid=kid, algorithm=algorithm.name)
    return Header(algorithm, kid, _typ(members["typ"]) if "typ" in members else "")


def _kid(value: object) -> str:
    if type(value) is not str or not 1 <= len(value) <= MAX_KID_CHARS:
        raise MalformedToken(f"the header's kid is not a string of 1 to {MAX_KID_CHARS} characters")
    return value


def _algorithm(value: object, kid: str | None) -> Algorithm:
    if type(value) is not str:
        raise MalformedToken("the header's alg is not a string")
    algorithm = ALGORITHMS.get(value)
    if algorithm is None:
        raise AlgorithmNotAllowed("not an asymmetric signature algorithm", claim="alg", actual=value, kid=kid)
    return algorithm


def _typ(value: object) -> str:
    if type(value) is not str:
        raise MalformedToken("the header's typ is not a string")
    return value.lower().removeprefix("application/")
