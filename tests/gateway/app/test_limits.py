"""How many requests of one caller are under way, how slow a client may be, and how a gateway stops."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover

PATH = "/api/2.0/anything"
FILE = "/api/2.0/fs/files/Volumes/main/a/b/big.bin"


class Held:
    """An upstream that answers when it is let go."""

    def __init__(self, http: Any) -> None:
        self.go = threading.Event()
        self._answer = http.answering()

    def __call__(self, wire: Any, request: Any) -> None:
        self.go.wait(20)
        self._answer(wire, request)


def test_a_caller_with_too_many_requests_is_refused_and_no_other(
    serve: Any, upstream: Any, http: Any, bearer: Any, eventually: Any, events: Any
) -> None:
    upstream.script = held = Held(http)
    gateway = serve(max_concurrent=2)
    first, other = bearer("grace"), bearer("ada")
    waiting = [gateway.begin("GET", PATH, bearer=first) for _ in range(2)]
    eventually(lambda: gateway.gateway.in_flight == 2, "two requests under way")
    refused = gateway.ask("GET", PATH, bearer=bearer("grace"))
    assert (refused.status, refused.refused, refused.value("retry-after")) == (429, "too_many_requests", "1")
    waiting += [gateway.begin("GET", PATH, bearer=other) for _ in range(2)]
    eventually(lambda: gateway.gateway.in_flight == 4, "two more of another caller")
    held.go.set()
    assert [http.Message.read(client).status for client in waiting] == [200] * 4
    eventually(gateway.is_quiet, "quiet gateway")
    assert gateway.ask("GET", PATH, bearer=first).status == 200
    assert events.codes == ["too_many_requests"]


def test_the_same_subject_of_another_issuer_is_another_caller(
    serve: Any, upstream: Any, http: Any, issuer: Any, eventually: Any
) -> None:
    upstream.script = held = Held(http)
    gateway = serve(max_concurrent=1)
    values = [f"Bearer {issuer.user_token(version, audience=AUDIENCE, claims={'sub': 'x'})}" for version in ("1.0", "2.0")]
    waiting = [gateway.begin("GET", PATH, bearer=value) for value in values]
    eventually(lambda: gateway.gateway.in_flight == 2, "two requests under way")
    held.go.set()
    assert [http.Message.read(client).status for client in waiting] == [200, 200]


AUDIENCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"


def test_when_every_connection_is_in_use_the_next_request_is_refused_at_once(
    serve: Any, upstream: Any, http: Any, eventually: Any
) -> None:
    upstream.script = held = Held(http)
    gateway = serve(mover=AiohttpMover(upstream.url, connections=2))
    waiting = [gateway.begin("GET", PATH) for _ in range(2)]
    eventually(lambda: len(upstream.requests) == 2, "two requests at the upstream")
    refused = gateway.ask("GET", PATH)
    assert (refused.status, refused.refused, refused.value("retry-after")) == (503, "gateway_busy", "1")
    held.go.set()
    assert [http.Message.read(client).status for client in waiting] == [200, 200]
    assert [gateway.ask("GET", PATH).status for _ in range(5)] == [200] * 5


# -- slow clients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["httptools", "h11"], indirect=True)
@pytest.mark.parametrize(
    "framing", [("Transfer-Encoding", "chunked"), ("Content-Length", "1000")], ids=["chunked", "with a length"]
)
def test_a_client_that_stalls_in_its_upload_is_408(
    serve: Any, upstream: Any, http: Any, events: Any, eventually: Any, framing: tuple[str, str]
) -> None:
    ended = threading.Event()

    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        wire.close()
        ended.set()

    upstream.script = script
    gateway = serve(client_idle=0.4)
    client = gateway.begin("PUT", FILE, framing, body=http.chunk(b"hello") if framing[1] == "chunked" else b"hello")
    answer = http.Message.read(client).read_body(client)
    assert (answer.status, answer.refused) == (408, "client_timeout")
    assert ended.wait(20)
    assert [request.complete for request in upstream.requests] in ([False], [])
    eventually(gateway.is_quiet, "quiet gateway")
    assert events.codes == ["client_timeout"]


def test_a_client_that_waits_for_its_answer_is_not_taken_for_slow(serve: Any, upstream: Any, http: Any) -> None:
    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        threading.Event().wait(1.2)
        http.answering()(wire, request)

    upstream.script = script
    gateway = serve(client_idle=0.3)
    assert gateway.ask("GET", PATH).status == 200
    assert gateway.ask("POST", "/api/2.0/sql/statements", ("Content-Length", "2"), body=b"{}").status == 200


def test_a_client_that_takes_nothing_of_its_answer_loses_it(
    serve: Any, upstream: Any, http: Any, events: Any, said: Any, eventually: Any
) -> None:
    ended = threading.Event()

    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, ("Transfer-Encoding", "chunked")))
        try:
            while True:
                wire.send(http.chunk(b"x" * 65536))
        except OSError:
            ended.set()
        wire.close()

    upstream.script = script
    gateway = serve(client_idle=0.5)
    client = gateway.connect(receive_buffer=64 * 1024)
    client.send(gateway.head("GET", FILE))
    assert ended.wait(20)
    eventually(gateway.is_quiet, "quiet gateway")
    assert events.codes == ["client_timeout"]
    answer = http.Message.read(client).read_body(client)
    assert (answer.status, answer.complete) == (200, False)
    said.forgive("ASGI callable returned without completing response.")


# -- health, readiness, and the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("path", "status"), [("/-/health", "ok"), ("/-/ready", "ready")])
def test_health_and_readiness_need_no_token(serve: Any, upstream: Any, http: Any, method: str, path: str, status: str) -> None:
    gateway = serve()
    client = gateway.connect()
    client.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = http.Message.read(client)
    assert (answer.status, answer.value("cache-control")) == (200, "no-store")
    if method == "GET":
        assert answer.read_body(client).json == {"status": status}
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/-/health"), ("GET", "/-/other"), ("GET", "/-/health/"), ("GET", "/-/ready/x")]
)
def test_nothing_else_below_that_address_is_answered_without_a_token(serve: Any, upstream: Any, method: str, path: str) -> None:
    assert serve().ask(method, path, bearer="Basic YTpi").refused == "missing_token"
    assert upstream.requests == []


def test_a_gateway_without_keys_lives_and_is_not_ready_until_it_has_them(
    serve: Any, upstream: Any, issuer: Any, eventually: Any
) -> None:
    issuer.fail("status", status=503)
    gateway = serve(warm_up=0.0)
    ready = gateway.ask("GET", "/-/ready")
    assert (ready.status, ready.json["status"]) == (503, "no_keys")
    assert gateway.ask("GET", "/-/health").status == 200
    answer = gateway.ask("GET", PATH)
    assert (answer.status, answer.refused) == (503, "keys_unavailable")
    assert int(str(answer.value("retry-after"))) >= 1
    issuer.recover()
    eventually(lambda: gateway.run(gateway.gateway.verifier.refresh()), "keys")
    assert gateway.ask("GET", "/-/ready").json == {"status": "ready"}
    assert gateway.ask("GET", PATH).status == 200


def test_keys_are_there_before_the_first_request(serve: Any) -> None:
    gateway = serve()
    assert all(source.usable for source in gateway.gateway.verifier.status())


def test_a_gateway_that_drains_ends_what_is_under_way_and_takes_nothing_new(
    serve: Any, upstream: Any, http: Any, events: Any
) -> None:
    go = threading.Event()

    def script(wire: Any, request: Any) -> None:
        wire.send(
            http.head(200, ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")) + http.chunk(b": 0\n\n")
        )
        go.wait(20)
        wire.send(http.chunk(b": 1\n\n") + b"0\r\n\r\n")

    upstream.script = script
    gateway = serve()
    client = gateway.begin("GET", PATH)
    answer = http.Message.read(client)
    parts = answer.parts(client)
    assert next(parts) == b": 0\n\n"
    gateway.gateway.drain()
    assert gateway.ask("GET", "/-/ready").json == {"status": "draining"}
    assert gateway.ask("GET", "/-/health").status == 200
    refused = gateway.ask("GET", PATH)
    assert (refused.status, refused.refused, refused.value("retry-after")) == (503, "draining", "1")
    assert gateway.ask("GET", PATH, bearer="Basic x").refused == "draining"
    assert gateway.gateway.in_flight == 1
    go.set()
    assert list(parts) == [b": 1\n\n"]
    assert gateway.run(gateway.gateway.drained(10.0)) is True
    assert (answer.complete, gateway.gateway.in_flight, events.codes) == (True, 0, ["draining", "draining"])


def test_everybody_who_waits_for_the_end_of_what_is_under_way_sees_it(
    serve: Any, upstream: Any, http: Any, eventually: Any
) -> None:
    upstream.script = held = Held(http)
    gateway = serve()
    client = gateway.begin("GET", PATH)
    eventually(lambda: gateway.gateway.in_flight == 1, "request under way")

    async def both() -> list[bool]:
        import asyncio

        waiting = [asyncio.create_task(gateway.gateway.drained(15.0)) for _ in range(2)]
        await asyncio.sleep(0)
        held.go.set()
        return [await task for task in waiting]

    assert gateway.run(both()) == [True, True]
    assert http.Message.read(client).status == 200


def test_the_server_ends_what_is_under_way_before_it_stops(serve: Any, upstream: Any, http: Any, eventually: Any) -> None:
    upstream.script = held = Held(http)
    gateway = serve()
    client = gateway.begin("GET", PATH)
    eventually(lambda: gateway.gateway.in_flight == 1, "request under way")
    threading.Timer(0.3, held.go.set).start()
    gateway.begin_to_stop()
    assert http.Message.read(client).read_body(client).status == 200
    gateway.stop()
    assert upstream.connections[0].ended(), "the connection to the upstream is still open"
