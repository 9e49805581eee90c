"""A certificate for this machine's loopback names, and the authority that signed it, for HTTPS in tests. Trust neither."""

from __future__ import annotations

import ssl
import tempfile
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_FROM, _UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
_NAMES = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
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


class LoopbackTls:
    """A server's TLS context, and the file that clients must trust: `ca_file`, as for REQUESTS_CA_BUNDLE or SSL_CERT_FILE."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tokenward-tls-")
        place = Path(self._folder.name)
        authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root = _root(authority)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (place / "server.pem").write_bytes(secret + _leaf(key, authority, root).public_bytes(Encoding.PEM))
        (place / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
        self.ca_file = str(place / "ca.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(place / "server.pem")

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = _name("tokenward tests (not for production)")
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), _FROM, _UNTIL)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_SIGNS_CERTIFICATES, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256())


def _leaf(key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey, root: x509.Certificate) -> x509.Certificate:
    public = key.public_key()
    builder = x509.CertificateBuilder(root.subject, _name("localhost"), public, x509.random_serial_number(), _FROM, _UNTIL)
    builder = builder.add_extension(_NAMES, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    known = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return builder.add_extension(known, critical=False).sign(authority, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
