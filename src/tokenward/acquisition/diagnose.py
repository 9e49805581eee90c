"""A code, an error text, a token endpoint's JSON or a piece of a log -> what each error in it means and what to do.

Of the text only error codes, counts, GUIDs and times are passed on, each in a form that can hold nothing else: no token, secret
or name.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from tokenward.acquisition.catalogue import Entry, entries
from tokenward.acquisition.diagnosis import Diagnosis, is_general, of_code
from tokenward.acquisition.material import MAX_CHARS, material

__all__ = ["MAX_CHARS", "Diagnosis", "diagnose", "diagnose_all"]

MAX_DIAGNOSES = 64
MAX_ALONE = 1000
"""Characters of a text in which a line of digits or of one word is a code; in a log it would be a size or a time."""
MAX_MESSAGE = 16 * 1024
"""Characters of a message in which the ids are looked for."""

MAX_PAGE = 4096
"""Characters of a text that is one message, though its lines look like several; a page of Entra's has 600, an exception 2,000."""
_GUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_BETWEEN = r"[\"'\\]{0,4}\s{0,4}[:=]?\s{0,32}[\"'\\]{0,4}"
_IDS = {
    "trace_id": re.compile(rf"(?:trace|request)[ _-]?id{_BETWEEN}({_GUID})(?![\w-])", re.ASCII),
    "correlation_id": re.compile(rf"correlation[ _-]?id{_BETWEEN}({_GUID})(?![\w-])", re.ASCII),
    "timestamp": re.compile(rf"timestamp{_BETWEEN}(\d{{4}}-\d\d-\d\d[ t]\d\d:\d\d:\d\d(?:\.\d{{1,7}})?z)", re.ASCII),
}
_NEXT_MESSAGE = re.compile(r"\n(?![\s\"'}\]]|trace id|request id|correlation id|timestamp)")
"""A line that is neither indented, nor the rest of a JSON object, nor the tail of one of Entra's texts."""
_ALONE = re.compile(r"^[ \t]{0,8}(\d{4,9})[ \t\r]{0,8}$", re.MULTILINE | re.ASCII)
_WORD_ALONE = re.compile(r"^[ \t]{0,8}([a-z]{3,40})[ \t\r]{0,8}$", re.MULTILINE | re.ASCII)
"""A code of one word, which in a sentence is a word like any other."""
_NUMBER = re.compile(r"\d{4,9}", re.ASCII)
_CODE = re.compile(
    r"(?:aadsts[ #:_-]?|/error\?code=|x-ms-clitelem[\"'\s:=]{1,6}\d,)(?P<number>\d{4,9})(?!\d)"
    r"|aadb2c(?P<b2c>\d{4,9})(?!\d)"
    r"|error[ _-]?code[\"'\\]{0,4}\s{0,4}[:=]?\s{0,4}[\"'\\]{0,4}(?P<perhaps>\d{4,9})(?!\d)"
    r"|error_codes[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}\[(?P<numbers>[\d,\s]{1,200})\]",
    re.ASCII,
)
_CLIENT = re.compile(rf"(?:application with id(?:entifier)? ['\"]?|\bapp '|client_id=)({_GUID})(?![\w-])", re.ASCII)
"""The application that Entra's texts name, or a sign-in page's address."""
_SUMMED = re.compile(r"not_logged[\"'\\]{0,4}\s{0,4}[:=]\s{0,4}\{([^{}]{1,4096})\}", re.ASCII)
"""How many refusals an event of tokenward (token_rejections_summed) stands for, by their codes."""
_SUM = re.compile(r"([a-z_]{3,40})[\"'\\]{0,4}\s{0,4}:\s{0,4}(\d{1,9})", re.ASCII)
_WORD = re.compile(r"(?<![\w-])[a-z]{3,40}(?:_[a-z0-9]{1,40}){1,5}(?![\w-])", re.ASCII)


def diagnose(text: str | bytes | Mapping[str, object]) -> list[Diagnosis]:
    """Every error that a text names, each once: what was answered first, OAuth's general words last, else by their number.

    It asks nobody and decides nothing: programs go by `error`, `suberror` and `claims`, for codes and texts change.

    text  a code, an error text, JSON, or a log of which the first MAX_CHARS characters are looked at; or a JSON object's members

    Raises nothing; the list is empty where there is no error that it can tell.
    Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """
    return diagnose_all([text])


def diagnose_all(texts: Iterable[str | bytes | Mapping[str, object]]) -> list[Diagnosis]:
    """The same for a log that comes in pieces, each of which ends with a line."""
    found: dict[str, Diagnosis] = {}
    clients: set[str] = set()
    for text in texts:
        content = material(text)
        _add(found, content)
        _add_sums(found, content)
        clients.update(each[1] for each in _CLIENT.finditer(content))
    return sorted(_of_client(found.values(), clients), key=lambda each: (is_general(each), -each.count))


def _of_client(found: Iterable[Diagnosis], clients: Collection[str]) -> Iterator[Diagnosis]:
    """With the client's id in the commands, if the text names one and no other; only Entra's texts tell whose id it is."""
    client = min(clients) if len(clients) == 1 else None
    for each in found:
        entry = each.entry
        yield replace(each, entry=entry.of_client(client)) if client and entry and entry.kind == "aadsts" else each


def _add_sums(diagnoses: dict[str, Diagnosis], content: str) -> None:
    """The event that sums them up was counted as one message already."""
    for event in _SUMMED.finditer(content):
        for code, number in _SUM.findall(event[1]):
            if code in diagnoses:
                before = diagnoses[code]
                diagnoses[code] = replace(before, count=before.count + max(0, int(number) - ("_" in code)))


def _add(diagnoses: dict[str, Diagnosis], content: str) -> None:
    starts = [0, *(found.end() for found in _NEXT_MESSAGE.finditer(content))]
    seen: set[tuple[str, int]] = set()
    ids: dict[int, dict[str, str]] = {}
    page = _only_ids(content) if len(content) <= MAX_PAGE else {}
    for code, position in _named(content):
        number = bisect_right(starts, position) - 1
        end = starts[number + 1] if number + 1 < len(starts) else len(content)
        if (code, number) in seen or (code not in diagnoses and len(diagnoses) >= MAX_DIAGNOSES):
            continue
        seen.add((code, number))
        if number not in ids:
            ids[number] = _ids(content, starts[number], end)
        before = diagnoses.get(code)
        diagnoses[code] = _again(before or of_code(code), ids[number] or (page if before is None else {}))


def _again(found: Diagnosis, ids: Mapping[str, str]) -> Diagnosis:
    count = found.count + 1
    if not ids:
        return replace(found, count=count)
    trace, correlation, time = (ids.get(name) for name in _IDS)
    time = None if time is None else time.upper()
    return replace(found, count=count, trace_id=trace, correlation_id=correlation, timestamp=time)


def _ids(content: str, start: int, end: int) -> dict[str, str]:
    message = content[start : min(end, start + MAX_MESSAGE)]
    found = {name: pattern.search(message) for name, pattern in _IDS.items()}
    return {name: match[1] for name, match in found.items() if match is not None}


def _only_ids(content: str) -> dict[str, str]:
    """Those of which the text names one and no other."""
    found = {name: set(pattern.findall(content)) for name, pattern in _IDS.items()}
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


# -- finding -----------------------------------------------------------------------------------------------------------


def _named(content: str) -> list[tuple[str, int]]:
    """Codes with their places, in the order of the text."""
    return sorted([*_alone(content), *_codes(content), *_words(content), *_phrases(content)], key=lambda each: each[1])


def _alone(content: str) -> Iterator[tuple[str, int]]:
    if len(content) <= MAX_ALONE:
        yield from ((f"AADSTS{int(found[1])}", found.start()) for found in _ALONE.finditer(content))
        yield from ((found[1], found.start()) for found in _WORD_ALONE.finditer(content) if found[1] in entries())


def _codes(content: str) -> Iterator[tuple[str, int]]:
    known = entries()
    for found in _CODE.finditer(content):
        if found["b2c"]:
            yield f"AADB2C{int(found['b2c'])}", found.start()
        elif found["perhaps"]:  # other systems have error codes, too
            code = f"AADSTS{int(found['perhaps'])}"
            yield from [(code, found.start())] if code in known else []
        else:
            numbers = _NUMBER.findall(found["number"] or found["numbers"])
            yield from ((f"AADSTS{int(number)}", found.start()) for number in numbers)


def _words(content: str) -> Iterator[tuple[str, int]]:
    known = entries()
    return ((found[0], found.start()) for found in _WORD.finditer(content) if found[0] in known)


def _phrases(content: str) -> Iterator[tuple[str, int]]:
    for text, entry in _by_text().items():
        if entry.only_with and not any(word in content for word in entry.only_with):
            continue
        place = content.find(text)
        while place >= 0:
            yield entry.code, place
            place = content.find(text, place + len(text))


@cache
def _by_text() -> dict[str, Entry]:
    return {text: entry for entry in entries().values() for text in entry.match}
