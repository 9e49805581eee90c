"""How text is broken into lines of a given width: between words, and inside a word only where a column leaves no choice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

NARROWEST = 20
"""Columns below which no terminal is served: a word and its indentation."""

_WORD = re.compile(r"(?<!\S)`[^`]+`[^\s`]*(?!\S)|\S+")
"""What is in backticks is a command, and is copied whole."""
_ITEM = re.compile(r"\s*((?:-|\d{1,2}\.)\s+)?")
_BREAKS = "/?&=,;:@._-"
"""After these an address or an identifier is broken, if it must be."""


def width_of(text: str) -> int:
    """Columns that a terminal takes for a line: two for East Asian wide characters, none for marks on another."""
    return len(text) if text.isascii() else sum(map(_width, text))


def longest_word(text: str) -> int:
    """Columns that the longest word of a text takes."""
    return max((width_of(word) for word in text.split()), default=0)


def wrapped(text: str, width: int, *, hang: int = 0) -> list[str]:
    """The lines of a text, broken between words; each is indented as its paragraph is, and a word that is longer sticks out.

    hang   columns by which all but a paragraph's first line are indented more; the items of lists are always
    """
    return [part for line in text.split("\n") for part in _filled(line, width, hang)]


def folded(text: str, width: int) -> list[str]:
    """The same, with words that are longer broken, too, if possible behind a slash, a dot or a hyphen."""
    return [part for line in wrapped(text, width) for part in _folded(line, width)]


def padded(text: str, width: int) -> str:
    """The text with blanks behind it."""
    return text + " " * (width - width_of(text))


def _filled(line: str, width: int, hang: int) -> list[str]:
    if width_of(line) <= width:
        return [line]
    indent = line[: len(line) - len(line.lstrip())]
    hang = hang or len((_ITEM.match(line) or [""])[1] or "")
    lines, words = [], _WORD.findall(line)
    current = indent + "".join(words[:1])
    for word in words[1:]:
        if width_of(current) + 1 + width_of(word) > width:
            lines.append(current)
            current = f"{indent}{' ' * hang}{word}"
        else:
            current = f"{current} {word}"
    return [*lines, current]


def _folded(line: str, width: int) -> Iterator[str]:
    while width_of(line) > width:
        end = _end(line, width)
        yield line[:end]
        line = line[end:]
    yield line


def _end(line: str, width: int) -> int:
    """Where to break: behind the last of the breaks that is not far from the end of what fits, or there."""
    fits = max(1, next(end for end in range(len(line), 0, -1) if width_of(line[:end]) <= width or end == 1))
    return next((end for end in range(fits, fits // 3, -1) if line[end - 1] in _BREAKS), fits)


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
