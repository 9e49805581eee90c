"""Who sends or reads slowly has so much time and no more, and takes nothing from others in the meantime."""

from __future__ import annotations

import contextlib
import functools
import socket
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.servers

MANY = 40
"""Connections of an attacker at one time."""
IDLE = 1.5
"""Seconds that a client may pause."""
LARGE = 16 << 20
"""More than the kernel and the server hold for a client that does not read: 4 MiB for a connection of loopback, and less."""
UPLOAD = b"PUT /api/2.0/fs/files/Volumes/a/b/c/d HTTP/1.1"


@pytest.fixture(scope="module", params=["h11", "httptools", "hypercorn"])
def short_of_module(request: pytest.FixtureRequest, serving: Any) -> Any:
    """A gateway that waits for no client longer than IDLE, and lets a caller have as many requests as there are here."""
    return serving(request.param, client_idle=IDLE, max_concurrent=MANY)


@pytest.fixture
def short(short_of_module: Any, upstream: Any, eventually: Any) -> Iterator[Any]:
    yield short_of_module
    eventually(lambda: short_of_module.gateway.in_flight == 0, "end of everything")


@pytest.fixture
def many(short: Any) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(short.connected()) for _ in range(MANY)]


def _other(gate: Any, tenant: Any) -> Any:
    """Somebody else asks, and is answered while the others dawdle."""
    token = tenant.databricks_token(claims={"sub": "somebody-else"})
    return gate.ask(b"Authorization: Bearer " + token.encode(), bearer=False)


def test_half_a_header_holds_up_nobody(short: Any, many: list[socket.socket], tenant: Any) -> None:
    for wire in many:
        wire.sendall(short.request()[:-4])
    assert short.gateway.in_flight == 0
    assert _other(short, tenant).status == 200


def test_half_a_body_holds_up_nobody_and_is_ended(
    short: Any, many: list[socket.socket], tenant: Any, upstream: Any, eventually: Any
) -> None:
    for wire in many:
        wire.sendall(short.request(b"Content-Length: 1000000", first=UPLOAD, body=b"x" * 10))
    eventually(lambda: short.gateway.in_flight == MANY, "all of them under way")
    assert _other(short, tenant).status == 200
    assert short.ask().refused == "too_many_requests"
    for wire in many:
        came = b"".join(iter(functools.partial(wire.recv, 65536), b""))
        assert came.startswith(b"HTTP/1.1 408")
        assert b"tokenward-refused: client_timeout" in came.lower()
    assert upstream.targets == [b"/api/2.0/asked"], "an upload that was never whole"
    assert short.ask().status == 200


def test_who_was_told_to_go_cannot_go_on_sending(short: Any) -> None:
    with short.connected() as wire:
        wire.sendall(short.request(b"Transfer-Encoding: chunked", first=UPLOAD, body=b"1\r\nx\r\n"))
        assert wire.recv(65536).startswith(b"HTTP/1.1 408")
        with contextlib.suppress(ConnectionError):
            wire.sendall(b"1\r\nx\r\n0\r\n\r\n" + short.request())
            assert b"200" not in b"".join(iter(lambda: wire.recv(65536), b""))


def test_who_does_not_read_holds_up_nobody_and_is_ended(
    short: Any, tenant: Any, upstream: Any, tools: Any, eventually: Any
) -> None:
    large = tools.reply(body=b"x" * LARGE)
    upstream.answer = lambda request: large if request.target == b"/api/2.0/large" else tools.reply()
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            wire = stack.enter_context(short.connected())
            wire.sendall(short.request(first=b"GET /api/2.0/large HTTP/1.1"))
        eventually(lambda: short.gateway.in_flight == 5, "all of them under way")
        assert _other(short, tenant).status == 200
        eventually(lambda: short.gateway.in_flight == 0, "end of those who do not read")
    assert any(event.get("code") == "client_timeout" for event in short.events)


def test_a_body_that_comes_bit_by_bit_arrives_whole(short: Any, upstream: Any) -> None:
    """Slow is allowed, as long as something comes."""
    with short.connected() as wire:
        wire.sendall(short.request(b"Content-Length: 20", b"Connection: close", first=UPLOAD))
        for _ in range(20):
            wire.sendall(b"x")
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
    assert upstream.only.body == b"x" * 20
