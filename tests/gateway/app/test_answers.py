"""The upstream's answers come back as they are, but for what belongs to a connection or to the upstream's own address."""

from __future__ import annotations

from typing import Any

import pytest

PATH = "/api/2.0/anything"


def test_a_rate_limit_comes_back_with_its_wish_and_its_request_id(serve: Any, upstream: Any, http: Any) -> None:
    body = b'{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"slow down"}'
    fields = (("Retry-After", "7"), ("x-request-id", "0d1f"), ("x-databricks-org-id", "42"), ("Content-Type", "application/json"))
    upstream.script = http.answering(429, *fields, body=body)
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.refused, answer.body) == (429, None, body)
    assert [answer.value(name.lower()) for name, _ in fields] == [value for _, value in fields]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500, 502, 503, 504])
def test_an_error_of_the_upstream_is_not_marked_as_the_gateways(serve: Any, upstream: Any, http: Any, status: int) -> None:
    upstream.script = http.answering(status, ("Tokenward-Refused", "path_not_allowed"), ("TOKENWARD-refused", "x"), body=b"no")
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.body, answer.values("tokenward-refused")) == (status, b"no", [])


def test_fields_that_come_twice_stay_two_but_cookies_do_not_come_back(serve: Any, upstream: Any, http: Any) -> None:
    fields = [
        ("Set-Cookie", "a=1"),
        ("WWW-Authenticate", 'Bearer realm="a"'),
        ("Set-Cookie", "b=2"),
        ("WWW-Authenticate", "Basic"),
    ]
    upstream.script = http.answering(401, *fields)
    answer = serve().ask("GET", PATH)
    assert answer.values("www-authenticate") == ['Bearer realm="a"', "Basic"]
    assert answer.values("set-cookie") == []


def test_fields_of_the_connection_do_not_come_back(serve: Any, upstream: Any, http: Any) -> None:
    fields = (("Connection", "close, X-Private"), ("X-Private", "1"), ("Keep-Alive", "timeout=5"), ("X-Public", "2"))
    upstream.script = http.answering(200, *fields, ("Proxy-Authenticate", "Basic"))
    answer = serve().ask("GET", PATH)
    assert answer.value("x-public") == "2"
    assert [answer.values(name) for name in ("x-private", "keep-alive", "proxy-authenticate", "connection")] == [[], [], [], []]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/elsewhere", "https://elsewhere.example/x", "//elsewhere.example/"])
def test_a_redirect_comes_back_and_is_not_followed(serve: Any, upstream: Any, http: Any, status: int, location: str) -> None:
    upstream.script = http.answering(status, ("Location", location))
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.value("location"), answer.refused) == (status, location, None)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "location",
    [
        "/login.html?error=private-link-validation-error:42",
        "https://adb-1.2.azuredatabricks.net/login.html?error=private-link-validation-error:42",
    ],
)
def test_the_redirect_of_a_workspace_that_wants_its_private_link_is_a_refusal(
    serve: Any, upstream: Any, http: Any, events: Any, location: str
) -> None:
    upstream.script = http.answering(302, ("Location", location), ("Content-Type", "text/html"))
    answer = serve().ask("GET", PATH)
    assert (answer.status, answer.refused, answer.values("location")) == (502, "private_link_required", [])
    assert events.codes == ["private_link_required"]


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_that_has_no_body_ends_with_its_head(serve: Any, upstream: Any, http: Any, status: int) -> None:
    upstream.script = http.answering(status, ("ETag", '"1"'))
    gateway = serve()
    client = gateway.begin("GET", PATH, ("If-None-Match", '"1"'))
    answer = http.Message.read(client)
    assert (answer.status, answer.value("etag"), answer.values("transfer-encoding")) == (status, '"1"', [])
    assert upstream.only.value("if-none-match") == '"1"'
    upstream.script = http.answering(body=b"next")
    client.send(gateway.head("GET", PATH))
    assert http.Message.read(client).read_body(client).body == b"next"


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
def test_an_answer_to_head_has_the_length_and_no_body(serve: Any, upstream: Any, http: Any) -> None:
    upstream.script = http.answering(body=b"x" * 1234)
    gateway = serve(allow=[http.rule()])
    client = gateway.begin("HEAD", PATH)
    answer = http.Message.read(client)
    assert (answer.status, answer.value("content-length"), upstream.only.method) == (200, "1234", "HEAD")
    client.send(gateway.head("GET", PATH))
    assert http.Message.read(client).read_body(client).body == b"x" * 1234
    assert len(upstream.connections) == 1


def test_a_range_comes_back_as_a_part(serve: Any, upstream: Any, http: Any) -> None:
    upstream.script = http.answering(206, ("Content-Range", "bytes 0-3/10"), ("Accept-Ranges", "bytes"), body=b"0123")
    answer = serve().ask("GET", "/api/2.0/fs/files/Volumes/a", ("Range", "bytes=0-3"))
    assert (answer.status, answer.value("content-range"), answer.body) == (206, "bytes 0-3/10", b"0123")
    assert upstream.only.value("range") == "bytes=0-3"


def test_query_and_escapes_go_on_as_they_were_checked(serve: Any, upstream: Any, http: Any) -> None:
    serve().ask("GET", "/api/2.0/fs/files/Volumes/a/na%c3%afve%20%41+b?x=%2f..%2F&y=a+b&z")
    assert upstream.only.target == "/api/2.0/fs/files/Volumes/a/na%C3%AFve%20A+b?x=%2f..%2F&y=a+b&z"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/api/2.0/../2.0/anything", 400, "path_malformed", id="a path that goes up"),
        pytest.param("GET", "/api//2.0/anything", 400, "path_malformed", id="an empty segment"),
        pytest.param("GET", "/nowhere", 403, "path_not_allowed", id="a path that no rule names"),
        pytest.param("PATCH", "/api/2.0/anything", 405, "method_not_allowed", id="a method that no rule names"),
    ],
)
def test_a_refusal_of_the_gateway_is_marked_and_never_reaches_the_upstream(
    serve: Any, upstream: Any, http: Any, events: Any, method: str, path: str, status: int, code: str
) -> None:
    gateway = serve(allow=[http.rule(methods=frozenset({"GET", "POST"}))])
    answer = gateway.ask(method, path)
    assert (answer.status, answer.refused, answer.json["error"]) == (status, code, code)
    assert answer.values("allow") == (["GET, POST"] if status == 405 else [])
    assert answer.value("cache-control") == "no-store"
    assert events.codes == [code]
    assert upstream.requests == []


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
def test_a_client_may_go_on_after_a_refusal_that_its_upload_met(serve: Any, upstream: Any, http: Any) -> None:
    gateway = serve()
    client = gateway.begin("PUT", "/nowhere", ("Content-Length", "5"), body=b"hello")
    assert http.Message.read(client).read_body(client).status == 403
    client.send(gateway.head("GET", PATH))
    assert http.Message.read(client).read_body(client).status == 200
    assert [request.method for request in upstream.requests] == ["GET"]


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
def test_a_client_may_ask_again_before_it_is_answered(serve: Any, upstream: Any, http: Any) -> None:
    def script(wire: Any, request: Any) -> None:
        http.answering(body=request.target.encode())(wire, request)

    upstream.script = script
    gateway = serve()
    paths = [f"{PATH}/{number}" for number in range(4)]
    client = gateway.connect()
    client.send(b"".join(gateway.head("GET", path) for path in paths))
    assert [http.Message.read(client).read_body(client).body.decode() for _ in paths] == paths


def test_fields_of_a_request_that_come_twice_stay_two(serve: Any, upstream: Any) -> None:
    assert serve().ask("GET", PATH, ("X-Tag", "a"), ("X-Other", "b"), ("X-Tag", "c")).status == 200
    assert upstream.only.values("x-tag") == ["a", "c"]


def test_a_field_in_utf_8_goes_through_byte_for_byte_either_way(serve: Any, upstream: Any, http: Any) -> None:
    name = "Grüße".encode().decode("latin-1")  # as the bytes of UTF-8 are shown here
    upstream.script = http.answering(200, ("X-Name", name))
    answer = serve().ask("GET", PATH, ("X-Name", name))
    assert (upstream.only.value("x-name"), answer.value("x-name")) == (name, name)


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
@pytest.mark.parametrize("length", ["0", "1234"])
def test_the_length_that_a_304_tells_of_is_not_waited_for(serve: Any, upstream: Any, http: Any, length: str) -> None:
    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(304, ("ETag", '"1"'), ("Content-Length", length)))

    upstream.script = script
    gateway = serve()
    client = gateway.connect()
    for _ in range(2):
        client.send(gateway.head("GET", PATH))
        assert http.Message.read(client).status == 304
    assert len(upstream.connections) == 1


def test_date_and_server_are_the_upstreams_where_the_server_adds_none(serve: Any, upstream: Any, http: Any) -> None:
    upstream.script = http.answering(200, ("Date", "Mon, 01 Jan 2024 00:00:00 GMT"), ("Server", "databricks"))
    answer = serve(config={"date_header": False, "server_header": False}).ask("GET", PATH)
    assert (answer.value("date"), answer.value("server")) == ("Mon, 01 Jan 2024 00:00:00 GMT", "databricks")
