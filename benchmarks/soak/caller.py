"""The callers, as a process: they send when it is time, and wait for nobody.

`python -m benchmarks.soak.caller`, started by the conductor. An open loop: every request has a moment at which it is due, and its
latency counts from then, so a service that falls behind cannot slow its callers down and look good by it. Arrivals are random,
and the same in every phase.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.soak.plan import BEFORE, JUNK, KNOWN, WARM_UP, Span, spans
from benchmarks.soak.stats import quantile
from benchmarks.soak.tokens import Tokens, arrivals
from benchmarks.soak.wire import Call
from tokenward.testing.keyfile import read_keys

SEED = 6
PIPE_BYTES = 1 << 20
"""A second of requests, so that a service that pauses does not hold its callers up; Linux's default is 64 KiB."""


class Caller:
    """Sends every request of a run to `sink`, a pipe. `begin` is the end of the warm-up on the monotonic clock, seconds."""

    def __init__(self, sink: int, begin: float, tokens: Tokens) -> None:
        self._sink = sink
        self._begin = begin
        self._tokens = tokens

    def call(self, span: Span) -> list[float]:
        """All requests of one phase; how late each was sent, in seconds."""
        late: list[float] = []
        noise = random.Random(SEED)
        for offset in arrivals(span.start, span.end, KNOWN + JUNK, noise):
            call = self._next(span, offset, noise)
            due = self._begin + offset
            time.sleep(max(due - time.monotonic(), 0.0))
            late.append(time.monotonic() - due)
            os.write(self._sink, call.line(int(due * 1e9), span.number))
        return late

    def _next(self, span: Span, offset: float, noise: random.Random) -> Call:
        phase = span.phase
        keys = phase.early if offset < (span.start + span.end) / 2 else phase.late
        key = keys[noise.randrange(len(keys))]
        if noise.random() * (KNOWN + JUNK) >= KNOWN:
            return self._tokens.junk(phase.junk, key)
        return self._tokens.first_sight(key) if phase is BEFORE else self._tokens.known(key)


def main() -> int:
    options = _options()
    threading.Thread(target=_end_with_the_conductor, daemon=True).start()
    with contextlib.suppress(AttributeError, OSError):  # Linux only, and an unprivileged limit may be lower
        fcntl.fcntl(options.to, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    caller = Caller(options.to, options.begin, Tokens(read_keys(options.keys), random.Random(SEED)))
    with contextlib.suppress(BrokenPipeError):  # the service has ended
        for span in _all(options.seconds):
            late = caller.call(span)
            print(json.dumps({"phase": span.number, "sent": len(late), "late_p99_ms": 1e3 * quantile(late, 0.99)}), flush=True)
    return 0


def _all(seconds: float) -> Iterator[Span]:
    yield Span(-1, BEFORE, -WARM_UP, 0.0)
    yield from spans(seconds)


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
