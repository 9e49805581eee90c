"""Members of Graph's objects, read without trust: of another type they count as missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from tokenward.validation import GUID

Object: TypeAlias = Mapping[str, object]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
"""ISO 8601 in UTC, as Graph writes it, with up to seven digits of a second (learn.microsoft.com/graph/api/resources)."""


def text(item: Object, name: str) -> str | None:
    """A string that is not empty."""
    value = item.get(name)
    return value if isinstance(value, str) and value else None


def flag(item: Object, name: str) -> bool | None:
    """A boolean."""
    value = item.get(name)
    return value if isinstance(value, bool) else None


def texts(item: Object, *path: str) -> list[str]:
    """The strings of a list, which may lie in objects on the way."""
    return [value for value in _listed(item, path) if isinstance(value, str)]


def objects(item: Object, *path: str) -> list[Object]:
    """The objects of a list, which may lie in objects on the way."""
    return [value for value in _listed(item, path) if isinstance(value, Mapping)]


def guid(item: Object, name: str) -> str | None:
    """A GUID in lower case: what may go into an address or a command."""
    value = (text(item, name) or "").lower()
    return value if GUID.fullmatch(value) else None


def seconds(item: Object, name: str) -> float | None:
    """A time, in seconds since the epoch; None also for one that no calendar has."""
    found = _TIME.fullmatch(text(item, name) or "")
    try:
        return None if found is None else datetime.fromisoformat(f"{found[1]}+00:00").timestamp()
    except ValueError:
        return None


def member(item: Object, name: str) -> Object:
    """An object in an object; an empty one if there is none."""
    value = item.get(name)
    return value if isinstance(value, Mapping) else {}


def _listed(item: Object, path: Sequence[str]) -> Sequence[object]:
    for name in path[:-1]:
        item = member(item, name)
    value = item.get(path[-1])
    return value if isinstance(value, list) else ()
