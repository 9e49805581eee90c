"""Running a server: a bound socket, one line that says what is guarded, and uvicorn in one process or in several.

uvicorn (0.54 was read, 0.30 was tried) loads the app in each worker, under signal handlers of its own, and raises the signal
again once it has stopped; so this process has handlers that take it calmly.
"""

from __future__ import annotations

import inspect
import os
import signal
import socket
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import structlog

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.app import SETTINGS, dumped
from tokenward.cli.serve.cautions import Caution
from tokenward.cli.serve.logs import configure_logs
from tokenward.cli.serve.server import Server, listening
from tokenward.cli.serve.settings import Settings

if TYPE_CHECKING:
    import uvicorn

APP = "tokenward.cli.serve.app:worker"
END = 2
"""Seconds that uvicorn leaves to connections that are still open, once our own time for them is over."""
PATIENCE = 30
"""Seconds in which a worker must answer its parent; on a busy machine the start alone can take longer than uvicorn's 5."""


def serve(command: str, settings: Settings, server: Server, described: Mapping[str, object], cautions: Iterable[Caution]) -> Exit:
    """Serve until somebody ends it. Raises CommandFailed."""
    listener = listening(server, settings["server"])
    os.environ[SETTINGS] = dumped(command, settings)
    configure_logs(server.log, access_log=server.access_log)
    _announce(command, server, described, cautions)
    with listener:
        return _run(_config(server, command), listener)


def _announce(command: str, server: Server, described: Mapping[str, object], cautions: Iterable[Caution]) -> None:
    log = structlog.get_logger("tokenward")
    log.info("starting", command=command, **described, listen=server.url, workers=server.workers)
    for caution in cautions:
        log.warning(caution.event, **caution.fields, hint=caution.hint)


def _config(server: Server, command: str) -> uvicorn.Config:
    import uvicorn

    from tokenward.cli.serve.protocol import BoundedProtocol

    return uvicorn.Config(
        APP,
        factory=True,
        http=BoundedProtocol,
        workers=server.workers,
        lifespan="on",
        ws="none",  # an upgrade is then a request, which is refused as one
        log_config=None,
        access_log=server.access_log,
        proxy_headers=False,  # nothing is decided by the caller's address or by what a proxy says of it
        server_header=False,
        date_header=command != "gateway",  # the upstream's own is handed on
        timeout_keep_alive=int(server.keep_alive),
        timeout_graceful_shutdown=END,
        ssl_certfile=server.certificate,
        ssl_keyfile=server.key,
        **_of_this_version(),
    )


def _of_this_version() -> dict[str, Any]:
    """Options that older versions lack."""
    import uvicorn

    known = inspect.signature(uvicorn.Config).parameters
    return {"timeout_worker_healthcheck": PATIENCE} if "timeout_worker_healthcheck" in known else {}


def _run(config: uvicorn.Config, listener: socket.socket) -> Exit:
    if config.workers > 1:
        _run_workers(config, listener)
        return Exit.YES
    return _run_alone(config, listener)


def _run_workers(config: uvicorn.Config, listener: socket.socket) -> None:
    """Older versions want to be told what each worker runs."""
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    wants_target = "target" in inspect.signature(Multiprocess).parameters
    told: dict[str, Any] = {"target": uvicorn.Server(config).run} if wants_target else {}
    Multiprocess(config, sockets=[listener], **told).run()


def _run_alone(config: uvicorn.Config, listener: socket.socket) -> Exit:
    import uvicorn

    server = uvicorn.Server(config)

    def calmly(*_: object) -> None:
        if not server.started:
            raise SystemExit(int(Exit.YES))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, calmly)
    server.run(sockets=[listener])
    if not server.started:
        raise CommandFailed(Exit.USAGE, "The server did not start.", "See the log lines above.")
    return Exit.YES
