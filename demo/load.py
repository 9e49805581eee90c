"""Known callers: clients whose tokens are signed by keys that the app has, calling all the time."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from types import TracebackType
from typing import Self

import httpx

CALLERS = 3
PAUSE = 0.01
"""Seconds between a caller's requests: the demo shows that nobody waits, not how much one core can do."""
TIMEOUT = 10.0
"""Seconds after which a request without an answer is an error: twice as long as any request may wait for keys."""


@dataclass
class Phase:
    """What known callers saw during one part of the demo. A request that got no answer at all has status 0."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def errors(self) -> int:
        return self.requests - self.statuses[200]

    def percentile(self, percent: float) -> float:
        """By nearest rank, in milliseconds; 0 without any request."""
        ranked = sorted(self.milliseconds)
        return ranked[max(math.ceil(len(ranked) * percent / 100) - 1, 0)] if ranked else 0.0


class KnownCallers:
    """Threads that call from the beginning to the end of the block; `during` begins a new part."""

    def __init__(self, url: str, tokens: Sequence[str]) -> None:
        self._url = url
        self._phase = Phase()
        self._tokens = list(tokens)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call, args=(number,), daemon=True) for number in range(CALLERS)]

    def during(self, tokens: Sequence[str] = ()) -> Phase:
        """From now on requests count for this phase, and use these tokens first, then those of before again."""
        with self._lock:
            self._phase = Phase()
            self._tokens = [*tokens, *self._tokens]
        return self._phase

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(TIMEOUT)

    def _call(self, number: int) -> None:
        with httpx.Client(trust_env=False, timeout=TIMEOUT) as client:
            while not self._stop.wait(PAUSE):
                with self._lock:
                    phase, tokens = self._phase, cycle(self._tokens[number::CALLERS])
                self._call_with(client, phase, tokens)

    def _call_with(self, client: httpx.Client, phase: Phase, tokens: cycle[str]) -> None:
        """Go round the tokens for as long as the phase lasts."""
        while self._phase is phase and not self._stop.wait(PAUSE):
            began = time.perf_counter()
            status = _status(client, self._url, next(tokens))
            taken = (time.perf_counter() - began) * 1000
            with self._lock:
                phase.milliseconds.append(taken)
                phase.statuses[status] += 1


def _status(client: httpx.Client, url: str, token: str) -> int:
    try:
        return client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code
    except httpx.HTTPError:
        return 0
