"""The catalogue of errors, immutable: catalogue.json for what others answer, codes.json for tokenward's own codes.

It is read and judged at the first question and never at import. It explains and decides nothing: Microsoft changes its codes
and texts at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tokenward.hints import hint_for
from tokenward.token.strict import parse_unique_object

KINDS = frozenset({"aadsts", "oauth", "suberror", "databricks", "tokenward"})
WHO = frozenset({"user", "client developer", "tenant admin", "resource owner", "Microsoft", "operator"})
RETRIES = frozenset({"never", "after_fix", "later", "interactive"})
MARKS = frozenset({"verified", "inferred"})
REQUIRED = frozenset({"code", "kind", "name", "meaning", "errors", "causes", "retry", "source", "mark"})
OPTIONAL = frozenset({"hint", "match", "only_with"})
FILES = ("catalogue.json", "codes.json")


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause: who must act, what they do, and the commands or portal places for it (capitals are placeholders)."""

    cause: str
    who: str
    steps: tuple[str, ...]
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One error; its causes are in the order in which to look for them.

    code       AADSTS and a number, an OAuth `error`, a `suberror`, one of tokenward's codes, or a name of our own for what
               Databricks answers
    name       the vendor's name for it, if it has one; for Databricks a few words of our own
    errors     the OAuth `error` values that come with it, each marked as the entry itself is
    retry      whether asking again helps: never, after_fix, later (wait), interactive (the user signs in)
    source     the page that the meaning is from
    mark       verified: read in the vendor's document or seen in a recorded answer; inferred: said by others, or concluded
    hint       one line for the log of a service that met it, as long as a log shows: what it means there, and what to do
    match      texts, in lower case, by which it is known where the code is not said
    only_with  of these one must be in the message too, for such texts are other systems' as well
    """

    code: str
    kind: str
    name: str
    meaning: str
    errors: Mapping[str, str]
    causes: tuple[Cause, ...]
    retry: str
    source: str
    mark: str
    hint: str
    match: tuple[str, ...] = ()
    only_with: tuple[str, ...] = ()

    @property
    def who(self) -> tuple[str, ...]:
        """Who must act, in the order of the causes."""
        return tuple(dict.fromkeys(cause.who for cause in self.causes))


@cache
def entries() -> Mapping[str, Entry]:
    """Every entry by its code. The files are read at the first call, which takes some 20 milliseconds."""
    folder = files("tokenward.acquisition")
    return read_catalogue(*(folder.joinpath(name).read_bytes() for name in FILES))


def read_catalogue(*documents: bytes) -> Mapping[str, Entry]:
    """Read a catalogue of one or more files. Raises ValueError, which names the entry, for anything that is not as Entry says."""
    found: dict[str, Entry] = {}
    for document in documents:
        for item in _list(parse_unique_object(document).get("entries"), "the catalogue"):
            entry = _entry(item)
            if entry.code in found:
                raise ValueError(f"{entry.code} is in the catalogue twice")
            found[entry.code] = entry
    return MappingProxyType(found)


def _entry(item: object) -> Entry:
    members = _object(item, "an entry", REQUIRED, OPTIONAL)
    code = _text(members["code"], "an entry's code")
    causes = tuple(_cause(cause, code) for cause in _list(members["causes"], code))
    if not causes:
        raise ValueError(f"{code} has no cause")
    meaning = _text(members["meaning"], code)
    return Entry(
        code,
        _one_of(KINDS, members["kind"], code),
        _text(members["name"], code, empty=True),
        meaning,
        _errors(members["errors"], code),
        causes,
        _one_of(RETRIES, members["retry"], code),
        _address(members["source"], code),
        _one_of(MARKS, members["mark"], code),
        _hint(members, code, f"{meaning} {causes[0].steps[0]}"),
        tuple(text.lower() for text in _texts(members.get("match", []), code)),
        tuple(text.lower() for text in _texts(members.get("only_with", []), code)),
    )


def _hint(members: Mapping[str, object], code: str, otherwise: str) -> str:
    """Of tokenward's codes it is the one that their events have."""
    return hint_for(code, None, None, None) if members["kind"] == "tokenward" else _text(members.get("hint", otherwise), code)


def _cause(item: object, code: str) -> Cause:
    members = _object(item, code, frozenset({"cause", "who", "steps", "commands"}))
    steps = _texts(members["steps"], code)
    if not steps:
        raise ValueError(f"{code} has a cause without a step")
    return Cause(_text(members["cause"], code), _one_of(WHO, members["who"], code), steps, _texts(members["commands"], code))


def _errors(value: object, code: str) -> Mapping[str, str]:
    if not isinstance(value, dict):
        raise ValueError(f"{code}: errors is no object")
    return MappingProxyType({_text(error, code): _one_of(MARKS, mark, code) for error, mark in value.items()})


def _object(value: object, where: str, required: frozenset[str], optional: frozenset[str] = frozenset()) -> Mapping[str, object]:
    if not isinstance(value, dict) or not required <= value.keys() <= required | optional:
        raise ValueError(f"{where} has not the members that it must have")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ValueError(f"{where} has no list where one must be")
    return value


def _text(value: object, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or empty):
        raise ValueError(f"{where} has no text where one must be")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(_text(item, where) for item in _list(value, where))


def _one_of(allowed: frozenset[str], value: object, where: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{where} has a value that is none of {', '.join(sorted(allowed))}")
    return value


def _address(value: object, where: str) -> str:
    text = _text(value, where)
    if not text.startswith("https://"):
        raise ValueError(f"{where} has a source that is no https address")
    return text
