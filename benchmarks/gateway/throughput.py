"""Requests per second and latency: the gateway beside the minimal proxy, nginx with verdicts beside nginx alone."""

from __future__ import annotations

from benchmarks.checks import Check
from benchmarks.gateway import nginx, wrk
from benchmarks.gateway.callers import MANY
from benchmarks.gateway.rounds import Subject, interleaved, row_of
from benchmarks.gateway.scene import Scene, scene
from benchmarks.gateway.servers import Server
from benchmarks.gateway.verdicts import GUARDED, Arrives, checks_of
from benchmarks.report import Row
from benchmarks.run import Run

NAME = "throughput"
DIRECT, MINIMAL = "the upstream, asked directly", "minimal aiohttp proxy"
ALONE, BARE = "nginx alone", "nginx, the shipped file without verdicts"
GATEWAY_BUDGET, ASKING_BUDGET, CACHED_BUDGET = 0.85, 0.25, 0.7
CALLERS = (1, 100, MANY)
FEW = 20
"""For the checks; the measurement has MANY."""


def throughput(run: Run) -> list[Row]:
    """The gateway beside the minimal proxy, and nginx with verdicts beside nginx alone; one worker each, tokens seen before."""
    with scene(run, MANY if run.timing else FEW) as around:
        upstream = around.fast_upstream()
        subjects = [*_python(run, around, upstream), *_nginx(run, around, upstream)]
        if not run.timing:
            return []
        if not (wrk.is_installed() and nginx.is_installed()):
            note = nginx.INSTALL if wrk.is_installed() else wrk.INSTALL
            return [Row(NAME, None, GATEWAY_BUDGET, bound="at least", note=note)]
        interleaved(run, around, subjects)
        run.check([_exchanges(around)])
    return [row_of(subject) for subject in subjects]


def _python(run: Run, around: Scene, upstream: Server) -> list[Subject]:
    minimal = around.app("minimal:app", upstream)
    run.check(checks_of(NAME, MINIMAL, minimal, "as sent", guarded=False))
    base = Subject(MINIMAL, minimal)
    found = [Subject(DIRECT, upstream, base=base), base]
    for app, arrives in _GATEWAYS.items():
        server, name = around.app(f"apps:{app}", upstream), f"gateway, {app.replace('_', '-')}"
        run.check(checks_of(NAME, name, server, arrives, guarded=True))
        found += [Subject(_label(name, count), server, count, base, GATEWAY_BUDGET) for count in CALLERS]
    return found


_GATEWAYS: dict[str, Arrives] = {"pass_through": "as sent", "exchange": "exchanged"}


def _nginx(run: Run, around: Scene, upstream: Server) -> list[Subject]:
    if not nginx.is_installed():
        run.say(f"  {nginx.INSTALL}; its rows are skipped")
        return []
    verdicts = around.app("apps:forward_auth", upstream)
    alone = around.nginx(nginx.alone(upstream.url))
    run.check(checks_of(NAME, ALONE, alone, "as sent", guarded=False))
    bare = around.nginx(nginx.shipped(upstream.url, verdicts.url, "none"))
    run.check(checks_of(NAME, BARE, bare, "as sent", guarded=False))
    base = Subject(ALONE, alone)
    found = [base, Subject(BARE, bare, base=base)]
    for name, kind, budget in _VERDICTS:
        server = around.nginx(nginx.shipped(upstream.url, verdicts.url, kind))
        run.check(checks_of(NAME, name, server, "exchanged", guarded=True))
        found += [Subject(_label(name, count), server, count, base, budget, [verdicts], kind == "kept") for count in CALLERS]
    return found


_VERDICTS: tuple[tuple[str, nginx.Verdicts, float], ...] = (
    ("nginx, a verdict per request", "asked", ASKING_BUDGET),
    ("nginx, verdicts kept", "kept", CACHED_BUDGET),
)


def _label(name: str, callers: int) -> str:
    return name if callers == 1 else f"{name}, {callers:,} callers"


def _exchanges(around: Scene) -> Check:
    """The gateway and forward-auth are two processes, and each may ask once for each caller."""
    made = len(around.workspace.exchanges)
    return Check(NAME, GUARDED, "exchanges under load, by two processes", f"{2 * MANY}", f"{made}")
