"""The app under a real uvicorn, asked byte by byte: what servers and clients tidy up on the way must not become a yes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import free_port

pytestmark = pytest.mark.servers


@dataclass
class Wire:
    """A server, and one request at a time in raw bytes."""

    port: int
    deadline: float

    def send(self, head: bytes) -> tuple[int, dict[str, str], bytes]:
        with socket.create_connection(("127.0.0.1", self.port), self.deadline) as connection:
            connection.sendall(head.replace(b"\n", b"\r\n") + b"Host: verdicts\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        top, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = top.decode("latin-1").split("\r\n")
        return int(status.split()[1]), {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


Open = Callable[[str], Wire]


@pytest.fixture
def wire(served: IssuerServer, issuer: LocalIssuer, servers: Any, tmp_path: Path) -> Iterator[Open]:
    """`wire("nginx")`: the app for this proxy under uvicorn."""
    with contextlib.ExitStack() as stack:

        def start(source: str) -> Wire:
            port = free_port()
            stack.enter_context(servers.verdicts(source, issuer, port, tmp_path))
            return Wire(port, servers.deadline)

        yield start


@pytest.mark.parametrize("lines", [b"X-Original-Method: POST\nX-Original-URI: /api/2.0/sql/statements?a=%2F\n"])
def test_nginx_gets_a_yes_over_the_wire(wire: Open, bearer: Callable[..., bytes], lines: bytes) -> None:
    status, fields, body = wire("nginx").send(b"GET /verdict HTTP/1.1\nAuthorization: " + bearer() + b"\n" + lines)
    assert (status, body) == (200, b"")
    assert fields["authorization"] == "Bearer for-upstream"
    assert fields["cache-control"] == "max-age=30"


ENVOYS: list[Any] = [
    pytest.param(b"POST /verdict/api/2.0/sql/statements", 200, None, id="a path of the rules"),
    pytest.param(b"HEAD /verdict/api/2.0/fs/files/Volumes/a", 200, None, id="another method"),
    pytest.param(b"GET /verdict/api/2.0/mcp/../secrets/get", 400, "path_malformed", id="dots"),
    pytest.param(b"GET /verdict/api/2.0/mcp/%2e%2e/secrets/get", 400, "path_malformed", id="escaped dots"),
    pytest.param(b"GET /verdict/api/2.0/mcp/%2E%2E%2Fsecrets/get", 400, "path_malformed", id="an escaped slash"),
    pytest.param(b"GET /verdict//api/2.0/mcp/x", 400, "path_malformed", id="an empty segment"),
    pytest.param(b"GET /verdict/../verdict/api/2.0/mcp/x", 400, "path_malformed", id="dots about the prefix"),
    pytest.param(b"GET /%76erdict/api/2.0/mcp/x", 400, "request_malformed", id="an escaped prefix"),
    pytest.param(b"GET /api/2.0/mcp/x", 400, "request_malformed", id="no prefix"),
    pytest.param(b"OPTIONS *", 400, "request_malformed", id="the server as a whole"),
    pytest.param(b"GET /verdict/api/2.0/secrets/get", 403, "path_not_allowed", id="a path of no rule"),
    pytest.param(b"DELETE /verdict/serving-endpoints/a/invocations", 405, "method_not_allowed", id="a method of no rule"),
]


def test_envoys_paths_are_judged_as_they_were_sent(wire: Open, bearer: Callable[..., bytes]) -> None:
    opened, token = wire("envoy"), bearer()
    wanted, seen = {}, {}
    for row in ENVOYS:
        line, status, mark = row.values
        wanted[row.id] = (status, mark)
        answered, fields, _ = opened.send(bytes(line) + b" HTTP/1.1\nAuthorization: " + token + b"\n")
        seen[row.id] = (answered, fields.get("tokenward-refused"))
        assert ("authorization" in fields) == (answered == 200)
    assert seen == wanted


def test_what_the_proxy_repeats_is_no_yes(wire: Open, bearer: Callable[..., bytes]) -> None:
    opened, token = wire("traefik"), b"Authorization: " + bearer() + b"\n"
    good = b"GET /verdict HTTP/1.1\n" + token + b"X-Forwarded-Method: GET\nX-Forwarded-Uri: /api/2.0/mcp/x\n"
    assert opened.send(good)[0] == 200
    for more in (b"X-Forwarded-Uri: /api/2.0/mcp/y\n", b"x-forwarded-method: GET\n", token):
        status, fields, _ = opened.send(good + more)
        assert (status, "authorization" in fields) == (400, False)
