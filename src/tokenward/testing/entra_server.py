"""EntraServer: a local tenant with its token endpoint over real HTTP, on this machine only. NOT FOR PRODUCTION."""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Self

from tokenward.testing.entra_token_endpoint import EntraTokenEndpoint
from tokenward.testing.faults import JSON, Answer, Fault
from tokenward.testing.loopback import QuietHandler, QuietServer

MAX_FORM_BYTES = 256 * 1024
"""Of a token request; a real one has two tokens of a few kilobytes."""


class EntraServer:
    """Serves a tenant's documents, keys and token endpoint on 127.0.0.1; `with EntraServer(endpoint) as server: server.url`.

    port  0 takes any free one
    tls   a context with a certificate, for clients that insist on https (MSAL does); it is plain http otherwise
    """

    def __init__(self, endpoint: EntraTokenEndpoint, port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.endpoint = endpoint
        self._port = port
        self._tls = tls
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return f"{'https' if self._tls else 'http'}://{'localhost' if self._tls else '127.0.0.1'}:{self._port}"

    def start(self) -> Self:
        """Listen, and have the issuer name this address in its documents. Raises OSError if the port is taken."""
        self._listener = _Listener(("127.0.0.1", self._port), self.endpoint, self._tls)
        self._port = self._listener.begin("local-entra")
        self.endpoint.issuer.served_at = self.url
        return self

    def stop(self) -> None:
        """Stop listening; the issuer is at home again."""
        self.endpoint.issuer.served_at = None
        self.endpoint.recover()
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Listener(QuietServer):
    expected = (ConnectionError, ssl.SSLError)

    def __init__(self, address: tuple[str, int], endpoint: EntraTokenEndpoint, tls: ssl.SSLContext | None) -> None:
        self.endpoint = endpoint
        super().__init__(address, _Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)


class _Handler(QuietHandler):
    server_version = "tokenward-local-entra"
    timeout = 30.0

    @property
    def _endpoint(self) -> EntraTokenEndpoint:
        if not isinstance(self.server, _Listener):
            raise TypeError("this handler is the local tenant's own")
        return self.server.endpoint

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        """A document of the issuer."""
        issuer, path = self._endpoint.issuer, self.path.partition("?")[0]
        issuer.requests.append(f"{issuer.origin}{self.path}")
        self._send(issuer.answer(path), None)

    def do_POST(self) -> None:  # noqa: N802  # as above
        """A token request."""
        endpoint, path = self._endpoint, self.path.partition("?")[0]
        length = self.headers.get("Content-Length", "")
        if not endpoint.is_endpoint(path) or not (length.isascii() and length.isdigit() and int(length) <= MAX_FORM_BYTES):
            self._send(Answer(404, JSON, b'{"error":"not_found"}'), None)
            return
        body = self.rfile.read(int(length))
        endpoint.issuer.requests.append(f"{endpoint.issuer.origin}{self.path}")
        fields = {name.lower(): value for name, value in self.headers.items()}
        self._send(endpoint.answer(path, fields, body), endpoint.fault)

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        if fault is None:
            self.write(answer)
        else:
            self.suffer(fault, lambda: answer)
