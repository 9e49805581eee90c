"""`python -m tokenward.testing.graph [--port N] [--tenant GUID] [--directory FILE]`: the stand-in Graph as its own process.

NOT FOR PRODUCTION: it gives tokens to anybody on this machine. It listens on loopback only, and forgets everything at its end.
Without a file it knows AzureDatabricks and one client that may use it. A file of JSON has the members `applications`,
`service_principals`, `grants` and `assignments`, each a list of Graph's objects, in place of these, and
`user_consent`, the names of the policies by which users may consent. When it is ready it prints
one line of JSON, {"url", "tenant", "client_id"}; then it takes control requests:

    curl -d '{"permissions": ["Application.Read.All"]}' http://127.0.0.1:8600/control/token
    curl -d '{"mode": "status", "status": 429, "retry_after": 2}' http://127.0.0.1:8600/control/fail
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenward import validation
from tokenward.testing.claims import DEFAULT_CLIENT_ID, DEFAULT_TENANT
from tokenward.testing.graph.graph import LocalGraph
from tokenward.testing.graph.server import GraphServer
from tokenward.testing.stop_signal import StopSignal

WARNING = "tokenward stand-in Graph: NOT FOR PRODUCTION. It gives tokens to anybody on this machine."
LISTS = ("applications", "service_principals", "grants", "assignments", "user_consent")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 0 then, and 2 if the arguments make no sense, or the port or the file cannot be had."""
    options = _parser().parse_args(arguments)
    print(WARNING, file=sys.stderr, flush=True)
    try:
        graph = LocalGraph(validation.guid("tenant", options.tenant, "Give any GUID."))
        _furnish(graph, options.directory)
        server = GraphServer(graph, options.port, control=True).start()
    except (ValueError, OverflowError, OSError) as exc:
        print(f"tokenward stand-in Graph: {exc}", file=sys.stderr)
        return 2
    _serve(graph, server)
    return 0


def _furnish(graph: LocalGraph, file: Path | None) -> None:
    directory = graph.directory
    if file is None:
        application, principal = directory.register(DEFAULT_CLIENT_ID, "contoso client")
        directory.request(application, directory.databricks, ["user_impersonation"])
        directory.consent(principal, directory.databricks, ["user_impersonation"])
        return
    document = json.loads(file.read_text("utf-8"))
    for name in LISTS:
        if name in document:
            getattr(directory, name)[:] = document[name]


def _serve(graph: LocalGraph, server: GraphServer) -> None:
    stop = StopSignal()
    graph.token()  # the key is made now, so that no request waits for it
    print(json.dumps({"url": server.url, "tenant": graph.directory.tenant, "client_id": DEFAULT_CLIENT_ID}), flush=True)
    stop.wait()
    server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tokenward.testing.graph", description=WARNING)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--tenant", default=DEFAULT_TENANT, help="the tenant id (GUID)")
    parser.add_argument("--directory", type=Path, metavar="FILE", help="what is registered, in place of its own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
