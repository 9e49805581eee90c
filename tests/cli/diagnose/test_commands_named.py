"""The commands of tokenward that the catalogue names are commands as they are."""

from __future__ import annotations

import shlex

import pytest

from tokenward.acquisition import entries
from tokenward.cli.parser import Parser
from tokenward.cli.registry import COMMANDS, module_of

NAMED = sorted(
    {
        command
        for entry in entries().values()
        for command in (*(each for cause in entry.causes for each in cause.commands), *([entry.tell] if entry.tell else []))
        if command.startswith("tokenward ")
    }
)


@pytest.mark.parametrize("command", NAMED)
def test_a_command_that_the_catalogue_names_can_be_called_so(command: str) -> None:
    arguments = shlex.split(command)[1:]
    named = COMMANDS[arguments[0]]
    parser = Parser(prog="tokenward")
    module_of(named).add_parser(parser.add_subparsers())
    parser.parse_args(arguments)
