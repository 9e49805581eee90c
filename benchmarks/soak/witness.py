"""The witness, as a process: it says when the machine was away. `python -m benchmarks.soak.witness`, started by the conductor.

It sleeps 2 ms at a time on each processor, and looks at what the kernel says was stolen. It prints a line for each absence, and
costs about 2 % of a processor for each that it watches. What it says does not depend on the service: a process that merely
keeps a processor busy is not an absence, since the kernel tells how long one has waited for its turn. Linux only; elsewhere it
says nothing, and the callers' own lateness must do.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.soak.moments import LATE, MOMENT
from benchmarks.soak.wire import absence

PERIOD = 0.002
"""Seconds. An absence of twice this is noticed for certain: the sleep ends in its first half."""
MOST_WATCHED = 8
"""Processors. On more, watching would take a good part of one."""
STAT = Path("/proc/stat")
TURNS = Path("/proc/thread-self/schedstat")


def main() -> int:
    threading.Thread(target=_watch_stolen, daemon=True).start()
    if TURNS.exists() and hasattr(os, "sched_getaffinity"):
        for cpu in sorted(os.sched_getaffinity(0))[:MOST_WATCHED]:
            threading.Thread(target=_watch, args=(cpu,), daemon=True).start()
    sys.stdin.read()  # until the conductor has ended
    return 0


def is_away(late: float, waited: float) -> bool:
    """Whether one that woke so late was kept by the machine, and not by whoever had its turn. Both in seconds."""
    return late - waited > LATE


def stolen(stat: str) -> int:
    """Ticks that the hypervisor has taken, of all processors together, as /proc/stat has it; 0 where it says nothing."""
    fields = stat.partition("\n")[0].split()
    return int(fields[8]) if len(fields) > 8 else 0


def _watch(cpu: int) -> None:
    os.sched_setaffinity(0, {cpu})  # 0: of this thread
    with TURNS.open("rb", buffering=0) as turns:
        before = _waited(turns.read)
        while True:
            due = time.monotonic() + PERIOD
            time.sleep(PERIOD)
            woke = time.monotonic()
            turns.seek(0)
            now = _waited(turns.read)
            if is_away(woke - due, now - before):
                _say(due, woke)
            before = now


def _watch_stolen() -> None:
    """A tick is 10 ms of absences, which may be many short ones."""
    if not STAT.exists():
        return
    before, at = stolen(STAT.read_text()), time.monotonic()
    while True:
        time.sleep(MOMENT / 2)
        now, then, at = stolen(STAT.read_text()), at, time.monotonic()
        if now > before:
            _say(then, at)
        before = now


def _waited(read: Callable[[], bytes]) -> float:
    """Seconds in which this thread could have run, and another did (sched-stats.rst of the kernel, second number)."""
    return int(read().split()[1]) / 1e9


def _say(begin: float, end: float) -> None:
    os.write(sys.stdout.fileno(), absence(begin, end).encode())  # whole, whichever thread it is


if __name__ == "__main__":
    sys.exit(main())
