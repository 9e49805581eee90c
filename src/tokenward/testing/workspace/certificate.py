"""A certificate for this machine's loopback names, and the authority that signed it, for HTTPS in tests. Trust neither."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from tokenward.testing.authority import Authority


class LoopbackTls:
    """A server's TLS context, and the file that clients must trust: `ca_file`, as for REQUESTS_CA_BUNDLE or SSL_CERT_FILE."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tokenward-tls-")
        place, authority = Path(self._folder.name), Authority()
        (place / "server.pem").write_bytes(authority.certificate())
        (place / "ca.pem").write_bytes(authority.pem)
        self.ca_file = str(place / "ca.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(place / "server.pem")

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()
