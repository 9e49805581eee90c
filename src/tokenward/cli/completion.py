"""`tokenward completion`: a shell's completion of commands, options and files, as a script that shtab writes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from types import MappingProxyType

from tokenward.cli.extras import EXTRAS, require
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_raw
from tokenward.cli.parser import Parser, Subparsers, commands_of

SHELLS = ("bash", "zsh", "fish", "tcsh")
FILES = frozenset({"FILE", "PATH", "LOG", "OUT"})
"""What arguments that are files are called in the help."""

DESCRIPTION = """\
Print a script by which a shell completes commands, options and files. It is made
anew from the commands that are there, so print it again after an update. The
package shtab writes it (extra cli); the script itself starts no Python, and asks
nobody."""
EPILOG = """\
examples:
  bash, where bash-completion is installed:
    d=~/.local/share/bash-completion/completions; mkdir -p $d
    tokenward completion bash > $d/tokenward
  bash otherwise, in ~/.bashrc:
    eval "$(tokenward completion bash)"
  zsh, with `fpath=(~/.zfunc $fpath)` before `compinit` in ~/.zshrc:
    mkdir -p ~/.zfunc; tokenward completion zsh > ~/.zfunc/_tokenward
  fish:
    tokenward completion fish > ~/.config/fish/completions/tokenward.fish
  tcsh, in ~/.tcshrc:
    tokenward completion tcsh | source /dev/stdin

Start a new shell to use it.

exit codes:
  0  printed
  2  a wrong option, or shtab is not installed

see also:
  tokenward man    the manual page"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "completion of commands and options by the shell"
    parser = subparsers.add_parser("completion", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=f"one of {', '.join(SHELLS)}")
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:
    """Print one shell's script."""
    require("cli", "shtab")
    import shtab

    if args.shell not in shtab.SUPPORTED_SHELLS:  # 1.8 knows no fish
        fix = f"Update it: pip install -U {EXTRAS['cli'].installed}"
        raise CommandFailed(Exit.USAGE, f"This version of shtab knows no {args.shell}.", fix)
    print_raw(script(args.shell).rstrip("\n"))
    return Exit.YES


def script(shell: str) -> str:
    """The script for one of SHELLS. Raises ModuleNotFoundError without shtab."""
    import shtab

    from tokenward.cli.main import parser_of
    from tokenward.cli.registry import COMMANDS

    parser = parser_of(*COMMANDS)
    for below in commands_of(parser):
        name = below.prog.removeprefix("tokenward ")
        below.description = COMMANDS[name].summary if name in COMMANDS else below.description
    for action in _arguments(parser):
        if action.help == argparse.SUPPRESS:  # of the commands, which the help lists by groups
            action.help = None
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # how shtab is told
    return shtab.complete(parser, shell)


def _arguments(parser: Parser) -> Iterator[argparse.Action]:
    for one in (parser, *commands_of(parser)):
        yield from one._actions  # noqa: SLF001  # argparse has no public way
