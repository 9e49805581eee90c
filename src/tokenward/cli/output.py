"""What a command prints: tables for people, JSON for machines; errors to stderr, each with what to do next."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TextIO

from tokenward.cli.colours import Styled, encodable, painted, wants_colour
from tokenward.cli.layout import NARROWEST, wrapped
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.parser import MASKED
from tokenward.cli.tables import table_lines

FILE_WIDTH = 160
"""Columns of tables that are no terminal's, where identifiers would be folded at 80."""


def prepare_streams() -> None:
    """Have characters that a stream's encoding lacks escaped, instead of failing at them. Raises CommandFailed."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        raise CommandFailed(Exit.USAGE, "Standard output is closed.", "Run it with its output going somewhere.")


# -- answers, on stdout ------------------------------------------------------------------------------------------------


def print_json(document: object) -> None:
    """One JSON document in ASCII, which no terminal and no encoding changes; members keep their order."""
    print(json.dumps(document, indent=2))


def print_raw(text: str) -> None:
    """The text as it is."""
    print(text)


def print_line(text: str, style: str = "") -> None:
    """A line, which the terminal wraps: for commands and addresses, which are copied."""
    _print(cell(text, style), sys.stdout)


def print_text(text: str, style: str = "") -> None:
    """Sentences: a terminal gets them broken between words, and a pipe as they are."""
    _print(cell(text, style), sys.stdout, wrap=True)


def print_fields(title: str, fields: Mapping[str, object]) -> None:
    """A table of two columns; what is None is left out."""
    print_table(title, ("", ""), [(name, value) for name, value in fields.items() if value is not None], header=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, header: bool = True) -> None:
    """A table as wide as the terminal allows, row below row where it is too narrow; nothing is cut.

    rows   values of any kind, or Styled texts; `judged(held)` makes one of a verdict
    """
    print_text(title, "bold")
    cells = [[cell(value) for value in row] for row in rows]
    names = [cell(name, "bold") for name in columns] if header else None
    for line in table_lines(names, cells, width_of_stream(sys.stdout) or FILE_WIDTH):
        print(_shown(line, sys.stdout).rstrip())


# -- beside the answer, on stderr --------------------------------------------------------------------------------------


def print_failure(failure: CommandFailed) -> None:
    """On stderr: what is wrong, what is known of it, what to do next."""
    if sys.stderr is None:
        return
    if failure.usage:
        print(failure.usage, file=sys.stderr)
    _print_labelled("tokenward:", f"{failure.code}: {_problem(failure)}", "bold red")
    for name, text in failure.facts.items():
        _print_labelled(f"  {name}:", text, "")
    _print_labelled("  next:", failure.fix, "bold")


def print_note(text: str) -> None:
    """On stderr, beside an answer that is none the less good."""
    if sys.stderr is not None:
        _print_labelled("tokenward:", f"note: {text}", "yellow")


def _print_labelled(label: str, text: str, style: str) -> None:
    colour = wants_colour(sys.stderr)
    for number, line in enumerate(_broken(f"{label} {cell(text).text}", sys.stderr, hang=2)):
        told = line if number else painted(label, style, colour=colour) + line.removeprefix(label)
        print(encodable(told, sys.stderr), file=sys.stderr)


def failure_document(failure: CommandFailed) -> dict[str, object]:
    """The JSON of an error, with the members of a token endpoint's (RFC 6749 section 5.2) at its front."""
    document: dict[str, object] = {"error": failure.code, "error_description": _problem(failure), **failure.facts}
    if failure.retry_after is not None:
        document["retry_after"] = failure.retry_after
    return {**document, "next": failure.fix, "exit_code": int(failure.exit_code)}


def _problem(failure: CommandFailed) -> str:
    """What is wrong, without the dots that say that a text was cut where the whole of it is masked."""
    return failure.problem.replace(f"{MASKED}...", MASKED)


# -- values ------------------------------------------------------------------------------------------------------------


def date(seconds: float) -> str:
    """A time since the epoch, for people."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f} seconds since 1970"


def cell(value: object, style: str = "") -> Styled:
    """A value as text; characters that a terminal would obey are escaped."""
    if isinstance(value, Styled):
        return Styled(_escaped(value.text), value.style)
    if value is None:
        return Styled("-", style)
    if isinstance(value, bool):
        return Styled("yes" if value else "no", "green" if value else "red")
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return Styled(_escaped(text), style)


def _escaped(text: str) -> str:
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() or character == "\n" else character.encode("unicode_escape").decode("ascii")


# -- streams -----------------------------------------------------------------------------------------------------------


def width_of_stream(stream: TextIO) -> int | None:
    """The columns of a terminal, or those that COLUMNS says; None for a pipe or a file, which has no end."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return max(int(told), NARROWEST)
    if not stream.isatty():
        return None
    try:
        return max(os.get_terminal_size(stream.fileno()).columns or 80, NARROWEST)
    except OSError:
        return 80


def _print(line: Styled, stream: TextIO, *, wrap: bool = False) -> None:
    for text in _broken(line.text, stream) if wrap else [line.text]:
        print(_shown([Styled(text, line.style)], stream), file=stream)


def _broken(text: str, stream: TextIO, *, hang: int = 0) -> list[str]:
    width = width_of_stream(stream)
    return [text] if width is None else wrapped(text, width, hang=hang)


def _shown(line: Sequence[Styled], stream: TextIO) -> str:
    colour = wants_colour(stream)
    return encodable("".join(painted(part.text, part.style, colour=colour) for part in line), stream)
