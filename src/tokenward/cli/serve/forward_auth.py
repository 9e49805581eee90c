"""`tokenward forward-auth`: verdicts for nginx, Envoy, Traefik and Caddy, as a server of its own."""

from __future__ import annotations

from tokenward.cli.parser import Subparsers
from tokenward.cli.serve.command import add_command

DESCRIPTION = """\
Serve verdicts for another proxy: nginx (auth_request), Envoy (ext_authz),
Traefik and Caddy (forward_auth) ask for each request whether it may go on, and
under which token. Whoever can reach this server with a good token gets the
token for the workspace, so let only the proxy reach it. Settings come from a
TOML file, from the environment (TOKENWARD_<SECTION>_<FIELD>, which wins), or
from both, and never from the command line."""
EPILOG = """\
examples:
  tokenward forward-auth --config gateway.toml --check
  TOKENWARD_SERVER_PORT=9001 tokenward forward-auth --config gateway.toml
  TOKENWARD_FORWARD_AUTH_SOURCE=envoy TOKENWARD_SERVER_PORT=9090 \\
    tokenward forward-auth --config gateway.toml

The files nginx.conf (which asks at 9001 and 9002), envoy.yaml, traefik.yaml and
Caddyfile (at 9090) in deploy/ fit it.
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    add_command(subparsers, "forward-auth", "serve verdicts for nginx, Envoy, Traefik or Caddy", DESCRIPTION, EPILOG)
