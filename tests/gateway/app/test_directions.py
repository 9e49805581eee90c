"""Both directions of a request have limits of their own, and what goes on is what was said: no more, no less, not twice."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover
from tokenward.testing.workspace import Fault

pytestmark = pytest.mark.servers

PATH = "/api/2.0/anything"
MCP = "/api/2.0/mcp/functions/main/tools"
STREAM = (("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))


def _early_stream(http: Any, go: threading.Event) -> Any:
    """An upstream that answers with events while the request's body still comes."""

    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, *STREAM) + http.chunk(b": 0\n\n"))
        request.read_body(wire)
        go.wait(20)
        wire.send(http.chunk(b": 1\n\n") + b"0\r\n\r\n")

    return script


def test_a_stream_that_began_before_the_upload_ended_is_not_judged_by_it(serve: Any, upstream: Any, http: Any) -> None:
    go = threading.Event()
    upstream.script = _early_stream(http, go)
    gateway = serve(allow=[http.rule(first_byte=0.5, idle=0.5)])
    client = gateway.begin("POST", PATH, ("Content-Length", "4"), body=b"ab")
    parts = http.Message.read(client).parts(client)
    assert next(parts) == b": 0\n\n"
    client.send(b"cd")
    assert not go.wait(1.5)  # three times as long as an answer may take to begin, or to go on
    go.set()
    assert list(parts) == [b": 1\n\n"]


def test_an_upload_that_stalls_ends_though_its_answer_is_a_stream(
    serve: Any, upstream: Any, http: Any, eventually: Any, events: Any
) -> None:
    go = threading.Event()
    upstream.script = _early_stream(http, go)
    gateway = serve(allow=[http.rule()], client_idle=0.5)
    client = gateway.begin("POST", PATH, ("Content-Length", "4"), body=b"ab")
    answer = http.Message.read(client).read_body(client)
    go.set()
    assert (answer.status, answer.complete) == (200, False)
    eventually(lambda: gateway.gateway.in_flight == 0, "end of the request")
    assert events.codes == ["client_timeout"]
    gateway.said.forgive("ASGI callable returned without completing response.")


@pytest.mark.parametrize("body", [b"abc", b"abcdefgh"], ids=["shorter", "longer"])
def test_a_body_that_is_not_as_long_as_was_said_never_mixes_with_the_next_request(
    serve: Any, upstream: Any, http: Any, body: bytes
) -> None:
    """As middleware around the gateway makes it that unpacks bodies, and leaves their length."""

    def around(app: Any) -> Any:
        async def changed(scope: Any, receive: Any, send: Any) -> None:
            async def other() -> Any:
                message = await receive()
                return {**message, "body": body} if message["type"] == "http.request" else message

            await app(scope, other if scope["type"] == "http" and scope["method"] == "PUT" else receive, send)

        return changed

    def script(wire: Any, request: Any) -> None:  # it does not wait for the body, as upstreams may that refuse
        wire.send(http.head(200, ("Content-Length", "2")) + b"ok")

    upstream.script = script
    gateway = serve(app=around, allow=[http.rule()])
    gateway.ask("PUT", PATH, ("Content-Length", "5"), body=b"hello")
    upstream.script = http.answering()
    assert gateway.ask("GET", PATH).status == 200
    first, second = (wire.seen.count(b"HTTP/1.1\r\n") for wire in upstream.connections)
    assert (first <= 1, second) == (True, 1)


def test_a_gateway_that_stops_ends_streams_that_would_not_end(
    serve: Any, upstream: Any, http: Any, eventually: Any, events: Any
) -> None:
    upstream.script = _early_stream(http, threading.Event())
    gateway = serve()
    client = gateway.begin("GET", PATH)
    answer = http.Message.read(client)
    assert next(answer.parts(client)) == b": 0\n\n"
    gateway.gateway.drain()
    assert gateway.run(gateway.gateway.drained(0.1)) is False
    assert client.ended()
    eventually(lambda: gateway.gateway.in_flight == 0, "end of the request")
    assert events.codes == ["draining"]
    gateway.said.forgive("ASGI callable returned without completing response.")


def test_requests_that_wait_for_an_exchange_count_among_their_callers(
    serve: Any, workspace: Any, federated: Any, eventually: Any, events: Any
) -> None:
    workspace.workspace.fail(Fault("slow", "/oidc", seconds=20.0))
    gateway = serve(**federated, max_concurrent=2)
    bearer = f"Bearer {workspace.workspace.federated_jwt()}"
    waiting = [gateway.begin("GET", PATH, bearer=bearer) for _ in range(2)]
    eventually(lambda: gateway.gateway.in_flight == 2, "two requests that wait")
    refused = gateway.ask("GET", PATH, bearer=bearer)
    assert (refused.status, refused.refused) == (429, "too_many_requests")
    assert events.kept[-1]["issuer"] == workspace.workspace.idp.issuer
    workspace.workspace.recover()
    assert len([http_client.until(b"\r\n\r\n") for http_client in waiting]) == 2


def test_a_gateway_without_a_free_connection_says_so_at_once(serve: Any, upstream: Any, http: Any, bearer: Any) -> None:
    go = threading.Event()
    upstream.script = _early_stream(http, go)
    gateway = serve(mover=AiohttpMover(upstream.url, connections=1))
    client = gateway.begin("GET", PATH)
    assert http.Message.read(client).status == 200
    busy = gateway.ask("GET", PATH, bearer=bearer("ada"))
    assert (busy.status, busy.refused, busy.value("retry-after")) == (503, "gateway_busy", "1")
    go.set()


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH"])
def test_what_changes_something_is_never_sent_twice(serve: Any, upstream: Any, http: Any, method: str) -> None:
    """The upstream takes the request whole, and closes the connection that was kept."""

    def script(wire: Any, request: Any) -> None:
        if request.method == "GET":
            http.answering()(wire, request)
        else:
            wire.close()

    upstream.script = script
    gateway = serve(allow=[http.rule()])
    assert gateway.ask("GET", PATH).status == 200
    answer = gateway.ask(method, PATH, ("Content-Length", "0"))
    assert (answer.status, answer.refused) == (502, "upstream_unavailable")
    assert [request.method for request in upstream.requests] == ["GET", method]


@pytest.mark.parametrize(
    "value", ['Bearer resource_metadata="https://adb-1.net/x", scope="a"', "Bearer Resource_Metadata=https://adb-1.net/x"]
)
def test_a_challenge_of_the_upstream_leads_to_the_gateways_own_metadata(serve: Any, upstream: Any, http: Any, value: str) -> None:
    upstream.script = http.answering(401, ("WWW-Authenticate", value))
    answer = serve(public_url="https://gateway.example", authorization_servers=["https://idp.example"]).ask(
        "POST", MCP, ("Content-Length", "0")
    )
    challenge = answer.value("www-authenticate")
    assert "adb-1" not in challenge
    assert f'resource_metadata="https://gateway.example/.well-known/oauth-protected-resource{MCP}"' in challenge
    assert ('scope="a"' in challenge) is ("scope" in value)
