"""`--health` and `--ready`: ask the server that these settings describe, on this machine, how it is; for containers and cron."""

from __future__ import annotations

import http.client
import ssl

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.server import Server

TIMEOUT = 5.0
"""Seconds; containers usually wait 30 for a health check."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # read here, and not listened on


def probe(server: Server, path: str) -> Exit:
    """Whether it answers 200 at this address. Raises CommandFailed, with the exit code 1, where it does not."""
    try:
        status, text = _asked(server, path)
    except (OSError, http.client.HTTPException) as exc:
        problem = f"Nothing answers at {server.url}{path} ({getattr(exc, 'strerror', None) or type(exc).__name__})."
        raise CommandFailed(Exit.NO, problem, "See the log of the server; its settings and these must be the same.") from None
    if status != http.client.OK:
        raise CommandFailed(Exit.NO, f"{server.url}{path} answers {status}: {text}.", "See the log of the server.")
    return Exit.YES


def _asked(server: Server, path: str) -> tuple[int, str]:
    connection = _connection(server)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(200).decode("utf-8", "replace")
    finally:
        connection.close()


def _connection(server: Server) -> http.client.HTTPConnection:
    """To this machine and nowhere else, so a certificate, which is made out for the public name, is not compared."""
    host = EVERYWHERE.get(server.host, server.host)
    if server.certificate is None:
        return http.client.HTTPConnection(host, server.port, timeout=TIMEOUT)
    context = ssl._create_unverified_context()  # noqa: S323, SLF001
    return http.client.HTTPSConnection(host, server.port, timeout=TIMEOUT, context=context)
