"""Judging configuration values: each check returns the value in its final form, or raises a PolicyError that says the fix.

Each takes the name of the argument, which is the error's `field`, and any value at all; no other exception leaves it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature
from typing import Any, TypeGuard, TypeVar, cast

from tokenward.errors import PolicyError
from tokenward.keys.address import require_safe_url

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

C = TypeVar("C", bound=Callable[..., object])


# -- texts -------------------------------------------------------------------------------------------------------------


def text(field: str, value: object, example: str) -> str:
    """A plain, non-empty string."""
    if not _is_plain(value):
        raise PolicyError(field, "it is not a plain, non-empty string", f"Write it like {example}.")
    return str.__str__(value)


def guid(field: str, value: object, fix: str) -> str:
    """A GUID, in the lower case in which Entra writes it."""
    if not isinstance(value, str) or not GUID.fullmatch(value.lower()):
        raise PolicyError(field, f"{_short(value)} is not a GUID", fix)
    return value.lower()


def tenant(field: str, value: object) -> str:
    """A tenant id. A domain name is refused: tokens carry only the id."""
    return guid(field, value, "Copy the Directory (tenant) ID from the overview page of the app registration.")


def clock(field: str, value: object) -> Callable[[], float]:
    """A plain function without arguments that gives seconds."""
    fix = f"Pass time.{'monotonic' if field == 'monotonic' else 'time'}."
    if not callable(value) or is_async(value):
        raise PolicyError(field, "it is not a plain function", fix)
    given = cast("Callable[[], float]", value)
    try:
        now: object = given()
    except Exception as exc:
        raise PolicyError(field, f"calling it raised {type(exc).__name__}", fix) from exc
    if isinstance(now, bool) or not isinstance(now, (int, float)):
        raise PolicyError(field, "it does not give a number", fix)
    return given


def fetch(value: C, *, async_one: bool) -> C:
    """A fetch of the kind that fits; one of the other kind would fail only when it is used, and look like an outage."""
    if not callable(value) or is_async(value) != async_one:
        kind = "an async function" if async_one else "a plain function"
        raise PolicyError("fetch", f"it is not {kind}", "Pass an AsyncFetch to what is async, and a Fetch to its twin.")
    return value


def address(field: str, value: object) -> str:
    """An https URL; http only on this machine."""
    if not isinstance(value, str):
        raise PolicyError(field, "it is not a string", "Give an address such as 'https://idp.example/'.")
    if has_placeholder(value):
        raise PolicyError(field, "it holds a placeholder", "Write the address itself; nothing is filled in here.")
    try:
        require_safe_url(value)
    except ValueError as exc:
        raise PolicyError(field, f"it is {exc}", "Give an https address; http is for loopback only.") from None
    return value


def has_placeholder(value: str) -> bool:
    """Whether it holds braces or angle brackets, as the examples in manuals do and no URL does (RFC 3986 appendix A)."""
    return not set(value).isdisjoint("{}<>")


def _is_plain(value: object) -> TypeGuard[str]:
    """Printable, so that no zero-width or line-breaking character that was copied along makes two like texts differ."""
    return isinstance(value, str) and value != "" and value.strip() == value and value.isprintable()


# -- lists and dicts ---------------------------------------------------------------------------------------------------


def items(field: str, value: object, example: str, *, empty: bool = False) -> tuple[object, ...]:
    """What a list, tuple or set holds.

    A string is refused, because iterating it would give single letters; so is an iterator, because it empties itself.
    """
    if isinstance(value, (str, bytes, bytearray, memoryview)) or not isinstance(value, (Sequence, AbstractSet)):
        raise PolicyError(field, "it is not a list", f"Write a list such as {example}.")
    try:
        held = tuple(value)
    except Exception as exc:  # a list type of someone else's, lazy or broken
        raise PolicyError(field, "it is a list that cannot be read", f"Write a list such as {example}.") from exc
    if not held and not empty:
        raise PolicyError(field, "it is empty", f"Name at least one, such as {example}.")
    return held


def texts(field: str, value: object, example: str, *, empty: bool = False) -> tuple[str, ...]:
    """A list of plain, non-empty strings."""
    held = items(field, value, example, empty=empty)
    plain = tuple(str.__str__(item) for item in held if _is_plain(item))  # of a subclass, such as StrEnum, the bare text
    if len(plain) != len(held):
        raise PolicyError(field, "it holds something other than plain, non-empty strings", f"Write it like {example}.")
    return plain


def exact(field: str, value: object, example: str, *, empty: bool = False) -> tuple[str, ...]:
    """A list of texts that tokens are compared with, where a star would be taken for a wildcard."""
    held = texts(field, value, example, empty=empty)
    if any("*" in item for item in held):
        raise PolicyError(field, "it holds a star, and there are no wildcards here", f"List each in full, such as {example}.")
    return held


def choices(field: str, value: object, allowed: Collection[str]) -> tuple[str, ...]:
    """A list whose items are all among `allowed`, each once."""
    listed = ", ".join(sorted(allowed))
    chosen = texts(field, value, f"[{min(allowed)!r}]")
    for item in chosen:
        if item not in allowed:
            raise PolicyError(field, f"{item!r} is not one of {listed}", "Take one of these.")
    return tuple(dict.fromkeys(chosen))


def mapping(field: str, value: object, problem: str, fix: str) -> dict[object, object]:
    """A copy of a dict."""
    if not isinstance(value, Mapping):
        raise PolicyError(field, problem, fix)
    try:
        return {name: value[name] for name in value}
    except Exception as exc:  # as in `items`
        raise PolicyError(field, "it is a dict that cannot be read", fix) from exc


# -- numbers and switches ----------------------------------------------------------------------------------------------


def seconds(field: str, value: object, *, most: float) -> float:
    """A finite number of seconds from 0 to `most`."""
    number = _finite(value)
    if number is None:
        raise PolicyError(field, "it is not a finite number", "Give seconds as a number, such as 0 or 60.")
    if not 0 <= number <= most:
        raise PolicyError(field, f"{number:g} is not between 0 and {most:g}", "Give seconds in this range, such as 0 or 60.")
    return number


def some_seconds(field: str, value: object, *, most: float, problem: str, fix: str) -> float:
    """A finite number of seconds above 0, up to `most`; `problem` and `fix` are what is said of 0."""
    number = seconds(field, value, most=most)
    if not number:
        raise PolicyError(field, problem, fix)
    return number


def whole(field: str, value: object, *, least: int, most: int) -> int:
    """A whole number in a range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise PolicyError(field, f"it is not a whole number from {least} to {most}", "Give a number in this range.")
    return value


def boolean(field: str, value: object) -> bool:
    """True or False themselves: a string such as "false" would count as true, and could open a door."""
    if not isinstance(value, bool):
        raise PolicyError(field, "it is not True or False", "Write True or False.")
    return value


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # an int beyond every float
        return None


# -- functions ---------------------------------------------------------------------------------------------------------


def function(field: str, value: object, argument: str) -> Callable[..., Any]:
    """A plain function of one argument; it is not called here.

    What an async function or a generator returns is an object that says nothing of the answer, so both are refused.
    """
    if not callable(value):
        raise PolicyError(field, "it is not a function", f"Give a function of {argument}.")
    if is_async(value) or isgeneratorfunction(value):
        problem = "it is async or a generator, and what it returns would be no answer"
        raise PolicyError(field, problem, f"Give a plain function of {argument}, which must not block.")
    if not _takes_one_argument(value):
        raise PolicyError(field, "it cannot be called with one argument", f"Give a function of {argument}.")
    return value


def is_async(function: object) -> bool:
    """Whether calling it gives a coroutine, which is true whatever it would return."""
    return any(
        iscoroutinefunction(candidate) or isasyncgenfunction(candidate)
        for candidate in (function, getattr(function, "func", None), getattr(function, "__call__", None))  # noqa: B004
    )


def _takes_one_argument(value: Callable[..., Any]) -> bool:
    try:
        described = signature(value)
    except (TypeError, ValueError):  # some that are written in C say nothing
        return True
    try:
        described.bind(None)
    except TypeError:
        return False
    return True


def _short(value: object) -> str:
    """A configured value as a message shows it."""
    text = repr(value) if isinstance(value, (str, int, float, type(None))) else f"<{type(value).__name__}>"
    return text if len(text) <= 80 else f"{text[:77]}..."
