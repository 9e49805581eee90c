"""A self-signed certificate for a signing key, because Entra's JWKs carry one (`x5c`, RFC 7517 section 4.7)."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tokenward.testing.signing import PrivateKey

_NAME = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokenward local issuer (not for production)")])
_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)


def self_signed(key: PrivateKey) -> bytes:
    """A certificate of this key in DER. Nobody should trust it, and verifiers of tokens ignore it."""
    builder = x509.CertificateBuilder(_NAME, _NAME, key.public_key(), x509.random_serial_number(), _FROM, _UNTIL)
    hash_ = None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, hash_).public_bytes(Encoding.DER)
