"""Clients that leave a real server while they wait for keys."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tokenward.testing import FaultServer, LocalIssuer, faults

pytestmark = pytest.mark.servers


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[FaultServer]:
    with FaultServer(issuer) as server:
        yield server


def _leave(connection: socket.socket, manner: str) -> None:
    if manner == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize("manner", ["closes", "reset"])
@pytest.mark.parametrize(
    ("app", "cancels"),
    [pytest.param("guarded:asgi", False, id="served on"), pytest.param("guarded:ending_with_its_client", True, id="cancelled")],
)
def test_whoever_leaves_takes_no_fetch_along(
    serve: Callable[..., Any],
    issuer: LocalIssuer,
    server: FaultServer,
    until: Callable[[Callable[[], bool]], None],
    app: str,
    cancels: bool,
    manner: str,
) -> None:
    """The request that started the fetch is left by its client; others wait for the same fetch, before and after that."""
    environment = {"TENANT": issuer.tenant, "CLIENT_ID": issuer.client_id, "AUTHORITY": server.url}
    service = serve("uvicorn", app, environment, "--lifespan", "off", rhythm={"max_wait": 300.0, "fetch_timeout": 300.0})
    server.always(faults.held())
    token = issuer.user_token()

    def waiting() -> int:
        return int(service.get(path="/status").body["sources"][1]["waiting"])

    first = socket.create_connection(("127.0.0.1", service.port), 60)
    first.sendall(f"GET /jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    until(lambda: waiting() == 1 and len(server.asked) == 1)
    with ThreadPoolExecutor(6) as pool:
        others = [pool.submit(service.get, token) for _ in range(3)]
        until(lambda: waiting() == 4)
        _leave(first, manner)
        if cancels:
            until(lambda: waiting() == 3)
        others += [pool.submit(service.get, token) for _ in range(3)]
        until(lambda: waiting() == (6 if cancels else 7))
        server.recover()
        assert [other.result(60).status for other in others] == [200] * 6
    assert [asked.path.rpartition("/")[2] for asked in server.asked] == ["openid-configuration", "keys"]
    assert service.end() in (0, -15)
    assert service.said() == ""
