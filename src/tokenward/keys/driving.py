"""What both drivers share: how often they look, what runs behind a request, and the errands of starts and operators.

An errand is pursued until it is over or its time is: the driver runs the fetch that `start` grants, waits for the fetch under
way or, if there is none, for `pause` seconds, and looks again.
"""

from __future__ import annotations

from typing import Protocol, assert_never

from tokenward.keys.decision import Answer, Lease, Unavailable, Unknown, Use
from tokenward.keys.source import KeySource

TICK = 5.0
"""Seconds between looks whether a refresh is due. A look costs microseconds."""


class Errand(Protocol):
    """Something that is to happen to one source's keys. `start` grants a fetch; `end` is called once, and says how it went."""

    source: KeySource

    def start(self) -> Lease | None: ...

    @property
    def over(self) -> bool: ...

    @property
    def pause(self) -> float: ...

    def end(self, seconds: float) -> bool: ...


class WarmUp:
    """A start: there shall be usable keys, and as many attempts as that takes."""

    def __init__(self, source: KeySource) -> None:
        self.source = source

    def start(self) -> Lease | None:
        return self.source.tick()

    @property
    def over(self) -> bool:
        return self.source.ready

    @property
    def pause(self) -> float:
        return max(self.source.pending()[1], self.source.rhythm.min_gap)

    def end(self, seconds: float) -> bool:
        ready = self.source.ready
        if not ready:
            self.source.awaited_in_vain(seconds)
        return ready


class Refresh:
    """An operator's wish: one fetch that begins now, or as soon as the one under way and `min_gap` allow it."""

    def __init__(self, source: KeySource) -> None:
        self.source = source
        self._lease: Lease | None = None

    def start(self) -> Lease | None:
        if self._lease is not None:
            return None
        self._lease = self.source.force()
        return self._lease

    @property
    def over(self) -> bool:
        return self._lease is not None and self.source.pending()[0] != self._lease

    @property
    def pause(self) -> float:
        return self.source.rhythm.min_gap

    def end(self, seconds: float) -> bool:  # noqa: ARG002  # a start's signature
        return self._lease is not None and self.source.brought_by(self._lease)


def behind(answer: Answer) -> Lease | None:
    """The fetch to run behind a request that got this answer."""
    match answer:
        case Use():
            return answer.start
        case Unknown() | Unavailable():
            return None
        case _:
            assert_never(answer)
