"""What the first certificate of a JWK says (`x5c`, RFC 7517 section 4.7). Verifiers here ignore it; others do not."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning

from tokenward.keys.jwk import MAX_MEMBER_CHARS


@dataclass(frozen=True, slots=True)
class Certificate:
    """begins, ends  epoch seconds
    thumbprints      by the member that would hold each: `x5t` (SHA-1), `x5t#S256` (SHA-256)
    fingerprint      of its public key, as `keys.jwk.Key` makes it; None for a key of an unknown kind
    """

    begins: float
    ends: float
    thumbprints: Mapping[str, str]
    fingerprint: bytes | None


def certificate_of(jwk: Mapping[str, object]) -> Certificate | None:
    """The first certificate; None if the JWK has no `x5c`. Its signature and its chain are not checked.

    Raises ValueError, whose message holds nothing of the JWK.
    """
    if "x5c" not in jwk:
        return None
    chain = jwk["x5c"]
    first = chain[0] if isinstance(chain, list) and chain else None
    if not isinstance(first, str) or len(first) > MAX_MEMBER_CHARS:
        raise ValueError("x5c is not a list of certificates")
    try:
        der = base64.b64decode(first, validate=True)
        parsed = _parsed(der)
        begins, ends = parsed.not_valid_before_utc.timestamp(), parsed.not_valid_after_utc.timestamp()
    except (ValueError, OverflowError, UnsupportedAlgorithm, x509.InvalidVersion):  # of which the last two are no ValueError
        raise ValueError("x5c holds no certificate") from None
    return Certificate(begins, ends, _thumbprints(der), _fingerprint(parsed))


def _parsed(der: bytes) -> x509.Certificate:
    """Without the warnings that are meant for whoever made the certificate, such as of a serial number below 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def _thumbprints(der: bytes) -> dict[str, str]:
    sha1 = hashlib.sha1(der, usedforsecurity=False).digest()  # RFC 7517 section 4.8 asks for it
    return {"x5t": _base64url(sha1), "x5t#S256": _base64url(hashlib.sha256(der).digest())}


def _base64url(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _fingerprint(parsed: x509.Certificate) -> bytes | None:
    try:
        spki = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return hashlib.sha256(spki).digest()
