"""Colours, for terminals that want them (https://no-color.org, https://force-color.org), and marks that do without."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import NamedTuple, TextIO

from tokenward.finding import VERDICTS

CODES = MappingProxyType({"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"})
"""Select Graphic Rendition, ECMA-48 section 8.3.117."""
DUMB = ("dumb", "unknown")
"""Values of TERM for what obeys no escape codes."""

_MARKS: dict[str, str | int | None] = {"\u2713": "+", "\u2717": "x", "\u2014": "-", "\u2026": "...", "\u2500": "-"}
"""What tokenward writes beyond ASCII itself, for streams that cannot."""


class Styled(NamedTuple):
    """A text, and how it looks where there are colours, such as "bold red"."""

    text: str
    style: str = ""


def judged(held: bool | None) -> Styled:
    """A check's verdict, told by a mark and a word, too; None is one that could not be judged."""
    mark, style = {True: ("\u2713", "green"), False: ("\u2717", "bold red"), None: ("?", "yellow")}[held]
    return Styled(f"{mark} {VERDICTS[held]}", style)


def wants_colour(stream: TextIO) -> bool:
    """NO_COLOR goes before FORCE_COLOR, which has colours in a pipe, too; neither counts if it is empty."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "") not in DUMB


def painted(text: str, style: str, *, colour: bool) -> str:
    """The text between escape codes, if there is a style and colours are wanted."""
    if not (colour and style and text.strip()):
        return text
    return f"\x1b[{';'.join(CODES[word] for word in style.split())}m{text}\x1b[0m"


def encodable(text: str, stream: TextIO) -> str:
    """The text with marks that the stream's encoding has; everything else that it lacks is escaped when it is written."""
    try:
        "".join(_MARKS).encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text.translate(str.maketrans(_MARKS))
    return text
