"""A chunked body may have fields behind it. They are none of the request's, whoever adds them to its header, and when."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from tokenward.databricks import AsyncTokenSource, Exchange
from tokenward.keys.port import FetchRequest, FetchResponse

pytestmark = pytest.mark.servers

TRAILERS = (
    b"X-Late: from a trailer\r\nAuthorization: Bearer of-an-attacker\r\nX-Databricks-Azure-SP-Management-Token: t\r\n"
    b"Connection: x-judged\r\nHost: elsewhere.example\r\n"
)


class Slow:
    """A token endpoint that answers when it may; until then the request is admitted to nothing."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_answer = threading.Event()

    async def fetch(self, request: FetchRequest) -> FetchResponse:
        self.asked.set()
        await asyncio.to_thread(self.may_answer.wait, 20)
        granted = {"access_token": "the.gateways.own-token", "token_type": "Bearer", "expires_in": 3600}
        return FetchResponse(200, {"content-type": "application/json"}, json.dumps(granted).encode())


def test_trailers_that_come_while_the_token_is_exchanged_are_not_forwarded(serving: Any, upstream: Any, eventually: Any) -> None:
    """uvicorn with httptools appends them to the list that the app has in hand (httptools_impl.py, on_header)."""
    for server in ("httptools", "h11", "hypercorn"):
        upstream.reset()
        slow = Slow()
        gate = serving(
            server, credentials=AsyncTokenSource(Exchange("https://workspace.example"), fetch=slow.fetch, observer=None)
        )
        first = b"POST /api/2.0/outer HTTP/1.1"
        with gate.connected() as wire:
            wire.sendall(gate.request(b"Transfer-Encoding: chunked", b"X-Judged: yes", first=first, body=b"5\r\nhello\r\n"))
            assert slow.asked.wait(20)
            wire.sendall(b"0\r\n" + TRAILERS + b"\r\n")
            _turn(gate)
            slow.may_answer.set()
            assert wire.recv(65536).startswith(b"HTTP/1.1 200")
        assert upstream.only.body == b"hello"
        assert upstream.only.values(b"x-judged") == [b"yes"]
        assert upstream.only.names.isdisjoint({b"x-late", b"connection"})
        assert b"attacker" not in upstream.raw


def _turn(gate: Any) -> None:
    """Let the server read what was sent: it answers another connection after that."""
    for _ in range(3):
        assert gate.ask(first=b"GET /-/health HTTP/1.1").status == 200
