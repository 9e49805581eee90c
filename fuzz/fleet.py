"""The differential run on every core: batches are numbered, so it is the same run on any number of them."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection, wait
from typing import NamedTuple

from fuzz.differential import ACCEPTED, BATCH, OURS, Tally, run_batch
from fuzz.interrupts import deaf_children
from fuzz.judges import judges
from fuzz.world import verifier

PROGRESS = 5.0
"""Seconds between two lines of progress."""


class Run(NamedTuple):
    """What was judged; `interrupted` by Ctrl-C, or because a process `died`, it is less than was wanted."""

    tally: Tally
    seconds: float
    interrupted: bool = False
    died: bool = False


class _WorkerDied(Exception):
    """A process ended in the middle of its batches."""


def run(count: int, seed: int, processes: int) -> Run:
    """Judge `count` tokens. Ctrl-C ends it at once, with what was told by then."""
    total, began, spoke, interrupted, died = Tally(), time.monotonic(), 0.0, False, False
    print(f"starting, processes: {processes} ...", file=sys.stderr, flush=True)
    try:
        with closing(_tallies(count, seed, processes)) as tallies:
            for tally in tallies:
                total.add(tally)
                if time.monotonic() - spoke > PROGRESS:
                    spoke = time.monotonic()
                    _say(total, count, spoke - began)
    except KeyboardInterrupt:
        interrupted = True
    except _WorkerDied:
        died = True
    return Run(total, time.monotonic() - began, interrupted, died)


def _tallies(count: int, seed: int, processes: int) -> Generator[Tally, None, None]:
    """What the processes tell, as it comes. None of them outlives this."""
    with ExitStack() as stack:
        pipes = [_start(stack, count, seed, number, processes) for number in range(processes)]
        while pipes:
            ready = wait(pipes)
            for pipe in [pipe for pipe in pipes if pipe in ready]:
                tally = _told(pipe)
                if tally is None:
                    pipes.remove(pipe)
                else:
                    yield tally


def _start(stack: ExitStack, count: int, seed: int, number: int, processes: int) -> Connection:
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe(duplex=False)
    with deaf_children(), there:
        worker = spawn.Process(target=_work, args=(there, count, seed, number, processes))
        worker.start()
        stack.callback(worker.join)
        stack.callback(worker.terminate)
    return here


def _told(pipe: Connection) -> Tally | None:
    try:
        told: Tally | None = pipe.recv()
    except EOFError:
        raise _WorkerDied from None
    return told


def _work(pipe: Connection, count: int, seed: int, number: int, processes: int) -> None:
    """The batches of one process. What is remembered of one must not change the verdicts on the next, so the subjects stay."""
    subject, others = verifier(), judges()
    for batch in range(number, -(-count // BATCH), processes):
        for tally in run_batch(seed, batch, min(BATCH, count - batch * BATCH), subject, others):
            pipe.send(tally)
    pipe.send(None)


def _say(total: Tally, count: int, seconds: float) -> None:
    accepted = total.verdicts[OURS][ACCEPTED]
    print(
        f"{total.count:>10,} of {count:,} tokens  {total.count / seconds:,.0f}/s  accepted {accepted / total.count:.0%}"
        f"  false accepts {total.false_accepts}  other findings {len(total.findings) - total.false_accepts}",
        file=sys.stderr,
        flush=True,
    )
