"""A certificate authority of one's own, and the certificates that it gives, for HTTPS on this machine in tests. Trust neither."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1")
FOREVER = datetime(2050, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(2020, 2, 1, tzinfo=UTC)
"""The end of a certificate whose time is over."""

_FROM = datetime(2020, 1, 1, tzinfo=UTC)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Its own certificate is `pem`; each of the others is made when it is asked for."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _root(self._key)
        self.pem = self._certificate.public_bytes(Encoding.PEM)

    def certificate(self, names: Sequence[str] = LOOPBACK, until: datetime = FOREVER) -> bytes:
        """A server's private key and certificate in PEM, for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return secret + self._leaf(key, names, until).public_bytes(Encoding.PEM)

    def context(self, names: Sequence[str] = LOOPBACK, until: datetime = FOREVER) -> ssl.SSLContext:
        """A server's TLS with such a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="tokenward-tls-") as folder:  # ssl reads files only
            path = Path(folder) / "server.pem"
            path.write_bytes(self.certificate(names, until))
            context.load_cert_chain(path)
        return context

    def trusting(self) -> ssl.SSLContext:
        """A client's TLS that believes this authority, and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.pem.decode())
        return context

    def _leaf(self, key: ec.EllipticCurvePrivateKey, names: Sequence[str], until: datetime) -> x509.Certificate:
        issuer, public = self._certificate.subject, key.public_key()
        builder = x509.CertificateBuilder(issuer, _name(names[0]), public, x509.random_serial_number(), _FROM, until)
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        known = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(known, critical=False).sign(self._key, hashes.SHA256())


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("tokenward tests (not for production)")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), _FROM, FOREVER)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
