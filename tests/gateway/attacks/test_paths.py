"""What is called is what was judged: no spelling of a path leads elsewhere, and what arrives is the one form."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.servers

OUT = "/login.html"
MALFORMED = {
    "dot segments": "/api/2.0/../../login.html",
    "a dot segment": "/api/./2.0/jobs/list",
    "escaped dots": "/api/2.0/%2e%2e/%2e%2e/login.html",
    "half escaped dots": "/api/2.0/.%2E/login.html",
    "dots at the end": "/api/2.0/..",
    "an escaped slash": "/api/2.0/x%2f..%2flogin.html",
    "an escaped slash in capitals": "/api%2F2.0/jobs/list",
    "an escaped backslash": "/api/2.0/..%5clogin.html",
    "a backslash": "/api/2.0/..\\..\\login.html",
    "escaped twice, a dot": "/api/2.0/%252e%252e/login.html",
    "escaped twice, a slash": "/api/2.0/x%252flogin.html",
    "escaped twice, a backslash": "/api/2.0/x%255clogin.html",
    "escaped twice, a NUL": "/api/2.0/x%2500",
    "escaped three times": "/api/2.0/%25252e%25252e/login.html",
    "in long form": "/api/2.0/%c0%ae%c0%ae/login.html",
    "by its number": "/api/2.0/%u002e%u002e/login.html",
    "two slashes": "//login.html",
    "two slashes, then a host": "//elsewhere.example/api/2.0/jobs/list",
    "two slashes within": "/api//2.0/jobs/list",
    "three slashes": "///api/2.0/jobs/list",
    "a parameter": "/api/2.0/jobs/list;/../../../login.html",
    "a parameter of a dot segment": "/api/2.0/..;/login.html",
    "an escaped parameter of a dot segment": "/api/2.0/..%3b/login.html",
    "an escaped NUL": "/api/2.0/jobs/list%00.html",
    "an escaped line end": "/api/2.0/jobs%0d%0aX-Evil:%20y",
    "an escaped tab": "/api/2.0/jobs%09",
    "an escaped delete": "/api/2.0/jobs%7f",
    "a cut escape": "/api/2.0/jobs/list%2",
    "an escape of no number": "/api/2.0/jobs/%zz",
    "raw UTF-8": "/api/2.0/jobs/\u00e9",
    "raw NUL": "/api/2.0/jobs\x00",
    "a raw tab": "/api/2.0/jobs\tlist",
    "no slash": "api/2.0/jobs/list",
    "a name and a port": "elsewhere.example:443",
    "a star": "*",
    "an at sign": "@elsewhere.example/api/2.0/jobs/list",
    "a port": ":80/api/2.0/jobs/list",
    "a space": "/api/2.0/jobs /list",
}


@pytest.mark.parametrize("how", MALFORMED)
def test_a_path_with_two_readings_reaches_nobody(gate: Any, upstream: Any, how: str) -> None:
    answer = gate.ask(first=b"GET %b HTTP/1.1" % MALFORMED[how].encode("utf-8"))
    assert answer.status in (400, 403, 404)
    assert answer.refused in ("path_malformed", "path_not_allowed", None)
    assert upstream.raw == b""


ADDRESSES = {
    "a fragment": "/api/2.0/jobs/list#/../../login.html",
    "an address": "http://elsewhere.example/api/2.0/jobs/list",
    "an address with https": "https://elsewhere.example/api/2.0/jobs/list",
    "an address with a user": "http://user@elsewhere.example/api/2.0/jobs/list",
    "an address in capitals": "HTTP://gateway.example/api/2.0/jobs/list",
}


@pytest.mark.parametrize("how", ADDRESSES)
def test_of_an_address_nothing_but_a_path_is_believed(gate: Any, upstream: Any, how: str) -> None:
    """uvicorn with httptools takes the path out of an address before the gateway sees it (RFC 9112 section 3.2.2 wants that);
    the others hand it over, and it is refused."""
    answer = gate.ask(first=b"GET %b HTTP/1.1" % ADDRESSES[how].encode())
    if gate.server == "httptools":
        assert (answer.status, upstream.targets) == (200, [b"/api/2.0/jobs/list"])
    else:
        assert (answer.status, upstream.raw) == (400, b"")
    assert b"elsewhere" not in upstream.raw


@pytest.mark.parametrize(
    "target", ["http://elsewhere.example/login.html", "http://elsewhere.example//login.html", "http://x/api/../login.html"]
)
def test_the_path_of_an_address_is_judged_as_any_other(gate: Any, upstream: Any, target: str) -> None:
    assert gate.ask(first=f"GET {target} HTTP/1.1".encode()).status in (400, 403)
    assert upstream.raw == b""


@pytest.mark.parametrize("method", ["CONNECT", "OPTIONS", "TRACE", "PROPFIND", "GETS"])
@pytest.mark.parametrize("target", ["elsewhere.example:443", "/api/2.0/jobs/list", "*"], ids=["an authority", "a path", "a star"])
def test_methods_that_are_no_calls_reach_nobody(gate: Any, upstream: Any, method: str, target: str) -> None:
    answer = gate.ask(first=f"{method} {target} HTTP/1.1".encode())
    assert answer.status >= 400
    assert upstream.raw == b""


@pytest.mark.parametrize(
    "path",
    [
        "/Login.html",
        "/LOGIN.HTML",
        "/oidc/v1/token",
        "/ajax-api/2.0/jobs/list",
        "/driver-proxy/o/1/c/8080/x",
        "/API/2.0/jobs/list",
    ],
)
def test_what_no_rule_names_reaches_nobody_in_any_case(gate: Any, upstream: Any, path: str) -> None:
    assert gate.ask(first=f"GET {path} HTTP/1.1".encode()).refused == "path_not_allowed"
    assert upstream.raw == b""


LASTING = [
    "/api/2.0/token/create",
    "/api/2.0/TOKEN/create",
    "/api/2.0/%74oken/create",
    "/api/2.0/tok%65n/create",
    "/api/2.1/accounts/x",
]


@pytest.mark.parametrize("path", LASTING)
def test_what_a_preset_leaves_out_is_left_out_in_every_spelling(gate: Any, upstream: Any, path: str) -> None:
    assert gate.ask(b"Content-Length: 2", first=f"POST {path} HTTP/1.1".encode(), body=b"{}").refused == "path_not_allowed"
    assert upstream.raw == b""


SAME = {
    "unreserved escapes": ("/api/2.0/%6aobs/%6C%69st", "/api/2.0/jobs/list"),
    "small escapes": ("/api/2.0/fs/files/a%c3%a9%20b", "/api/2.0/fs/files/a%C3%A9%20b"),
    "an escaped percent": ("/api/2.0/fs/files/100%25", "/api/2.0/fs/files/100%25"),
    "dots in a name": ("/api/2.0/fs/files/..a/...", "/api/2.0/fs/files/..a/..."),
    "a slash at the end": ("/api/2.0/jobs/", "/api/2.0/jobs/"),
    "a query with everything": ("/api/2.0/x?a=%2f..%2f&b=//c;d&e=%00&f=?", "/api/2.0/x?a=%2f..%2f&b=//c;d&e=%00&f=?"),
}


@pytest.mark.parametrize("how", SAME)
def test_a_path_arrives_in_the_one_form_in_which_it_was_judged(gate: Any, upstream: Any, how: str) -> None:
    sent, arrives = SAME[how]
    assert gate.ask(first=f"GET {sent} HTTP/1.1".encode()).status == 200
    assert upstream.raw.startswith(f"GET {arrives} HTTP/1.1\r\n".encode())
