"""Judging configuration values: each check returns the value in its final form, or raises a PolicyError that says the fix."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet
from inspect import isasyncgenfunction, iscoroutinefunction

from tokenward.errors import PolicyError
from tokenward.keys.address import require_safe_url

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def texts(field: str, value: object, example: str, *, empty: bool = False) -> tuple[str, ...]:
    """A list of non-empty strings; a bare string is refused, because iterating it would give single letters."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, AbstractSet)):  # an iterator empties itself
        raise PolicyError(field, "it is not a list", f"Write a list of strings, such as {example}.")
    items = tuple(value)
    if not items and not empty:
        raise PolicyError(field, "it is empty", f"Name at least one, such as {example}.")
    for item in items:
        if not isinstance(item, str) or not item or item.strip() != item:
            raise PolicyError(field, "it holds something other than plain, non-empty strings", f"Write it like {example}.")
    return items


def choices(field: str, value: object, allowed: Collection[str]) -> tuple[str, ...]:
    """A list whose items are all among `allowed`."""
    listed = ", ".join(sorted(allowed))
    items = texts(field, value, f"[{min(allowed)!r}]")
    for item in items:
        if item not in allowed:
            raise PolicyError(field, f"{item!r} is not one of {listed}", "Take one of these.")
    return items


def seconds(field: str, value: object, *, most: float) -> float:
    """A finite number of seconds from 0 to `most`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PolicyError(field, "it is not a finite number", "Give seconds as a number, such as 0 or 60.")
    if not 0 <= value <= most:
        raise PolicyError(field, f"{value:g} is not between 0 and {most:g}", "Give seconds in this range, such as 0 or 60.")
    return float(value)


def boolean(field: str, value: object) -> bool:
    """True or False themselves: a string such as "false" would count as true, and could open a door."""
    if not isinstance(value, bool):
        raise PolicyError(field, "it is not True or False", "Write True or False.")
    return value


def whole(field: str, value: object, *, least: int, most: int) -> int:
    """A whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise PolicyError(field, f"it is not a whole number from {least} to {most}", "Give a number in this range.")
    return value


def address(field: str, value: object) -> str:
    """An https URL; http only on this machine."""
    if not isinstance(value, str):
        raise PolicyError(field, "it is not a string", "Give an address such as 'https://idp.example/'.")
    try:
        require_safe_url(value)
    except ValueError as exc:
        raise PolicyError(field, f"it is {exc}", "Give an https address; http is for loopback only.") from None
    return value


def guid(field: str, value: object, fix: str) -> str:
    """A GUID, in the lower case in which Entra writes it."""
    if not isinstance(value, str) or not GUID.fullmatch(value.lower()):
        raise PolicyError(field, "it is not a GUID", fix)
    return value.lower()


def is_async(function: object) -> bool:
    """Whether calling it gives a coroutine, which is true whatever it would return."""
    return any(
        iscoroutinefunction(candidate) or isasyncgenfunction(candidate)
        for candidate in (function, getattr(function, "func", None), getattr(function, "__call__", None))  # noqa: B004
    )


def tenant(field: str, value: object) -> str:
    """A tenant id. A domain name is refused: tokens carry only the id."""
    return guid(field, value, "Copy the Directory (tenant) ID from the overview page of the app registration.")
