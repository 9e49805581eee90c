"""What a caller is answered who does not get through, and that nobody gets through when something is broken."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tokenward.databricks.admission.refusals import (
    FieldsTooLarge,
    GatewayRefusal,
    MethodNotAllowed,
    PathMalformed,
    PathNotAllowed,
    RequestMalformed,
    UpgradeNotAllowed,
    UpstreamTimeout,
    UpstreamUnavailable,
    answer_of,
)
from tokenward.testing.loopback import QuietHandler, QuietServer, free_port
from tokenward.testing.workspace.certificate import LoopbackTls

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"


@pytest.mark.parametrize(
    ("minting", "mark", "challenge"),
    [
        pytest.param(None, "missing_token", "Bearer", id="no token"),
        pytest.param(
            {"lifetime": -60},
            "token_expired",
            'Bearer error="invalid_token", error_description="The access token expired"',
            id="expired",
        ),
        pytest.param(
            {"key": "stranger"},
            "invalid_token",
            'Bearer error="invalid_token", error_description="The access token is invalid"',
            id="forged",
        ),
        pytest.param(
            {"lifetime": 20},
            "token_expired",
            'Bearer error="invalid_token", error_description="The access token expired"',
            id="ending",
        ),
    ],
)
def test_a_401_has_one_challenge_and_the_gateways_body(front: Any, minting: Any, mark: str, challenge: str) -> None:
    before = len(front.upstream.arrivals)
    reply = front.ask("GET", f"{FILES}/refused", token=None if minting is None else front.issuer.token(**minting))
    assert (reply.status, reply.refused, reply.values("www-authenticate")) == (401, mark, [challenge])
    assert (reply.values("cache-control"), reply.values("content-type")) == (["no-store"], ["application/json"])
    told = json.loads(reply.body)
    assert set(told) == {"error", "error_description"}
    assert told["error"] == ("invalid_token" if minting is not None else "missing_token")
    assert len(front.upstream.arrivals) == before


@pytest.mark.parametrize(
    ("method", "target", "refusal"),
    [
        pytest.param("GET", "/login.html", PathNotAllowed, id="path"),
        pytest.param("PROPFIND", f"{FILES}/x", MethodNotAllowed, id="method"),
        pytest.param("GET", "/api/2.0/%2e%2e/x", PathMalformed, id="form"),
    ],
)
def test_what_is_not_served_is_a_403_in_the_gateways_words(
    front: Any, method: str, target: str, refusal: type[GatewayRefusal]
) -> None:
    reply = front.ask(method, target, ("Content-Length", "0"), token=front.issuer.token())
    assert (reply.status, reply.refused, reply.values("www-authenticate")) == (403, refusal.code, [])
    assert json.loads(reply.body) == json.loads(answer_of(refusal()).body)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_a_refusal_is_the_same_for_every_method(front: Any, method: str) -> None:
    reply = front.ask(method, f"{FILES}/method", ("Content-Length", "0"))
    assert (reply.status, reply.refused, len(reply.values("www-authenticate"))) == (401, "missing_token", 1)
    assert bool(reply.body) == (method != "HEAD")


@pytest.mark.parametrize(
    "refusal",
    [RequestMalformed, FieldsTooLarge, UpgradeNotAllowed, UpstreamUnavailable, UpstreamTimeout, PathNotAllowed],
    ids=lambda refusal: refusal.code,
)
def test_nginxs_own_answers_are_the_gateways(refusal: type[GatewayRefusal]) -> None:
    wanted = answer_of(refusal())
    config = (Path(__file__).parents[3] / "deploy" / "nginx.conf").read_text().replace("\\'", "'")
    assert f"return {wanted.status} '{wanted.body.decode()}';" in config
    assert f"add_header Tokenward-Refused {refusal.code} always;" in config


def test_plain_http_is_refused(front: Any) -> None:
    with socket.create_connection(("127.0.0.1", front.nginx.port), 30) as connection:
        connection.sendall(f"GET {FILES} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {front.issuer.token()}\r\n\r\n".encode())
        seen = connection.recv(65536)
    assert seen.startswith(b"HTTP/1.1 400 ")
    assert b"Tokenward-Refused: request_malformed" in seen


def test_a_refused_upload_is_not_passed_on(front: Any) -> None:
    reply = front.ask("PUT", f"{FILES}/unwanted", ("Content-Length", "10"), body=b"0123456789")
    assert (reply.status, front.upstream.arrived("/unwanted")) == (401, [])


def test_a_connection_serves_on_after_refusals(front: Any) -> None:
    """A body that was not read must not become the next request."""
    token = front.issuer.token()
    inner = f"GET {FILES}/smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    refused = f"POST {FILES}/first HTTP/1.1\r\nHost: a\r\nContent-Length: {len(inner)}\r\n\r\n{inner}"
    good = f"GET {FILES}/second HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    with front.nginx.connected() as connection:
        connection.sendall((refused + good).encode())
        seen = b""
        while piece := connection.recv(65536):
            seen += piece
    assert re.findall(rb"HTTP/1.1 \d+", seen) == [b"HTTP/1.1 401", b"HTTP/1.1 200"]
    assert (front.upstream.arrived("/smuggled"), len(front.upstream.arrived("/second"))) == ([], 1)


def test_the_health_of_both_is_answered_without_a_token(front: Any) -> None:
    before = len(front.upstream.arrivals)
    assert [front.ask("GET", path).status for path in ("/-/health", "/-/ready")] == [200, 200]
    assert len(front.upstream.arrivals) == before


def test_without_keys_the_answer_is_503_and_when_to_come_back(
    front: Any, parts: Any, issuer_process: Any, tls: LoopbackTls, tmp_path: Any, eventually: Any
) -> None:
    token = issuer_process.token()
    issuer_process.control("fail", mode="status", status=503)
    try:
        with (
            parts.tokenward_with(tmp_path, **issuer_process.environment) as ward,
            parts.nginx_before(front.upstream.address, ward.ports, tls) as nginx,
        ):
            blind = parts.front(nginx, ward, issuer_process, front.upstream)
            reply = blind.ask("GET", f"{FILES}/no-keys", token=token)
            assert (reply.status, reply.refused, reply.values("www-authenticate")) == (503, "keys_unavailable", [])
            assert int(reply.values("retry-after")[0]) >= 1
            assert json.loads(reply.body)["error"] == "keys_unavailable"
            assert (blind.ask("GET", "/-/ready").status, blind.ask("GET", "/-/health").status) == (503, 200)
            assert front.upstream.arrived("/no-keys") == []
            issuer_process.control("recover")
            eventually(lambda: blind.ask("GET", f"{FILES}/no-keys", token=token).status == 200, "recovery")
    finally:
        issuer_process.control("recover")


# -- something else answers, or nobody -------------------------------------------------------------------------------------------


class _Says(QuietHandler):
    """A program that is not tokenward."""

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        status, headers = self.server.says  # type: ignore[attr-defined]
        self.server.asked += 1  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def saying(status: int, **headers: str) -> Iterator[Any]:
    server: Any = QuietServer(("127.0.0.1", free_port()), _Says)
    server.says, server.asked = (status, {name.replace("_", "-"): value for name, value in headers.items()}), 0
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "headers", "answered"),
    [
        pytest.param(200, {}, 502, id="yes without an Authorization"),
        pytest.param(204, {}, 502, id="nothing"),
        pytest.param(200, {"Authorization": "Basic dXNlcjpwYXNz"}, 502, id="another scheme"),
        pytest.param(200, {"Authorization": "Bearer"}, 502, id="a scheme alone"),
        pytest.param(200, {"Authorization": "Bearer a, Bearer b"}, 502, id="two tokens"),
        pytest.param(302, {"Location": "https://login.example/"}, 503, id="a redirect"),
        pytest.param(404, {"Cache_Control": "max-age=60"}, 503, id="no such page"),
        pytest.param(500, {"Cache_Control": "max-age=60"}, 503, id="an error"),
        pytest.param(401, {"Cache_Control": "max-age=60"}, 401, id="a rejection that says it may be kept"),
        pytest.param(403, {"Cache_Control": "max-age=60"}, 403, id="another one"),
        pytest.param(401, {"X_Accel_Redirect": "/-/health"}, 401, id="sends nginx elsewhere"),
        pytest.param(200, {"X_Accel_Redirect": "/-/health"}, 502, id="says yes and sends nginx elsewhere"),
    ],
)
def test_nothing_passes_if_another_program_gives_the_verdicts(
    front: Any, parts: Any, tls: LoopbackTls, status: int, headers: dict[str, str], answered: int
) -> None:
    before = len(front.upstream.arrivals)
    with saying(status, **headers) as server, _nginx(front, parts, tls, server.server_address[1]) as other:
        replies = [other.ask("GET", f"{FILES}/other", token=front.issuer.token()) for _ in range(2)]
        assert [(reply.status, bool(reply.refused)) for reply in replies] == [(answered, True)] * 2
        replies += [other.ask("GET", f"{FILES}/other", token="same") for _ in range(3)]
        assert server.asked >= 5 or status == 200, "a refusal was remembered"
    assert {reply.status for reply in replies} == {answered}
    assert len(front.upstream.arrivals) == before


def test_only_max_age_makes_a_verdict_last(front: Any, parts: Any, tls: LoopbackTls) -> None:
    """Expires and X-Accel-Expires do not, and a Cookie or no-store prevents it."""
    yes = {"Authorization": "Bearer exchanged"}
    for more in (
        {},
        {"Expires": "Thu, 01 Jan 2099 00:00:00 GMT"},
        {"X_Accel_Expires": "60"},
        {"Cache_Control": "no-store"},
        {"Cache_Control": "private, max-age=60"},
        {"Cache_Control": "max-age=0"},
    ):
        with saying(200, **yes, **more) as server, _nginx(front, parts, tls, server.server_address[1]) as other:
            assert [other.ask("GET", f"{FILES}/lasts", token="same").status for _ in range(3)] == [200] * 3
            assert server.asked == 3, more


def test_a_remembered_verdict_is_for_one_method_target_and_token_whatever_its_vary(
    front: Any, parts: Any, tls: LoopbackTls
) -> None:
    """tokenward's own says Vary: Authorization, which would keep callers apart even under a key without the token."""
    asked = [
        ("GET", "/key", "same"),
        ("GET", "/key", "samf"),
        ("GET", "/key", "sam"),
        ("PUT", "/key", "same"),
        ("GET", "/kez", "same"),
    ]
    yes = {"Authorization": "Bearer exchanged", "Cache_Control": "max-age=60"}
    with saying(200, **yes) as server, _nginx(front, parts, tls, server.server_address[1]) as other:
        for _ in range(2):
            for method, target, token in asked:
                assert other.ask(method, FILES + target, ("Content-Length", "0"), token=token).status == 200
        assert server.asked == len(asked)


def test_without_tokenward_nobody_passes(front: Any, parts: Any, tls: LoopbackTls) -> None:
    before = len(front.upstream.arrivals)
    with _nginx(front, parts, tls, free_port()) as alone:
        reply = alone.ask("GET", f"{FILES}/alone", token=front.issuer.token())
        assert (reply.status, reply.refused, reply.values("retry-after")) == (503, "verdict_unavailable", ["1"])
        assert json.loads(reply.body)["error"] == "verdict_unavailable"
        assert (alone.ask("GET", "/-/ready").status, alone.ask("GET", "/-/health").status) == (503, 200)
    assert len(front.upstream.arrivals) == before


@contextmanager
def _nginx(front: Any, parts: Any, tls: LoopbackTls, tokenward: int) -> Iterator[Any]:
    with parts.nginx_before(front.upstream.address, [tokenward, tokenward], tls) as nginx:
        yield parts.front(nginx, front.tokenward, front.issuer, front.upstream)


# -- the upstream ----------------------------------------------------------------------------------------------------------------


def test_an_upstream_that_is_gone_is_a_marked_502(front: Any, parts: Any, tls: LoopbackTls) -> None:
    with parts.nginx_before(f"127.0.0.1:{free_port()}", front.tokenward.ports, tls) as nginx:
        reply = parts.front(nginx, front.tokenward, front.issuer, front.upstream).ask(
            "GET", f"{FILES}/x", token=front.issuer.token()
        )
    assert (reply.status, reply.refused) == (502, "upstream_unavailable")
    assert reply.values("www-authenticate") == []


def test_an_upstream_that_cannot_prove_its_name_gets_nothing(front: Any, parts: Any, tls: LoopbackTls) -> None:
    """Neither one that an unknown authority signed for, nor one of another name."""
    other = LoopbackTls()
    before = len(front.upstream.arrivals)
    try:
        for wrong in ({"trusted": other.ca_file}, {"WORKSPACE_HOST": "adb-1.2.azuredatabricks.net"}):
            with parts.nginx_before(front.upstream.address, front.tokenward.ports, tls, **wrong) as nginx:
                nginx.context.load_verify_locations(tls.ca_file)
                asked = parts.front(nginx, front.tokenward, front.issuer, front.upstream)
                reply = asked.ask("GET", f"{FILES}/name", token=front.issuer.token())
                assert (reply.status, reply.refused) == (502, "upstream_unavailable")
                assert "certificate" in nginx.log("error")
    finally:
        other.close()
    assert len(front.upstream.arrivals) == before


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_have_had_an_effect_is_not_sent_twice(front: Any, method: str) -> None:
    """The workspace took the request, and then the connection ended. PUT and DELETE are idempotent: RFC 9110 section 9.2.2."""
    token = front.issuer.token()
    assert front.ask("GET", f"{FILES}/warm", token=token).status == 200  # so that there are kept connections
    front.upstream.reply = (0, {})
    reply = front.ask(method, f"{FILES}/once-{method}", ("Content-Length", "2"), token=token, body=b"ab")
    assert (reply.status, reply.refused, len(front.upstream.arrived(f"/once-{method}"))) == (502, "upstream_unavailable", 1)


def test_the_upstream_is_told_its_name_in_the_handshake(front: Any, parts: Any, tls: LoopbackTls) -> None:
    names: list[str | None] = []
    listener = socket.create_server(("127.0.0.1", free_port()))

    def shake_hands() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.ca_file.replace("ca.pem", "server.pem"))
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        with listener.accept()[0] as connection, context.wrap_socket(connection, server_side=True) as shaken:
            shaken.recv(65536)
            shaken.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    thread = threading.Thread(target=shake_hands, daemon=True)
    thread.start()
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with listener, parts.nginx_before(address, front.tokenward.ports, tls) as nginx:
        reply = parts.front(nginx, front.tokenward, front.issuer, front.upstream).ask(
            "GET", f"{FILES}/sni", token=front.issuer.token()
        )
        thread.join(30)
    assert (reply.status, names) == (204, ["localhost"])
