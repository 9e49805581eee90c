"""One process of a fleet: `caller_process.py REDIS_URL ENDPOINT_URL TOKENS_FILE SECONDS`, the key in SHARED_KEY.

It says "ready", waits for a line, asks for every token at once, and says as JSON what it got: digests of the access tokens by
position, its own count of exchanges, and its events.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from tokenward.databricks.exchange import Exchange
from tokenward.databricks.shared.events import SharedEvent
from tokenward.databricks.shared.redis_store import RedisTokens
from tokenward.databricks.shared.sealing import SealingKeys
from tokenward.databricks.tokens import AsyncTokenSource
from tokenward.keys.port import FetchRequest, FetchResponse

CONNECTIONS = 40


class KeptConnections:
    """A fetch over a few connections that are kept, with no more of HTTP than is needed: what is tested is who exchanges."""

    def __init__(self, url: str) -> None:
        self._host, self._port = urlsplit(url).hostname, urlsplit(url).port
        self._free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def open(self) -> None:
        for _ in range(CONNECTIONS):
            self._free.put_nowait(await asyncio.open_connection(self._host, self._port))

    async def close(self) -> None:
        while not self._free.empty():
            self._free.get_nowait()[1].close()

    async def __call__(self, request: FetchRequest) -> FetchResponse:
        reader, writer = line = await self._free.get()
        length = f"Content-Length: {len(request.content)}\r\nHost: {self._host}\r\n\r\n"
        writer.write(f"POST {urlsplit(request.url).path} HTTP/1.1\r\n{length}".encode() + request.content)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in head[1:-2])}
        body = await reader.readexactly(int(headers["content-length"]))
        self._free.put_nowait(line)
        return FetchResponse(int(head[0].split()[1]), headers, body)


async def main(redis: str, endpoint: str, tokens: list[str], seconds: float) -> dict[str, object]:
    events: list[SharedEvent] = []
    shared = RedisTokens(redis, SealingKeys.from_env("SHARED_KEY"), timeout=min(seconds, 10.0), observer=events.append)
    fetch = KeptConnections(endpoint)
    await fetch.open()
    source = AsyncTokenSource(Exchange(endpoint), fetch=fetch, timeout=seconds, observer=None, shared=shared)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    got = await asyncio.gather(*(source.token_for(token) for token in tokens))
    took = time.monotonic() - began
    await shared.close()
    await fetch.close()
    digests = [hashlib.sha256(access.value.encode()).hexdigest() for access in got]
    return {"got": digests, "exchanges": source.status().exchanges, "took": took, "events": [repr(event) for event in events]}


if __name__ == "__main__":
    redis_url, endpoint_url, file, limit = sys.argv[1:]
    print(json.dumps(asyncio.run(main(redis_url, endpoint_url, json.loads(Path(file).read_text()), float(limit)))), flush=True)
