"""Where a request goes, and what the gateway says of itself, is in its configuration; no header has a part in it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.servers

PUBLIC = "https://gateway.example/base"
METADATA = "/.well-known/oauth-protected-resource"
MCP = "/api/2.0/mcp/genie"


@pytest.fixture
def trap() -> Iterator[Any]:
    """An address of the attacker's, which nobody has a reason to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        came: list[object] = []

        def accept() -> None:
            try:
                while True:
                    connection, _ = listener.accept()
                    came.append(connection.recv(65536))
                    connection.close()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        trap = type("Trap", (), {"address": f"127.0.0.1:{listener.getsockname()[1]}", "came": came})
        yield trap
        listener.shutdown(socket.SHUT_RDWR)
    assert came == []


FORGED = {
    "host": [],
    "forwarded host": [b"X-Forwarded-Host: TRAP"],
    "forwarded": [b'Forwarded: host="TRAP";proto=http'],
    "forwarded server": [b"X-Forwarded-Server: TRAP", b"X-Host: TRAP", b"X-Forwarded-Port: 1"],
    "original host": [b"X-Original-Host: TRAP", b"X-Original-URL: http://TRAP/", b"X-Rewrite-URL: /login.html"],
    "override": [b"X-HTTP-Host-Override: TRAP", b"X-HTTP-Method-Override: DELETE", b"X-Http-Method: PUT"],
}


@pytest.mark.parametrize("how", FORGED)
def test_a_request_goes_to_the_one_upstream_under_its_name(gate: Any, upstream: Any, trap: Any, how: str) -> None:
    address = trap.address.encode()
    lines = [
        b"Host: " + address,
        gate.authorization,
        *(line.replace(b"TRAP", address) for line in FORGED[how]),
        b"Connection: close",
    ]
    with gate.connected() as wire:
        wire.sendall(b"\r\n".join([b"GET /api/2.0/asked HTTP/1.1", *lines, b"", b""]))
        assert wire.recv(65536).startswith(b"HTTP/1.1 200")
    assert upstream.only.values(b"host") == [f"127.0.0.1:{upstream.port}".encode()]
    assert (upstream.only.method, upstream.only.target) == (b"GET", b"/api/2.0/asked")
    assert address not in upstream.raw


BROKEN = {
    "two hosts": [b"Host: gateway.example", b"Host: elsewhere.example"],
    "the same host twice": [b"Host: gateway.example", b"Host: gateway.example"],
    "a folded host": [b"Host: gateway.example", b" elsewhere.example"],
    "a space before the colon": [b"Host : gateway.example"],
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_host_with_two_readings_reaches_nobody_or_goes_to_the_one_upstream(gate: Any, upstream: Any, how: str) -> None:
    with gate.connected() as wire:
        wire.sendall(
            b"\r\n".join([b"GET /api/2.0/asked HTTP/1.1", *BROKEN[how], gate.authorization, b"Connection: close", b"", b""])
        )
        answer = wire.recv(65536)
    assert {tuple(request.values(b"host")) for request in upstream.requests} <= {(f"127.0.0.1:{upstream.port}".encode(),)}
    if how in ("two hosts", "the same host twice", "a space before the colon"):
        assert answer.startswith(b"HTTP/1.1 400")
        assert upstream.raw == b""


# -- what the gateway says of itself -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["h11", "httptools", "hypercorn"])
def public(request: pytest.FixtureRequest, serving: Any) -> Any:
    """A gateway with an address of its own."""
    return serving(request.param, public_url=PUBLIC, authorization_servers=["https://idp.example"])


LIES = [
    b"X-Forwarded-Host: evil.example",
    b"X-Forwarded-Proto: http",
    b"Forwarded: host=evil.example",
    b"X-Forwarded-Prefix: /evil",
]


@pytest.mark.parametrize(
    "path", [METADATA, METADATA + MCP, METADATA + "/base" + MCP], ids=["its own", "of a server", "with the mount"]
)
def test_the_metadata_names_the_configured_address_whatever_the_host(public: Any, upstream: Any, path: str) -> None:
    lines = [b"GET %b HTTP/1.1" % path.encode(), b"Host: evil.example", *LIES, b"Connection: close", b"", b""]
    with public.connected() as wire:
        wire.sendall(b"\r\n".join(lines))
        data = b"".join(iter(lambda: wire.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert b"evil" not in data
    assert b'"resource": "https://gateway.example/base' in body
    assert upstream.raw == b""


def test_the_challenge_names_the_configured_address_whatever_the_host(public: Any, upstream: Any) -> None:
    lines = [
        b"POST %b HTTP/1.1" % MCP.encode(),
        b"Host: evil.example",
        *LIES,
        b"Content-Length: 0",
        b"Connection: close",
        b"",
        b"",
    ]
    with public.connected() as wire:
        wire.sendall(b"\r\n".join(lines))
        data = b"".join(iter(lambda: wire.recv(65536), b""))
    assert data.startswith(b"HTTP/1.1 401")
    assert b'resource_metadata="https://gateway.example' in data
    assert b"evil" not in data


@pytest.mark.parametrize(
    "path", [METADATA + "/../../login.html", METADATA + "//evil.example", METADATA + "/%22evil", METADATA + "/api/2.0/jobs"]
)
def test_there_is_metadata_for_nothing_else(public: Any, upstream: Any, path: str) -> None:
    answer = public.ask(first=b"GET %b HTTP/1.1" % path.encode(), bearer=False)
    assert answer.status in (400, 401)
    assert b"evil" not in answer.body
    assert upstream.raw == b""


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(gate: Any, upstream: Any, tools: Any, trap: Any, status: int, method: str) -> None:
    location = f"http://{trap.address}/api/2.0/stolen"
    upstream.answer = lambda request: tools.reply(status, ("Location", location), ("Refresh", f"0; url={location}"))
    answer = gate.ask(b"Content-Length: 2", first=f"{method} /api/2.0/asked HTTP/1.1".encode(), body=b"{}")
    assert (answer.status, answer.values("location")) == (status, [location])
    assert upstream.targets == [b"/api/2.0/asked"]
