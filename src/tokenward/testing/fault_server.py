"""FaultServer: a local issuer over real HTTP or HTTPS that misbehaves on purpose. NOT FOR PRODUCTION."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tokenward.testing.authority import LONG_AGO, LOOPBACK, Authority
from tokenward.testing.faults import Fault
from tokenward.testing.faults.fault import Handshake
from tokenward.testing.faults.schedule import Schedule
from tokenward.testing.loopback import QuietHandler, QuietServer
from tokenward.testing.publisher import Publisher
from tokenward.testing.server import IssuerServer

CONNECT = "CONNECT"
"""The `path` of faults for requests to a proxy."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that arrived; names of header fields are in lower case."""

    path: str
    fields: Mapping[str, str]


class FaultServer(IssuerServer):
    """An `IssuerServer` that fails request by request; `with FaultServer(issuer) as server: server.next(faults.reset())`.

    tls    speak HTTPS. Clients must trust `server.authority`, as `HttpxFetch(tls=server.authority.trusting())` does
    names  for which hosts its certificate is
    asked  the requests that arrived, and `connections` how many connections were accepted

    It is a proxy for CONNECT, too: whatever host a client asks for, it is this server that answers, with that certificate.

    `issuer.fail(...)` and `issuer.recover()` work as with an IssuerServer; what is set here goes before it.
    """

    def __init__(
        self, issuer: Publisher, port: int = 0, *, host: str = "127.0.0.1", tls: bool = False, names: tuple[str, ...] = LOOPBACK
    ) -> None:
        super().__init__(issuer, port, host=host)
        self.asked: list[Asked] = []
        self.connections = 0
        self._tls = tls
        self._names = names
        self._contexts: dict[Handshake, ssl.SSLContext] = {}
        self._schedule = Schedule()

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return super().url.replace("http:", "https:") if self._tls else super().url

    @cached_property
    def authority(self) -> Authority:
        """Who vouches for its certificate, and for nothing else."""
        return Authority()

    def next(self, *faults: Fault, path: str | None = None) -> None:
        """Let each of the next requests meet one of these faults, in this order; only requests for `path`, if one is given.

        Raises ValueError for a fault that keeps connections from coming about, since that is no request's own (give it to
        `always`), and for one of TLS where none is spoken.
        """
        for fault in faults:
            self._require_possible(fault, path)
            if fault.door != "open":
                raise ValueError(f"{fault.name!r} is for the server as a whole; give it to always()")
        self._schedule.add(faults, path)

    def always(self, fault: Fault, *, path: str | None = None) -> None:
        """Let every request meet this fault until `recover()`; only requests for `path`, if one is given.

        Raises ValueError for a fault of TLS where none is spoken, and for a `path` with one of connections.
        """
        self._require_possible(fault, path)
        self._schedule.always(fault, path)
        self._follow(self.issuer.fault)

    def recover(self) -> None:
        """Answer properly again; answers that are being held back are given at once."""
        self._schedule.clear()
        self._follow(self.issuer.fault)

    def stop(self) -> None:
        """Stop listening, and end every fault."""
        super().stop()
        self._schedule.clear()

    # -- what the listener asks ----------------------------------------------------------------------------------------

    def fault_of_connection(self) -> Fault | None:
        """The fault of a connection that was accepted, if it is in the handshake."""
        with self._lock:
            self.connections += 1
        return self._schedule.of_connection()

    def fault_of(self, path: str) -> Fault | None:
        """The fault of a request for this path."""
        return self._schedule.of_request(path) or self.issuer.fault

    def context(self, handshake: Handshake) -> ssl.SSLContext | None:
        """The TLS to speak, if any."""
        return self.tls(handshake) if self._tls and handshake != "none" else None

    def tls(self, handshake: Handshake = "good") -> ssl.SSLContext:
        """TLS with such a certificate."""
        with self._lock:
            if handshake not in self._contexts:
                self._contexts[handshake] = self._made(handshake)
            return self._contexts[handshake]

    def _made(self, handshake: Handshake) -> ssl.SSLContext:
        match handshake:
            case "expired":
                return self.authority.context(self._names, LONG_AGO)
            case "wrong host":
                return self.authority.context(("another.example",))
            case "self-signed":
                return Authority().context(self._names)
            case _:
                return self.authority.context(self._names)

    def _require_possible(self, fault: Fault, path: str | None) -> None:
        if fault.handshake != "good" and not self._tls:
            raise ValueError(f"{fault.name!r} is of TLS, and this server speaks none; make it with tls=True")
        if path is not None and (fault.handshake != "good" or fault.door != "open"):
            raise ValueError(f"{fault.name!r} is of connections, before any path is asked for")

    def _follow(self, fault: Fault | None) -> None:
        super()._follow(self._schedule.of_the_server or fault)

    def _new_listener(self, address: tuple[str, int]) -> QuietServer:
        return _Listener(address, self)


class _Listener(QuietServer):
    expected = (OSError,)  # handshakes that were meant to fail, as well as clients that leave

    def __init__(self, address: tuple[str, int], owner: FaultServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, where TLS is spoken, as well or badly as it is meant to be; then be the server of HTTP."""
        fault = self.owner.fault_of_connection()
        if fault is not None and fault.handshake == "half":
            fault.over.wait()
        context = self.owner.context(fault.handshake if fault else "good")
        if context is None:
            super().finish_request(request, client_address)
            return
        with context.wrap_socket(request, server_side=True) as stream:
            super().finish_request(stream, client_address)


class _Handler(QuietHandler):
    server_version = "tokenward-fault-server"
    timeout = 30.0

    @property
    def _owner(self) -> FaultServer:
        if not isinstance(self.server, _Listener):
            raise TypeError("this handler is the fault server's own")
        return self.server.owner

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        """A document, or the next fault."""
        owner, path = self._owner, self.path.partition("?")[0]
        self._note(path)
        fault = owner.fault_of(path)
        if fault is None:
            self.write(owner.issuer.right_answer(path))
        else:
            self.suffer(fault, lambda: fault.spoil(owner.issuer.right_answer(path)))

    def do_CONNECT(self) -> None:  # noqa: N802  # as above
        """Be a proxy, and then the host that was asked for."""
        self._note(self.path)
        fault = self._owner.fault_of(CONNECT)
        if fault is not None:
            self.suffer(fault, lambda: fault.spoil(self._owner.issuer.right_answer("/")))
            return
        self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self._owner.tls().wrap_socket(self.connection, server_side=True) as stream:
            _Handler(stream, self.client_address, self.server)

    def _note(self, path: str) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        self._owner.asked.append(Asked(path, fields))
        self._owner.issuer.requests.append(f"{self._owner.issuer.origin}{self.path}")
