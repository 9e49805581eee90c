"""The differential run on every core: batches are numbered, so it is the same run on any number of them."""

from __future__ import annotations

import functools
import multiprocessing
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from fuzz.differential import ACCEPTED, BATCH, OURS, Tally, run_batch
from fuzz.judges import Judge, judges
from fuzz.world import verifier
from tokenward import Verifier

PROGRESS = 5.0
"""Seconds between two lines of progress."""


def run(count: int, seed: int, processes: int) -> tuple[Tally, float]:
    """Judge `count` tokens; the tally, and how many seconds it took. Ctrl-C ends it early, with what was done."""
    total, began, spoke = Tally(), time.monotonic(), 0.0
    try:
        for tally in _tallies(count, seed, processes):
            total.add(tally)
            if time.monotonic() - spoke > PROGRESS:
                spoke = time.monotonic()
                _say(total, count, spoke - began)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return total, time.monotonic() - began


def _tallies(count: int, seed: int, processes: int) -> Iterator[Tally]:
    """Not all batches are given out at once: a million tokens are 400 of them, a night 100,000."""
    sizes = iter(enumerate(_sizes(count)))
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        waiting: set[Future[Tally]] = set()
        try:
            while True:
                while len(waiting) < 2 * processes and (job := next(sizes, None)) is not None:
                    waiting.add(pool.submit(_batch, seed, *job))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _sizes(count: int) -> Iterator[int]:
    for begin in range(0, count, BATCH):
        yield min(BATCH, count - begin)


def _batch(seed: int, batch: int, size: int) -> Tally:
    return run_batch(seed, batch, size, *_subjects())


@functools.cache
def _subjects() -> tuple[Verifier, tuple[Judge, ...]]:
    """One of each for a whole process: what it remembers of one batch must not change the verdicts on the next."""
    return verifier(), judges()


def _say(total: Tally, count: int, seconds: float) -> None:
    accepted = total.verdicts[OURS][ACCEPTED]
    print(
        f"{total.count:>10,} of {count:,} tokens  {total.count / seconds:,.0f}/s  accepted {accepted / total.count:.0%}"
        f"  false accepts {total.false_accepts}  other findings {len(total.findings) - total.false_accepts}",
        file=sys.stderr,
        flush=True,
    )
