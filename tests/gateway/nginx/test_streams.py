"""Bodies pass as they come, both ways, and leave nothing on a disk."""

from __future__ import annotations

import contextlib
import http.client
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"
MIB = 1024 * 1024
SIZE = 1024 * MIB if os.environ.get("TOKENWARD_GIB") else 64 * MIB
PIECE = b"0" * (256 * 1024)
STREAMS = ["/serving-endpoints/echo/invocations", "/api/2.0/mcp/genie/space"]


@contextlib.contextmanager
def begun(front: Any, method: str, target: str, length: int | None = None) -> Iterator[tuple[Any, Any]]:
    """A request whose header was sent, and a reader of the answer."""
    with front.nginx.connected() as connection:
        measured = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        token = front.issuer.token()
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: a",
            f"Authorization: Bearer {token}",
            measured,
            "Connection: close",
            "",
            "",
        ]
        connection.sendall("\r\n".join(lines).encode())
        with contextlib.closing(
            http.client.HTTPResponse(connection, method=method)
        ) as answer:  # else it keeps the connection open
            yield connection, answer


@pytest.fixture
def no_disk(front: Any) -> Iterator[None]:
    """While nginx may write nowhere, whatever it wanted to put into a temporary file would fail."""
    folders: list[Path] = front.nginx.temporary
    assert [folder.name for folder in folders] == [
        f"nginx-{name}" for name in ("client-body", "fastcgi", "proxy", "scgi", "uwsgi")
    ]
    for folder in folders:
        folder.chmod(0)
    yield
    for folder in folders:
        folder.chmod(0o700)
        assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("no_disk")
@pytest.mark.parametrize("chunked", [False, True], ids=["of known length", "chunked"])
def test_a_large_upload_passes_without_a_file(front: Any, chunked: bool) -> None:
    target = f"{FILES}/up-{chunked}"
    with begun(front, "PUT", target, None if chunked else SIZE) as (connection, answer):
        piece = b"%x\r\n%b\r\n" % (len(PIECE), PIECE) if chunked else PIECE
        for _ in range(SIZE // len(PIECE)):
            connection.sendall(piece)
        connection.sendall(b"0\r\n\r\n" if chunked else b"")
        answer.begin()
        assert answer.status == 200
    [arrival] = front.upstream.arrived(target)
    assert arrival.length == SIZE
    assert arrival.values("transfer-encoding" if chunked else "content-length") == ["chunked" if chunked else str(SIZE)]


@pytest.mark.usefixtures("no_disk")
def test_a_large_download_passes_without_a_file(front: Any) -> None:
    with begun(front, "GET", f"{FILES}/down?bytes={SIZE}", 0) as (_, answer):
        answer.begin()
        buffer, got = bytearray(MIB), 0
        while read := answer.readinto(buffer):
            got += read
    assert (answer.status, got) == (200, SIZE)


def test_an_upload_reaches_the_upstream_before_it_is_complete(front: Any, eventually: Any) -> None:
    """So nginx does not collect it: the upstream has read what was sent while the rest is still to come."""
    with begun(front, "PUT", f"{FILES}/early", 2 * len(PIECE)) as (connection, answer):
        connection.sendall(PIECE)
        eventually(lambda: front.upstream.received.get(f"{FILES}/early") == len(PIECE), "first half at the upstream")
        connection.sendall(PIECE)
        answer.begin()
        assert answer.status == 200


@pytest.mark.parametrize("path", STREAMS)
def test_the_first_event_arrives_while_the_stream_is_open(front: Any, path: str) -> None:
    with begun(front, "POST", f"{path}?stream-of-events", 0) as (_, answer):
        answer.begin()
        assert (answer.status, answer.getheader("content-type")) == (200, "text/event-stream")
        assert answer.read1() == b"data: first\n\n"
        front.upstream.release.set()
        assert answer.read() == b"data: second\n\n"


@pytest.mark.parametrize("path", STREAMS)
def test_the_upstream_learns_that_the_client_has_left(front: Any, eventually: Any, path: str) -> None:
    """While it is silent: what nobody waits for any more ends at once, and not at the next event."""
    with begun(front, "POST", f"{path}?stream-of-events", 0) as (_, answer):
        answer.begin()
        assert answer.read1() == b"data: first\n\n"
    eventually(front.upstream.left.is_set, "end of the upstream's stream")


def test_connections_to_the_upstream_are_kept(front: Any) -> None:
    before = front.upstream.connections
    assert set(front.ask_in_turn([f"{FILES}/kept-{number}" for number in range(20)], front.issuer.token())) == {200}
    assert front.upstream.connections - before <= 3  # one, and some that were closed meanwhile if this machine is slow


def test_an_answer_to_expect_comes_before_the_body(front: Any) -> None:
    """curl waits for it before it uploads."""
    with front.nginx.connected() as connection:
        lines = [f"PUT {FILES}/expect HTTP/1.1", "Host: a", f"Authorization: Bearer {front.issuer.token()}"]
        lines += ["Expect: 100-continue", "Content-Length: 2", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"ab")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    assert front.upstream.arrived("/expect")[0].values("expect") == []
