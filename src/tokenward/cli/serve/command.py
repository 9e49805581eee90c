"""What both commands have in common: their options, and the order in which things are judged before anything starts."""

from __future__ import annotations

import argparse
import os

from tokenward.cli.outcome import Exit
from tokenward.cli.output import print_fields
from tokenward.cli.parser import Parser
from tokenward.cli.serve.extras import require
from tokenward.cli.serve.reading import read_settings
from tokenward.databricks.gateway.health import HEALTH, READY

FILE = "TOKENWARD_CONFIG"
"""The environment variable that names the configuration file where --config does not."""


def add_options(parser: Parser) -> None:
    """Add --config, --check, --health and --ready."""
    about = f"the configuration, in TOML; default: ${FILE}, else nothing but the environment"
    parser.add_argument("--config", metavar="FILE", default=None, help=about)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="judge the configuration and end; nothing is asked of any network")
    mode.add_argument("--health", action="store_true", help="ask the running server whether it is alive; 0 is yes, 1 is no")
    mode.add_argument("--ready", action="store_true", help="ask the running server whether it is ready; 0 is yes, 1 is no")


def run(command: str, args: argparse.Namespace) -> Exit:
    """Serve, or do what was asked instead. Raises CommandFailed and PolicyError."""
    from tokenward.cli.serve.server import server_from

    settings = read_settings(args.config or os.environ.get(FILE) or None, os.environ)
    server = server_from(settings["server"])
    if args.health or args.ready:
        from tokenward.cli.serve.probing import probe

        return probe(server, HEALTH if args.health else READY)
    require("gateway")
    from tokenward.cli.serve.app import made
    from tokenward.cli.serve.description import described
    from tokenward.cli.serve.runner import serve

    made(command, settings)
    words = described(command, settings)
    if args.check:
        print_fields("This configuration can be used", {**words, "listen": server.url, "workers": server.workers})
        return Exit.YES
    return serve(command, settings, server, words)
