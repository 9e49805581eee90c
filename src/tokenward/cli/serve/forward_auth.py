"""`tokenward forward-auth`: verdicts for nginx, Envoy, Traefik and Caddy, as a server of its own."""

from __future__ import annotations

import argparse
from types import MappingProxyType

from tokenward.cli.outcome import Exit
from tokenward.cli.parser import Subparsers
from tokenward.cli.serve.command import add_options, run

COMMAND = "forward-auth"
DESCRIPTION = """\
Serve verdicts for another proxy: nginx (auth_request), Envoy (ext_authz), Traefik
and Caddy (forward_auth) ask for each request whether it may go on, and under
which token. Whoever can reach this server with a good token gets the token for
the workspace, so let only the proxy reach it. Settings come from a TOML file,
from the environment (TOKENWARD_<SECTION>_<FIELD>, which wins), or from both, and
never from the command line."""
EPILOG = """\
examples:
  tokenward forward-auth --config gateway.toml --check
  TOKENWARD_FORWARD_AUTH_SOURCE=envoy tokenward forward-auth --config gateway.toml

The files nginx.conf, envoy.yaml, traefik.yaml and Caddyfile in deploy/ fit it.

exit codes:
  0  ended by a signal, or --check, --health or --ready say yes
  1  --health or --ready say no
  2  a wrong option, setting, certificate or port, or a missing package

It starts without its identity provider and without the workspace, and is ready
when it has keys."""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "serve verdicts for nginx, Envoy, Traefik or Caddy"
    parser = subparsers.add_parser(COMMAND, help=about, description=DESCRIPTION, epilog=EPILOG)
    add_options(parser)
    parser.runs(_run, MappingProxyType({}))


def _run(args: argparse.Namespace) -> Exit:
    return run(COMMAND, args)
