"""The catalogue of errors, immutable: catalogue.json for what others answer, codes.json for tokenward's own codes.

It is read and judged at the first question and never at import. It explains and decides nothing: Microsoft changes its codes
and texts at any time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tokenward.hints import hint_for
from tokenward.token.strict import parse_unique_object

KINDS = frozenset({"aadsts", "b2c", "oauth", "suberror", "databricks", "library", "tokenward", "gateway"})
WHO = frozenset({"user", "client developer", "tenant admin", "resource owner", "Microsoft", "operator"})
RETRIES: Mapping[str, str] = MappingProxyType(
    {
        "never": "does not help",
        "after_fix": "helps after the cause is gone",
        "later": "helps later; wait longer each time",
        "interactive": "helps when the user signs in interactively",
    }
)
"""The words for `retry`, as the end of a sentence that begins with "Trying again"."""
MARKS = frozenset({"verified", "inferred"})
REQUIRED = frozenset({"code", "kind", "name", "meaning", "errors", "causes", "retry", "source", "mark"})
OPTIONAL = frozenset({"general", "hint", "match", "only_with", "status", "tell"})
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

    code       AADSTS and a number, an OAuth `error`, a `suberror`, a code of tokenward or its gateway, or a name of our own for
               what Databricks answers or a library says
    name       the vendor's name for it, if it has one; for Databricks a few words of our own
    errors     the OAuth `error` values that come with it, each marked as the entry itself is
    retry      whether asking again helps: never, after_fix, later (wait), interactive (the user signs in)
    source     the page that the meaning is from
    mark       verified: read in the vendor's document or seen in a recorded answer; inferred: said by others, or concluded
    hint       one line for the log of a service that met it, as long as a log shows: what it means there, and what to do
    match      texts, in lower case, by which it is known where the code is not said
    only_with  of these one must be in the message too, for such texts are other systems' as well
    general    whether its causes are different people's and nothing in it says whose, so that no first step can be told alone
    status     of HTTP, of the gateway's own codes
    tell       a command that tells which of the causes it is, if there is one
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
    general: bool = False
    status: int | None = None
    tell: str | None = None

    @property
    def who(self) -> tuple[str, ...]:
        """Who must act, in the order of the causes."""
        return tuple(dict.fromkeys(cause.who for cause in self.causes))

    @property
    def trying_again(self) -> str:
        """`retry` in words, as the end of a sentence that begins with "Trying again"."""
        return RETRIES[self.retry]

    def to_json(self) -> dict[str, object]:
        """What it explains, as members of a JSON object; not how it is found."""
        causes = [
            {"cause": cause.cause, "who": cause.who, "steps": list(cause.steps), "commands": list(cause.commands)}
            for cause in self.causes
        ]
        told: dict[str, object] = {"code": self.code, "kind": self.kind, "name": self.name, "meaning": self.meaning}
        more = {"hint": self.hint, "errors": dict(self.errors), "who": list(self.who), "tell": self.tell, "causes": causes}
        return {**told, **more, "retry": self.retry, "source": self.source, "mark": self.mark}

    def of_client(self, client_id: str) -> Entry:
        """The same with the client's id in its commands. Raises nothing; `client_id` must be a GUID, for it is not quoted."""
        causes = tuple(
            replace(cause, commands=tuple(_filled(each, client_id) for each in cause.commands)) for cause in self.causes
        )
        return replace(self, causes=causes, tell=None if self.tell is None else _filled(self.tell, client_id))


def _filled(command: str, client_id: str) -> str:
    return command.replace("CLIENT_ID", client_id)


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
        _source(members, code),
        _one_of(MARKS, members["mark"], code),
        _hint(members, code, f"{meaning} {causes[0].steps[0]}"),
        tuple(text.lower() for text in _texts(members.get("match", []), code)),
        tuple(text.lower() for text in _texts(members.get("only_with", []), code)),
        _general(members, code),
        _status(members, code),
        _text(members["tell"], code) if "tell" in members else None,
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


def _one_of(allowed: Collection[str], value: object, where: str) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{where} has a value that is none of {', '.join(sorted(allowed))}")
    return value


def _source(members: Mapping[str, object], code: str) -> str:
    """An address; of the gateway's codes a page of this project's own files."""
    text = _text(members["source"], code)
    if not text.startswith("docs/" if members["kind"] == "gateway" else "https://"):
        raise ValueError(f"{code} has a source that is no https address, or for the gateway no page of docs/")
    return text


def _general(members: Mapping[str, object], code: str) -> bool:
    value = members.get("general", False)
    if not isinstance(value, bool):
        raise ValueError(f"{code}: general is neither true nor false")
    return value


def _status(members: Mapping[str, object], code: str) -> int | None:
    """Of tokenward's other codes their classes have it."""
    value = members.get("status")
    if (type(value) is int and 400 <= value < 600) != (members["kind"] == "gateway"):
        raise ValueError(f"{code} has no HTTP status, or is no code of the gateway and has one")
    return value if isinstance(value, int) else None
