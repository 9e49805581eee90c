"""What one check found: the shape of every report that explains something, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

VERDICTS: Mapping[bool | None, str] = MappingProxyType({True: "ok", False: "failed", None: "open"})
"""A check's verdict in a word, by whether its rule holds; open is one that could not be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was expected, what there is, and what to do if they differ.

    name       the check, in a word or a few
    expected,  JSON values; `seen` and `fix` may hold a token's own claims, and are for its owner
    seen
    held       whether the rule holds; None if it could not be judged
    fix        what to change, and where; empty where it holds
    source     who says so: a whole https address, or a standard such as "RFC 7519 section 4.1.3"; may be empty
    """

    name: str
    expected: object
    seen: object = field(repr=False)
    held: bool | None
    fix: str = field(default="", repr=False)
    source: str = ""

    @property
    def verdict(self) -> str:
        """ok, failed or open."""
        return VERDICTS[self.held]

    def to_json(self, **members: object) -> dict[str, object]:
        """The finding in JSON values: check, expected, seen, verdict, fix and source. Nothing is masked here.

        members  in place of these, such as a `seen` without secrets, or beside them
        """
        told = {"check": self.name, "expected": self.expected, "seen": self.seen, "verdict": self.verdict}
        return {**told, **members, "fix": self.fix, "source": self.source}
