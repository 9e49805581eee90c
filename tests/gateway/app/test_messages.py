"""What other servers than uvicorn say by the ASGI specification: HTTP/2's requests, sends to nobody, paths that were decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tokenward.databricks import AsyncTokenSource
from tokenward.databricks import Exchange as TokenExchange
from tokenward.databricks.admission.tally import Tally
from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover
from tokenward.errors import PolicyError
from tokenward.keys.port import FetchRequest, FetchResponse

PATH = "/api/2.0/anything"


class Exchange:
    """One request, spoken message by message; after its last one the client stays, or leaves."""

    def __init__(
        self, bearer: str, *messages: dict[str, Any], then: str = "stays", fails_at: int | None = None, **scope: Any
    ) -> None:
        path = scope.pop("path", PATH)
        headers = [(b"authorization", bearer.encode()), *scope.pop("headers", [])]
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "2",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
        } | scope
        self._waiting = list(messages)
        self._then = then
        self._fails_at = fails_at
        self.sent: list[dict[str, Any]] = []
        self.received = 0

    async def receive(self) -> dict[str, Any]:
        self.received += 1
        if self._waiting:
            return self._waiting.pop(0)
        if self._then == "stays":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if self._fails_at is not None and len(self.sent) >= self._fails_at:
            raise OSError("nobody is there")
        self.sent.append(message)

    def with_(self, gateway: Any) -> Exchange:
        async def main() -> None:
            async with gateway.running():
                await asyncio.wait_for(gateway(self.scope, self.receive, self.send), 20)
                others = asyncio.all_tasks() - {asyncio.current_task()}
                assert gateway.in_flight == 0
                self.left = {str(task.get_coro()) for task in others if not _is_ticking(task)}

        asyncio.run(main())
        return self

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def ended(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body", False) is False


def _is_ticking(task: asyncio.Task[Any]) -> bool:
    """Whether the task is the verifier's, which refreshes keys, or about to end since it was cancelled."""
    return task.cancelling() > 0 or "keys" in str(getattr(task.get_coro(), "cr_code", ""))


def _request(*parts: bytes) -> Iterable[dict[str, Any]]:
    for number, part in enumerate(parts, 1):
        yield {"type": "http.request", "body": part, "more_body": number < len(parts)}


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_request_over_http_2_has_a_body_only_if_one_comes(parts: Any, upstream: Any, bearer: Any, version: str) -> None:
    exchange = Exchange(bearer(), *_request(b""), http_version=version).with_(parts.gateway())
    assert (exchange.status, exchange.ended) == (200, True)
    assert upstream.only.framing == "none"


@pytest.mark.parametrize("pieces", [(b"hello",), (b"", b"he", b"", b"llo"), (b"he", b"llo", b"")])
def test_a_body_over_http_2_without_a_length_goes_on_in_chunks(
    parts: Any, upstream: Any, bearer: Any, pieces: tuple[bytes, ...]
) -> None:
    exchange = Exchange(bearer(), *_request(*pieces), method="PUT", path="/api/2.0/fs/files/Volumes/a").with_(parts.gateway())
    assert (exchange.status, upstream.only.framing, upstream.only.complete) == (200, "chunked", True)
    assert upstream.only.body == b"hello"


def test_a_body_over_http_2_with_a_length_keeps_it(parts: Any, upstream: Any, bearer: Any) -> None:
    scope: Any = {"method": "PUT", "path": "/api/2.0/fs/files/Volumes/a", "headers": [(b"content-length", b"5")]}
    assert Exchange(bearer(), *_request(b"he", b"llo"), **scope).with_(parts.gateway()).status == 200
    assert (upstream.only.framing, upstream.only.body) == ("length 5", b"hello")


@pytest.mark.parametrize(
    "pieces", [(b"",), (b"he", b"llo"), (b"he", b"llo", b"")], ids=["no body", "a body", "a body and its end"]
)
def test_an_upstream_is_waited_for_as_its_rule_says_and_not_as_for_a_client(
    parts: Any, upstream: Any, bearer: Any, http: Any, pieces: tuple[bytes, ...]
) -> None:
    def script(wire: Any, request: Any) -> None:
        request.read_body(wire)
        asyncio.run(asyncio.sleep(1.2))
        http.answering()(wire, request)

    upstream.script = script
    patient = parts.gateway(allow=[http.rule(first_byte=20.0)], client_idle=0.3)
    assert Exchange(bearer(), *_request(*pieces), method="PUT").with_(patient).status == 200
    impatient = parts.gateway(allow=[http.rule(first_byte=0.3)], client_idle=20.0)
    assert Exchange(bearer(), *_request(*pieces), method="PUT").with_(impatient).status == 504


def test_a_client_that_leaves_before_its_first_part_over_http_2_reaches_nobody(parts: Any, upstream: Any, bearer: Any) -> None:
    exchange = Exchange(bearer(), then="leaves", method="PUT", path="/api/2.0/fs/files/Volumes/a").with_(parts.gateway())
    assert (exchange.sent, upstream.requests) == ([], [])


@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_a_server_that_raises_where_nobody_listens_ends_the_request(
    parts: Any, upstream: Any, bearer: Any, http: Any, events: Any, fails_at: int
) -> None:
    def script(wire: Any, request: Any) -> None:
        wire.send(http.head(200, ("Transfer-Encoding", "chunked")))
        try:
            while True:
                wire.send(http.chunk(b"x" * 65536))
        except OSError:
            wire.close()

    upstream.script = script
    exchange = Exchange(bearer(), *_request(b""), fails_at=fails_at, http_version="1.1").with_(parts.gateway())
    assert len(exchange.sent) == fails_at
    assert upstream.connections[0].ended
    assert events.codes == []


@pytest.mark.parametrize("seconds", [0.0, 0.5], ids=["at once", "later"])
def test_nothing_is_left_of_a_request_that_ended(parts: Any, upstream: Any, bearer: Any, http: Any, seconds: float) -> None:
    def script(wire: Any, request: Any) -> None:
        asyncio.run(asyncio.sleep(seconds))
        http.answering()(wire, request)

    upstream.script = script
    exchange = Exchange(bearer(), *_request(b""), http_version="1.1").with_(parts.gateway())
    assert (exchange.status, exchange.ended, exchange.left) == (200, True, set())


def test_what_does_not_end_in_time_is_cut_off_when_the_gateway_stops(
    parts: Any, upstream: Any, bearer: Any, eventually: Any
) -> None:
    def script(wire: Any, request: Any) -> None:
        wire.ended()
        wire.close()

    upstream.script = script
    exchange = Exchange(bearer(), *_request(b""), http_version="1.1")

    async def main(gateway: Any) -> None:
        async with gateway.running():
            request = asyncio.create_task(gateway(exchange.scope, exchange.receive, exchange.send))
            await asyncio.to_thread(eventually, lambda: upstream.requests, "request at the upstream")
        await asyncio.wait_for(request, 10)

    asyncio.run(main(parts.gateway(drain=0.2)))
    assert (exchange.status, exchange.ended) == (503, True)
    assert (b"tokenward-refused", b"draining") in exchange.sent[0]["headers"]


def test_a_request_whose_exchange_outlasts_the_end_does_not_go_on(parts: Any, upstream: Any, bearer: Any) -> None:
    exchange = Exchange(bearer(), *_request(b""), http_version="1.1")

    async def main() -> None:
        asked, gate = asyncio.Event(), asyncio.Event()

        async def fetch(request: FetchRequest) -> FetchResponse:
            asked.set()
            await gate.wait()
            token = b'{"access_token": "ours", "token_type": "Bearer", "expires_in": 3600}'
            return FetchResponse(200, {"content-type": "application/json"}, token)

        source = AsyncTokenSource(TokenExchange(parts.upstream), fetch=fetch, clock=parts.wall)
        gateway = parts.gateway(credentials=source, drain=0.2)
        async with gateway.running():
            request = asyncio.create_task(gateway(exchange.scope, exchange.receive, exchange.send))
            await asyncio.wait_for(asked.wait(), 10)
        gate.set()
        await asyncio.wait_for(request, 10)

    asyncio.run(main())
    assert exchange.status == 503
    assert (b"tokenward-refused", b"draining") in exchange.sent[0]["headers"]
    assert upstream.requests == []


def test_the_end_waits_for_what_begins_when_the_last_one_ends() -> None:
    async def main() -> tuple[bool, int]:
        tally = Tally()
        tally.begin()

        async def one_after_the_other() -> None:
            tally.end()
            tally.begin()

        waiting = asyncio.create_task(tally.none_left(0.1))
        await asyncio.sleep(0)
        await one_after_the_other()
        return await waiting, tally.total

    assert asyncio.run(main()) == (False, 1)


def test_a_mover_of_another_upstream_is_refused(parts: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        parts.gateway(mover=AiohttpMover("https://adb-1.7.azuredatabricks.net"))
    assert caught.value.field == "mover"


def test_connections_to_the_upstream_end_with_the_gateway(parts: Any, upstream: Any, bearer: Any) -> None:
    exchange = Exchange(bearer(), *_request(b""), http_version="1.1")

    async def main(gateway: Any) -> bool:
        async with gateway.running():
            await gateway(exchange.scope, exchange.receive, exchange.send)
        return bool(await asyncio.to_thread(upstream.connections[0].ended, 10.0))

    assert asyncio.run(main(parts.gateway()))


def test_a_path_that_the_server_gives_decoded_only_is_escaped_again(parts: Any, upstream: Any, bearer: Any) -> None:
    exchange = Exchange(bearer(), *_request(b""), path="/api/2.0/fs/files/Volumes/ä b", raw_path=None).with_(parts.gateway())
    assert exchange.status == 200
    assert upstream.only.target == "/api/2.0/fs/files/Volumes/%C3%A4%20b"


@pytest.mark.parametrize("path", ["/api/2.0/a%2fb", "/api/2.0/../x", "/api/2.0/a;b", "/api/2.0/a\x00b"])
def test_a_path_that_the_server_gives_decoded_only_is_judged_the_same(parts: Any, upstream: Any, bearer: Any, path: str) -> None:
    exchange = Exchange(bearer(), *_request(b""), path=path, raw_path=None).with_(parts.gateway())
    assert exchange.status == 400
    assert upstream.requests == []
