"""A client that leaves takes its request with it: its connection to the upstream ends, no cut upload looks whole."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing.workspace import Fault

PATH = "/api/2.0/fs/files/Volumes/main/a/b/big.bin"
SERVERS = pytest.mark.parametrize("protocol", ["httptools", "h11", "httptools on uvloop"], indirect=True)
WAYS = pytest.mark.parametrize("leave", [lambda client: client.close(), lambda client: client.reset()], ids=["closes", "resets"])
Leave = Callable[[Any], None]


class Watched:
    """An upstream's script that reads the request and waits for the end of the connection; `began` is set in between."""

    def __init__(self, *first: bytes) -> None:
        self.first = first
        self.began = threading.Event()
        self.ended = threading.Event()

    def __call__(self, wire: Any, request: Any) -> None:
        request.read_body(wire)
        if request.complete:
            for piece in self.first:
                wire.send(piece)
            self.began.set()
            wire.ended()
        wire.close()
        self.ended.set()


@SERVERS
@WAYS
@pytest.mark.parametrize("body", [b"", b"{}"], ids=["without a body", "with a body"])
def test_a_client_that_leaves_while_it_waits_ends_the_request(
    serve: Any, upstream: Any, http: Any, eventually: Any, leave: Leave, body: bytes
) -> None:
    upstream.script = watched = Watched()
    gateway = serve(allow=[http.rule(first_byte=300.0, idle=300.0)])
    client = gateway.begin("POST", "/api/2.0/jobs/run-now", ("Content-Length", str(len(body))), body=body)
    assert watched.began.wait(20)
    assert gateway.gateway.in_flight == 1
    leave(client)
    assert watched.ended.wait(20), "the upstream still has the request of a client that has gone"
    eventually(gateway.is_quiet, "quiet gateway")


@SERVERS
@WAYS
@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
def test_a_client_that_leaves_in_the_middle_of_an_answer_ends_it(
    serve: Any, upstream: Any, http: Any, eventually: Any, leave: Leave, kind: str
) -> None:
    fields = (("Content-Type", kind), ("Transfer-Encoding", "chunked"))
    upstream.script = watched = Watched(http.head(200, *fields) + http.chunk(b"data: 0\n\n"))
    gateway = serve(allow=[http.rule(first_byte=300.0, idle=300.0)])
    client = gateway.begin("GET", "/api/2.0/anything")
    answer = http.Message.read(client)
    assert next(answer.parts(client)) == b"data: 0\n\n"
    leave(client)
    assert watched.ended.wait(20), "the upstream still streams to a client that has gone"
    eventually(gateway.is_quiet, "quiet gateway")


@pytest.mark.parametrize("kind", ["text/event-stream", "application/octet-stream"])
def test_a_client_that_leaves_while_it_is_flooded_ends_the_answer(
    serve: Any, upstream: Any, http: Any, eventually: Any, kind: str
) -> None:
    ended = threading.Event()

    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, ("Content-Type", kind), ("Transfer-Encoding", "chunked")))
        try:
            while True:
                wire.send(http.chunk(b"x" * 65536))
        except OSError:
            ended.set()
        wire.close()

    upstream.script = script
    gateway = serve()
    client = gateway.begin("GET", "/api/2.0/anything")
    next(http.Message.read(client).parts(client))
    client.close()
    assert ended.wait(20)
    eventually(gateway.is_quiet, "quiet gateway")


@SERVERS
@WAYS
@pytest.mark.parametrize(
    ("framing", "part"),
    [
        pytest.param(("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n", id="between two chunks"),
        pytest.param(("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n7\r\nwo", id="within a chunk"),
        pytest.param(("Transfer-Encoding", "chunked"), b"5\r\nhello\r\n0\r\n", id="within the end"),
        pytest.param(("Content-Length", "1000"), b"hello", id="short of its length"),
    ],
)
def test_an_upload_that_is_cut_off_never_looks_whole(
    serve: Any, upstream: Any, http: Any, eventually: Any, leave: Leave, framing: tuple[str, str], part: bytes
) -> None:
    upstream.script = watched = Watched()
    gateway = serve()
    client = gateway.begin("PUT", PATH, framing, body=part)
    eventually(lambda: upstream.requests and upstream.connections[0].seen.endswith((b"hello\r\n", b"hello", b"wo\r\n")), "part")
    leave(client)
    assert watched.ended.wait(20)
    eventually(gateway.is_quiet, "quiet gateway")
    assert not upstream.only.complete
    assert not upstream.connections[0].seen.endswith(b"\r\n0\r\n\r\n")
    assert len(upstream.connections) == 1


@SERVERS
def test_an_upload_that_becomes_garbage_never_looks_whole(
    serve: Any, upstream: Any, http: Any, eventually: Any, said: Any
) -> None:
    upstream.script = watched = Watched()
    gateway = serve()
    client = gateway.begin("PUT", PATH, ("Transfer-Encoding", "chunked"), body=http.chunk(b"hello"))
    eventually(lambda: upstream.requests and b"hello" in upstream.connections[0].seen, "first part")
    client.send(b"this is no chunk\r\n")
    assert watched.ended.wait(20)
    eventually(gateway.is_quiet, "quiet gateway")
    assert not upstream.only.complete
    assert not upstream.connections[0].seen.endswith(b"\r\n0\r\n\r\n")
    said.forgive("Invalid HTTP request received.")


def test_a_client_that_leaves_before_there_is_a_token_to_go_on_with_ends_the_request(
    serve: Any, upstream: Any, workspace: Any, federated: Any, eventually: Any, events: Any
) -> None:
    workspace.workspace.fail(Fault("slow", "/oidc", seconds=0.5))
    gateway = serve(**federated)
    jwt = workspace.workspace.federated_jwt()
    client = gateway.begin("PUT", PATH, ("Content-Length", "5"), body=b"hello", bearer=f"Bearer {jwt}")
    eventually(lambda: workspace.workspace.counts["POST /oidc/v1/token"], "exchange")
    client.close()
    eventually(lambda: federated["credentials"].status().held == 1, "end of the exchange")
    eventually(gateway.is_quiet, "quiet gateway")
    assert [request for request in upstream.requests if request.complete] == []
    assert events.codes == []


def test_nothing_is_logged_for_a_client_that_leaves(serve: Any, upstream: Any, http: Any, eventually: Any, events: Any) -> None:
    upstream.script = watched = Watched()
    gateway = serve()
    client = gateway.begin("GET", "/api/2.0/anything")
    assert watched.began.wait(20)
    client.close()
    eventually(gateway.is_quiet, "quiet gateway")
    assert events.codes == []


def test_a_client_that_left_holds_no_place_among_its_callers_requests(
    serve: Any, upstream: Any, http: Any, eventually: Any
) -> None:
    upstream.script = Watched()
    gateway = serve(max_concurrent=2)
    for _ in range(3):
        clients = [gateway.begin("GET", "/api/2.0/anything") for _ in range(2)]
        eventually(lambda: gateway.gateway.in_flight == 2, "two requests under way")
        for client in clients:
            client.close()
        eventually(gateway.is_quiet, "quiet gateway")
    upstream.script = http.answering()
    assert gateway.ask("GET", "/api/2.0/anything").status == 200
