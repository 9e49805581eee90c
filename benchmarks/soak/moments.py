"""Moments, and which of them say nothing of the service, because the machine was away. Pure.

A machine that is itself a guest loses its processors to others, for milliseconds or for seconds, and whoever calls then must
wait, whatever the service does. The moments in which that happened are left out of the latencies, and of nothing else. Who was
away is never decided by looking at the service or its latencies, so a service cannot excuse itself by being slow.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

MOMENT = 0.02
"""Seconds. So short that an absence takes little with it; ten times as long as most requests, which thus belong to one."""
LATE = 0.002
"""Seconds by which a process that does next to nothing may come late: a sleep ends within 0.1 ms on a machine that is there."""


def moment_at(seconds: float) -> int:
    """Its number, on the monotonic clock that all processes share."""
    return int(seconds / MOMENT)


def second_of(moment: int) -> int:
    """The second, on that clock, in whose course this moment begins."""
    return int(moment * MOMENT)


def moments_between(begin: float, end: float) -> range:
    """All that this stretch of time touches."""
    return range(moment_at(begin), moment_at(end) + 1)


def left_out(away: AbstractSet[int]) -> set[int]:
    """The moments in which the machine was away, the one before, and as many again after.

    Before: who came at its end was not served yet. After: a service that is busy for at most half of its time needs no longer
    to catch up than it was kept away.
    """
    found: set[int] = set()
    first = 0
    for moment in sorted(away):
        first = first if moment - 1 in away else moment
        found.update(range(moment - 1, moment + (moment - first + 1) + 1))
    return found
