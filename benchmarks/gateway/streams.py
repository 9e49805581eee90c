"""Long bodies: how fast 1 GiB goes through, how much memory the gateway takes meanwhile, and when somebody does not read."""

from __future__ import annotations

import hashlib
import http.client
import json
import statistics
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from benchmarks.checks import Check
from benchmarks.gateway.callers import caller
from benchmarks.gateway.nginx import ECHO
from benchmarks.gateway.process import MEGABYTE, Memory
from benchmarks.gateway.scene import scene
from benchmarks.gateway.servers import Server
from benchmarks.gateway.upstream import PIECE
from benchmarks.gateway.verdicts import GUARDED, client
from benchmarks.report import Row
from benchmarks.run import Run

NAME = "streams"
BUDGET_MB = 32.0
GIBIBYTE = 1024**3
SMALL = 8 * 1024**2 + 12_345
STALLED = GIBIBYTE // 4
STALL = 1.5
"""Seconds in which one side does not read."""
PATH = "/api/2.0/fs/files/Volumes/main/default/bytes"
DIRECT, MINIMAL, GATEWAY = "direct", "minimal proxy", "gateway"


def streams(run: Run) -> list[Row]:
    """Down and up, by the upstream alone, the minimal proxy and the gateway; the memory is the gateway's."""
    with scene(run, 1) as around:
        upstream = around.stream_upstream()
        servers = {DIRECT: upstream, MINIMAL: around.app("minimal:app", upstream), GATEWAY: around.app("apps:exchange", upstream)}
        with client() as asking:  # what a first request brings along is no growth
            asking.get(f"{servers[GATEWAY].url}{ECHO}", headers=_authorization()).raise_for_status()
        memory = Memory(servers[GATEWAY].pid)
        for name, server in servers.items():
            run.check(_checks(name, server))
        if not run.timing:
            return []
        rows = [_through(run, way, servers, memory) for way in _WAYS]
        return [*rows, *(_stalled(way, servers[GATEWAY], memory) for way in _WAYS)]


def _through(run: Run, way: str, servers: Mapping[str, Server], memory: Memory) -> Row:
    rates: dict[str, list[float]] = {name: [] for name in servers}
    memory.forget()
    for number in range(max(run.rounds // 2, 1)):
        run.say(f"  1 GiB {way}, round {number + 1}")
        for name, server in servers.items():
            start = time.perf_counter()
            _WAYS[way](server, GIBIBYTE, 0)
            rates[name].append(GIBIBYTE / MEGABYTE / (time.perf_counter() - start))
    listed = ", ".join(f"{name} {statistics.median(found):,.0f} ({_range(found)})" for name, found in rates.items())
    ratio = statistics.median(rates[GATEWAY]) / statistics.median(rates[MINIMAL])
    note = f"MB/s: {listed}; gateway / minimal {ratio:.2f}"
    return Row(f"memory while 1 GiB goes {way}", memory.growth(), BUDGET_MB, unit="MB", details={"rates": rates}, note=note)


def _stalled(way: str, server: Server, memory: Memory) -> Row:
    memory.forget()
    _WAYS[way](server, STALLED, STALL)
    who = "the client" if way == "down" else "the upstream"
    return Row(f"memory while {who} does not read, {way}", memory.growth(), BUDGET_MB, unit="MB")


def _checks(name: str, server: Server) -> list[Check]:
    subject = GUARDED if name == GATEWAY else name
    given = f"{name}: {SMALL:,} bytes"
    return [Check(NAME, subject, f"{given} {way}", _digest(SMALL), _seen(way, server)) for way in _WAYS]


def _seen(way: str, server: Server) -> str:
    try:
        return _WAYS[way](server, SMALL, 0)
    except (RuntimeError, OSError, http.client.HTTPException) as exc:
        return f"{type(exc).__name__}: {exc}"


def _down(server: Server, size: int, stall: float) -> str:
    """The SHA-256 of what came, if it is small. Raises RuntimeError for another size."""
    connection = _connection(server)
    connection.request("GET", f"{PATH}/{size}", headers=_authorization())
    answer, buffer, count, digest = connection.getresponse(), memoryview(bytearray(len(PIECE))), 0, hashlib.sha256()
    if stall:
        time.sleep(stall)
    while part := answer.readinto(buffer):
        count += part
        if size <= SMALL:
            digest.update(buffer[:part])
    connection.close()
    if answer.status != 200 or count != size:
        raise RuntimeError(f"{server.url} answered {answer.status} with {count:,} bytes")
    return digest.hexdigest()


def _up(server: Server, size: int, stall: float) -> str:
    """The SHA-256 of what arrived, if it is small. Raises RuntimeError for another size."""
    connection = _connection(server)
    connection.putrequest("PUT", f"{PATH}/{size}", skip_accept_encoding=True)
    for name, value in {**_authorization(), "Content-Length": str(size), **({"X-Stall": str(stall)} if stall else {})}.items():
        connection.putheader(name, value)
    connection.endheaders()
    for sent in range(0, size, len(PIECE)):
        connection.send(memoryview(PIECE)[: size - sent])
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()
    if answer.status != 200 or found["bytes"] != size:
        raise RuntimeError(f"{server.url} answered {answer.status}: {found}")
    return str(found["sha256"])


_WAYS = {"down": _down, "up": _up}


def _connection(server: Server) -> http.client.HTTPConnection:
    parts = urlsplit(server.url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60, blocksize=len(PIECE))


def _authorization() -> dict[str, str]:
    return {"Authorization": f"Bearer {caller(0)}"}


def _digest(size: int) -> str:
    whole, rest = divmod(size, len(PIECE))
    return hashlib.sha256(PIECE * whole + PIECE[:rest]).hexdigest()


def _range(found: list[float]) -> str:
    return f"{min(found):,.0f}-{max(found):,.0f}"
