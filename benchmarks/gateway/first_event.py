"""How long until the first server-sent event is there, while the stream goes on."""

from __future__ import annotations

import http.client
import statistics
import time
from urllib.parse import urlsplit

from benchmarks.checks import Check
from benchmarks.gateway import nginx
from benchmarks.gateway.callers import caller
from benchmarks.gateway.scene import Scene, scene
from benchmarks.gateway.servers import Server
from benchmarks.gateway.upstream import FIRST_EVENT, LATER
from benchmarks.gateway.verdicts import GUARDED
from benchmarks.report import Row
from benchmarks.run import Run

NAME = "first event of a stream"
PATH = "/serving-endpoints/echo/invocations"
DIRECT = "direct"
SAMPLES = 40
"""For each subject, after a few that are not counted; one after the other, each on a connection of its own."""
WARM_UP = 5


def first_event(run: Run) -> list[Row]:
    """Connecting included."""
    with scene(run, 1) as around:
        servers = _servers(run, around)
        for name, server in servers.items():
            run.check([_check(name, server)])
        if not run.timing:
            return []
        found: dict[str, list[float]] = {name: [] for name in servers}
        for number in range(WARM_UP + SAMPLES):
            for name, server in servers.items():
                seconds, _ = _first(server)
                found[name] += [seconds * 1e3] if number >= WARM_UP else []
    return [_row(name, found[name], found[DIRECT]) for name in servers]


def _servers(run: Run, around: Scene) -> dict[str, Server]:
    upstream = around.stream_upstream()
    servers = {
        DIRECT: upstream,
        "minimal proxy": around.app("minimal:app", upstream),
        "gateway": around.app("apps:exchange", upstream),
    }
    if nginx.is_installed():
        verdicts = around.app("apps:forward_auth", upstream)
        servers["nginx with verdicts"] = around.nginx(nginx.shipped(upstream.url, verdicts.url, "asked"))
    else:
        run.say(f"  {nginx.INSTALL}; its row is skipped")
    return servers


def _check(name: str, server: Server) -> Check:
    """It came by itself, and not with the end of the stream."""
    seconds, event = _first(server)
    seen = "too late" if seconds > LATER / 2 else event.decode(errors="replace")
    subject = GUARDED if name.startswith(("gateway", "nginx")) else name
    return Check(NAME, subject, f"{name}: the first event", FIRST_EVENT.decode(), seen)


def _first(server: Server) -> tuple[float, bytes]:
    """Seconds until the first event is there, and the event."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=LATER + 10)
    fields = {"Authorization": f"Bearer {caller(0)}", "Accept": "text/event-stream", "Content-Type": "application/json"}
    start = time.perf_counter()
    connection.request("POST", PATH, body=b'{"stream": true}', headers=fields)
    answer = connection.getresponse()
    event = answer.read1(len(FIRST_EVENT))
    seconds = time.perf_counter() - start
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{server.url} gave {answer.status}")
    return seconds, event


def _row(name: str, found: list[float], direct: list[float]) -> Row:
    beside = statistics.median(found) / statistics.median(direct)
    columns: dict[str, float | str] = {
        "p50 ms": f"{statistics.median(found):.2f}",
        "p99 ms": f"{statistics.quantiles(found, n=100, method='inclusive')[98]:.2f}",
        "range": f"{min(found):.2f}-{max(found):.2f} ms",
    }
    return Row(f"{NAME}, {name}", beside, unit="times", peers=columns, details={"milliseconds": found})
