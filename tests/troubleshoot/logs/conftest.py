"""Events as the library writes them, and a reader whose clock stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from tokenward.troubleshoot.logs import LogEvent, LogReader, Tally

NOW = 1_767_960_000.0
"""2026-01-09 12:00:00 UTC."""

Line = Callable[..., bytes]


def _line(event: str = "token_rejected", *, at: float | None = NOW, **fields: Any) -> bytes:
    stamp = {} if at is None else {"timestamp": datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")}
    code = {"code": "token_expired"} if event in ("token_rejected", "request_refused") else {}
    return json.dumps({**stamp, **code, **fields, "event": event, "level": "warning"}).encode() + b"\n"


@pytest.fixture
def now() -> float:
    return NOW


@pytest.fixture
def line() -> Line:
    """`line(event, at=..., **fields)`: one event as structlog's JSONRenderer writes it; a token_rejected unless named."""
    return _line


@pytest.fixture
def read() -> Callable[..., list[LogEvent]]:
    """`read(line, ..., since=..., codes=...)`: the events in these lines."""

    def events(*lines: bytes, **options: Any) -> list[LogEvent]:
        reader = LogReader(clock=lambda: NOW, **options)
        return [*reader.feed(b"".join(lines)), *reader.finish()]

    return events


@pytest.fixture
def counted(read: Callable[..., list[LogEvent]]) -> Callable[[Iterable[bytes]], Tally]:
    """`counted(lines)`: what is counted of them."""

    def tally_of(lines: Iterable[bytes]) -> Tally:
        tally = Tally()
        for event in read(*lines):
            tally.add(event)
        return tally

    return tally_of
