"""Header fields: what a client sends never decides who it is, and what identifies somebody never passes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tokenward.databricks.admission.field_names import NOT_RETURNED, OF_REQUEST, Fate

pytestmark = pytest.mark.servers

FILES = "/api/2.0/fs/files/Volumes/main/default/v"
IDENTITY = [
    *("X-Databricks-Azure-SP-Management-Token", "X-Databricks-Azure-Workspace-Resource-Id", "X-Databricks-GCP-SA-Access-Token"),
    *("X-Databricks-Workspace-Id", "X-Databricks-Org-Id", "X-Forwarded-Access-Token", "X-Forwarded-User", "X-Forwarded-Email"),
    *("X-Forwarded-Preferred-Username", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Anything"),
    *("Forwarded", "X-Real-Ip", "Cookie", "Proxy-Authorization", "Proxy-Connection", "X-MS-TOKEN-AAD-ID-TOKEN", "Via"),
    *("X-MS-TOKEN-AAD-ACCESS-TOKEN", "X-MS-TOKEN-AAD-ANYTHING", "X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-NAME"),
    *(
        "X-Tokenward-Subject",
        "X-Tokenward-Anything",
        "Tokenward-Refused",
        "X-Original-URI",
        "X-Original-Method",
        "X-Original-Host",
    ),
    *("X-Rewrite-Url", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Keep-Alive", "TE", "Trailer"),
]


def sent(*lines: str, token: str | None = None, method: str = "GET", target: str = f"{FILES}/raw", body: str = "") -> bytes:
    """A request in bytes, with these lines as its header."""
    own = [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: gateway.example", *own, *lines, "", body]).encode("latin-1")


def nothing_passed(front: Any, request: bytes) -> Any:
    """The answer to a request that reaches neither tokenward nor the workspace."""
    before = len(front.upstream.arrivals), len(front.tokenward.verdicts())
    reply = front.send(request)
    assert (len(front.upstream.arrivals), len(front.tokenward.verdicts())) == before
    return reply


@pytest.mark.parametrize("spelling", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize(
    "second", ["{good}", "Bearer garbage", "Basic dXNlcjpwYXNz", ""], ids=["good", "garbage", "basic", "empty"]
)
def test_a_second_authorization_header_is_refused(front: Any, spelling: str, second: str) -> None:
    token = front.issuer.token()
    reply = nothing_passed(front, sent(f"{spelling}: {second.format(good=f'Bearer {token}')}", token=token))
    assert (reply.status, reply.refused) == (400, "request_malformed")


def test_credentials_joined_in_one_header_are_refused(front: Any) -> None:
    token = front.issuer.token()
    reply = front.send(sent(token=f"{token}, Bearer {token}", target=f"{FILES}/joined"))
    assert (reply.status, reply.refused, front.upstream.arrived("/joined")) == (403, "invalid_request", [])
    assert reply.values("www-authenticate")[0].startswith('Bearer error="invalid_request"')


@pytest.mark.parametrize(
    "named",
    ["authorization", "Authorization, close", "keep-alive, AUTHORIZATION, x-a", "host", "content-type, authorization"],
)
def test_no_connection_header_takes_the_authorization_away(front: Any, named: str) -> None:
    token, target = front.issuer.token(), f"{FILES}/named-{len(named)}"
    reply = front.ask("GET", target, ("Connection", named), token=token)
    [arrival] = front.upstream.arrived(target)
    assert (reply.status, arrival.values("authorization")) == (200, [f"Bearer {token}"])
    assert (arrival.values("host"), arrival.values("connection")) == (["localhost"], [])


@pytest.mark.parametrize("name", IDENTITY)
def test_a_field_that_says_who_somebody_is_never_passes(front: Any, name: str) -> None:
    token, target = front.issuer.token(), f"{FILES}/{name}."
    reply = front.ask(
        "GET", target, *((spelling, "mallory") for spelling in (name, name.lower(), name.replace("-", "_"))), token=token
    )
    [arrival] = front.upstream.arrived(target)
    assert reply.status == 200
    assert "mallory" not in str(arrival.headers)
    [verdict] = front.verdicts_about(target)
    assert "mallory" not in str(verdict["asked"])


def test_tokenward_is_told_nothing_but_the_credentials_the_method_and_the_target(front: Any) -> None:
    token, target = front.issuer.token(), f"{FILES}/told?q=%2F"
    lies = [
        ("X-Original-URI", f"{FILES}/public"),
        ("X-Original-Method", "HEAD"),
        ("X-Original-Uri", "/"),
        ("X-Forwarded-Uri", "/"),
    ]
    reply = front.ask("POST", target, *lies, ("Content-Type", "text/plain"), ("Content-Length", "2"), token=token, body=b"ab")
    [verdict] = front.verdicts_about("/told")
    fields = [(name, value) for name, value in verdict["asked"] if name != "host"]
    assert sorted(fields) == [("authorization", f"Bearer {token}"), ("x-original-method", "POST"), ("x-original-uri", target)]
    assert (reply.status, front.upstream.arrived("/told")[0].length) == (200, 2)


def test_what_apis_need_passes(front: Any) -> None:
    kept = {
        "accept": "text/event-stream",
        "accept-encoding": "gzip",
        "content-type": "application/json",
        "range": "bytes=0-1",
        "if-unmodified-since": "Sat, 01 Jan 2028 00:00:00 GMT",
        "user-agent": "databricks-sdk-py/1",
        "x-request-id": "abc",
        "mcp-session-id": "session",
        "last-event-id": "7",
    }
    assert front.ask("GET", f"{FILES}/kept", *kept.items(), token=front.issuer.token()).status == 200
    [arrival] = front.upstream.arrived("/kept")
    assert {name: arrival.values(name) for name in kept} == {name: [value] for name, value in kept.items()}


def test_the_upstreams_host_is_the_configured_one(front: Any) -> None:
    """Whatever the client says: in Host, in the request line, in fields for proxies."""
    token = front.issuer.token()
    for number, start in enumerate(
        [
            "GET {target} HTTP/1.1\r\nHost: evil.example",
            "GET {target} HTTP/1.1\r\nHost: evil.example:443",
            "GET https://evil.example{target} HTTP/1.1\r\nHost: gateway.example",
            "GET http://localhost@evil.example{target} HTTP/1.1\r\nHost: gateway.example",
            "GET {target} HTTP/1.1\r\nHost: gateway.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http",
        ]
    ):
        target = f"{FILES}/host-{number}"
        request = start.format(target=target) + f"\r\nAuthorization: Bearer {token}\r\n\r\n"
        reply = front.send(request.encode())
        hosts = [arrival.values("host") for arrival in front.upstream.arrived(target)]
        assert (reply.status, hosts) in ((200, [["localhost"]]), (400, []))
        assert "evil" not in str([arrival.headers for arrival in front.upstream.arrived(target)])


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Host: other.example"], id="two hosts"),
        pytest.param(["Content-Length: 4", "Transfer-Encoding: chunked"], id="length and coding"),
        pytest.param(["Transfer-Encoding: chunked", "Content-Length: 4"], id="coding and length"),
        pytest.param(["Content-Length: 4", "Content-Length: 5"], id="two lengths"),
        pytest.param(["Content-Length: +4"], id="a length with a sign"),
        pytest.param(["Content-Length: 4, 4"], id="a list of lengths"),
        pytest.param(["Content-Length: -1"], id="less than nothing"),
        pytest.param(["Content-Length: 99999999999999999999"], id="a length out of bounds"),
        pytest.param(["Transfer-Encoding: xchunked"], id="another coding"),
        pytest.param(["Transfer-Encoding: gzip, chunked"], id="two codings"),
        pytest.param(["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], id="coding twice"),
        pytest.param(["X-A: b\0c"], id="NUL in a value"),
    ],
)
def test_a_request_whose_end_is_not_clear_is_refused(front: Any, lines: list[str]) -> None:
    reply = nothing_passed(front, sent(*lines, token=front.issuer.token(), method="POST", body="0\r\n\r\n"))
    assert reply.status in (400, 501)
    assert reply.refused


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(["Transfer-Encoding : chunked"], id="a space before the colon"),
        pytest.param(["Transfer_Encoding: chunked"], id="an underscore"),
        pytest.param(["X-A: b", " Transfer-Encoding: chunked"], id="a folded line"),
        pytest.param(["\x0bTransfer-Encoding: chunked"], id="a control character before the name"),
    ],
)
def test_no_odd_spelling_hides_a_second_request_in_a_first(front: Any, lines: list[str]) -> None:
    """Whatever nginx makes of it, one request is one request: the one inside is never seen by anybody."""
    inner = f"GET {FILES}/inner HTTP/1.1\r\nHost: a\r\n\r\n"
    request = sent(*lines, f"Content-Length: {len(inner)}", token=front.issuer.token(), method="POST", body=inner)
    assert front.send(request, "POST").status in (200, 400, 501)
    assert front.upstream.arrived("/inner") == []
    assert front.verdicts_about("/inner") == []


def test_a_trailer_is_no_header(front: Any) -> None:
    body = "2\r\nab\r\n0\r\nX-Forwarded-User: mallory\r\nAuthorization: Bearer mallory\r\n\r\n"
    request = sent("Transfer-Encoding: chunked", token=front.issuer.token(), method="POST", target=f"{FILES}/trailer", body=body)
    assert front.send(request, "POST").status == 200
    [arrival] = front.upstream.arrived("/trailer")
    assert (arrival.length, "mallory" in str(arrival.headers)) == (2, False)


@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket", "h2c, websocket", "x"])
def test_an_upgrade_is_refused_before_anybody_is_asked(front: Any, upgrade: str) -> None:
    key = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    reply = nothing_passed(front, sent(f"Upgrade: {upgrade}", "Connection: Upgrade", *key, token=front.issuer.token()))
    assert (reply.status, reply.refused) == (501, "upgrade_not_allowed")


@pytest.mark.parametrize("offer", ["h2c", "TLS/1.3"])
def test_an_offer_that_may_be_passed_over_goes_no_further(front: Any, offer: str) -> None:
    """curl and Java's client make the first one on every plain connection."""
    target = f"{FILES}/offer-{offer[:3]}"
    more = [("Connection", "Upgrade, HTTP2-Settings"), ("HTTP2-Settings", "AAMAAABkAAQAAP__")]
    reply = front.ask("GET", target, ("Upgrade", offer), *more, token=front.issuer.token())
    [arrival] = front.upstream.arrived(target)
    assert (reply.status, arrival.values("upgrade"), arrival.values("http2-settings")) == (200, [], [])


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "TRACK"])
def test_methods_of_proxies_do_not_pass(front: Any, method: str) -> None:
    request = sent(
        token=front.issuer.token(), method=method, target="localhost:443" if method == "CONNECT" else f"{FILES}/{method}"
    )
    reply = front.send(request)
    assert (reply.status in (400, 403, 405), bool(reply.refused)) == (True, True)
    assert front.upstream.arrived(method) == []


def test_too_many_or_too_long_fields_are_refused(front: Any) -> None:
    for lines in ([f"X-A: {'a' * 40_000}"], [f"X-{number}: {'a' * 30_000}" for number in range(6)]):
        reply = nothing_passed(front, sent(*lines, token=front.issuer.token()))
        assert (reply.status, reply.refused) == (431, "fields_too_large")


@pytest.mark.parametrize("name", sorted(NOT_RETURNED | {b"proxy-connection", b"upgrade", b"trailer", b"x-tokenward-subject"}))
def test_what_the_workspace_may_not_say_is_taken_out(front: Any, name: bytes) -> None:
    """What the gateway takes out, nginx does, too."""
    front.upstream.reply = (200, {name.decode(): "said"})
    reply = front.ask("GET", f"{FILES}/said", token=front.issuer.token())
    assert (reply.status, reply.values(name.decode())) == (200, [])


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 413, 429, 500, 501, 502, 503, 504])
def test_the_workspaces_own_answer_passes_as_it_is(front: Any, status: int) -> None:
    said = {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"', "Retry-After": "7", "x-request-id": "abc"}
    said |= {"Location": "https://login.example/?x=1", "x-databricks-reason-phrase": "no"}
    front.upstream.reply = (status, said)
    target = f"{FILES}/own-{status}"
    reply = front.ask("GET", target, token=front.issuer.token())
    assert (reply.status, reply.refused, reply.body, len(front.upstream.arrived(target))) == (status, None, b"00", 1)
    assert {name: reply.values(name.lower()) for name in said} == {name: [value] for name, value in said.items()}


@pytest.mark.parametrize("place", ["/-/verdict", "/-/ready", "/-/malformed", "/api/2.0/elsewhere", "@no_verdict"])
def test_the_workspace_cannot_send_nginx_anywhere(front: Any, place: str) -> None:
    """By X-Accel-Redirect nginx would give the client what is there: at /-/verdict, a token."""
    front.upstream.reply = (200, {"X-Accel-Redirect": place, "X-Accel-Expires": "60"})
    reply = front.ask("GET", f"{FILES}/accel", token=front.issuer.token())
    assert (reply.status, reply.body, reply.values("authorization")) == (200, b"00", [])


def test_the_list_of_fields_holds_none_that_says_who_somebody_is() -> None:
    """So that somebody who adds one is stopped: nginx passes nothing on that the gateway would remove."""
    text = (Path(__file__).parents[3] / "deploy" / "nginx.conf").read_text()
    main = text.partition("proxy_pass_request_headers off;")[2].partition("location / {")[0]
    passed = {name.lower() for name in re.findall(r"^\s*proxy_set_header (\S+)", main, re.MULTILINE)}
    assert {"authorization", "accept", "content-type", "range"} <= passed
    assert {name for name in passed if OF_REQUEST[name.encode()] is not Fate.KEPT} == {"authorization", "connection", "host"}
