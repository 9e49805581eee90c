"""WorkspaceServer: the stand-in over real HTTP or HTTPS, on this machine only. NOT FOR PRODUCTION."""

from __future__ import annotations

import contextlib
import socket
import ssl
from types import TracebackType
from typing import Self

from tokenward.keys.address import is_loopback
from tokenward.testing.loopback import QuietServer
from tokenward.testing.workspace.certificate import LoopbackTls
from tokenward.testing.workspace.handler import Handler
from tokenward.testing.workspace.workspace import DatabricksWorkspace


class WorkspaceServer:
    """Serves a stand-in workspace on a loopback address; `with WorkspaceServer() as server: server.url`. Not for production.

    workspace  a new one by default
    port       0 takes any free one
    tls        serve HTTPS, with a certificate that clients accept if they trust `ca_file`
    control    also answer /control/..., by which another process mints tokens and makes it fail

    Raises ValueError for any host that is not this machine's own (127.0.0.0/8 or localhost), OSError if the port is taken.
    """

    def __init__(
        self,
        workspace: DatabricksWorkspace | None = None,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        tls: bool = False,
        control: bool = False,
    ) -> None:
        if not is_loopback(host) or ":" in host:
            raise ValueError("the stand-in gives tokens to anybody, so it listens on 127.0.0.1 only")
        self.workspace = workspace or DatabricksWorkspace()
        self.control = control
        self._is_own = workspace is None
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._wants_tls = tls
        self._tls: LoopbackTls | None = None
        self._listener: Listener | None = None

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return f"{'https' if self._wants_tls else 'http'}://{self._host}:{self._port}"

    @property
    def ca_file(self) -> str | None:
        """The certificates that a client must trust, while HTTPS is served."""
        return self._tls.ca_file if self._tls else None

    def start(self) -> Self:
        """Listen, and have the workspace name this address in its documents and tokens."""
        if self._listener is not None:
            return self
        self._tls = LoopbackTls() if self._wants_tls else None
        self._listener = Listener((self._host, self._port), self, self._tls.context if self._tls else None)
        self._port = self._listener.begin("stand-in-workspace")
        self.workspace.served_at = self.url
        return self

    def stop(self) -> None:
        """Stop listening, and break every connection; the workspace is at home again. It can be started anew."""
        listener, self._listener = self._listener, None
        tls, self._tls = self._tls, None
        if listener is not None:
            listener.end()
        if tls is not None:
            tls.close()
        self.workspace.served_at = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        if self._is_own:
            self.workspace.close()


class Listener(QuietServer):
    """Accepts connections, and knows those that are open: clients keep them, and a server that has stopped must not answer."""

    expected = (ConnectionError, ssl.SSLError, TimeoutError)

    def __init__(self, address: tuple[str, int], owner: WorkspaceServer, tls: ssl.SSLContext | None) -> None:
        self.workspace = owner.workspace
        self.has_control = owner.control
        self._tls = tls
        self._open: set[socket.socket] = set()
        super().__init__(address, Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        """A new connection; TLS shakes hands in the connection's own thread."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
