"""[server]: where to listen and how to stop; certificates and the port are tried before anything starts."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from tokenward import validation
from tokenward.cli.outcome import CommandFailed
from tokenward.cli.serve.secret import failed_file, read_small
from tokenward.cli.serve.settings import Section
from tokenward.keys.address import is_loopback

HOST = "127.0.0.1"
"""Only this machine, until somebody says otherwise: tokens would travel in the clear without TLS."""
PORT = 8080
NOTICE = 5.0
"""Seconds between "not ready" and no more requests: load balancers ask every few seconds, and Kubernetes takes one or two."""
GRACEFUL = 20.0
"""Seconds for requests under way after that; together less than the 30 after which Kubernetes kills."""
KEEP_ALIVE = 75.0
"""Seconds; longer than load balancers keep idle connections (mostly 60), or they would send a request into one being closed."""
MOST_WORKERS = 256
MOST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Server:
    """What [server] says, judged. Times are in seconds; `log` is "json", "console" or None for whichever fits stderr."""

    host: str
    port: int
    workers: int
    certificate: str | None
    key: str | None
    notice: float
    graceful: float
    keep_alive: float
    log: str | None
    access_log: bool

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether this machine alone can reach it."""
        return is_loopback(self.host)

    @property
    def is_exposed(self) -> bool:
        """Whether tokens could come over a network unencrypted."""
        return self.certificate is None and not self.is_local


def server_from(section: Section) -> Server:
    """What [server] says. Raises CommandFailed."""
    with section.judging():
        return Server(
            validation.text("host", section.get("host", HOST), "'0.0.0.0', or a name or address of this machine"),
            validation.whole("port", section.get("port", PORT), least=1, most=65535),
            validation.whole("workers", section.get("workers", 1), least=1, most=MOST_WORKERS),
            *_certificate(section),
            validation.seconds("notice", section.get("notice", NOTICE), most=MOST_SECONDS),
            validation.seconds("graceful", section.get("graceful", GRACEFUL), most=MOST_SECONDS),
            validation.seconds("keep_alive", section.get("keep_alive", KEEP_ALIVE), most=MOST_SECONDS),
            section.among("log", ("json", "console"), "the form of the log") if "log" in section else None,
            section.get("access_log", False),
        )


def listening(server: Server, section: Section) -> socket.socket:
    """A socket that is bound, and does not listen yet. Raises CommandFailed."""
    try:
        return _bound(server)
    except OSError as exc:
        raise _cannot_listen(server, section, exc) from None


def _bound(server: Server) -> socket.socket:
    """Raises OSError."""
    found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, _, _, address = found[0]
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _cannot_listen(server: Server, section: Section, exc: OSError) -> CommandFailed:
    reason = exc.strerror or type(exc).__name__
    if exc.errno == errno.EADDRINUSE:
        fix = f"Stop what listens there (`ss -ltnp 'sport = :{server.port}'` names it), or {_lower(section.how_to_set('port'))}"
        return section.failed("port", f"{server.host}:{server.port} is taken ({reason})", fix)
    if exc.errno == errno.EACCES:
        fix = "Take a port of 1024 or more, or give the process CAP_NET_BIND_SERVICE."
        return section.failed("port", f"this process may not listen on port {server.port} ({reason})", fix)
    fix = "Give an address or a name of this machine, such as 0.0.0.0 for all of its IPv4 addresses."
    return section.failed("host", f"nothing can listen on {server.host!r} ({reason})", fix)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


# -- TLS ---------------------------------------------------------------------------------------------------------------


def _certificate(section: Section) -> tuple[str | None, str | None]:
    """The files, once they were loaded as the server will. Raises CommandFailed."""
    certificate, key = section.get("tls_certificate"), section.get("tls_key")
    if certificate is None:
        if key is not None:
            raise section.failed("tls_key", "there is no certificate with it", section.how_to_set("tls_certificate"))
        return None, None
    names = ["tls_certificate"] if key is None else ["tls_certificate", "tls_key"]
    texts = {name: _pem(section, name) for name in names}
    if any("ENCRYPTED" in text for text in texts.values()):
        fix = "Decrypt it (`openssl pkey -in key.pem -out plain.pem`), and let only this process's user read it."
        raise section.failed(names[-1], "the private key is encrypted", fix)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError, ValueError) as exc:
        fix = "Give the certificate and its chain in PEM, and the private key that belongs to it in tls_key or in the same file."
        raise section.failed(names[-1], f"certificate and key cannot be loaded ({_reason(exc)})", fix) from None
    return certificate, key


def _pem(section: Section, name: str) -> str:
    try:
        return read_small(Path(section.get(name)))
    except (OSError, ValueError) as exc:
        raise failed_file(section, name, exc, "Give the path of a PEM file that this process may read.") from None


def _reason(exc: Exception) -> str:
    return getattr(exc, "reason", None) or type(exc).__name__
