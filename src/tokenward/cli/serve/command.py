"""What both commands have in common: their options, and the order in which things are judged before anything starts."""

from __future__ import annotations

import argparse
import os
from functools import partial
from importlib.resources import files
from types import MappingProxyType

from tokenward.cli.extras import require
from tokenward.cli.outcome import Exit
from tokenward.cli.output import print_fields, print_note, print_raw
from tokenward.cli.parser import Parser, Subparsers
from tokenward.cli.serve.reading import read_settings
from tokenward.databricks.admission.health import HEALTH, READY

FILE = "TOKENWARD_CONFIG"
"""The environment variable that names the configuration file where --config does not."""
EXAMPLE = "gateway.toml"
"""The configuration with every setting, beside this module; deploy/ links to it."""

LISTENS = """

It listens on http://127.0.0.1:8080, for this machine only, unless [server] host
and port say otherwise. --example prints every setting with its default, as a
commented gateway.toml to begin with."""
"""How the description of both commands ends."""

EPILOG = """\

exit codes:
  0  ended by a signal, or --check, --health or --ready say yes; --check may
     have warnings none the less, on stderr
  1  --health or --ready say no
  2  a wrong option, setting, certificate or port, or a missing package

It starts without its identity provider and without the workspace, and is ready
when it has keys."""
"""How the help of both commands ends."""


def add_command(subparsers: Subparsers, command: str, about: str, description: str, epilog: str) -> None:
    """Add a command that serves to `tokenward`."""
    parser = subparsers.add_parser(command, help=about, description=description + LISTENS, epilog=epilog + EPILOG)
    _add_options(parser)
    parser.runs(partial(_run, command), MappingProxyType({}))


def _add_options(parser: Parser) -> None:
    """--config, --check, --example, --health and --ready."""
    about = f"the configuration, in TOML; default: ${FILE}, else nothing but the environment"
    parser.add_argument("--config", metavar="FILE", default=None, help=about)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="judge the configuration and end; nothing is asked of any network")
    mode.add_argument("--example", action="store_true", help="print a commented configuration with every setting, and end")
    mode.add_argument("--health", action="store_true", help="ask the running server whether it is alive; 0 is yes, 1 is no")
    mode.add_argument("--ready", action="store_true", help="ask the running server whether it is ready; 0 is yes, 1 is no")


def _run(command: str, args: argparse.Namespace) -> Exit:
    """Serve, or do what was asked instead. Raises CommandFailed and PolicyError."""
    if args.example:
        print_raw(files("tokenward.cli.serve").joinpath(EXAMPLE).read_text("utf-8").rstrip("\n"))
        return Exit.YES
    from tokenward.cli.serve.server import server_from

    settings = read_settings(args.config or os.environ.get(FILE) or None, os.environ)
    server = server_from(settings["server"])
    if args.health or args.ready:
        from tokenward.cli.serve.probing import probe

        return probe(server, HEALTH if args.health else READY)
    require("gateway")
    from tokenward.cli.serve.app import made
    from tokenward.cli.serve.cautions import cautions
    from tokenward.cli.serve.description import described
    from tokenward.cli.serve.runner import serve

    made(command, settings)
    words, warned = described(command, settings), cautions(command, settings, server)
    if args.check:
        print_fields("This configuration can be used", {**words, "listen": server.url, "workers": server.workers})
        for caution in warned:
            print_note(f"{caution.event}: {caution.hint}")
        return Exit.YES
    return serve(command, settings, server, words, warned)
