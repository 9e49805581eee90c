"""The gateway's benchmarks, and the columns of their table."""

from __future__ import annotations

from benchmarks.gateway.exchanges import exchanges
from benchmarks.gateway.first_event import first_event
from benchmarks.gateway.streams import streams
from benchmarks.gateway.throughput import throughput
from benchmarks.run import Benchmark

GATEWAY: tuple[Benchmark, ...] = (throughput, exchanges, streams, first_event)
COLUMNS = ("range", "requests/s", "p50 ms", "p99 ms", "CPU us")
FULL_ROUNDS, QUICK_ROUNDS = 9, 3
