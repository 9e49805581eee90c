"""The commands that the documents show are commands: each is taken by the real command line, options and all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tokenward.cli.main import parser_of
from tokenward.cli.registry import COMMANDS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCKS = re.compile(r"^ *```(?P<language>\w*)\n(?P<fenced>.*?)^ *```$|(?P<indented>(?:^    \S.*\n)+)", re.MULTILINE | re.DOTALL)
_SHELL = ("", "sh", "text")
_GONE = re.compile(r"<<'?EOF'?\n.*?^EOF$|\s#.*?$|\\\n|\b\d(?=>)", re.MULTILINE | re.DOTALL)
"""Files that are written there, remarks, the ends of lines that go on, and the number of a stream."""
_BETWEEN = re.compile(r"[();<>|&]+")
_BEFORE = re.compile(r"|[();<>|&]+|[A-Z_]+=.*|do|then")
"""What may stand before a command: nothing, a pipe and its like, or a variable that is set for it."""


def _shown(page: Path) -> Iterator[tuple[str, ...]]:
    """The words of each command, up to a pipe or a redirection."""
    for block in _BLOCKS.finditer(page.read_text("utf-8")):
        text = block["indented"] or (block["fenced"] if block["language"] in _SHELL else "")
        for line in _lines(_GONE.sub("", text)):
            words = ["", *line, ";"]
            for at, word in enumerate(words):
                if word == "tokenward" and _BEFORE.fullmatch(words[at - 1]) and words[at + 1] in COMMANDS:
                    end = next(end for end in range(at, len(words)) if _BETWEEN.fullmatch(words[end]))
                    yield tuple(words[at + 1 : end])


def _lines(text: str) -> Iterator[list[str]]:
    """Each line's words; one with an open quotation mark goes on in the next."""
    line = ""
    for piece in text.splitlines():
        line = f"{line}\n{piece}" if line else piece
        if "tokenward " not in line:
            line = ""
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.commenters, lexer.whitespace_split = "", True
        try:
            yield list(lexer)
        except ValueError:
            continue
        line = ""


FOUND = {page.stem: list(dict.fromkeys(_shown(page))) for page in PAGES}


def test_the_documents_show_every_command() -> None:
    assert COMMANDS.keys() - {words[0] for shown in FOUND.values() for words in shown} == set()


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=f"{page} {' '.join(words)}"[:100]) for page, shown in FOUND.items() for words in shown]
)
def test_a_command_that_is_shown_is_taken_by_the_command_line(words: tuple[str, ...]) -> None:
    """Options that do not exist, and values they do not take, are refused while arguments are read."""
    args, rest = parser_of(words[0]).parse_known_args(words)
    assert (rest, callable(args.run)) == ([], True)
