"""What a client may send before there is a request, and after its answer: real uvicorn, with the bounds made small."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from tokenward.cli.serve import protocol

pytestmark = pytest.mark.servers

TIMEOUT = 30.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body, once the whole of it was read; elsewhere without reading it, or with a failure."""
    if scope["path"] == "/fail":
        raise RuntimeError
    if scope["path"] == "/refuse":
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 2.0)
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 2.0)
    options = {"lifespan": "off", "ws": "none", "log_config": None, "timeout_keep_alive": 2}
    config = uvicorn.Config(app, http=protocol.BoundedProtocol, **options)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        end = time.monotonic() + TIMEOUT
        while not server.started and time.monotonic() < end:
            time.sleep(0.02)
        yield listener.getsockname()
        server.should_exit = True
        thread.join(TIMEOUT)


def said(address: tuple[str, int], *parts: bytes) -> bytes:
    """What comes back until the server closes; an empty answer for a connection that it broke."""
    answer = b""
    with socket.create_connection(address, timeout=TIMEOUT) as client, suppress(ConnectionError):
        for part in parts:
            client.sendall(part)
        while chunk := client.recv(65536):
            answer += chunk
    return answer


GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
LARGE = [
    pytest.param([GET + b"X: "] + [b"a" * 65536] * 64, id="one endless field"),
    pytest.param([GET] + [b"X: " + b"a" * 1000 + b"\r\n"] * 400 + [b"\r\n"], id="endless fields"),
    pytest.param([b"GET /" + b"a" * 400_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"], id="an endless path"),
    pytest.param([CHUNKED, b"0\r\nX: "] + [b"a" * 65536] * 64, id="an endless trailer"),
    pytest.param([CHUNKED, b"0\r\n"] + [b"X: " + b"a" * 1000 + b"\r\n"] * 400, id="endless trailers"),
]


@pytest.mark.parametrize("parts", LARGE)
def test_a_head_without_end_is_not_kept(address: tuple[str, int], parts: list[bytes]) -> None:
    assert said(address, *parts)[:12] in (b"HTTP/1.1 400", b"")


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        pytest.param(b"", b"", id="a connection"),
        pytest.param(b"GET / HTTP/1.1\r\nHo", b"", id="half a head"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / H", b"HTTP/1.1 200", id="half a second head"),
    ],
)
def test_a_head_that_does_not_come_ends_the_connection(address: tuple[str, int], sent: bytes, answered: bytes) -> None:
    """`said` returns only because the server closes."""
    assert said(address, sent)[:12] == answered


FINE = [
    pytest.param([GET + b"X: " + b"a" * 60_000 + b"\r\n\r\n"], b"0", id="a large head"),
    pytest.param([GET + b"Content-Length: 8000000\r\n\r\n"] + [b"a" * 80_000] * 100, b"8000000", id="a large body"),
    pytest.param([CHUNKED] + [b"1\r\na\r\n"] * 100_000 + [b"0\r\n\r\n"], b"100000", id="many small chunks"),
    pytest.param([CHUNKED, b"7A1200\r\n"] + [b"a" * 80_000] * 100 + [b"\r\n0\r\nX: y\r\n\r\n"], b"8000000", id="one large chunk"),
]


@pytest.mark.parametrize(("parts", "size"), FINE)
def test_bodies_are_as_large_as_they_like(address: tuple[str, int], parts: list[bytes], size: bytes) -> None:
    answer = said(address, b"".join(parts))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n" + size)


def test_a_body_may_take_longer_than_a_head(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\na")
        time.sleep(protocol.HEAD_SECONDS + 0.5)
        client.sendall(b"b")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


# -- answers of its own ------------------------------------------------------------------------------------------------


def taken_apart(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Status, fields and body of one answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines)
    assert len(body) == int(fields[b"content-length"])
    return first.split(b" ")[1], fields, body


MALFORMED = [
    pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", id="TLS"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", id="a name with a space"),
    pytest.param(b"GET /" + b"a" * 400_000 + b" HTTP/1.1\r\n\r\n", id="a path that is too long"),
    pytest.param(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", id="a chunk without a size"),
    pytest.param(b"GET http://other.example/ HTTP/1.1\r\nHost: a\r\n\r\n", id="an absolute target"),
    pytest.param(b"GET HTTPS://a/ HTTP/1.1\r\nHost: a\r\n\r\n", id="an absolute target of its own"),
    pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", id="no target at all"),
    pytest.param(b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", id="a target of a tunnel"),
    pytest.param(b"GET /path#fragment HTTP/1.1\r\nHost: a\r\n\r\n", id="a fragment"),
    pytest.param(b"GET /path?query#fragment HTTP/1.1\r\nHost: a\r\n\r\n", id="a fragment behind a query"),
    pytest.param(b"GET /# HTTP/1.1\r\nHost: a\r\n\r\n", id="an empty fragment"),
]


@pytest.mark.parametrize("sent", MALFORMED)
def test_what_is_no_request_is_answered_as_the_gateways_own_refusal(address: tuple[str, int], sent: bytes) -> None:
    status, fields, body = taken_apart(said(address, sent))
    assert status == b"400"
    assert (fields[b"tokenward-refused"], fields[b"connection"]) == (b"request_malformed", b"close")
    assert json.loads(body)["error"] == "request_malformed"


def test_a_target_in_parts_is_judged_as_a_whole(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in (b"GET /pa", b"th#frag", b"ment HTTP/1.1\r\nHost: a\r\n\r\n"):
            client.sendall(part)
            time.sleep(0.05)
        assert client.recv(65536).startswith(b"HTTP/1.1 400")


def test_a_failure_is_answered_as_the_gateways_own(address: tuple[str, int]) -> None:
    status, fields, body = taken_apart(said(address, b"GET /fail HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert (status, fields[b"tokenward-refused"]) == (b"500", b"internal_error")
    assert json.loads(body)["error"] == "internal_error"


def test_a_second_request_that_is_none_adds_nothing_to_the_answer_under_way(address: tuple[str, int]) -> None:
    sent = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\naGET /# HTTP/1.1\r\nHost: a\r\n\r\n"
    assert b"400" not in said(address, sent)


# -- after the answer --------------------------------------------------------------------------------------------------

UNREAD = b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n"


def _until_closed(client: socket.socket, part: bytes) -> int:
    """Send the part every now and then; how many times it was taken."""
    taken, end = 0, time.monotonic() + TIMEOUT
    client.settimeout(0.2)
    with suppress(ConnectionError):
        while time.monotonic() < end:
            with suppress(TimeoutError):
                if not client.recv(65536):
                    return taken
            client.sendall(part)
            taken += 1
    assert time.monotonic() < end, "it is still open"
    return taken


DRIBBLED = [
    pytest.param(UNREAD, b"a", id="a body that nobody reads"),
    pytest.param(b"GET /refuse HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", id="empty lines"),
    pytest.param(b"POST /refuse HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", id="chunks"),
]


@pytest.mark.parametrize(("sent", "part"), DRIBBLED)
def test_what_trickles_in_after_the_answer_ends_the_connection(address: tuple[str, int], sent: bytes, part: bytes) -> None:
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        client.sendall(sent)
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
        assert _until_closed(client, part) > 1


def test_a_connection_is_not_kept_for_ever_once_the_rest_of_a_request_came(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        client.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
        client.sendall(b"a")
        assert client.recv(65536) == b""


def test_much_after_the_answer_ends_the_connection(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 1000.0)
    sent, part = 0, b"a" * 65536
    with socket.create_connection(address, timeout=TIMEOUT) as client, suppress(ConnectionError):
        client.sendall(UNREAD)
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
        while sent < 90_000_000:
            client.sendall(part)
            sent += len(part)
    assert protocol.LINGER_BYTES <= sent < 90_000_000


def test_the_rest_of_a_request_may_follow_its_answer_and_the_next_request_that(address: tuple[str, int]) -> None:
    size = 500_000
    with socket.create_connection(address, timeout=TIMEOUT) as client:
        client.sendall(b"POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
        client.sendall(b"a" * size)
        client.sendall(GET + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
