"""The default fetch against servers that misbehave: real sockets on loopback, small deadlines, threads and both kinds of loop."""

from __future__ import annotations

import contextlib
import datetime
import gc
import gzip
import ipaddress
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tokenward.keys import fetch as fetch_module
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.port import MAX_BODY_BYTES, FetchFailed, FetchRequest, FetchResponse

MIB = 1024 * 1024
DEADLINE = 0.3
A_BYTE_EACH = 0.02
TLS_HANDSHAKE = b"\x16"

Handler = Callable[["Connection"], None]


class Connection:
    """One request that has arrived; a handler answers it as badly as it likes."""

    def __init__(self, raw: socket.socket, stopped: threading.Event) -> None:
        self._raw, self._stopped = raw, stopped
        self.request = b""
        self.sent = 0

    def read_request(self) -> None:
        while b"\r\n\r\n" not in self.request and not self.request.startswith(TLS_HANDSHAKE):
            part = self._raw.recv(65536)
            if not part:
                raise ConnectionError
            self.request += part

    def send(self, data: bytes) -> None:
        self._raw.sendall(data)
        self.sent += len(data)

    def answer(self, body: bytes = b"{}", *headers: str, status: str = "200 OK", length: int | None = None) -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    def drip(self, data: bytes) -> None:
        for octet in data:
            if self._stopped.wait(A_BYTE_EACH):
                return
            self.send(bytes([octet]))

    def hang(self) -> None:
        self._stopped.wait(10)

    def reset(self) -> None:
        self._raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._raw.close()


class Server:
    """A thread for each connection, until it is closed."""

    def __init__(self, handler: Handler, tls: ssl.SSLContext | None) -> None:
        self._handler, self._tls = handler, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopped = threading.Event()
        self.connections: list[Connection] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/keys"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=(raw,), daemon=True))
            self._threads[-1].start()

    def _serve(self, raw: socket.socket) -> None:
        try:
            with self._tls.wrap_socket(raw, server_side=True) if self._tls else raw as stream:
                connection = Connection(stream, self._stopped)
                self.connections.append(connection)
                connection.read_request()
                self._handler(connection)
        except OSError:
            raw.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(handler: Handler, tls: ssl.SSLContext | None = None) -> Server:
        servers.append(Server(handler, tls))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


Get = Callable[..., FetchResponse]


@pytest.fixture(params=["threads", "asyncio", "trio"])
def get(request: pytest.FixtureRequest) -> Get:
    """One GET as a driver does it: on a loop the driver holds the total deadline."""

    def in_thread(asked: FetchRequest, *, tls: ssl.SSLContext | None = None, trust_env: bool = False) -> FetchResponse:
        return HttpxFetch(tls=tls, trust_env=trust_env)(asked)

    def on_loop(asked: FetchRequest, *, tls: ssl.SSLContext | None = None, trust_env: bool = False) -> FetchResponse:
        async def main() -> FetchResponse:
            with anyio.fail_after(asked.timeout):
                return await AsyncHttpxFetch(tls=tls, trust_env=trust_env)(asked)

        try:
            return anyio.run(main, backend=request.param)
        except TimeoutError:
            raise FetchFailed("timeout") from None

    return in_thread if request.param == "threads" else on_loop


def failure(get: Get, url: str, **options: object) -> FetchFailed:
    tls, trust_env = options.pop("tls", None), options.pop("trust_env", False)
    with pytest.raises(FetchFailed) as caught:
        get(FetchRequest(url, **{"timeout": 5.0} | options), tls=tls, trust_env=trust_env)  # type: ignore[arg-type]
    return caught.value


# -- good answers ------------------------------------------------------------------------------------------------------


def test_one_plain_request_is_made_and_its_answer_handed_over(get: Get, serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer(b'{"keys": []}', "Cache-Control: max-age=60"))
    response = get(FetchRequest(server.url, 5.0, no_cache=True))
    assert (response.status, response.headers["cache-control"], response.body) == (200, "max-age=60", b'{"keys": []}')
    lines = server.connections[0].request.decode().lower().split("\r\n")
    assert lines[0] == "get /keys http/1.1"
    for header in ("accept-encoding: identity", "cache-control: no-cache", "connection: close", "user-agent: tokenward"):
        assert header in lines
    assert not any(line.startswith(("cookie", "authorization")) for line in lines)


@pytest.mark.parametrize("status", ["304 Not Modified", "404 Not Found", "503 Service Unavailable"])
def test_every_status_is_handed_over(get: Get, serve: Callable[..., Server], status: str) -> None:
    server = serve(lambda connection: connection.answer(b"", status=status))
    assert get(FetchRequest(server.url, 5.0)).status == int(status[:3])


def test_a_redirect_is_handed_over_and_not_followed(get: Get, serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer(b"", "Location: /elsewhere", status="302 Found"))
    response = get(FetchRequest(server.url, 5.0))
    assert (response.status, response.headers["location"]) == (302, "/elsewhere")
    assert len(server.connections) == 1


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(b'{"a": 1}'), id="gzip"),
        pytest.param("GZIP", gzip.compress(b'{"a": 1}'), id="gzip in capitals"),
        pytest.param("deflate", zlib.compress(b'{"a": 1}'), id="deflate"),
        pytest.param("identity", b'{"a": 1}', id="identity"),
        pytest.param("", b'{"a": 1}', id="an empty header"),
    ],
)
def test_a_body_compressed_in_spite_of_our_wish_is_decoded(
    get: Get, serve: Callable[..., Server], encoding: str, body: bytes
) -> None:
    server = serve(lambda connection: connection.answer(body, f"Content-Encoding: {encoding}"))
    assert get(FetchRequest(server.url, 5.0)).body == b'{"a": 1}'


# -- slow answers ------------------------------------------------------------------------------------------------------


def slow_headers(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\nx-slow: ")
    connection.drip(b"x" * 1000)


def slow_body(connection: Connection) -> None:
    connection.answer(b"{", length=1000)
    connection.drip(b" " * 999)


def slow_body_without_length(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n{")
    connection.drip(b" " * 1000)


def slow_chunks(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    connection.drip(b"1\r\n{\r\n" * 200)


def complete_body_without_end(connection: Connection) -> None:
    connection.send(b'HTTP/1.1 200 OK\r\n\r\n{"keys": []}')
    connection.hang()


SLOW = [
    pytest.param(lambda connection: connection.hang(), id="no answer"),
    pytest.param(slow_headers, id="headers byte by byte"),
    pytest.param(slow_body, id="a body byte by byte"),
    pytest.param(slow_chunks, id="chunks byte by byte"),
    pytest.param(slow_body_without_length, id="a body without length byte by byte"),
    pytest.param(complete_body_without_end, id="a body that does not end"),
]


@pytest.mark.parametrize("handler", SLOW)
def test_a_slow_answer_is_over_at_the_total_deadline(get: Get, serve: Callable[..., Server], handler: Handler) -> None:
    begin = time.monotonic()
    assert failure(get, serve(handler).url, timeout=DEADLINE).kind == "timeout"
    assert DEADLINE * 0.9 <= time.monotonic() - begin < DEADLINE + 5


@pytest.mark.parametrize("handler", SLOW)
def test_a_slow_answer_over_tls_is_over_at_the_total_deadline(
    get: Get, serve: Callable[..., Server], certificate: Certificate, handler: Handler
) -> None:
    begin = time.monotonic()
    server = serve(handler, certificate.server)
    assert failure(get, server.url, timeout=DEADLINE, tls=certificate.trusting).kind == "timeout"
    assert DEADLINE * 0.9 <= time.monotonic() - begin < DEADLINE + 5


def test_a_connection_that_comes_after_the_deadline_is_shut() -> None:
    ours, theirs = socket.socketpair()

    class Stream:
        def get_extra_info(self, _name: str) -> socket.socket:
            return ours

    with ours, theirs, fetch_module._Deadline(0.0) as deadline:  # a race with no other handle
        deadline._timer.join(10)
        deadline.watch("connection.connect_tcp.started", {})
        deadline.watch("connection.connect_tcp.complete", {"return_value": Stream()})
        assert theirs.recv(1) == b""


def test_nothing_of_a_fetch_is_left_behind(serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer())
    before = threading.active_count()
    for _ in range(5):
        HttpxFetch(trust_env=False)(FetchRequest(server.url, 30.0))
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(30)
    assert not any(timer.is_alive() for timer in timers)
    assert threading.active_count() <= before + 5  # the server's own


# -- broken answers ----------------------------------------------------------------------------------------------------


def reset_in_the_body(connection: Connection) -> None:
    connection.answer(b'{"keys": [', length=1000)
    time.sleep(0.05)  # let the beginning arrive, or the reset would overtake it
    connection.reset()


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(reset_in_the_body, id="a reset in the body"),
        pytest.param(lambda connection: connection.reset(), id="a reset in place of an answer"),
        pytest.param(lambda _connection: None, id="closed without an answer"),
        pytest.param(lambda connection: connection.answer(b"{}", length=1000), id="a body shorter than announced"),
        pytest.param(lambda connection: connection.send(b"SSH-2.0-OpenSSH_9.6\r\n"), id="another protocol"),
        pytest.param(lambda connection: connection.answer(b"{}", "Content-Length: 7"), id="two lengths"),
        pytest.param(lambda connection: connection.send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000), id="headers without end"),
    ],
)
def test_a_broken_answer_is_a_failure_to_read(get: Get, serve: Callable[..., Server], handler: Handler) -> None:
    assert failure(get, serve(handler).url).kind == "read"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("br", b"\x0b\x02\x80{}\x03", id="brotli"),
        pytest.param("zstd", b"{}", id="zstandard"),
        pytest.param("gzip, gzip", gzip.compress(gzip.compress(b"{}")), id="gzip twice"),
        pytest.param("gzip", b"{}", id="not gzip at all"),
        pytest.param("gzip", gzip.compress(b"{}" * 100)[:-9], id="truncated gzip"),
        pytest.param("gzip", b"", id="nothing"),
    ],
)
def test_an_encoding_that_cannot_be_read_is_a_failure(get: Get, serve: Callable[..., Server], encoding: str, body: bytes) -> None:
    server = serve(lambda connection: connection.answer(body, f"Content-Encoding: {encoding}"))
    assert failure(get, server.url).kind == "encoding"


# -- large answers -----------------------------------------------------------------------------------------------------


def test_a_body_of_the_limit_is_read_whole(get: Get, serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer(b" " * MAX_BODY_BYTES))
    assert len(get(FetchRequest(server.url, 5.0)).body) == MAX_BODY_BYTES


def endless(connection: Connection) -> None:
    connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(64 * 16):
        connection.send(b" " * (MIB // 16))


EMPTY_GZIP = gzip.compress(b"")


@pytest.mark.parametrize(
    "handler",
    [
        pytest.param(lambda connection: connection.answer(b" " * (MAX_BODY_BYTES + 1)), id="a byte too many"),
        pytest.param(lambda connection: connection.answer(b"", length=50 * MIB), id="50 MiB announced"),
        pytest.param(lambda connection: connection.answer(b"", length=10**18), id="an exabyte announced"),
        pytest.param(
            lambda connection: connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (MAX_BODY_BYTES + 1)),
            id="a byte too many without length",
        ),
        pytest.param(endless, id="64 MiB without length"),
        pytest.param(
            lambda connection: connection.answer(gzip.compress(b" " * (MAX_BODY_BYTES + 1)), "Content-Encoding: gzip"),
            id="a byte too many once decoded",
        ),
        pytest.param(
            lambda connection: connection.send(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
                + gzip.compress(b"{}")
                + EMPTY_GZIP * (2 * MIB // len(EMPTY_GZIP))
            ),
            id="two MiB that decode to nothing",
        ),
    ],
)
def test_a_body_over_the_limit_is_not_read_further(get: Get, serve: Callable[..., Server], handler: Handler) -> None:
    server = serve(handler)
    assert failure(get, server.url).kind == "too_large"
    server.close()
    assert server.connections[0].sent < 16 * MIB  # what the buffers of the system hold


def test_a_refused_body_leaves_no_open_generator_to_the_garbage_collector(serve: Callable[..., Server]) -> None:
    server = serve(endless)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with contextlib.suppress(FetchFailed):
            anyio.run(AsyncHttpxFetch(trust_env=False), FetchRequest(server.url, 5.0), backend="trio")
        gc.collect()
    assert [warning for warning in caught if warning.category is ResourceWarning] == []


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [pytest.param("gzip", gzip.compress, id="gzip"), pytest.param("deflate", zlib.compress, id="deflate")],
)
def test_a_bomb_takes_no_more_memory_than_three_times_the_limit(
    get: Get, serve: Callable[..., Server], encoding: str, compress: Callable[..., bytes]
) -> None:
    bomb = compress(bytes(16 * MIB), 9)
    server = serve(lambda connection: connection.answer(bomb, f"Content-Encoding: {encoding}"))
    get_once = FetchRequest(serve(lambda connection: connection.answer()).url, 5.0)
    get(get_once)  # imports and caches do not count
    tracemalloc.start()
    try:
        failed = failure(get, server.url)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert failed.kind == "too_large"
    assert peak < 3 * MAX_BODY_BYTES


# -- no connection -----------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def test_a_refused_connection_is_a_failure_to_connect(get: Get) -> None:
    assert failure(get, f"http://127.0.0.1:{closed_port()}/").kind == "connect"


def test_a_name_that_does_not_resolve_is_a_dns_failure_and_is_not_repeated(get: Get) -> None:
    failed = failure(get, "https://keys.invalid/", timeout=20.0)
    assert failed.kind == "dns"
    assert "keys.invalid" not in str(failed)


class Certificate:
    """A server with a certificate of its own making, and a client that trusts it."""

    def __init__(self, folder: Path, address: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test server")])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        pem = made.public_bytes(Encoding.PEM)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = folder / f"{address}.pem"
        path.write_bytes(pem + secret)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(path)
        self.trusting = ssl.create_default_context(cadata=pem.decode())


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path, "127.0.0.1")


def test_a_certificate_that_is_trusted_is_enough(get: Get, serve: Callable[..., Server], certificate: Certificate) -> None:
    server = serve(lambda connection: connection.answer(), certificate.server)
    assert get(FetchRequest(server.url, 5.0), tls=certificate.trusting).status == 200


def test_a_certificate_nobody_vouches_for_is_a_tls_failure(
    get: Get, serve: Callable[..., Server], certificate: Certificate
) -> None:
    server = serve(lambda connection: connection.answer(), certificate.server)
    assert failure(get, server.url).kind == "tls"
    assert all(not connection.request for connection in server.connections)


def test_a_certificate_for_another_host_is_a_tls_failure(get: Get, serve: Callable[..., Server], tmp_path: Path) -> None:
    other = Certificate(tmp_path, "127.0.0.2")
    server = serve(lambda connection: connection.answer(), other.server)
    assert failure(get, server.url, tls=other.trusting).kind == "tls"


def test_a_server_without_tls_is_a_tls_failure(get: Get, serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer())
    assert failure(get, server.url.replace("http:", "https:")).kind == "tls"


# -- proxies of the environment ----------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_used_for_other_machines_only(
    get: Get, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(lambda connection: connection.answer(b'{"from": "the proxy"}'))
    server = serve(lambda connection: connection.answer(b'{"from": "the server"}'))
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    distant = FetchRequest("http://idp.example/keys", 5.0)
    assert get(distant, trust_env=True).body == b'{"from": "the proxy"}'
    assert proxy.connections[0].request.startswith(b"GET http://idp.example/keys HTTP/1.1\r\n")
    assert get(FetchRequest(server.url, 5.0), trust_env=True).body == b'{"from": "the server"}'
    assert len(proxy.connections) == 1


def test_a_proxy_that_is_not_there_is_a_failure_to_connect(get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert failure(get, "http://idp.example/keys", trust_env=True).kind == "connect"


def test_a_url_that_is_none_is_a_failure(get: Get) -> None:
    assert failure(get, "https://" + "x" * 70_000 + ".example/").kind == "other"


FIRST_FETCH = """
import asyncio, sys
from tokenward.keys.fetch import AsyncHttpxFetch
from tokenward.keys.port import FetchRequest
fetch = AsyncHttpxFetch()
async def main():
    before = set(sys.modules)
    await fetch(FetchRequest(sys.argv[1], 5.0))
    print(*sorted(set(sys.modules) - before))
asyncio.run(main())
"""


def test_the_first_fetch_imports_nothing_while_the_loop_waits(serve: Callable[..., Server]) -> None:
    server = serve(lambda connection: connection.answer())
    done = subprocess.run([sys.executable, "-c", FIRST_FETCH, server.url], capture_output=True, text=True, timeout=60, check=True)
    assert [name for name in done.stdout.split() if "." not in name] == []
