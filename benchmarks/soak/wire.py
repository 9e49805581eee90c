"""What goes through the pipes between the processes of a run: one line for each request, and lines of JSON back."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

KNOWN_CALLER: Final = "k"
STRAY: Final = "s"
RANDOM: Final = "r"
FORGED: Final = "f"
Kind: TypeAlias = Literal["k", "s", "r", "f"]


class Call(NamedTuple):
    """A token on its way: what it is, the kid and subject it has if it is good, and itself."""

    kind: Kind
    kid: str
    subject: str
    token: str

    def line(self, due_ns: int, phase: int) -> bytes:
        """As it is sent: first when it was due, on the clock that all processes share, and in which phase (-1: warm-up)."""
        return f"{due_ns} {phase} {self.kind} {self.kid} {self.subject} {self.token}\n".encode()
