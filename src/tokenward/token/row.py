"""A row of a table of checks: what is judged, in one word, and the function that judges it."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

C = TypeVar("C")


class Row(NamedTuple, Generic[C]):
    """`check` returns where the rule holds, and raises a TokenRejected where it does not. Rows are judged in their order."""

    name: str
    check: C
