"""What one check found: the shape of every report that explains something, for people and for machines."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was expected, what there is, and what to do if they differ.

    name       the check, in a word or a few
    expected,  JSON values; `seen` and `fix` may hold a token's own claims, and are for its owner
    seen
    held       whether the rule holds; None if it could not be judged
    fix        what to change, and where; empty where it holds
    source     the page or standard that says so; may be empty
    """

    name: str
    expected: object
    seen: object = field(repr=False)
    held: bool | None
    fix: str = field(default="", repr=False)
    source: str = ""
