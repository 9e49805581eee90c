"""What is watched, and what it says at one moment. Nothing is kept here, and nothing runs while nobody asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tokenward.diagnostics import Diagnostics
from tokenward.errors import PolicyError
from tokenward.keys.status import KeyStatus


class Observed(Protocol):
    """Whatever can say how its sources of keys are doing, such as both verifiers."""

    def status(self) -> Sequence[KeyStatus]:
        """One for each source."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """The status of every source, and how many requests were refused so far, by code and HTTP status."""

    sources: tuple[KeyStatus, ...]
    rejections: Mapping[tuple[str, int], int]


class Watched:
    """The verifiers of a service, and its Diagnostics if rejections are to be told as well. Raises PolicyError."""

    def __init__(self, observed: Sequence[Observed], diagnostics: Diagnostics | None) -> None:
        if not observed or not all(callable(getattr(each, "status", None)) for each in observed):
            fix = "Pass the verifiers of the service, one or several."
            raise PolicyError("observed", "nothing is there that tells its status", fix)
        if diagnostics is not None and not isinstance(diagnostics, Diagnostics):
            raise PolicyError("diagnostics", "it is not a Diagnostics", "Pass the one that the middleware has, or leave it out.")
        self._observed = tuple({id(each): each for each in observed}.values())
        self._diagnostics = diagnostics

    @property
    def tells_rejections(self) -> bool:
        return self._diagnostics is not None

    def now(self) -> Moment:
        """Asks everything that is watched; each takes its own short lock."""
        sources = tuple(status for each in self._observed for status in each.status())
        return Moment(sources, self._diagnostics.totals() if self._diagnostics else {})
