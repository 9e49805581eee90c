"""A code, an error text, a token endpoint's JSON or a piece of a log -> what each error in it means and what to do.

Of the text only error codes, GUIDs and times are passed on, each in a form that can hold nothing else: no token, secret or name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from tokenward.troubleshoot.acquisition.catalogue import Entry, catalogue

MAX_CHARS = 1024 * 1024
"""Of a text that is looked at, from its beginning; half a day of errors."""
MAX_DIAGNOSES = 64
MAX_ALONE = 1000
"""Characters of a text in which a line of digits is a code; in a log it would be a size or a time."""
MAX_MEMBERS = 512
"""Of a document and all within it."""
MAX_DEPTH = 6
MAX_MESSAGE = 16 * 1024
"""Characters of a message in which the ids are looked for."""

_GENERAL = "AADSTS70002"
"""Entra puts it in front of the code that says what is wrong."""
_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_BETWEEN = r"[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}[\"'\\]{0,4}"
_IDS = {
    "trace_id": re.compile(rf"(?:trace[ _]?id|x-ms-request-id){_BETWEEN}({_GUID})(?![\w-])", re.IGNORECASE | re.ASCII),
    "correlation_id": re.compile(rf"correlation[ _]?id{_BETWEEN}({_GUID})(?![\w-])", re.IGNORECASE | re.ASCII),
    "timestamp": re.compile(rf"timestamp{_BETWEEN}(\d{{4}}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ)", re.IGNORECASE | re.ASCII),
}
_NEXT_MESSAGE = re.compile(r"\n(?![\s\"'}\]]|Trace ID|Correlation ID|Timestamp)", re.IGNORECASE)
"""A line that is neither indented, nor the rest of a JSON object, nor the tail of one of Entra's texts."""
_ALONE = re.compile(r"^[ \t]{0,8}(\d{4,9})[ \t\r]{0,8}$", re.MULTILINE | re.ASCII)
_NUMBER = re.compile(r"\d{4,9}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One error that was found; the ids are those of the last message with it, and are what Microsoft's support asks for.

    entry    what the catalogue says; None for a code that it does not know, for which there is `look_up`
    look_up  Microsoft's page about the number, or the entry's source
    count    in how many messages it was found
    """

    code: str
    entry: Entry | None
    look_up: str
    count: int = 1
    trace_id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None


def diagnose(text: str | bytes | Mapping[str, object]) -> list[Diagnosis]:
    """Every error that a text names, each once: AADSTS codes and Databricks' errors first, OAuth's general words after them.

    It asks nobody and decides nothing: programs go by `error`, `suberror` and `claims`, for codes and texts change.

    text  a code, an error text, JSON, or a log of which the first MAX_CHARS characters are looked at; or a JSON object's members

    Raises nothing; the list is empty where there is no error that it can tell.
    Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """
    content = _content(text)
    starts = [0, *(found.end() for found in _NEXT_MESSAGE.finditer(content))]
    diagnoses: dict[str, Diagnosis] = {}
    seen: set[tuple[str, int]] = set()
    ids: dict[int, dict[str, str]] = {}
    for code, position in _named(content):
        number = bisect_right(starts, position) - 1
        end = starts[number + 1] if number + 1 < len(starts) else len(content)
        if (code, number) in seen or (code not in diagnoses and len(diagnoses) >= MAX_DIAGNOSES):
            continue
        seen.add((code, number))
        if number not in ids:
            ids[number] = _ids(content, starts[number], end)
        diagnoses[code] = _again(diagnoses.get(code), code, ids[number])
    return sorted(diagnoses.values(), key=_rank)


def _again(before: Diagnosis | None, code: str, ids: Mapping[str, str]) -> Diagnosis:
    known = catalogue().get(code)
    found = before or Diagnosis(code, known, _look_up(code, known), 0)
    kept = {name: ids.get(name) for name in _IDS} if ids else {name: getattr(found, name) for name in _IDS}
    return replace(found, count=found.count + 1, **kept)


def _look_up(code: str, entry: Entry | None) -> str:
    if code.startswith("AADSTS"):
        return f"https://login.microsoftonline.com/error?code={code.removeprefix('AADSTS')}"
    return "" if entry is None else entry.source


def _rank(diagnosis: Diagnosis) -> int:
    """What says most comes first; the order of the text is kept among equals."""
    if diagnosis.code == _GENERAL:
        return 1
    return 2 if diagnosis.entry is not None and diagnosis.entry.kind in ("oauth", "suberror") else 0


def _ids(content: str, start: int, end: int) -> dict[str, str]:
    message = content[start : min(end, start + MAX_MESSAGE)]
    found = {name: pattern.search(message) for name, pattern in _IDS.items()}
    return {name: match[1] for name, match in found.items() if match is not None}


# -- finding -----------------------------------------------------------------------------------------------------------


def _named(content: str) -> Iterator[tuple[str, int]]:
    """Codes with their places, in the order of the text."""
    if len(content) > MAX_ALONE:
        return _written(content)
    alone = [(f"AADSTS{int(found[1])}", found.start()) for found in _ALONE.finditer(content)]
    return iter(sorted([*alone, *_written(content)], key=lambda named: named[1]))


def _written(content: str) -> Iterator[tuple[str, int]]:
    lowered = content.lower()
    for found in _pattern().finditer(content):
        if digits := found["number"] or found["numbers"]:
            yield from ((f"AADSTS{int(number)}", found.start()) for number in _NUMBER.findall(digits))
        elif found["word"]:
            yield found["word"].lower(), found.start()
        else:
            entry = _by_text()[found["text"].lower()]
            if not entry.only_with or any(word in lowered for word in entry.only_with):
                yield entry.code, found.start()


@cache
def _pattern() -> re.Pattern[str]:
    words = "|".join(sorted((re.escape(code) for code in catalogue() if not code.startswith("AADSTS")), key=len, reverse=True))
    texts = "|".join(map(re.escape, _by_text()))
    numbers = (
        r"(?:AADSTS|/error\?code=|x-ms-clitelem[\"'\s:=]{1,6}\d,)(?P<number>\d{4,9})(?!\d)"
        r"|error_codes[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}\[(?P<numbers>[\d,\s]{1,200})\]"
    )
    return re.compile(rf"{numbers}|(?<![\w-])(?P<word>{words})(?![\w-])|(?P<text>{texts})", re.IGNORECASE | re.ASCII)


@cache
def _by_text() -> dict[str, Entry]:
    return {text: entry for entry in catalogue().values() for text in entry.match}


# -- reading -----------------------------------------------------------------------------------------------------------


def _content(text: str | bytes | Mapping[str, object]) -> str:
    if isinstance(text, bytes):
        return text[:MAX_CHARS].decode("utf-8", "replace")
    return text[:MAX_CHARS] if isinstance(text, str) else "\n ".join(_lines(text))[:MAX_CHARS]


def _lines(document: object) -> Iterator[str]:
    """A document's members as the lines of one message, level by level, since recursion would depend on the document."""
    level, left = [("", document)], MAX_MEMBERS
    for _ in range(MAX_DEPTH):
        inner: list[tuple[str, object]] = []
        for name, value in level:
            yield from _line(name, value)
            members = _members(name, value, left)
            left -= len(members)
            inner += members
        level = inner


def _line(name: str, value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{name}: {value[:MAX_CHARS]}"
    elif name == "error_code" and type(value) is int and 0 < value < 10**9:
        yield f'"error_code": {value}'
    elif name == "error_codes" and isinstance(value, list):
        numbers = [number for number in value[:MAX_DIAGNOSES] if type(number) is int and 0 < number < 10**9]
        yield from (f"AADSTS{number}" for number in numbers)


def _members(name: str, value: object, most: int) -> list[tuple[str, object]]:
    """Names are cut: one may be as long as its author likes."""
    if isinstance(value, Mapping):
        return [(str(key)[:64] if isinstance(key, str) else "", inner) for key, inner in list(value.items())[:most]]
    return [(name, inner) for inner in value[:most]] if isinstance(value, list) else []
