"""The stand-in's server: real connections, framing, HTTPS, streaming in bounded memory, and an end that is one."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer

CONFIG = "/.well-known/databricks-config"
PREFIX = "/api/2.0/fs/files/Volumes/main/default/data"


def test_it_needs_three_lines() -> None:
    with WorkspaceServer() as server:
        jwt = server.workspace.federated_jwt("ada@contoso.example")
        assert httpx.get(f"{server.url}{CONFIG}", trust_env=False).json()["oidc_endpoint"] == f"{server.url}/oidc"
    assert jwt.count(".") == 2


def test_a_connection_serves_several_requests(http: httpx.Client, server: WorkspaceServer) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        file = connection.makefile("rb")
        for _ in range(2):
            connection.sendall(f"GET {CONFIG} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            assert file.readline().startswith(b"HTTP/1.1 200")
            head = dict(line.rstrip().split(b": ", 1) for line in iter(file.readline, b"\r\n"))
            length = int(head[b"content-length"])
            assert len(file.read(length)) == length


def test_https_is_accepted_by_clients_that_trust_its_authority_and_by_no_others() -> None:
    with WorkspaceServer(tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        assert httpx.get(f"{server.url}{CONFIG}", verify=context, trust_env=False).status_code == 200
        assert httpx.get(f"{server.url.replace('127.0.0.1', 'localhost')}{CONFIG}", verify=context, trust_env=False).is_success
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{server.url}{CONFIG}", trust_env=False)
    assert server.ca_file is None


def test_strict_certificate_checks_accept_it() -> None:
    """As Python 3.13 makes by default."""
    with WorkspaceServer(tls=True) as server:
        context = ssl.create_default_context(cafile=server.ca_file)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        assert httpx.get(f"{server.url}{CONFIG}", verify=context, trust_env=False).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_it_listens_on_this_machine_only(host: str) -> None:
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 only"):
        WorkspaceServer(host=host)


def test_a_server_that_has_stopped_answers_nobody_and_can_start_again(standin: DatabricksWorkspace) -> None:
    server = WorkspaceServer(standin).start()
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        assert client.get(CONFIG).status_code == 200
        server.stop()
        with pytest.raises(httpx.TransportError):
            client.get(CONFIG)  # on the connection that was kept, or a new one
        assert standin.origin == standin.home
        server.start()
        assert client.get(CONFIG).status_code == 200
    server.stop()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("content-length: 5\r\ntransfer-encoding: chunked", id="two lengths"),
        pytest.param("content-length: 5\r\ncontent-length: 6", id="two different lengths"),
        pytest.param("content-length: +5", id="a sign"),
        pytest.param("transfer-encoding: gzip, chunked", id="another coding"),
        pytest.param("transfer-encoding: chunked\r\n\r\n-1", id="a chunk of less than nothing"),
        pytest.param("transfer-encoding: chunked\r\n\r\n0x5", id="a chunk's size with a prefix"),
    ],
)
def test_a_body_whose_length_is_not_clear_is_refused_and_ends_the_connection(server: WorkspaceServer, head: str) -> None:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        form = "content-type: application/x-www-form-urlencoded"
        connection.sendall(f"POST /oidc/v1/token HTTP/1.1\r\nhost: x\r\n{form}\r\n{head}\r\n\r\nhello".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_what_was_asked_can_be_looked_at(http: httpx.Client, standin: DatabricksWorkspace) -> None:
    http.get(f"{CONFIG}?a=b", headers={"X-Marker": "seen"})
    seen = standin.requests[-1]
    assert (seen.method, seen.path, dict(seen.query), seen.headers["x-marker"]) == ("GET", CONFIG, {"a": "b"}, "seen")
    assert standin.counts[f"GET {CONFIG}"] == 1
    http.get(CONFIG, headers={"authorization": "Bearer secret"})
    assert "secret" not in repr(standin.requests[-1])


_STREAM = """
import resource, sys
from tokenward.testing.workspace import WorkspaceServer
with WorkspaceServer() as server:
    print(server.url, server.workspace.access_token(), flush=True)
    sys.stdin.readline()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(before, flush=True)
    sys.stdin.readline()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, flush=True)
"""


@pytest.mark.servers
def test_files_of_any_size_pass_through_little_memory() -> None:
    """256 MiB up and down; the server's process grows by a small part of that."""
    pieces, piece = 4096, os.urandom(65536)
    command = [sys.executable, "-c", _STREAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url, token = process.stdout.readline().split()
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=60) as client:
            client.get("/api/2.0/preview/scim/v2/Me")
            print(file=process.stdin, flush=True)
            process.stdout.readline()
            path = "/api/2.0/fs/files/Volumes/main/default/data/large.bin"
            assert client.put(path, content=_repeated(piece, pieces)).status_code == 204
            with client.stream("GET", path) as answer:
                received = sum(len(part) for part in answer.iter_bytes(65536))
        print(file=process.stdin, flush=True)
        grown = int(process.stdout.readline()) * 1024
    assert received == pieces * len(piece)
    assert grown < 32 * 1024 * 1024


def _repeated(piece: bytes, times: int) -> Iterator[bytes]:
    for _ in range(times):
        yield piece


def test_a_client_that_leaves_in_the_middle_of_an_upload_leaves_no_file(
    server: WorkspaceServer, standin: DatabricksWorkspace, bearer: Callable[..., dict[str, str]], http: httpx.Client
) -> None:
    http.put(f"{PREFIX}/whole.bin", content=b"whole", headers=bearer())
    (whole,) = standin.volumes._files.values()
    parts = urlsplit(server.url)
    path = f"{PREFIX}/half.bin"
    with socket.create_connection((parts.hostname, parts.port), 10) as connection:
        head = f"PUT {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\nauthorization: {bearer()['authorization']}\r\n\r\n"
        connection.sendall(head.encode() + b"half")
        _eventually(lambda: len(list(whole.place.parent.iterdir())) == 2)  # it is being written
    _eventually(lambda: list(whole.place.parent.iterdir()) == [whole.place])
    assert http.get(path, headers=bearer()).status_code == 404


def _eventually(happened: Callable[[], bool]) -> None:
    """Wait for what another thread does; fail after twenty seconds."""
    until = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)
