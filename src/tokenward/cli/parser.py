"""The command line's grammar: help that is laid out by hand, no abbreviations, and no token in a complaint."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from tokenward.cli.failures import Advice
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.redaction import shown

Subparsers: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001  # argparse names it nowhere else
Run: TypeAlias = Callable[[argparse.Namespace], Exit]

EXPOSED = (
    "Give no token on the command line: other processes and the shell's history see it, so replace this one. "
    "Pipe it in, or use --token-env or --token-file."
)


class Parser(argparse.ArgumentParser):
    """Raises CommandFailed for what it cannot read; scripts get no abbreviations that a new option would break."""

    def __init__(self, **options: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(**{"formatter_class": layout, "allow_abbrev": False, **options})

    def error(self, message: str) -> NoReturn:
        """Python's own words for what is wrong, without what could be a token."""
        masked = str(shown(message))
        fix = EXPOSED if "<token>" in masked else f"See {self.prog} --help."
        raise CommandFailed(Exit.USAGE, f"{masked}.", fix)

    def runs(self, run: Run, advice: Advice) -> None:
        """What to run for this command, and its own next steps for errors."""
        self.set_defaults(run=run, advice=advice)
