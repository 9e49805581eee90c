"""Help that is enough to work from, for every command there is; what cannot be read ends with 2 and what to do next."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tokenward.cli.main import parser_of
from tokenward.cli.parser import commands_of
from tokenward.cli.registry import COMMANDS, GROUPS, module_of

SILENT = {"gateway", "forward-auth", "completion", "man"}
"""They serve, or print a text that is a program's own; every other command reports."""


@pytest.mark.parametrize("command", COMMANDS.values(), ids=list(COMMANDS))
def test_every_command_of_the_registry_is_there_under_its_name(command: Any) -> None:
    assert callable(module_of(command).add_parser)
    assert next(below.prog for below in commands_of(parser_of(command.name))) == f"tokenward {command.name}"


def test_the_help_lists_every_command_in_one_line(ran: Any) -> None:
    done = ran("--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    for title, commands in GROUPS.items():
        below = done.stdout.split(f"\n{title}:\n")[1].split("\n\n")[0].splitlines()
        assert [line.split()[0] for line in below] == [command.name for command in commands]
    assert len(re.findall(r"^  tokenward ", done.stdout.split("\nexamples:\n")[1], re.MULTILINE)) >= 3
    assert all(f"\n  {number}  " in done.stdout for number in range(5))


@pytest.mark.servers
def test_help_is_enough_to_work_from(ran: Any, leaf: Any) -> None:
    done = ran(*leaf.words, "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    description, _, rest = done.stdout.partition("\noptions:\n")
    assert len(description.split("\n\n")) >= 2
    assert f"  tokenward {' '.join(leaf.words)}" in rest.split("\nexamples:\n")[1]
    codes = "\n" + rest.split("\nexit codes:\n")[1]
    assert "\n  0  " in codes
    assert "\n  2  " in codes


def test_help_of_a_token_reader_says_where_the_token_comes_from(called: Any, leaf: Any) -> None:
    text = called(*leaf.words, "--help", COLUMNS="80").stdout
    assert ("never from the command line" in " ".join(text.split())) >= ("--token-file" in text)


def test_no_option_is_without_help(leaf: Any) -> None:
    assert [action.dest for action in leaf.parser._actions if not action.help] == []


@pytest.mark.parametrize("columns", ["40", "200"])
def test_help_breaks_no_word(called: Any, leaf: Any, columns: str) -> None:
    usual, other = (called(*leaf.words, "--help", COLUMNS=width).stdout for width in ("80", columns))
    below = slice(1, None)  # the usage, which names the options only where there is room
    assert set(" ".join(other.split("\n\n")[below]).split()) == set(" ".join(usual.split("\n\n")[below]).split())
    if columns == "200":
        assert max(map(len, other.splitlines())) <= 80


def test_every_command_that_reports_has_json(leaf: Any) -> None:
    has = "--json" in leaf.parser._option_string_actions
    assert has is (" ".join(leaf.words) not in SILENT)


def test_an_option_that_there_is_not_ends_with_2_and_what_to_do(called: Any, leaf: Any) -> None:
    done = called(*leaf.words, *leaf.arguments, "--no-such-option", stdin=leaf.stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert "unrecognized arguments: --no-such-option." in done.stderr
    assert done.stderr.splitlines()[-1] == f"  next: See tokenward {' '.join(leaf.words)} --help."


def test_an_option_that_is_misspelt_is_guessed(called: Any) -> None:
    done = called("me", "--token-fil", "x")
    assert done.stderr.splitlines()[-1] == "  next: Did you mean --token-file? See tokenward me --help."


def test_a_command_that_is_misspelt_is_guessed(called: Any) -> None:
    done = called("diagnoze")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1] == "  next: Did you mean diagnose? See tokenward --help."


@pytest.mark.parametrize("arguments", [(), ("policy",)], ids=["tokenward", "policy"])
def test_without_a_command_there_is_help_on_stderr(called: Any, arguments: tuple[str, ...]) -> None:
    done = called(*arguments)
    helped = called(*arguments, "--help")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(helped.stdout)
    assert done.stderr.splitlines()[-1].startswith("  next: ")


def test_what_cannot_be_read_is_one_json_document_with_json(called: Any, leaf: Any) -> None:
    done = called(*leaf.words, *leaf.arguments, "--json", "--no-such-option", stdin=leaf.stdin)
    told = json.loads(done.stdout)
    assert told["exit_code"] == done.returncode == 2
    assert told["error"] == "usage"
    assert told["next"]


def test_the_docs_page_has_every_command(leaves: Any) -> None:
    page = Path(__file__).parents[3] / "docs" / "cli.md"
    if not page.is_file():
        pytest.skip("docs/ is not beside the tests")
    listed = re.findall(r"^\| `tokenward ([a-z -]+?)(?: [A-Z]+)?` \|", page.read_text("utf-8"), re.MULTILINE)
    assert listed == list(leaves)
