"""Servers with certificates of every kind, and what a workspace is examined with."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tokenward.testing.faults import JSON, Answer
from tokenward.testing.loopback import QuietHandler, QuietServer, free_port

Serve = Callable[..., str]


class _TlsServer(QuietServer):
    expected = (ConnectionError, ssl.SSLError)


class _Handler(QuietHandler):
    timeout = 30.0

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        self.write(Answer(200, JSON, b"{}"))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(days=90, name="localhost")`: the address of a server whose self-signed certificate ends in so many days."""
    with ExitStack() as stack:

        def started(*, days: float = 90, name: str = "localhost", begins: float = -400) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(_certificate(tmp_path, days, name, begins))
            server = _TlsServer(("127.0.0.1", 0), _Handler)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return f"https://localhost:{server.server_address[1]}"

        yield started


@pytest.fixture
def trusting(tmp_path: Path) -> Callable[[], ssl.SSLContext]:
    """A client's context that trusts the certificates made so far."""

    def made() -> ssl.SSLContext:
        context = ssl.create_default_context()
        for file in tmp_path.glob("*.pem"):
            context.load_verify_locations(file)
        return context

    return made


def _certificate(place: Path, days: float, name: str, begins: float) -> Path:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now + timedelta(days=begins)).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    file = place / f"{certificate.serial_number}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return file


@pytest.fixture
def free() -> Callable[[], int]:
    """A port at which nobody listens."""
    return free_port
