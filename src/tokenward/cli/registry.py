"""Every command: what a person wants with it, and where it is; a command's module is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple, Protocol, cast

from tokenward.cli.parser import Subparsers


class Command(NamedTuple):
    """A command's name, its module below tokenward.cli, and its line in the help."""

    name: str
    module: str
    summary: str


class CommandModule(Protocol):
    """What a command's module has."""

    def add_parser(self, subparsers: Subparsers) -> None: ...


GROUPS: dict[str, tuple[Command, ...]] = {
    "see why a token is refused": (
        Command("explain", "explain", "every check of a token, and what to change where"),
        Command("decode", "decode", "what a token says, without verifying it"),
        Command("inspect", "inspect", "the same as a local page in the browser"),
        Command("keys", "keys", "an issuer's keys: usable or why not, and their rotation"),
    ),
    "see why no token was given": (
        Command("diagnose", "diagnose", "AADSTS codes, OAuth errors and logs, explained"),
        Command("doctor", "doctor", "an app registration or a workspace, examined"),
    ),
    "watch a service": (
        Command("tail", "tail", "rejections in a log, live, by cause"),
        Command("report", "report", "rejections over time, as a page or on the terminal"),
    ),
    "get and use tokens of Azure Databricks": (
        Command("exchange", "exchange", "an identity provider's JWT for a Databricks token"),
        Command("me", "me", "who a Databricks token belongs to"),
        Command("policy", "policy", "which federation policy accepts a JWT"),
    ),
    "serve": (
        Command("gateway", "serve.gateway", "a guarded gateway in front of a workspace"),
        Command("forward-auth", "serve.forward_auth", "verdicts for nginx, Envoy, Traefik or Caddy"),
    ),
    "set up": (
        Command("completion", "completion", "completion of commands and options by the shell"),
        Command("man", "man", "the manual page"),
    ),
}
"""By what a person wants, in the order of the help."""

COMMANDS: dict[str, Command] = {command.name: command for commands in GROUPS.values() for command in commands}


def module_of(command: Command) -> CommandModule:
    """Import a command's module. Raises ModuleNotFoundError, such as for a package of an extra."""
    return cast(CommandModule, import_module(f"tokenward.cli.{command.module}"))


def listed() -> str:
    """The commands as the help lists them."""
    width = max(map(len, COMMANDS))
    return "\n\n".join(
        "\n".join([f"{title}:", *(f"  {command.name:<{width}}  {command.summary}" for command in commands)])
        for title, commands in GROUPS.items()
    )
