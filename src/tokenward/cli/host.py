"""Options that say which Databricks workspace or account is meant, and how long it may take."""

from __future__ import annotations

import argparse
import os

from tokenward.cli.outcome import CommandFailed, Exit

TIMEOUT = 10.0


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """Add --host and --timeout."""
    example = "adb-1234567890123456.7.azuredatabricks.net"
    parser.add_argument(
        "--host", metavar="HOST", help=f"the workspace, as a name such as {example} or a URL; default: $DATABRICKS_HOST"
    )
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT, metavar="SECONDS", help="for everything, retries included; default: %(default)g"
    )


def host_of(args: argparse.Namespace) -> str:
    """The host given, or the one in the environment that Databricks' own tools read. Raises CommandFailed."""
    host: str = args.host or os.environ.get("DATABRICKS_HOST", "").strip()
    if not host:
        raise CommandFailed(Exit.USAGE, "No workspace is given.", "Use --host, or set DATABRICKS_HOST.")
    return host
