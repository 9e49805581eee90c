"""What goes through the pipes between the processes of a run: one line for each request, and lines of JSON back."""

from __future__ import annotations

import json
from typing import Final, Literal, NamedTuple, TypeAlias

from benchmarks.soak.moments import moments_between

KNOWN_CALLER: Final = "k"
STRAY: Final = "s"
RANDOM: Final = "r"
FORGED: Final = "f"
Kind: TypeAlias = Literal["k", "s", "r", "f"]
ACCEPTED: Final = "accepted"
"""The verdict on a request that got in, as itself; every other is a code, or the name of an exception."""


class Call(NamedTuple):
    """A token on its way: what it is, the kid and subject it has if it is good, and itself."""

    kind: Kind
    kid: str
    subject: str
    token: str

    def line(self, due_ns: int, phase: int) -> bytes:
        """As it is sent: first when it was due, on the clock that all processes share, and in which phase (-1: warm-up)."""
        return f"{due_ns} {phase} {self.kind} {self.kid} {self.subject} {self.token}\n".encode()


def absence(begin: float, end: float) -> str:
    """The line that says that the machine was away in some part of this stretch of time, on the monotonic clock."""
    moments = moments_between(begin, end)
    return json.dumps({"away": [moments[0], moments[-1]]}) + "\n"
