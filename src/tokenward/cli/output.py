"""What a command prints: tables for people, JSON for machines; errors to stderr, each with what to do next."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tokenward.cli.outcome import CommandFailed, Exit

FILE_WIDTH = 160
"""Columns of tables that are no terminal's, where rich would fold identifiers at 80."""


def prepare_streams() -> None:
    """Have characters that a stream's encoding lacks escaped, instead of failing at them. Raises CommandFailed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        raise CommandFailed(Exit.USAGE, "Standard output is closed.", "Run it with its output going somewhere.")


def print_json(document: object) -> None:
    """One JSON document in ASCII, which no terminal and no encoding changes; members keep their order."""
    print(json.dumps(document, indent=2))


def print_raw(text: str) -> None:
    """The text as it is."""
    print(text)


def print_line(text: str) -> None:
    """A line; the terminal wraps it."""
    _console(sys.stdout).print(cell(text), soft_wrap=True)


def print_fields(title: str, fields: Mapping[str, object]) -> None:
    """A table of two columns; what is None is left out."""
    print_table(title, ("", ""), [(name, value) for name, value in fields.items() if value is not None], header=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, header: bool = True) -> None:
    """A table as wide as the terminal allows; nothing is cut, and no text is read as markup."""
    console = _console(sys.stdout)
    console.print(cell(title, style="bold"), soft_wrap=True)
    table = Table(show_header=header)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell(value) for value in row))
    console.print(table)


def print_failure(failure: CommandFailed) -> None:
    """On stderr: what is wrong, what is known of it, what to do next."""
    if sys.stderr is None:
        return
    lines = [Text.assemble(("tokenward: ", "bold red"), cell(f"{failure.code}: {failure.problem}"))]
    lines += [cell(f"  {name}: {text}") for name, text in failure.facts.items()]
    lines.append(Text.assemble(("  next: ", "bold"), cell(failure.fix)))
    for line in lines:
        _console(sys.stderr).print(line, soft_wrap=True)


def print_note(text: str) -> None:
    """On stderr, beside an answer that is none the less good."""
    if sys.stderr is not None:
        _console(sys.stderr).print(cell(f"tokenward: note: {text}"), soft_wrap=True)


def failure_document(failure: CommandFailed) -> dict[str, object]:
    """The JSON of an error, with the members of a token endpoint's (RFC 6749 section 5.2) at its front."""
    document: dict[str, object] = {"error": failure.code, "error_description": failure.problem, **failure.facts}
    if failure.retry_after is not None:
        document["retry_after"] = failure.retry_after
    return {**document, "next": failure.fix, "exit_code": int(failure.exit_code)}


def date(seconds: float) -> str:
    """A time since the epoch, for people."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} seconds since 1970"


def cell(value: object, style: str = "") -> Text:
    """A value as text; characters that a terminal would obey are escaped."""
    if value is None:
        return Text("-")
    if isinstance(value, bool):
        return Text("yes" if value else "no", style="green" if value else "red")
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return Text("".join(map(_printable, text)), style=style)


def _printable(character: str) -> str:
    return character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode("ascii")


def _console(stream: TextIO) -> Console:
    """Colours only for a terminal that wants them: https://no-color.org asks for none at all, and rich would still write bold."""
    wide = None if stream.isatty() or os.environ.get("COLUMNS") else FILE_WIDTH
    return Console(file=stream, width=wide, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")
