"""What breaks verifiers: the kinds of it are data (cautions.json), and a Caution is one of them as it was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from tokenward.token.strict import parse_unique_object

WEIGHTS = ("critical", "warning", "note")
"""A secret is out; some verifier refuses tokens; worth knowing."""
MAX_KIDS = 10
"""Named for one caution; a set may have a thousand keys with the same flaw."""


@dataclass(frozen=True, slots=True)
class Caution:
    """One thing that breaks verifiers, or may.

    weight     critical, warning or note
    seen       what there is, in a few words
    tokenward  what tokenward itself does
    others     what other verifiers were seen to do; empty where nothing is known
    kids       of the keys that it is about, if it is about keys
    """

    name: str
    weight: str
    problem: str
    seen: str
    tokenward: str
    others: str
    fix: str
    source: str
    kids: tuple[str, ...] = ()


def caution(name: str, seen: str, kids: Sequence[str] = ()) -> Caution:
    """The caution of this name. `seen` and `kids` must be fit for a terminal already."""
    some = tuple(dict.fromkeys(kids))
    more = () if len(some) <= MAX_KIDS else (f"... {len(some) - MAX_KIDS} more",)
    return Caution(name=name, seen=seen, kids=(*some[:MAX_KIDS], *more), **{"others": "", **kinds()[name]})


@cache
def kinds() -> Mapping[str, Mapping[str, str]]:
    """Every kind by its name: weight, problem, tokenward, others, fix, source."""
    text = files("tokenward.troubleshoot.keyreport").joinpath("cautions.json").read_bytes()
    read = parse_unique_object(text)
    return MappingProxyType({name: MappingProxyType(_texts(kind)) for name, kind in read.items()})


def _texts(kind: object) -> dict[str, str]:
    if not isinstance(kind, dict) or kind.get("weight") not in WEIGHTS:
        raise ValueError("cautions.json: a kind has no known weight")
    return {str(name): str(text) for name, text in kind.items()}
