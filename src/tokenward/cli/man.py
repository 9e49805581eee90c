"""`tokenward man`: the manual page, made from the help of every command, so that it says the same."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from types import MappingProxyType

from tokenward.cli.outcome import Exit
from tokenward.cli.output import print_raw
from tokenward.cli.parser import Parser, Subparsers, commands_of

DESCRIPTION = """\
Print the manual page of tokenward and all its commands, in the language of man
(roff). It says what --help of each command says."""
EPILOG = """\
examples:
  tokenward man | man -l -
  d=~/.local/share/man/man1; mkdir -p $d; tokenward man > $d/tokenward.1

exit codes:
  0  printed
  2  a wrong option

see also:
  tokenward completion    for the shell"""


def add_parser(subparsers: Subparsers) -> None:
    """Add the command to `tokenward`."""
    about = "the manual page"
    parser = subparsers.add_parser("man", help=about, description=DESCRIPTION, epilog=EPILOG)
    parser.runs(run, MappingProxyType({}))


def run(args: argparse.Namespace) -> Exit:  # noqa: ARG001  # every command's signature
    """Print the page."""
    print_raw("\n".join(_page()))
    return Exit.YES


def _page() -> Iterator[str]:
    from importlib.metadata import version

    from tokenward.cli.main import parser_of
    from tokenward.cli.registry import COMMANDS

    parser = parser_of(*COMMANDS)
    yield f'.TH TOKENWARD 1 "" "tokenward {version("tokenward")}" "User Commands"'
    yield ".ad l\n.nh"  # ragged, and no hyphens of its own: commands are copied
    yield ".SH NAME"
    yield r"tokenward \- bearer tokens: why they are refused, and how to get and guard them"
    yield ".SH SYNOPSIS"
    yield r"\fBtokenward\fR \fICOMMAND\fR [\fIOPTION\fR ...]"
    yield ".SH DESCRIPTION"
    yield from _text(parser.description or "")
    yield from _text(parser.epilog or "")
    yield ".SH COMMANDS"
    for below in commands_of(parser):
        yield from _command(below)


def _command(parser: Parser) -> Iterator[str]:
    yield f".SS {_escaped(parser.prog)}"
    yield from _text(parser.description or "")
    formatter = parser._get_formatter()  # noqa: SLF001  # argparse has no public way
    for action in parser._actions:  # noqa: SLF001
        if action.dest != "help" and not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            yield ".TP"
            yield rf"\fB{_escaped(formatter._format_action_invocation(action))}\fR"  # noqa: SLF001
            yield _escaped(formatter._expand_help(action))  # noqa: SLF001
    yield from _text(parser.epilog or "")


def _text(text: str) -> Iterator[str]:
    """Sentences are filled; what is indented stays as it is, below its heading."""
    for paragraph in re.split(r"\n\n+", text.strip("\n")):
        lines = paragraph.split("\n")
        yield ".PP"
        if any(line.startswith(" ") for line in lines):
            yield from _example(lines)
        else:
            yield from map(_escaped, lines)


def _example(lines: list[str]) -> Iterator[str]:
    if not lines[0].startswith(" "):
        yield rf"\fB{_escaped(lines[0])}\fR"
        yield ".br"
    yield ".nf"
    yield from (_escaped(line) for line in lines if line.startswith(" "))
    yield ".fi"


def _escaped(text: str) -> str:
    """Text that roff prints as it is: its hyphens can be copied, and no line of it is a command."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga").replace("^", r"\(ha")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
