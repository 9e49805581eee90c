"""What both drivers share: how often they look, what runs behind a request, and the errands of starts and operators.

Errands are pursued together until each is over or their time is: the driver runs the fetches that `start` grants, waits until
one of those under way ends, or one that has none shall be looked at again after its `pause` seconds, and looks at all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tokenward.keys.decision import Answer, Lease, Use
from tokenward.keys.source import KeySource
from tokenward.keys.waiters import Wake

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
    """A start: there shall be usable keys, and as many attempts as `timeout` seconds allow.

    With a timeout of 0 it only begins the fetch: it has not waited, so it tells nobody that it waited in vain.
    """

    def __init__(self, source: KeySource, timeout: float) -> None:
        self.source = source
        self._waits = timeout > 0

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
        if self._waits and not ready:
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


def join(errands: Sequence[Errand], wake: Wake) -> tuple[bool, float]:
    """Have `wake` called as soon as a fetch of theirs ends; whether any is under way, and the seconds until a look anyway."""
    is_any, seconds = False, float("inf")
    for errand in errands:
        source, (lease, _) = errand.source, errand.source.pending()
        if lease is None:
            seconds = min(seconds, 0.0 if errand.over else errand.pause)
        else:
            source.wait_for(lease, wake)
            is_any, seconds = True, min(seconds, source.seconds_until(lease.deadline))
    return is_any, seconds


def leave(errands: Sequence[Errand], wake: Wake) -> None:
    """Undo `join`."""
    for errand in errands:
        errand.source.stop_waiting(wake)


def behind(answer: Answer) -> Lease | None:
    """The fetch to run behind a request that got this answer."""
    return answer.start if isinstance(answer, Use) else None
