"""The glossary: glossary.json, read once, judged, and immutable from then on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tokenward.token.strict import parse_unique_object

FORMS = frozenset({"text", "time", "list", "id", "flag"})
"""How a value reads: words, seconds since 1970, several values, an identifier to compare, or yes and no."""
_MEMBERS = frozenset({"name", "meaning", "source", "form"})


@dataclass(frozen=True, slots=True)
class Term:
    """One header member or claim, in words. A name that ends in * stands for every name that begins like it."""

    name: str
    meaning: str
    source: str
    form: str


@dataclass(frozen=True, slots=True)
class Glossary:
    """Terms by their names, and what well-known values stand for."""

    terms: Mapping[str, Term]
    values: Mapping[str, str]


def meaning_of(name: str) -> Term | None:
    """What a header member or claim means; None for a name that is not known here.

    It knows the names of Entra, OpenID Connect, Databricks and a few other providers, and judges no value.
    Source: each term's own.
    """
    terms = glossary().terms
    return terms.get(name) or next((terms[family] for family in _families() if name.startswith(family[:-1])), None)


def value_name(value: str) -> str | None:
    """Whose id or address this is, such as "Azure Databricks"; None for a value that is not the same for everybody."""
    return glossary().values.get(value)


@cache
def glossary() -> Glossary:
    """Every term and value; the file is read at the first call."""
    return read_glossary(files("tokenward.troubleshoot.glossary").joinpath("glossary.json").read_bytes())


@cache
def _families() -> tuple[str, ...]:
    return tuple(name for name in glossary().terms if name.endswith("*"))


def read_glossary(document: bytes) -> Glossary:
    """Read a glossary. Raises ValueError, which names the term, for anything that is not as Term says."""
    members = parse_unique_object(document)
    listed, values = members.get("terms"), members.get("values")
    if not isinstance(listed, list) or not isinstance(values, dict):
        raise ValueError("the glossary has no terms or no values")
    terms: dict[str, Term] = {}
    for item in listed:
        term = _term(item)
        if term.name in terms:
            raise ValueError(f"{term.name} is in the glossary twice")
        terms[term.name] = term
    return Glossary(MappingProxyType(terms), MappingProxyType({value: _text(name, value) for value, name in values.items()}))


def _term(item: object) -> Term:
    if not isinstance(item, dict) or item.keys() != _MEMBERS:
        raise ValueError("a term has not the members that it must have")
    name = _text(item["name"], "a term")
    term = Term(name, _text(item["meaning"], name), _text(item["source"], name), _text(item["form"], name))
    if term.form not in FORMS or not term.source.startswith("https://"):
        raise ValueError(f"{name} has a form that is not known, or a source that is no https address")
    return term


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{where} has no text where one must be")
    return value
