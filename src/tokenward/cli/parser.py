"""The command line's grammar: help that is laid out by hand, no abbreviations, and no token in a complaint."""

from __future__ import annotations

import argparse
import difflib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeAlias

from tokenward.cli.layout import wrapped
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.redaction import shown

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  # argparse names it nowhere else
Run: TypeAlias = Callable[[argparse.Namespace], Exit]

HELP_WIDTH = 80
"""Columns that no help goes beyond: lines that are longer are hard to read, and the texts are written for it."""
COMMAND = "command"
"""What a parser with commands below it calls them (its metavar)."""
MASKED = "<token>"
"""What redaction.shown leaves of a token."""
EXPOSED = (
    "Give no token on the command line: other processes and the shell's history see it, so replace this one. "
    "Pipe it in, or use --token-env or --token-file."
)


class Layout(argparse.RawDescriptionHelpFormatter):
    """Texts as they were written where they fit; elsewhere their sentences are broken anew, but examples and lists are not."""

    def __init__(self, prog: str, **options: Any) -> None:
        self.columns = min(shutil.get_terminal_size().columns, HELP_WIDTH)
        super().__init__(prog, **{"width": self.columns, "max_help_position": 26, **options})

    def _format_usage(self, usage: str | None, actions: Iterable[argparse.Action], groups: Any, prefix: str | None) -> str:
        """Options are named one by one only where that fits: argparse breaks no line between those that exclude one another."""
        actions = list(actions)
        text = super()._format_usage(usage, actions, groups, prefix)
        if usage is not None or max(map(len, text.splitlines())) <= self.columns:
            return text
        named = [
            self._format_args(one, self._get_default_metavar_for_positional(one)) for one in actions if not one.option_strings
        ]
        return super()._format_usage(" ".join(["%(prog)s [OPTION ...]", *named]), actions, groups, prefix)

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # noqa: ARG002  # argparse's signature
        return "\n\n".join(map(self._fitted, text.split("\n\n")))

    def _split_lines(self, text: str, width: int) -> list[str]:
        return wrapped(text, width)

    def _fitted(self, paragraph: str) -> str:
        lines = paragraph.split("\n")
        if paragraph.startswith("\n") or any(line.startswith(" ") for line in lines) or max(map(len, lines)) <= self.columns:
            return paragraph
        return "\n".join(wrapped(" ".join(lines), self.columns))


class Parser(argparse.ArgumentParser):
    """Raises CommandFailed for what it cannot read; scripts get no abbreviations that a new option would break."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"formatter_class": Layout, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Python's own words for what is wrong, without what could be a token."""
        if message.endswith(f"required: {COMMAND}"):
            fix = f"Give one of those above; {self.prog} COMMAND --help tells more."
            raise CommandFailed(Exit.USAGE, "A command is needed.", fix, usage=self.format_help())
        masked = str(shown(message))
        raise CommandFailed(Exit.USAGE, f"{masked}.", EXPOSED if MASKED in masked else self._see())

    def unrecognized(self, given: Sequence[str]) -> CommandFailed:
        """What to say of arguments that nothing takes, with the option that was probably meant."""
        masked = str(shown(" ".join(given)))
        fix = EXPOSED if MASKED in masked else self._see(given[0].split("=")[0], self._option_string_actions)
        return CommandFailed(Exit.USAGE, f"unrecognized arguments: {masked}.", fix)

    def no_command(self, name: str, known: Iterable[str]) -> CommandFailed:
        """What to say of a command that there is not."""
        masked = str(shown(name))
        fix = EXPOSED if MASKED in masked else self._see(name, known)
        return CommandFailed(Exit.USAGE, f"There is no command {masked}.", fix)

    def runs(self, run: Run, advice: Mapping[str, str]) -> None:
        """What to run for this command, and its own next steps for errors."""
        self.set_defaults(run=run, advice=advice, parser=self)

    def _see(self, given: str = "", known: Iterable[str] = ()) -> str:
        meant = difflib.get_close_matches(given, known, n=1)
        return f"{f'Did you mean {meant[0]}? ' if meant else ''}See {self.prog} --help."


def commands_of(parser: Parser) -> Iterator[Parser]:
    """The parsers of the commands below one, and of those below them."""
    for action in parser._actions:  # noqa: SLF001  # argparse has no public way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield below
                yield from commands_of(below)
