"""The yardstick: the least that is a streaming proxy, with aiohttp's client under uvicorn. No auth, no checks, no time limits."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from yarl import URL

from benchmarks.gateway.environment import UPSTREAM

HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"host"})


class MinimalProxy:
    """Forwards every request to one upstream, headers and all."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        url = URL(f"{self._upstream}{scope['raw_path'].decode()}", encoded=True)
        headers = [(name.decode(), value.decode("latin-1")) for name, value in scope["headers"] if name not in HOP_BY_HOP]
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        body = _body(receive) if has_body else None
        async with self._here().request(scope["method"], url, headers=headers, data=body, allow_redirects=False) as response:
            fields = [(name.lower(), value) for name, value in response.raw_headers if name.lower() not in HOP_BY_HOP]
            await send({"type": "http.response.start", "status": response.status, "headers": fields})
            async for piece in response.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})

    def _here(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),
                connector=aiohttp.TCPConnector(limit=1000),
            )
        return self._session


async def _body(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


def app() -> Any:
    return MinimalProxy(os.environ[UPSTREAM])
