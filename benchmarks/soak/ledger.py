"""What became of each request, noted in the service's process as cheaply as may be, and told to the conductor in pieces."""

from __future__ import annotations

import time
from collections import Counter, deque
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from benchmarks.soak.moments import moment_at
from benchmarks.soak.wire import ACCEPTED, KNOWN_CALLER
from tokenward import AsyncVerifier, Verifier
from tokenward.identity import Identity
from tokenward.keys.decision import Lease
from tokenward.keys.events import KeyEvent, KeysRefreshFailed
from tokenward.keys.loading import Loading
from tokenward.keys.source import KeySource
from tokenward.keys.waiters import Wake

SOMEBODY_ELSE = "accepted_as_another"


@dataclass(slots=True)
class Request:
    """One request while it is judged: `usable` if its key was in hand when it came, `waited` once it waits for a fetch."""

    due_ns: int
    phase: int
    kind: str
    subject: str
    token: str
    usable: bool
    waited: bool = False

    def verdict_on(self, identity: Identity) -> str:
        """That it was accepted; and as whom."""
        return ACCEPTED if identity.subject == self.subject else SOMEBODY_ELSE


class Ledger:
    """Of one verifier. Any thread may write; one reads."""

    def __init__(self, verifier: Verifier | AsyncVerifier) -> None:
        self._in_hand: frozenset[str] = frozenset()
        self._done: deque[tuple[Request, str, int]] = deque()
        self._current: ContextVar[Request] = ContextVar("request")
        self._began: list[float] = []
        self._failed: list[float] = []
        (self._source,) = verifier._remote
        self._note_waits(self._source)
        self._note_fetches(self._source)

    def keys_changed(self, event: KeyEvent) -> None:
        """The verifier's observer."""
        if isinstance(event, KeysRefreshFailed):
            self._failed.append(time.monotonic())
        self._in_hand |= set(self._source.status().kids)  # for good: no key's grace ends while anybody in this plan brings it

    def opened(self, line: bytes) -> Request:
        """A request that begins here and now, in this task or thread."""
        due_ns, phase, kind, kid, subject, token = line.decode().split()
        request = Request(int(due_ns), int(phase), kind, subject, token, kid in self._in_hand)
        self._current.set(request)
        return request

    def closed(self, request: Request, verdict: str) -> None:
        """It is over."""
        self._done.append((request, verdict, time.monotonic_ns() - request.due_ns))

    def told(self) -> dict[str, Any]:
        """Since the last time: latencies of known callers (microseconds) by phase and by the moment at which they were due, and
        counts of all requests. Every fetch so far, and the processor's time."""
        latencies: dict[tuple[int, int], list[int]] = {}
        counts: Counter[tuple[int, str, bool, bool, str]] = Counter()
        for _ in range(len(self._done)):
            request, verdict, nanoseconds = self._done.popleft()
            counts[request.phase, request.kind, request.usable, request.waited, verdict] += 1
            if request.kind == KNOWN_CALLER:
                latencies.setdefault((request.phase, moment_at(request.due_ns / 1e9)), []).append(nanoseconds // 1000)
        listed = [[*what, number] for what, number in counts.items()]
        by_moment = [[*when, found] for when, found in latencies.items()]
        used = {"at": time.monotonic(), "cpu": time.process_time()}
        return used | {"latencies": by_moment, "counts": listed, "began": self._began, "failed": self._failed}

    def _note_waits(self, source: KeySource) -> None:
        """Have the source note whose wait it is; errands that wait are no requests, and come without a limit."""
        wait_for = source.wait_for

        def noted(lease: Lease, wake: Wake, limit: int | None = None, kid: str | None = None) -> bool:
            if limit is not None and (request := self._current.get(None)) is not None:
                request.waited = True
            return wait_for(lease, wake, limit, kid)

        source.wait_for = noted  # type: ignore[method-assign]

    def _note_fetches(self, source: KeySource) -> None:
        loading = source.loading

        def noted(lease: Lease) -> Loading:
            self._began.append(lease.start)
            return loading(lease)

        source.loading = noted  # type: ignore[method-assign]
