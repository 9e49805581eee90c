"""What is answered when the upstream does not answer as it should; nothing of it is taken for the upstream's own answer."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover
from tokenward.testing.loopback import free_port
from tokenward.testing.workspace import WorkspaceServer

PATH = "/api/2.0/anything"
FILE = "/api/2.0/fs/files/Volumes/main/a/b/big.bin"


def _closing(*pieces: bytes, rst: bool = False) -> Any:
    """Read the request, send these, and close."""

    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        for piece in pieces:
            wire.send(piece)
        if rst:
            wire.reset()
        wire.close()

    return script


# -- no answer ---------------------------------------------------------------------------------------------------------


def test_an_upstream_that_refuses_connections_is_502(serve: Any, events: Any) -> None:
    answer = serve(upstream=f"http://127.0.0.1:{free_port()}").ask("GET", PATH)
    assert (answer.status, answer.refused, answer.json["error"]) == (502, "upstream_unavailable", "upstream_unavailable")
    assert answer.value("www-authenticate") is None
    assert events.codes == ["upstream_unavailable"]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(_closing(), id="it closes"),
        pytest.param(_closing(rst=True), id="it resets"),
        pytest.param(_closing(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), id="it speaks something else"),
        pytest.param(_closing(b"HTTP/1.1 200 OK\r\nContent-Len"), id="it breaks off in its head"),
        pytest.param(_closing(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), id="two lengths"),
        pytest.param(_closing(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), id="no length that can be"),
        pytest.param(_closing(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n"), id="a line without end"),
        pytest.param(_closing(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"), id="too many fields"),
        pytest.param(_closing(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), id="it switches protocols"),
        pytest.param(_closing(b"HTTP/1.1 999 Beyond\r\nContent-Length: 0\r\n\r\n"), id="a status that there is not"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_upstream_that_gives_no_http_answer_is_502(
    serve: Any, upstream: Any, http: Any, events: Any, script: Any, method: str
) -> None:
    upstream.script = script
    answer = serve(allow=[http.rule()]).ask(method, PATH, ("Content-Length", "2"), body=b"{}")
    assert (answer.status, answer.refused) == (502, "upstream_unavailable")
    assert events.codes == ["upstream_unavailable"]
    assert "127.0.0.1" not in answer.body.decode()


def test_an_upstream_whose_certificate_nobody_vouches_for_is_502(serve: Any, events: Any, said: Any) -> None:
    with WorkspaceServer(tls=True) as server:
        answer = serve(upstream=server.url).ask("GET", PATH)
        assert server.workspace.counts == {}
    assert (answer.status, answer.refused) == (502, "upstream_unavailable")
    assert events.kept[0]["seen"].startswith("tls")


def test_an_upstream_over_tls_is_reached_where_its_authority_is_known(serve: Any, http: Any) -> None:
    with WorkspaceServer(tls=True) as server:
        mover = AiohttpMover(server.url, tls=http.trusting(server.ca_file))
        answer = serve(upstream=server.url, mover=mover).ask("GET", "/api/2.0/preview/scim/v2/Me")
    assert (answer.refused, answer.value("x-databricks-org-id")) == (None, server.workspace.workspace_id)


def test_an_answer_with_a_length_and_in_chunks_is_never_cut_at_the_length(serve: Any, upstream: Any, http: Any) -> None:
    fields = (("Content-Length", "5"), ("Transfer-Encoding", "chunked"))
    upstream.script = _closing(http.head(200, *fields) + http.chunk(b"hello") + http.chunk(b"world") + b"0\r\n\r\n")
    answer = serve().ask("GET", PATH)
    if answer.refused is None:
        assert (answer.body, answer.complete, answer.framing) == (b"helloworld", True, "chunked")
    else:
        assert (answer.status, answer.refused) == (502, "upstream_unavailable")


# -- in time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["without a body", "with a body"])
def test_an_upstream_that_does_not_begin_in_time_is_504(
    serve: Any, upstream: Any, http: Any, events: Any, eventually: Any, body: bytes
) -> None:
    ended = threading.Event()

    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        wire.ended()
        ended.set()
        wire.close()

    upstream.script = script
    gateway = serve(allow=[http.rule(first_byte=0.3)])
    answer = gateway.ask("POST", PATH, ("Content-Length", str(len(body))), body=body)
    assert (answer.status, answer.refused) == (504, "upstream_timeout")
    assert events.codes == ["upstream_timeout"]
    assert ended.wait(20)
    eventually(gateway.is_quiet, "quiet gateway")


def test_an_upstream_that_takes_no_connection_in_time_is_504(serve: Any, http: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf, socket.create_connection(deaf.getsockname()):
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        answer = serve(upstream=url, allow=[http.rule(connect=0.3)]).ask("GET", PATH)
    assert (answer.status, answer.refused) == (504, "upstream_timeout")


def test_an_upload_that_takes_longer_than_the_first_byte_may_is_not_cut(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve(allow=[http.rule(first_byte=3.0)])
    client = gateway.begin("PUT", FILE, ("Transfer-Encoding", "chunked"))
    client.send(http.chunk(b"part"))
    threading.Event().wait(4.0)
    client.send(http.chunk(b"part") + b"0\r\n\r\n")
    assert http.Message.read(client).status == 200
    assert upstream.only.body == b"partpart"


def test_an_upstream_that_stops_reading_an_upload_is_504(serve: Any, upstream: Any, http: Any, eventually: Any) -> None:
    ended = threading.Event()

    def script(wire: Any, request: Any) -> None:
        ended.wait(20)
        wire.close()

    upstream.script = script
    gateway = serve(allow=[http.rule(first_byte=2.0)])
    client = gateway.begin("PUT", FILE, ("Content-Length", str(10**9)))
    client.push(b"x" * 65536, 10**9)
    answer = http.Message.read(client)
    assert (answer.status, answer.refused) == (504, "upstream_timeout")
    ended.set()
    client.close()
    eventually(gateway.is_quiet, "quiet gateway")


@pytest.mark.parametrize(
    "framing", [("Transfer-Encoding", "chunked"), ("Content-Length", "100")], ids=["chunked", "with a length"]
)
@pytest.mark.parametrize("way", ["it falls silent", "it closes", "it resets"])
def test_an_answer_that_breaks_off_is_seen_to_be_broken(
    serve: Any, upstream: Any, http: Any, events: Any, said: Any, eventually: Any, framing: tuple[str, str], way: str
) -> None:
    part = http.chunk(b"first") if framing[1] == "chunked" else b"first"

    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, ("Content-Type", "application/json"), framing) + part)
        if way == "it falls silent":
            wire.ended()
        elif way == "it resets":
            arrived.wait(20)
            wire.reset()
        wire.close()

    arrived = threading.Event()
    upstream.script = script
    gateway = serve(allow=[http.rule(idle=0.5)])
    client = gateway.begin("GET", PATH)
    answer = http.Message.read(client)
    parts = answer.parts(client)
    assert next(parts) == b"first"
    arrived.set()
    with pytest.raises(http.Cut):
        next(parts)
    eventually(gateway.is_quiet, "quiet gateway")
    assert (answer.status, answer.complete) == (200, False)
    assert events.codes == ["upstream_timeout" if way == "it falls silent" else "upstream_unavailable"]
    said.forgive("ASGI callable returned without completing response.")


def test_a_stream_of_events_may_be_silent_for_as_long_as_it_likes(serve: Any, upstream: Any, http: Any) -> None:
    def script(wire: Any, request: Any) -> None:
        fields = (("Content-Type", "text/event-stream; charset=utf-8"), ("Transfer-Encoding", "chunked"))
        wire.send(http.head(200, *fields) + http.chunk(b": 0\n\n"))
        threading.Event().wait(1.2)
        wire.send(http.chunk(b": 1\n\n") + b"0\r\n\r\n")

    upstream.script = script
    answer = serve(allow=[http.rule(first_byte=5.0, idle=0.3)]).ask("GET", PATH)
    assert (answer.body, answer.complete) == (b": 0\n\n: 1\n\n", True)


# -- an answer before the end of the request ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
@pytest.mark.parametrize(
    "framing", [("Transfer-Encoding", "chunked"), ("Content-Length", "1000000")], ids=["chunked", "with a length"]
)
def test_an_answer_that_comes_while_the_upload_goes_on_reaches_the_client(
    serve: Any, upstream: Any, http: Any, eventually: Any, framing: tuple[str, str]
) -> None:
    def script(wire: Any, request: Any) -> None:
        next(request.parts(wire))
        wire.send(http.head(413, ("Content-Length", "9"), ("Connection", "close")) + b"too large")
        wire.ended()
        wire.close()

    upstream.script = script
    gateway = serve()
    first = http.chunk(b"hello") if framing[1] == "chunked" else b"hello"
    client = gateway.begin("PUT", FILE, framing, body=first)
    answer = http.Message.read(client).read_body(client)
    assert (answer.status, answer.refused, answer.body) == (413, None, b"too large")
    eventually(gateway.is_quiet, "quiet gateway")


def test_a_connection_whose_upload_was_not_taken_is_not_used_again(serve: Any, upstream: Any, http: Any, eventually: Any) -> None:
    def script(wire: Any, request: Any) -> None:
        if request.method == "PUT":
            next(request.parts(wire))
            wire.send(http.head(413, ("Content-Length", "0")))
            wire.ended()
            wire.close()
        else:
            http.answering()(wire, request)

    upstream.script = script
    gateway = serve()
    client = gateway.begin("PUT", FILE, ("Content-Length", "1000000"), body=b"hello")
    assert http.Message.read(client).status == 413
    eventually(gateway.is_quiet, "quiet gateway")
    assert gateway.ask("GET", FILE).status == 200
    assert len(upstream.connections) == 2


# -- kept connections --------------------------------------------------------------------------------------------------


def _once_then_closed(http: Any, closed: threading.Event) -> Any:
    """Answers the first request of a connection, and closes it when the second begins to arrive, as servers do by their clock."""
    lock = threading.Lock()
    met: set[int] = set()

    def script(wire: Any, request: Any) -> None:
        with lock:
            is_first = id(wire) not in met
            met.add(id(wire))
        if is_first:
            http.answering()(wire, request)
        else:
            closed.set()
            wire.reset()

    return script


@pytest.mark.parametrize("framing", [("Transfer-Encoding", "chunked"), ("Content-Length", "5")], ids=["chunked", "with a length"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_a_body_is_never_sent_twice_nor_empty_when_a_kept_connection_was_closed(
    serve: Any, upstream: Any, http: Any, method: str, framing: tuple[str, str]
) -> None:
    closed = threading.Event()
    upstream.script = _once_then_closed(http, closed)
    gateway = serve(allow=[http.rule()])
    assert gateway.ask("GET", FILE).status == 200
    body = http.chunk(b"hello") + b"0\r\n\r\n" if framing[1] == "chunked" else b"hello"
    answer = gateway.ask(method, FILE, framing, body=body)
    uploads = [request for request in upstream.requests if request.method == method]
    if answer.status == 200:  # nothing of the body had been sent, and it was sent whole on another connection
        assert [upload.body for upload in uploads if upload.complete] == [b"hello"]
    else:
        assert (answer.status, answer.refused) == (502, "upstream_unavailable")
        assert not [upload for upload in uploads if upload.complete]
    assert closed.is_set()


def test_a_get_is_sent_again_when_a_kept_connection_was_closed(serve: Any, upstream: Any, http: Any, events: Any) -> None:
    closed = threading.Event()
    upstream.script = _once_then_closed(http, closed)
    gateway = serve()
    assert ([gateway.ask("GET", FILE).status for _ in range(3)], events.kept) == ([200, 200, 200], [])
    assert closed.is_set()


def test_a_post_without_a_body_is_not_sent_again_when_a_kept_connection_was_closed(serve: Any, upstream: Any, http: Any) -> None:
    upstream.script = _once_then_closed(http, threading.Event())
    gateway = serve(allow=[http.rule()])
    assert gateway.ask("GET", FILE).status == 200
    answer = gateway.ask("POST", FILE, ("Content-Length", "0"))
    assert (answer.status, answer.refused) == (502, "upstream_unavailable")
    assert [request.method for request in upstream.requests] == ["GET", "POST"]


# -- interim answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [100, 102, 103])
def test_interim_answers_of_the_upstream_are_left_out(serve: Any, upstream: Any, http: Any, status: int) -> None:
    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        wire.send(http.head(status, ("Link", "</style.css>; rel=preload")) + http.head(200, ("Content-Length", "2")) + b"ok")

    upstream.script = script
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.body, answer.values("link")) == (200, b"ok", [])
