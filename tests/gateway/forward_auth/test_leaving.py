"""The end of a process waits for verdicts under way; what takes longer is told to come back, and nothing is an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tokenward.databricks import AsyncTokenSource, Exchange
from tokenward.keys.port import FetchRequest, FetchResponse

Asking = Any  # this folder's Asker
LONG = 20.0
HOST = "https://adb-1234567890123456.7.azuredatabricks.net"


@dataclass
class Exchanging:
    """A ForwardAuth whose exchange waits for `gate`, and verdicts that are asked of it in one loop."""

    bearer: bytes
    asking: Asking = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: int = 0

    async def ask(self) -> tuple[int, dict[bytes, bytes]]:
        sent: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        await self.asking.app(self.asking.scope("GET", b"/api/2.0/x", (self.bearer,)), receive, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        self.asked += 1
        await self.gate.wait()
        return FetchResponse(
            200, {"content-type": "application/json"}, b'{"access_token": "ours", "token_type": "Bearer", "expires_in": 3600}'
        )

    async def under_way(self) -> None:
        """Until the exchange is asked for."""
        async with asyncio.timeout(LONG):
            while not self.asked:  # noqa: ASYNC110  # it is another task's, in this very loop
                await asyncio.sleep(0.01)


Make = Callable[[], Exchanging]


@pytest.fixture
def exchanging(asker: Callable[..., Any], bearer: Callable[..., bytes], wall: Any) -> Make:
    def make() -> Exchanging:
        made = Exchanging(bearer())
        source = AsyncTokenSource(Exchange(HOST), fetch=made.fetch, clock=wall, observer=None)
        made.asking = asker("traefik", credentials=source)
        return made

    return make


def test_the_end_waits_for_a_verdict_under_way(exchanging: Make) -> None:
    async def main() -> None:
        made = exchanging()
        verdict = asyncio.create_task(made.ask())
        await made.under_way()
        made.asking.app.drain()
        assert made.asking.app.in_flight == 1
        drained = asyncio.create_task(made.asking.app.drained(LONG))
        await asyncio.sleep(0)
        assert not drained.done()
        made.gate.set()
        assert await drained is True
        assert (await verdict)[0] == 200
        assert made.asking.app.in_flight == 0

    asyncio.run(main())


def test_a_verdict_that_takes_longer_is_told_to_come_back(exchanging: Make) -> None:
    async def main() -> None:
        made = exchanging()
        verdicts = [asyncio.create_task(made.ask()) for _ in range(3)]
        await made.under_way()
        made.asking.app.drain()
        assert await made.asking.app.drained(0.0) is False
        for status, headers in [await verdict for verdict in verdicts]:
            assert (status, headers[b"tokenward-refused"], headers[b"retry-after"]) == (503, b"draining", b"1")
            assert b"authorization" not in headers
        assert made.asking.codes == ["draining"] * 3
        made.gate.set()

    asyncio.run(main())


def test_nothing_under_way_is_drained_at_once_whatever_the_time(exchanging: Make) -> None:
    async def main() -> None:
        assert await exchanging().asking.app.drained(0.0) is True

    asyncio.run(main())


def test_a_verdict_that_begins_at_the_very_end_is_given_or_told_to_come_back(exchanging: Make) -> None:
    async def main() -> None:
        made = exchanging()
        assert await made.asking.app.drained(0.0) is True
        assert (await made.ask())[0] == 503
        made.gate.set()
        assert (await made.ask())[0] == 200

    asyncio.run(main())


def test_a_caller_that_leaves_is_not_taken_for_the_end(exchanging: Make) -> None:
    async def main() -> None:
        made = exchanging()
        verdict = asyncio.create_task(made.ask())
        await made.under_way()
        verdict.cancel()
        with pytest.raises(asyncio.CancelledError):
            await verdict
        assert made.asking.app.in_flight == 0
        assert made.asking.codes == []
        made.gate.set()

    asyncio.run(main())


def test_an_app_that_runs_again_is_ready_and_in_no_hurry(exchanging: Make) -> None:
    async def main() -> None:
        made = exchanging()
        app = made.asking.app
        async with app.running():
            app.drain()
            await app.drained(0.0)
        async with app.running():
            verdict = asyncio.create_task(made.ask())
            await made.under_way()
            made.gate.set()
            assert (await verdict)[0] == 200
            assert app._draining is False

    asyncio.run(main())
