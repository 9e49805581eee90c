"""IssuerServer: a local issuer over real HTTP, on this machine only. NOT FOR PRODUCTION."""

from __future__ import annotations

import json
import threading
from types import TracebackType
from typing import Self

from tokenward.keys.address import is_loopback
from tokenward.testing.black_hole import BlackHole
from tokenward.testing.control import ControlError, control
from tokenward.testing.faults import JSON, Answer, Fault
from tokenward.testing.loopback import QuietHandler, QuietServer
from tokenward.testing.publisher import Publisher

MAX_CONTROL_BYTES = 256 * 1024
"""Of the body of a control request; a token's claims are a thousandth of that."""


class IssuerServer:
    """Serves an issuer on a loopback address; `with IssuerServer(issuer) as server: server.url`. Not for production.

    port     0 takes any free one, and the same again after an outage
    control  also answer /control/..., by which another process mints tokens and makes it fail

    Raises ValueError for any host that is not this machine's own (127.0.0.0/8 or localhost), OSError if the port is taken.
    """

    def __init__(self, issuer: Publisher, port: int = 0, *, host: str = "127.0.0.1", control: bool = False) -> None:
        if not is_loopback(host) or ":" in host:
            raise ValueError("the local issuer signs anything for anybody, so it listens on 127.0.0.1 only")
        self.issuer = issuer
        self.control = control
        self._host = "127.0.0.1" if host == "localhost" else host
        self._port = port
        self._listener: QuietServer | None = None
        self._hole: BlackHole | None = None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return f"http://{self._host}:{self._port}"

    def start(self) -> Self:
        """Listen, and have the issuer name this address in its documents."""
        self._listen()
        self.issuer.served_at = self.url
        self.issuer.on_fault = self._follow
        self._follow(self.issuer.fault)
        return self

    def stop(self) -> None:
        """Stop listening; the issuer is at home again."""
        self.issuer.on_fault, self.issuer.served_at = None, None
        if self.issuer.fault is not None:
            self.issuer.fault.end()
        self._fill_the_hole()
        self._close()

    def _follow(self, fault: Fault | None) -> None:
        door = fault.door if fault else "open"
        if door != "black hole":
            self._fill_the_hole()
        if door == "open":
            self._listen()
            return
        self._close()
        if door == "black hole" and self._hole is None:
            self._hole = BlackHole((self._host, self._port))

    def _listen(self) -> None:
        with self._lock:
            if self._listener is not None:
                return
            self._listener = self._new_listener((self._host, self._port))
            self._port = self._listener.begin("local-issuer")

    def _new_listener(self, address: tuple[str, int]) -> QuietServer:
        return _Listener(address, self)

    def _close(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.end()

    def _fill_the_hole(self) -> None:
        hole, self._hole = self._hole, None
        if hole is not None:
            hole.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Listener(QuietServer):
    def __init__(self, address: tuple[str, int], owner: IssuerServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(QuietHandler):
    server_version = "tokenward-local-issuer"
    timeout = 30.0

    @property
    def _owner(self) -> IssuerServer:
        if not isinstance(self.server, _Listener):
            raise TypeError("this handler is the local issuer's own")
        return self.server.owner

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        """A document, a fault, or the state of the issuer."""
        issuer, path = self._owner.issuer, self.path.partition("?")[0]
        if self._is_control(path):
            self._control(path, {})
            return
        issuer.requests.append(f"{issuer.origin}{self.path}")
        if issuer.fault is None:
            self.write(issuer.answer(path))
        else:
            self.suffer(issuer.fault, lambda: issuer.answer(path))

    def do_POST(self) -> None:  # noqa: N802  # as above
        """Control requests only."""
        path = self.path.partition("?")[0]
        if not self._is_control(path):
            self.write(Answer(404, JSON, b'{"error":"not_found"}'))
            return
        try:
            self._control(path, self.json_object(MAX_CONTROL_BYTES))
        except (ControlError, ValueError) as error:
            self.write(Answer(400, JSON, json.dumps({"error": str(error)}).encode()))

    def _is_control(self, path: str) -> bool:
        return self._owner.control and path.startswith("/control/")

    def _control(self, path: str, body: dict[str, object]) -> None:
        status, answer = control(self._owner.issuer, self.command, path, body)
        self.write(Answer(status, JSON, json.dumps(answer).encode()))
