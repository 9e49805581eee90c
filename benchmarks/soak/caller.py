"""The callers, as a process: they send when it is time, and wait for nobody.

`python -m benchmarks.soak.caller`, started by the conductor. An open loop: every request has a moment at which it is due, and its
latency counts from then, so a service that falls behind cannot slow its callers down and look good by it. Arrivals are random,
and the same in every phase. When the callers themselves are late, they say so: the machine was away.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from benchmarks.soak.moments import LATE
from benchmarks.soak.plan import BEFORE, JUNK, KNOWN, WARM_UP, WARMING, Span, spans
from benchmarks.soak.sink import Sink
from benchmarks.soak.stats import quantile
from benchmarks.soak.tokens import Tokens, arrivals
from benchmarks.soak.wire import Call, absence
from tokenward.testing.keyfile import read_keys

SEED = 6


class Clock(Protocol):
    """The module `time`, or a test's."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float, /) -> None: ...


class Caller:
    """Sends every request of a run by `send`, which says whether the service had to be waited for.

    begin  the end of the warm-up on the monotonic clock, seconds
    away   told of each stretch of time in which the callers were late
    """

    def __init__(
        self, send: Callable[[bytes], bool], begin: float, tokens: Tokens, away: Callable[[float, float], None], clock: Clock
    ) -> None:
        self._send = send
        self._begin = begin
        self._tokens = tokens
        self._away = away
        self._clock = clock
        self._held_up = False

    def call(self, span: Span) -> list[float]:
        """All requests of one phase; how late each was sent, in seconds, but for delays that are the service's."""
        late: list[float] = []
        noise = random.Random(SEED)
        for offset in arrivals(span.start, span.end, KNOWN + JUNK, noise):
            call = self._next(span, offset, noise)
            due = self._begin + offset
            self._await(due)
            late.append(self._lateness(due))
            self._held_up |= self._send(call.line(int(due * 1e9), span.number))
        return late

    def _await(self, due: float) -> None:
        """Who has to wait for it has caught up with whatever held it up."""
        early = due - self._clock.monotonic()
        self._held_up &= early <= 0
        self._clock.sleep(max(early, 0.0))

    def _lateness(self, due: float) -> float:
        """None, if it was the service that held the callers up, and until they have caught up: the machine was there."""
        now = self._clock.monotonic()
        if self._held_up:
            return 0.0
        if now - due > LATE:
            self._away(due, now)
        return now - due

    def _next(self, span: Span, offset: float, noise: random.Random) -> Call:
        phase = span.phase
        keys = phase.early if offset < span.middle else phase.late
        key = keys[noise.randrange(len(keys))]
        if noise.random() * (KNOWN + JUNK) >= (WARMING if phase is BEFORE else KNOWN):
            return self._tokens.junk(phase.junk, key)
        return self._tokens.first_sight(key) if phase is BEFORE else self._tokens.known(key)


def main() -> int:
    options = _options()
    threading.Thread(target=_end_with_the_conductor, daemon=True).start()
    tokens = Tokens(read_keys(options.keys), random.Random(SEED))
    gc.freeze()  # a full collection of these would make the callers late
    caller = Caller(Sink(options.to).send, options.begin, tokens, _say_away, time)
    with contextlib.suppress(BrokenPipeError):  # the service has ended
        for span in _all(options.seconds):
            late = caller.call(span)
            print(json.dumps({"phase": span.number, "sent": len(late), "late_p99_ms": 1e3 * quantile(late, 0.99)}), flush=True)
    return 0


def _all(seconds: float) -> Iterator[Span]:
    yield Span(-1, BEFORE, -WARM_UP, 0.0)
    yield from spans(seconds)


def _say_away(begin: float, end: float) -> None:
    print(absence(begin, end), end="", flush=True)


def _end_with_the_conductor() -> None:
    sys.stdin.read()
    os._exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=int, required=True, help="the file descriptor of the pipe to the service")
    parser.add_argument("--begin", type=float, required=True, help="when the first phase begins, on the monotonic clock")
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--keys", type=Path, required=True, help="the file of the issuer's keys")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
