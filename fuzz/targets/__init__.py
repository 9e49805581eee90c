"""What is fuzzed. A target judges one input, and changes inputs in ways that coverage alone would not find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random


class Broken(Exception):
    """A property does not hold; the message says which, and holds nothing of the input."""


@dataclass(frozen=True)
class Target:
    """One target.

    check      raises Broken, or whatever else escapes, if the input breaks something
    change     a structured change of an input
    most       bytes of the longest input
    """

    name: str
    check: Callable[[bytes], None]
    change: Callable[[bytes, Random], bytes]
    most: int


def require(holds: bool, rule: str) -> None:
    if not holds:
        raise Broken(rule)
