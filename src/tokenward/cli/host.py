"""Options that say which Databricks workspace or account is meant, and how long it may take."""

from __future__ import annotations

import argparse
import os

from tokenward.cli.durations import add_timeout
from tokenward.cli.outcome import CommandFailed, Exit

TIMEOUT = 10.0
"""Seconds."""
VARIABLE = "DATABRICKS_HOST"
"""What Databricks' own tools read, too."""


def add_workspace_option(parser: argparse.ArgumentParser | argparse._ArgumentGroup, about: str) -> None:
    """Add --workspace, which may be written --host, as Databricks' own tools call it."""
    parser.add_argument("--workspace", "--host", dest="workspace", metavar="HOST", help=about)


def add_host_options(parser: argparse.ArgumentParser) -> None:
    """Add --workspace and --timeout."""
    example = "adb-1234567890123456.7.azuredatabricks.net"
    add_workspace_option(parser, f"the workspace, as a name such as {example} or a URL; default: ${VARIABLE}")
    add_timeout(parser, TIMEOUT, "for everything, retries included")


def host_of(args: argparse.Namespace) -> str:
    """The workspace given, or the environment's. Raises CommandFailed if there is none."""
    if host := named_workspace(args):
        return host
    raise CommandFailed(Exit.USAGE, "No workspace is given.", f"Use --workspace, or set {VARIABLE}.")


def named_workspace(args: argparse.Namespace) -> str | None:
    """The workspace given, or else the environment's; None if neither names one."""
    return args.workspace or os.environ.get(VARIABLE, "").strip() or None
