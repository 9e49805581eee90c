"""GraphServer: the stand-in Graph over real HTTP, on this machine only. NOT FOR PRODUCTION."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tokenward.testing.faults import JSON, Answer
from tokenward.testing.graph.faults import Fault, Reset
from tokenward.testing.graph.graph import LocalGraph
from tokenward.testing.loopback import QuietHandler, QuietServer

MAX_CONTROL_BYTES = 64 * 1024
"""Of the body of a control request; permissions are a hundredth of that."""


class GraphServer:
    """Serves a stand-in Graph on 127.0.0.1; `with GraphServer(graph) as server: server.url`. Not for production.

    port     0 takes any free one
    control  also answer POST /control/token {"permissions"}, /control/fail and /control/recover, and GET /control/requests
    """

    def __init__(self, graph: LocalGraph | None = None, port: int = 0, *, control: bool = False) -> None:
        self.graph = graph or LocalGraph()
        self.control = control
        self._port = port
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """Its address, without a trailing slash; known once it was started."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen, and have Graph name this address in its lists. Raises OSError if the port is taken."""
        self._listener = _Listener(("127.0.0.1", self._port), self)
        self._port = self._listener.begin("local-graph")
        self.graph.served_at = self.url
        return self

    def stop(self) -> None:
        """Stop listening; Graph is at home again."""
        self.graph.served_at = None
        self.graph.recover()
        if self._listener is not None:
            self._listener.end()
            self._listener = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Listener(QuietServer):
    def __init__(self, address: tuple[str, int], owner: GraphServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)


class _Handler(QuietHandler):
    server_version = "tokenward-local-graph"
    timeout = 30.0

    @property
    def _owner(self) -> GraphServer:
        if not isinstance(self.server, _Listener):
            raise TypeError("this handler is the local Graph's own")
        return self.server.owner

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        """An object, a list, or what Graph would say."""
        if self._owner.control and self.path.startswith("/control/"):
            self._control()
            return
        fields = {name.lower(): value for name, value in self.headers.items()}
        try:
            self.write(self._owner.graph.answer(self.command, self.path, fields))
        except Reset:
            self.reset()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  # as above; whatever changes is answered with 405

    def _control(self) -> None:
        act = _ACTIONS.get(f"{self.command} {self.path}")
        try:
            done = None if act is None else act(self._owner.graph, self.json_object(MAX_CONTROL_BYTES))
        except (TypeError, ValueError) as exc:
            self.write(Answer(400, JSON, json.dumps({"error": str(exc)}).encode()))
            return
        found = {"error": f"ask for one of {', '.join(_ACTIONS)}"} if done is None else done
        self.write(Answer(404 if done is None else 200, JSON, json.dumps(found).encode()))


def _token(graph: LocalGraph, body: dict[str, object]) -> dict[str, object]:
    permissions = body.get("permissions", ["Directory.Read.All", "Policy.Read.All"])
    if not isinstance(permissions, list):
        raise ValueError("permissions is not a list")
    return {"token": graph.token(*map(str, permissions))}


def _fail(graph: LocalGraph, body: dict[str, object]) -> dict[str, object]:
    graph.fail(Fault(**body))  # type: ignore[arg-type]  # Fault judges them
    return {}


def _recover(graph: LocalGraph, _: dict[str, object]) -> dict[str, object]:
    graph.recover()
    return {}


def _requests(graph: LocalGraph, _: dict[str, object]) -> dict[str, object]:
    return {"requests": list(graph.requests)}


_ACTIONS: dict[str, Callable[[LocalGraph, dict[str, object]], dict[str, object]]] = {
    "POST /control/token": _token,
    "POST /control/fail": _fail,
    "POST /control/recover": _recover,
    "GET /control/requests": _requests,
}
