"""JSON as a list of members in raw text, so that it can be written in every way that a parser might read differently."""

from __future__ import annotations

import json
from random import Random
from typing import TypeAlias

from fuzz.world import NOW

Members: TypeAlias = list[tuple[str, str]]
"""(name, value), each as the text that stands in the document; a name without its quotation marks."""

NUMBERS = (
    *("0", "-0", "0.0", "1", "-1", "1.5", "1e3", "1E+3", "1e400", "-1e400", "1e-400", "5e-324", "1.7976931348623157e308"),
    *("9007199254740992", "9007199254740993", "9223372036854775808", "18446744073709551616", "1" + "0" * 40, "9" * 400),
    *(f"{NOW}", f"{NOW}.0", f"{NOW}e0", f"{NOW / 1e9}e9", f"{NOW}.5", f"{NOW}.0000001", f"0{NOW}", f"+{NOW}", f"{NOW}."),
    *("0x10", "1_000", "NaN", "-NaN", "Infinity", "-Infinity", "- 1", ".5", "1.e5", "\u0661"),
)
TEXTS = (
    *('""', '" "', '"\\u0000"', '"\\ud800"', '"\\ud800\\udc00"', '"\u00e9"', '"e\u0301"', '"\\/"', '"\t"', '"\\x41"', "'a'"),
    *('"api://jobs"', '"api:\\/\\/jobs"', '"api://jobs/"', '"API://JOBS"', '"api://job\\u0073"', '"jobs"', '"api://jobs jobs"'),
    *('"https://idp.example/"', '"https://idp.example"', '"https:\\/\\/idp.example\\/"', '"https://other.example"'),
    *('"HTTPS://idp.example/"', '"https://idp.example/\\u0000"', '"caller"', f'"{NOW + 60}"', '"true"', '"null"', '"JWT"'),
)
NESTED = (
    *("[]", "{}", "[[]]", "[null]", "[{}]", '{"a":1}', '{"a":1,"a":2}', '{"":null}', "[1,2]", "[1,]", "{,}", "[" * 70 + "]" * 70),
    *('["api://jobs"]', '["api://jobs","other"]', '["other","jobs"]', '[["api://jobs"]]', '["api://jobs",1]'),
    *('["api://jobs",null]', '{"api://jobs":1}', '["api://jobs","api://jobs"]', '["other"]', '[""]', '{"0":"api://jobs"}'),
)
WORDS = ("null", "true", "false", "True", "None", "undefined", "", "/**/1", "nul")
ANY = (*NUMBERS, *TEXTS, *NESTED, *WORDS)

SPACES = ("", "", "", "", "", " ", "\n", "\t\r\n ", "\u00a0", "\ufeff", "\x00", "\x0b")
AFTER = (b"", b" ", b"\n", b"\x00", b"}", b"{}", b",", b"x", b"\xff", b"//", b"\xef\xbb\xbf")
BEFORE = (b"", b" ", b"\n", b"\xef\xbb\xbf", b"\x00", b"[", b"\xff\xfe")


def members_of(document: dict[str, object]) -> Members:
    return [(name, json.dumps(value)) for name, value in document.items()]


def compact(members: Members) -> bytes:
    """The plainest way to write it."""
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members) + "}").encode("utf-8", "surrogatepass")


def written(members: Members, rng: Random) -> bytes:
    """The same members in another text, mostly one that is still JSON."""
    way = rng.randrange(8)
    if way == 0:
        members = [(_escaped(name, rng), value) for name, value in members]
    elif way == 1:
        members = rng.sample(members, len(members))
    elif way == 2 and members:
        members = _with_a_duplicate(members, rng)
    text = compact(members)
    if way == 3:
        text = rng.choice(BEFORE) + text + rng.choice(AFTER)
    elif way == 4:
        text = _spaced(members, rng)
    elif way == 5:
        text = text.decode("utf-8", "surrogatepass").encode(
            rng.choice(["utf-8-sig", "utf-16", "utf-16-le", "utf-32"]), "surrogatepass"
        )
    elif way == 6:
        place = rng.randrange(len(text) + 1)
        text = text[:place] + bytes([rng.randrange(256)]) + text[place + rng.randrange(2) :]
    return text


def replaced(members: Members, name: str, value: str) -> Members:
    """With the member set to this text, at its place or at the end."""
    if not any(named == name for named, _ in members):
        return [*members, (name, value)]
    return [(named, value if named == name else old) for named, old in members]


def without(members: Members, name: str) -> Members:
    return [(named, value) for named, value in members if named != name]


def _with_a_duplicate(members: Members, rng: Random) -> Members:
    """One name twice, perhaps once in escapes; which of the two values is the good one is left to chance."""
    name, value = rng.choice(members)
    other = (rng.choice([name, _escaped(name, rng)]), rng.choice([rng.choice(ANY), value]))
    place = rng.randrange(len(members) + 1)
    return [*members[:place], other, *members[place:]]


def _escaped(name: str, rng: Random) -> str:
    return "".join(f"\\u{ord(char):04x}" if ord(char) < 0x10000 and rng.random() < 0.5 else char for char in name)


def _spaced(members: Members, rng: Random) -> bytes:
    def space() -> str:
        return rng.choice(SPACES[: 8 if rng.random() < 0.9 else None])

    inner = f"{space()},{space()}".join(f'{space()}"{name}"{space()}:{space()}{value}{space()}' for name, value in members)
    return f"{space()}{{{inner}}}{space()}".encode("utf-8", "surrogatepass")
