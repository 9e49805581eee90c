"""What a client may send before there is a request: real uvicorn, with the bounds made small."""

from __future__ import annotations

import asyncio
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
    """Answers with the size of the body, once the whole of it was read."""
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
    config = uvicorn.Config(app, http=protocol.BoundedProtocol, lifespan="off", ws="none", log_config=None)
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
