"""`python -m tokenward.testing [--port N] [--tenant GUID] [--cloud NAME] [--keys FILE]`: the local issuer as its own process.

NOT FOR PRODUCTION: it signs whatever anybody on this machine asks it to sign. It listens on loopback only. Its keys die with it,
unless a file is named in which they are kept: then it can be killed, and comes back with the same keys.
When it is ready it prints one line of JSON, {"url", "tenant", "client_id"}; then it takes control requests, e.g.

    curl -d '{"kind": "user", "version": "2.0"}' http://127.0.0.1:8400/control/mint
    curl -d '{"mode": "status", "status": 503}' http://127.0.0.1:8400/control/fail
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tokenward.clouds import NAMED
from tokenward.testing.claims import DEFAULT_CLIENT_ID, DEFAULT_TENANT
from tokenward.testing.issuer import LocalIssuer
from tokenward.testing.keyfile import read_keys, write_keys
from tokenward.testing.server import IssuerServer
from tokenward.testing.stop_signal import StopSignal

WARNING = "tokenward local issuer: NOT FOR PRODUCTION. It signs whatever anybody on this machine asks it to sign."


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 0 then, and 2 if the arguments make no sense, or the port or the file cannot be had."""
    options = _parser().parse_args(arguments)
    print(WARNING, file=sys.stderr, flush=True)
    try:
        issuer = _issuer(options)
        server = IssuerServer(issuer, options.port, host=options.host, control=True).start()
    except (ValueError, OverflowError, OSError) as exc:
        print(f"tokenward local issuer: {exc}", file=sys.stderr)
        return 2
    _serve(issuer, server)
    return 0


def _issuer(options: argparse.Namespace) -> LocalIssuer:
    kept = read_keys(options.keys) if options.keys else []
    issuer = LocalIssuer(options.tenant, client_id=options.client_id, cloud=NAMED[options.cloud], keys=kept)
    if options.keys:
        issuer.on_keys = lambda keys: write_keys(options.keys, keys)
        issuer.on_keys(issuer.keys)
    return issuer


def _serve(issuer: LocalIssuer, server: IssuerServer) -> None:
    stop = StopSignal()
    issuer.stranger_key()  # keys are made now, so that no request waits for one
    print(json.dumps({"url": server.url, "tenant": issuer.tenant, "client_id": issuer.client_id}), flush=True)
    stop.wait()
    server.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tokenward.testing", description=WARNING)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes any free port")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address; any other is refused")
    parser.add_argument("--tenant", default=DEFAULT_TENANT, help="the tenant id (GUID)")
    parser.add_argument("--client-id", default=DEFAULT_CLIENT_ID, help="the application id of the API (GUID)")
    parser.add_argument("--cloud", default="public", choices=NAMED, help="whose issuers and documents (default: %(default)s)")
    parser.add_argument(
        "--keys", type=Path, metavar="FILE", help="keep the private keys here, and begin with those that are there"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
