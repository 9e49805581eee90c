"""`tokenward inspect`: the inspector's page, on this machine alone, until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import json
import signal
import socket
import sys
import webbrowser
from types import MappingProxyType
from typing import TYPE_CHECKING

from tokenward.cli.extras import require
from tokenward.cli.host import TIMEOUT
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_line, print_note, print_raw, print_text
from tokenward.cli.parser import Subparsers
from tokenward.cli.policy_options import add_policy_options, policy_of
from tokenward.policy import Policy

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
"""No option changes it: the page answers whoever can reach it."""
MOST_PORT = 65535
END = 2
"""Seconds for a request that is under way when it is ended; one for keys may take ten, and nobody waits for it then."""

DESCRIPTION = """\
Open a local page that explains tokens: claims in words, times on a line, every
check with what to change, two tokens compared, errors looked up. What is pasted
stays on this machine: it is in no address, no log and no store. Issuers are
asked for their keys only if a policy names them. Ctrl-C ends it."""
EPILOG = """\
examples:
  tokenward inspect --open
  tokenward inspect --databricks --tenant "$TENANT_ID" --open
  tokenward inspect --policy gateway.toml --port 8700
  tokenward inspect --json                    the address, for a script

exit codes:
  0  ended
  2  a wrong option, a port that is taken, or a missing package"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "explain tokens on a local page in the browser"
    parser = subparsers.add_parser("inspect", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--port", metavar="PORT", type=int, default=0, help="the port on 127.0.0.1; default: any that is free")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--json", action="store_true", help="print the address as JSON, on one line")
    add_policy_options(parser)
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Serve the page until somebody ends it. Raises CommandFailed and PolicyError."""
    require("inspect")
    policy = policy_of(args, offline=False, timeout=TIMEOUT)
    listener = _listening(args.port)
    with listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/"
        server = _server(policy)
        _announce(url, policy, as_json=args.json)
        if args.open and not webbrowser.open(url):
            print_note("There is no browser to open here; open the address yourself.")
        _run(server, listener)
    return Exit.YES


def _listening(port: int) -> socket.socket:
    if not 0 <= port <= MOST_PORT:
        raise CommandFailed(Exit.USAGE, f"There is no port {port}.", f"Give one from 1 to {MOST_PORT}, or leave --port out.")
    try:
        return socket.create_server((HOST, port))
    except OSError as exc:
        why = "is taken" if exc.errno == errno.EADDRINUSE else f"cannot be listened on ({exc.strerror or type(exc).__name__})"
        raise CommandFailed(
            Exit.USAGE, f"Port {port} {why}.", "Give another one, or leave --port out for any free one."
        ) from None


def _server(policy: Policy | None) -> uvicorn.Server:
    import uvicorn

    from tokenward.web import inspector

    app = inspector(policy, opted_in=True)
    config = uvicorn.Config(
        app,
        access_log=False,  # a log that is not written holds nothing
        log_config=None,
        lifespan="off",
        ws="none",
        proxy_headers=False,  # the guard judges the peer itself
        server_header=False,
        timeout_graceful_shutdown=END,
    )
    return uvicorn.Server(config)


def _announce(url: str, policy: Policy | None, *, as_json: bool) -> None:
    issuers = [] if policy is None else [issuer.issuer for issuer in policy.issuers]
    if as_json:
        print_raw(json.dumps({"url": url, "issuers": issuers}))
    else:
        print_line(f"The inspector is at {url}")
        print_text(f"{_judged(issuers)} Ctrl-C ends it.")
    sys.stdout.flush()


def _judged(issuers: list[str]) -> str:
    if not issuers:
        return "No policy was given, so tokens are explained, and judged as far as that goes without one."
    return f"Tokens are judged by the policy for {issuers[0]}{f' and {len(issuers) - 1} more' if issuers[1:] else ''}."


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """uvicorn raises the signal that ended it once more, which must then end nothing else."""

    def calmly(*_: object) -> None:
        if not server.started:
            raise SystemExit(int(Exit.YES))

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, calmly)
    server.run(sockets=[listener])
