"""`tokenward gateway`: the gateway as a server of its own."""

from __future__ import annotations

from tokenward.cli.parser import Subparsers
from tokenward.cli.serve.command import add_command

DESCRIPTION = """\
Serve a guarded gateway in front of a Databricks workspace: every caller's token
is verified, exchanged if so configured, and put in the place of the old one;
requests and answers are streamed. Settings come from a TOML file, from the
environment (TOKENWARD_<SECTION>_<FIELD>, which wins), or from both. Secrets are
read from the environment or from files, and never from the configuration file
or the command line."""
EPILOG = """\
examples:
  tokenward gateway --config gateway.toml --check
  tokenward gateway --config gateway.toml

  export TOKENWARD_GATEWAY_UPSTREAM=adb-1234567890123456.7.azuredatabricks.net
  export TOKENWARD_GATEWAY_ALLOW=sql,serving,me
  export TOKENWARD_POLICY_KIND=databricks TOKENWARD_POLICY_TENANT=72f988bf-...
  export TOKENWARD_CREDENTIALS_KIND=pass_through
  tokenward gateway

signals:
  SIGTERM  /-/ready is 503 for [server] notice seconds, then no new requests are
           taken, then what is under way has [server] graceful seconds
  SIGINT   the same without the notice; a second one ends at once
"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    add_command(subparsers, "gateway", "serve a guarded gateway in front of a workspace", DESCRIPTION, EPILOG)
