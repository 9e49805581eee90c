"""Real servers under real load: the same Starlette app under uvicorn, guarded and unguarded, and wrk in front of them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx

from benchmarks.checks import Check
from benchmarks.load_app import JWKS_URI
from benchmarks.peers import AUTHENTICATION_MIDDLEWARE
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.tokens import entra_corpus
from tokenward.testing.loopback import free_port

NAME = "uvicorn under load, guarded / unguarded"
BUDGET = 0.85
CONNECTIONS = 32
SECONDS = 2
"""Of one wrk run; short, so that the interleaved runs share the machine's moods."""
RUNS = 5
START_TIMEOUT = 20.0
INSTALL = "wrk is not installed; on Debian: apt-get install wrk"


def under_load(run: Run) -> list[Row]:
    """A token seen before. One worker, 32 connections; the median of interleaved runs."""
    apps = ["unguarded", "guarded", *(["authentication_middleware"] if run.with_peers else [])]
    with contextlib.ExitStack() as stack:
        urls = {app: stack.enter_context(_server(app, f"{run.provider.url}/RS256/keys")) for app in apps}
        for app, url in urls.items():
            run.check(_checks(app, url))
        if not run.timing:
            return []
        if not run.with_load:
            return [Row(NAME, None, BUDGET, bound="at least", note="not run; ask for it with --load")]
        if shutil.which("wrk") is None:
            return [Row(NAME, None, BUDGET, bound="at least", note=INSTALL)]
        return [_row(_rates(run, urls))]


def _row(rates: dict[str, list[float]]) -> Row:
    median = {app: statistics.median(found) for app, found in rates.items()}
    peers: dict[str, float | str] = {}
    if "authentication_middleware" in median:
        peers[AUTHENTICATION_MIDDLEWARE] = median["authentication_middleware"] / median["unguarded"]
    listed = ", ".join(f"{app} {rate:,.0f}" for app, rate in median.items())
    ratio = median["guarded"] / median["unguarded"]
    return Row(
        NAME, ratio, BUDGET, bound="at least", peers=peers, details={"requests_per_second": rates}, note=f"requests/s: {listed}"
    )


def _rates(run: Run, urls: dict[str, str]) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {app: [] for app in urls}
    for number in range(RUNS):
        run.say(f"  wrk, round {number + 1} of {RUNS}")
        for app, url in urls.items():
            rates[app].append(_wrk(url))
    return rates


def _wrk(url: str) -> float:
    header = f"Authorization: Bearer {entra_corpus().good}"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", header, url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # found on PATH, as the user installed it
    if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise RuntimeError(f"wrk met errors:\n{done.stdout}")
    found = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk said nothing of its rate:\n{done.stdout}")
    return float(found.group(1))


def _checks(app: str, url: str) -> list[Check]:
    corpus = entra_corpus()
    given = {
        "a good token": corpus.good,
        "a tampered token": corpus.tampered,
        "an expired token": corpus.expired,
        "no token": None,
    }
    found: list[Check] = []
    with httpx.Client(trust_env=False) as client:
        for what, token in given.items():
            status = client.get(url, headers={"Authorization": f"Bearer {token}"} if token else {}).status_code
            passes = app == "unguarded" or token == corpus.good
            expected = "200" if passes else "401" if app == "guarded" else "refused"
            seen = "refused" if expected == "refused" and status in (400, 401, 403) else str(status)
            found.append(Check(NAME, "tokenward" if app == "guarded" else app, what, expected, seen))
    return found


@contextlib.contextmanager
def _server(app: str, jwks_uri: str) -> Iterator[str]:
    """uvicorn as its own process, on a port of its own.

    It binds the port itself: given a socket by --fd it does not set TCP_NODELAY, and every answer then waits for 40 ms.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "uvicorn", "--factory", f"benchmarks.load_app:{app}", "--port", str(port)]
    command += ["--log-level", "error", "--no-access-log"]
    environment = os.environ | {JWKS_URI: jwks_uri}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)  # our own module
    try:
        _await_answer(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def _await_answer(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_TIMEOUT
    with httpx.Client(trust_env=False, timeout=START_TIMEOUT) as client:
        while time.monotonic() < until:
            with contextlib.suppress(httpx.TransportError):
                client.get(url)
                return
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"{' '.join(map(str, process.args))} did not start")  # type: ignore[arg-type]
