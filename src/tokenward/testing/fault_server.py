"""FaultServer: a local issuer over real HTTP or HTTPS that misbehaves on purpose. NOT FOR PRODUCTION."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tokenward.testing.authority import LONG_AGO, LOOPBACK, Authority
from tokenward.testing.faults import Fault
from tokenward.testing.faults.fault import Handshake
from tokenward.testing.loopback import QuietHandler, QuietServer
from tokenward.testing.publisher import Publisher
from tokenward.testing.server import IssuerServer

CONNECT = "CONNECT"
"""The `path` of faults for requests to a proxy."""

_Contexts: TypeAlias = dict[Handshake, ssl.SSLContext]


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
        self.authority = Authority()
        self.asked: list[Asked] = []
        self.connections = 0
        self._tls = tls
        self._contexts = _contexts(self.authority, names)
        self._next: deque[tuple[str | None, Fault]] = deque()
        self._always: dict[str | None, Fault] = {}
        self._given: dict[int, Fault] = {}

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return super().url.replace("http:", "https:") if self._tls else super().url

    def next(self, *faults: Fault, path: str | None = None) -> None:
        """Let each of the next requests meet one of these faults, in this order; only requests for `path`, if one is given.

        A fault that keeps connections from coming about is no request's own, and is refused: give it to `always`.
        Raises ValueError.
        """
        for fault in faults:
            if fault.door != "open":
                raise ValueError(f"{fault.name!r} is for the server as a whole; give it to always()")
        with self._lock:
            self._next.extend((path, fault) for fault in faults)

    def always(self, fault: Fault, *, path: str | None = None) -> None:
        """Let every request meet this fault until `recover()`; only requests for `path`, if one is given."""
        with self._lock:
            self._always[path] = fault
        self._follow(self._always.get(None))

    def recover(self) -> None:
        """Answer properly again; answers that are being held back are given at once."""
        with self._lock:
            given = [*self._given.values(), *self._always.values()]
            self._given, self._always = {}, {}
            self._next.clear()
        for fault in given:
            fault.end()
        self._follow(self.issuer.fault)

    def stop(self) -> None:
        """Stop listening, and end every fault."""
        super().stop()
        for fault in [*self._given.values(), *self._always.values()]:
            fault.end()

    # -- what the listener asks ----------------------------------------------------------------------------------------

    def fault_of_connection(self) -> Fault | None:
        """The fault of a connection that was accepted, if it is in the handshake."""
        with self._lock:
            self.connections += 1
            if self._next and self._next[0][1].handshake != "good":
                return self._noted(self._next.popleft()[1])
            always = self._always.get(None)
            return self._noted(always) if always and always.handshake != "good" else None

    def fault_of(self, path: str) -> Fault | None:
        """The fault of a request for this path."""
        with self._lock:
            for number, (wanted, fault) in enumerate(self._next):
                if wanted in (None, path):
                    del self._next[number]
                    return self._noted(fault)
            return self._noted(self._always.get(path) or self._always.get(None) or self.issuer.fault)

    def context(self, handshake: Handshake) -> ssl.SSLContext | None:
        """The TLS to speak, if any."""
        return self._contexts[handshake] if self._tls and handshake != "none" else None

    def proxied(self) -> ssl.SSLContext:
        """The TLS behind the proxy."""
        return self._contexts["good"]

    def _noted(self, fault: Fault | None) -> Fault | None:
        if fault is not None:
            self._given[id(fault)] = fault
        return fault

    def _new_listener(self, address: tuple[str, int]) -> QuietServer:
        return _Listener(address, self)


def _contexts(authority: Authority, names: tuple[str, ...]) -> _Contexts:
    good = authority.context(names)
    return {
        "good": good,
        "half": good,
        "expired": authority.context(names, LONG_AGO),
        "wrong host": authority.context(("another.example",)),
        "self-signed": Authority().context(names),
    }


class _Listener(QuietServer):
    expected = (OSError,)  # handshakes that were meant to fail, as well as clients that leave

    def __init__(self, address: tuple[str, int], owner: FaultServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(QuietHandler):
    server_version = "tokenward-fault-server"
    timeout = 30.0

    @property
    def _owner(self) -> FaultServer:
        if not isinstance(self.server, _Listener):
            raise TypeError("this handler is the fault server's own")
        return self.server.owner

    def setup(self) -> None:
        """Shake hands, where TLS is spoken, as well or badly as it is meant to be."""
        fault = self._owner.fault_of_connection()
        if fault is not None and fault.handshake == "half":
            fault.over.wait()
        context = self._owner.context(fault.handshake if fault else "good")
        if context is not None:
            self.request = context.wrap_socket(self.request, server_side=True)
        super().setup()

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
        self.request = self._owner.proxied().wrap_socket(self.connection, server_side=True)
        super().setup()
        self.handle_one_request()

    def _note(self, path: str) -> None:
        fields = {name.lower(): value for name, value in self.headers.items()}
        self._owner.asked.append(Asked(path, fields))
        self._owner.issuer.requests.append(f"{self._owner.issuer.origin}{self.path}")
