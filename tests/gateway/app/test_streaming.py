"""Bodies go through as they come, either way, no faster than the other side takes them, and end as they ended."""

from __future__ import annotations

import gzip
import threading
from typing import Any

import pytest

MIB = 1024 * 1024
PATH = "/api/2.0/fs/files/Volumes/main/a/b/big.bin"
HELD_BACK = 32 * MIB
"""More than the kernel and the gateway hold between two ends: Linux's buffers grow to 6 MiB and 4 MiB for each connection."""
SERVERS = pytest.mark.parametrize("protocol", ["httptools", "h11", "httptools on uvloop"], indirect=True)
BODY = bytes(range(256)) * 4096


# -- requests ----------------------------------------------------------------------------------------------------------


@SERVERS
@pytest.mark.parametrize("size", [1, 17, 64 * 1024, 3 * MIB])
def test_an_upload_with_a_length_arrives_whole_and_with_that_length(serve: Any, upstream: Any, http: Any, size: int) -> None:
    gateway = serve()
    body = (BODY * 4)[:size]
    answer = gateway.ask("PUT", PATH, ("Content-Length", str(size)), body=body)
    assert (answer.status, upstream.only.framing, upstream.only.complete) == (200, f"length {size}", True)
    assert upstream.only.body == body


@SERVERS
@pytest.mark.parametrize("sizes", [[1], [5, 1, 300_000, 2], [16 * 1024] * 64], ids=["one byte", "of all sizes", "many"])
def test_an_upload_in_chunks_arrives_whole_and_in_chunks(serve: Any, upstream: Any, http: Any, sizes: list[int]) -> None:
    gateway = serve()
    pieces = [BODY[size : 2 * size] for size in sizes]
    wire = b"".join(http.chunk(piece) for piece in pieces) + b"0\r\n\r\n"
    answer = gateway.ask("PUT", PATH, ("Transfer-Encoding", "chunked"), body=wire)
    assert (answer.status, upstream.only.framing, upstream.only.complete) == (200, "chunked", True)
    assert upstream.only.values("content-length") == []
    assert upstream.only.body == b"".join(pieces)


@SERVERS
def test_an_upload_of_no_bytes_has_a_length_of_zero(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    assert gateway.ask("PUT", PATH, ("Content-Length", "0")).status == 200
    assert upstream.only.framing == "length 0"


@SERVERS
def test_an_upload_in_chunks_of_which_there_are_none_is_empty_and_whole(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    assert gateway.ask("PUT", PATH, ("Transfer-Encoding", "chunked"), body=b"0\r\n\r\n").status == 200
    assert (upstream.only.body, upstream.only.complete) == (b"", True)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a_request_without_a_body_gets_none(serve: Any, upstream: Any, http: Any, method: str) -> None:
    gateway = serve(allow=[http.rule()])
    assert gateway.ask(method, PATH).status == 200
    assert upstream.only.method == method
    assert upstream.only.framing in ("none", "length 0")


def test_a_part_of_an_upload_arrives_before_the_next_one_is_sent(serve: Any, upstream: Any, http: Any) -> None:
    arrived = threading.Event()

    def script(wire: Any, request: Any) -> None:
        for part in request.parts(wire):
            request.body += part
            arrived.set()
        wire.send(http.head(200, ("Content-Length", "0")))

    upstream.script = script
    gateway = serve()
    client = gateway.begin("PUT", PATH, ("Transfer-Encoding", "chunked"), body=http.chunk(b"first"))
    assert arrived.wait(10)
    assert upstream.only.body == b"first"
    client.send(http.chunk(b"second") + b"0\r\n\r\n")
    assert http.Message.read(client).status == 200
    assert upstream.only.body == b"firstsecond"


def test_an_upload_waits_for_an_upstream_that_reads_slowly(serve: Any, upstream: Any, http: Any) -> None:
    size, may_read = 64 * MIB, threading.Event()
    read: list[int] = []

    def script(wire: Any, request: Any) -> None:
        may_read.wait(20)
        read.extend(len(part) for part in request.parts(wire))
        wire.send(http.head(200, ("Content-Length", "0")))

    upstream.script = script
    gateway = serve()
    client = gateway.begin("PUT", PATH, ("Content-Length", str(size)))
    sent = client.push(BODY, size)
    assert sent < HELD_BACK
    may_read.set()
    while sent < size:
        sent += client.push(BODY, size - sent)
    assert http.Message.read(client).status == 200
    assert sum(read) == size


@SERVERS
def test_the_client_of_a_refused_upload_that_asked_first_sends_nothing(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    fields = (("Content-Length", "1000000"), ("Expect", "100-continue"))
    client = gateway.begin("PUT", PATH, *fields, bearer="Bearer nonsense")
    answer = http.Message.read(client)
    assert (answer.status, answer.refused) == (401, "invalid_token")
    assert upstream.requests == []


@SERVERS
def test_the_client_of_an_upload_that_asked_first_is_told_to_go_on(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    client = gateway.begin("PUT", PATH, ("Content-Length", "5"), ("Expect", "100-continue"))
    assert http.Message.read(client).status == 100
    client.send(b"hello")
    assert http.Message.read(client).read_body(client).status == 200
    assert upstream.only.body == b"hello"


# -- answers -----------------------------------------------------------------------------------------------------------


def _in_chunks(http: Any, pieces: list[bytes], *fields: tuple[str, str]) -> Any:
    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        wire.send(http.head(200, ("Transfer-Encoding", "chunked"), *fields))
        for piece in pieces:
            wire.send(http.chunk(piece))
        wire.send(b"0\r\n\r\n")

    return script


@SERVERS
@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 3 * MIB])
def test_an_answer_with_a_length_arrives_whole_and_with_that_length(serve: Any, upstream: Any, http: Any, size: int) -> None:
    body = (BODY * 4)[:size]
    upstream.script = http.answering(body=body)
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.framing, answer.complete) == (200, f"length {size}", True)
    assert answer.body == body


@SERVERS
def test_an_answer_in_chunks_arrives_whole_and_in_chunks(serve: Any, upstream: Any, http: Any) -> None:
    upstream.script = _in_chunks(http, [b"a", BODY, b"z"])
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.framing, answer.complete) == (200, "chunked", True)
    assert answer.body == b"a" + BODY + b"z"


@SERVERS
def test_an_answer_that_ends_with_its_connection_arrives_whole(serve: Any, upstream: Any, http: Any) -> None:
    def script(wire: Any, request: Any) -> None:
        wire.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n" + BODY)
        wire.close()

    upstream.script = script
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.complete, answer.body) == (200, True, BODY)


def test_a_body_that_is_compressed_goes_through_byte_for_byte(serve: Any, upstream: Any, http: Any) -> None:
    packed = gzip.compress(BODY, mtime=1)
    upstream.script = http.answering(200, ("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"), body=packed)
    answer = serve().ask("GET", PATH, ("Accept-Encoding", "gzip, br;q=0.1"))
    assert upstream.only.value("accept-encoding") == "gzip, br;q=0.1"
    assert (answer.value("content-encoding"), answer.framing) == ("gzip", f"length {len(packed)}")
    assert answer.body == packed


def test_a_request_body_that_is_compressed_goes_through_byte_for_byte(serve: Any, upstream: Any, http: Any) -> None:
    packed = gzip.compress(BODY, mtime=1)
    fields = (("Content-Encoding", "gzip"), ("Content-Type", "application/json"), ("Content-Length", str(len(packed))))
    assert serve().ask("POST", "/api/2.0/sql/statements", *fields, body=packed).status == 200
    assert upstream.only.value("content-encoding") == "gzip"
    assert upstream.only.body == packed


def test_the_upstream_is_not_read_for_a_client_that_reads_slowly(serve: Any, upstream: Any, http: Any) -> None:
    size, sent = 64 * MIB, [0]

    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, ("Content-Length", str(size))))
        while sent[0] < size:
            sent[0] += wire.push(BODY, size - sent[0])
            held.set()

    held = threading.Event()
    upstream.script = script
    gateway = serve()
    client = gateway.connect(receive_buffer=64 * 1024)
    client.send(gateway.head("GET", PATH))
    assert held.wait(20)
    assert sent[0] < HELD_BACK
    answer = http.Message.read(client)
    assert sum(len(part) for part in answer.parts(client)) == size
    assert answer.complete


@SERVERS
def test_events_arrive_one_by_one_while_the_stream_is_open(serve: Any, upstream: Any, http: Any) -> None:
    seen = [threading.Event() for _ in range(3)]

    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        wire.send(http.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")))
        for number, event in enumerate(seen):
            wire.send(http.chunk(b"data: %d\n\n" % number))
            assert event.wait(20)
        wire.send(b"0\r\n\r\n")

    upstream.script = script
    client = serve().begin("POST", "/serving-endpoints/chat/invocations", ("Content-Length", "2"), body=b"{}")
    answer = http.Message.read(client)
    assert (answer.status, answer.value("content-type")) == (200, "text/event-stream")
    got = []
    for part in answer.parts(client):
        got.append(part)
        seen[len(got) - 1].set()
    assert got == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    assert answer.complete


def test_a_connection_to_the_upstream_serves_many_requests(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    for number in range(5):
        body = b"x" * number
        upstream.script = http.answering(body=body) if number % 2 else _in_chunks(http, [body] if body else [])
        assert gateway.ask("GET", PATH).body == body
    assert len(upstream.connections) == 1
