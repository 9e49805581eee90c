"""A certificate and its key on disk, and the assertion that they sign (RFC 7523 section 3, in Entra's form).

Source: learn.microsoft.com/entra/identity-platform/certificate-credentials: PS256 and x5t#S256; RS256 and x5t before that.
"""

from __future__ import annotations

import base64
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tokenward.errors import PolicyError

Thumbprint: TypeAlias = Literal["sha256", "sha1"]
Stamp: TypeAlias = tuple[tuple[int, int], ...]

LIFETIME = 300
"""Seconds; Microsoft says to keep it to 5 to 10 minutes."""
LEAST_BITS = 2048
"""Of the RSA key (RFC 7518 section 3.3)."""


@dataclass(frozen=True, slots=True, repr=False)
class Pair:
    """A certificate and the private key that belongs to it."""

    certificate: x509.Certificate
    key: RSAPrivateKey


class CertificateFile:
    """A pair in one or two PEM files, read at once and again when a file changes. Raises PolicyError, at construction only."""

    __slots__ = ("_certificate", "_key", "_password", "_read")

    def __init__(self, certificate: Path, key: Path, password: str | None) -> None:
        self._certificate, self._key = certificate, key
        self._password = None if password is None else password.encode()
        try:
            self._read = (self._stamp(), self._pair())
        except OSError as exc:
            problem = f"a file of it cannot be read ({type(exc).__name__})"
            raise PolicyError("certificate", problem, "Give the path of a PEM file that this process may read.") from None

    def current(self) -> Pair:
        """The pair as the files hold it now; the one read before while they are being changed or cannot be read."""
        stamp, pair = self._read
        try:
            changed = self._stamp()
            if changed != stamp:
                self._read = (changed, self._pair())
        except (OSError, PolicyError):
            return pair
        return self._read[1]

    def _stamp(self) -> Stamp:
        return tuple((found.st_mtime_ns, found.st_size) for found in (self._certificate.stat(), self._key.stat()))

    def _pair(self) -> Pair:
        return _checked(_certificate_in(self._certificate.read_bytes()), _key_in(self._key.read_bytes(), self._password))


def client_assertion(pair: Pair, thumbprint: Thumbprint, endpoint: str, client_id: str, now: float) -> str:
    """The application's assertion about itself, signed, for this token endpoint from `now` (epoch seconds) on."""
    starts = int(now)
    claims = {
        "aud": endpoint,
        "iss": client_id,
        "sub": client_id,
        "jti": str(uuid.uuid4()),
        "nbf": starts,
        "iat": starts,
        "exp": starts + LIFETIME,
    }
    if thumbprint == "sha1":
        header = {"x5t": _base64url(pair.certificate.fingerprint(hashes.SHA1()))}  # noqa: S303  # it names a certificate
        return jwt.encode(claims, pair.key, algorithm="RS256", headers=header)
    header = {"x5t#S256": _base64url(pair.certificate.fingerprint(hashes.SHA256()))}
    return jwt.encode(claims, pair.key, algorithm="PS256", headers=header)


def _certificate_in(pem: bytes) -> x509.Certificate:
    """The first certificate of the file, which is the application's own where a chain follows."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise PolicyError("certificate", "the file holds no certificate in PEM", "Give the file with the certificate.") from None


def _key_in(pem: bytes, password: bytes | None) -> RSAPrivateKey:
    """Whatever goes wrong, the message must not quote it: it may hold the password or the key."""
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError) as exc:
        needs = (
            "its password is missing or not needed" if isinstance(exc, TypeError) else "there is none, or its password is wrong"
        )
        raise PolicyError(
            "key", f"no private key could be read: {needs}", "Give the PEM file of the key, and its password."
        ) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_BITS:
        problem = f"it is no RSA key of at least {LEAST_BITS} bits"
        raise PolicyError("key", problem, "Make an RSA certificate: Entra takes no others from applications.")
    return key


def _checked(certificate: x509.Certificate, key: RSAPrivateKey) -> Pair:
    if certificate.public_key() != key.public_key():
        raise PolicyError("key", "it is not the certificate's", "Give the private key for which the certificate was made.")
    return Pair(certificate, key)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
