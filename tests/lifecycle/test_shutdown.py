"""Processes that end while a fetch hangs: at once, with the status that they end with, and without a word.

The issuer sends headers for ever, so that no time limit of a socket ends the fetch: what waits for it never ends.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward.testing import FaultServer, LocalIssuer, faults

pytestmark = pytest.mark.servers

STRICT = ("-X", "dev", "-W", "error")
SOON = 60.0
"""Seconds, on a machine with much else to do. What is wrong hangs for `fetch_timeout`, five minutes."""


@pytest.fixture
def hanging(issuer: LocalIssuer) -> Iterator[FaultServer]:
    with FaultServer(issuer) as server:
        server.always(faults.slow_headers())
        yield server


def environment_of(issuer: LocalIssuer, server: FaultServer) -> dict[str, str]:
    return {"TENANT": issuer.tenant, "CLIENT_ID": issuer.client_id, "AUTHORITY": server.url}


# -- scripts -----------------------------------------------------------------------------------------------------------

SCRIPT = """
    import asyncio, logging, sys, threading, time
    from dataclasses import replace
    from tokenward import AsyncVerifier, KeysUnavailable, Verifier, entra
    from tokenward.keys.rhythm import Rhythm

    logging.getLogger("asyncio").setLevel("ERROR")  # its debug mode tells of the time that imports take
    driver, ending, url, tenant, client_id, token = sys.argv[1:]
    policy = entra.api(client_id, [tenant], cloud=replace(entra.PUBLIC, authority=url))
    patience = 300.0 if ending == "told to, in a wait" else 0.2
    rhythm = Rhythm(fetch_timeout=300.0, max_wait=patience)

    def end(status):
        assert [source.fetch for source in status].count("in_flight") == 1
        if ending == "sys.exit":
            sys.exit(3)
        if ending == "an error in a thread's pool":
            from concurrent.futures import ThreadPoolExecutor
            ThreadPoolExecutor(1).submit(sys.exit, 3)

    def ready():
        print("ready", flush=True)

    def blocking():
        verifier = Verifier(policy, rhythm=rhythm, observer=None)
        threading.Timer(0.5, ready).start()
        try:
            verifier.verify(token)
        except KeysUnavailable:
            end(verifier.status())

    async def polite():
        verifier = AsyncVerifier(policy, rhythm=rhythm, observer=None)
        async with verifier.running(warm_up=0.0):
            threading.Timer(0.5, ready).start()
            try:
                await verifier.verify(token)
            except KeysUnavailable:
                pass
            while ending == "told to, in a loop":
                await asyncio.sleep(1)
            status = [source for source in verifier.status() if source.fetch == "in_flight"][:1]
            end(status)

    try:
        if driver == "threads":
            blocking()
            while ending == "told to, in a loop":
                time.sleep(1)
        elif driver == "asyncio":
            asyncio.run(polite())
        else:
            import trio
            trio.run(polite)
    except KeyboardInterrupt:
        sys.exit(3)
"""


@pytest.mark.parametrize("driver", ["threads", "asyncio", "trio"])
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        pytest.param("falls off its end", 0, id="falls off its end"),
        pytest.param("sys.exit", 3, id="sys.exit"),
        pytest.param("told to, in a wait", 3, id="SIGINT in a wait"),
    ],
)
def test_a_script_ends_at_once_and_quietly(
    issuer: LocalIssuer, hanging: FaultServer, driver: str, ending: str, status: int
) -> None:
    arguments = [driver, ending, *(hanging.url, issuer.tenant, issuer.client_id, issuer.user_token())]
    command = [sys.executable, *STRICT, "-c", textwrap.dedent(SCRIPT), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            if status == 3 and ending != "sys.exit":
                process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=SOON)
        finally:
            process.kill()
    assert (process.returncode, *said) == (status, "", "")


# -- servers -----------------------------------------------------------------------------------------------------------

SERVERS = [
    pytest.param("uvicorn", "guarded:asgi", (), 1, signal.SIGTERM, id="uvicorn"),
    pytest.param("uvicorn", "guarded:asgi", (), 1, signal.SIGINT, id="uvicorn, SIGINT"),
    pytest.param("uvicorn", "guarded:asgi", ("--workers", "2"), 2, signal.SIGTERM, id="uvicorn, 2 workers"),
    pytest.param("gunicorn", "guarded:wsgi()", ("-k", "sync"), 1, signal.SIGTERM, id="gunicorn, sync"),
    pytest.param("gunicorn", "guarded:wsgi()", ("-k", "gthread", "--threads", "4"), 1, signal.SIGTERM, id="gunicorn, gthread"),
    pytest.param("gunicorn", "guarded:asgi()", ("-k", "uvicorn_worker.UvicornWorker"), 1, signal.SIGTERM, id="gunicorn, uvicorn"),
]
"""gunicorn's SIGINT is an abort, of which its workers tell themselves."""


@pytest.mark.parametrize(("server", "app", "options", "workers", "number"), SERVERS)
def test_a_server_ends_at_once_and_quietly(
    serve: Callable[..., Any],
    issuer: LocalIssuer,
    hanging: FaultServer,
    until: Callable[[Callable[[], bool]], None],
    server: str,
    app: str,
    options: tuple[str, ...],
    workers: int,
    number: signal.Signals,
) -> None:
    environment = environment_of(issuer, hanging) | {"WARM_UP": "0"}
    rhythm = {"fetch_timeout": 300.0, "max_wait": 0.2}
    service = serve(server, app, environment, *options, workers=workers, rhythm=rhythm)
    assert service.get(issuer.user_token()).status == 503
    assert {source["fetch"] for source in next(iter(service.statuses().values()))} == {"in_flight"}
    assert service.end(number) in (0, -number)
    until(lambda: not service.left_behind())
    assert service.said() == ""
