"""What the operator reads of the refused: one structlog event for each rejection, and one sum for a flood of them.

Never in an event: the token that was refused, key material, or a claim that says who somebody is. What a stranger wrote is
shown only where it says which issuer, audience, key, algorithm or application was meant, and then as `redaction` lets it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from tokenward import validation
from tokenward.errors import AuthenticationError, MissingToken, ServiceUnavailable
from tokenward.forks import on_fork, undivided
from tokenward.logger import Logger, logger_or_ours
from tokenward.redaction import MAX_ITEMS, MAX_TEXT, shown

__all__ = ["MAX_ITEMS", "MAX_TEXT", "Diagnostics", "event_fields", "shown"]

FIRST = 10
"""Rejections logged one by one, per code and interval."""
INTERVAL = 60.0
"""Seconds after which the others are summed up."""
SHOWN_CLAIMS = frozenset(
    {"iss", "aud", "tid", "ver", "exp", "nbf", "iat", "typ", "alg", "scp", "roles", "kind", "client", "token_use"}
)
"""Claims whose value may be logged: what was asked for, and by which application; not who a person is."""


DOCS = "docs/codes.md#"
"""Where the codes are explained, in this project's own files; `tokenward diagnose CODE` prints the same."""


class Diagnostics:
    """Logs rejections and refusals, and sums them up when there are many.

    first      how many are logged one by one, per code and interval; None logs all of them
    interval   seconds after which the others are reported as counts, in one `token_rejections_summed` event, which sums up
                 what was `rejected` for its token and what was `refused` for another reason
    docs       what stands in front of the code in an event's `docs`, such as the address of your own pages
    logger     a structlog logger; by default `structlog.get_logger("tokenward")`
    monotonic  seconds that never go back

    A logger that raises does not disturb the request, and its event is lost. Raises PolicyError.
    """

    def __init__(
        self,
        *,
        first: int | None = FIRST,
        interval: float = INTERVAL,
        docs: str = DOCS,
        logger: Logger | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = None if first is None else validation.whole("first", first, least=0, most=1_000_000)
        self._interval = _interval(interval)
        self._docs = validation.text("docs", docs, "'https://wiki.example/codes#'")
        self._logger = logger_or_ours(logger)
        self._monotonic = validation.clock("monotonic", monotonic)
        self._counts: Counter[str] = Counter()
        self._totals: Counter[tuple[str, int]] = Counter()
        self._began = monotonic()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        on_fork(self)

    def rejected(self, error: AuthenticationError, *, method: str, path: str) -> None:
        """Report one rejection of one request; `path` is without its query, which may hold secrets."""
        if self._is_due(error.code, error.status):
            fields = event_fields(error) | {"docs": self._docs + error.code}
            self._emit(_level(error), "token_rejected", fields | {"method": shown(method), "path": shown(path)})

    def refused(self, code: str, fields: Mapping[str, object], *, method: str, path: str, level: str = "warning") -> None:
        """Report a request that was refused for another reason than its token; the fields are escaped and bounded here."""
        status = fields.get("status")
        if self._is_due(code, status if isinstance(status, int) else 0):
            safe = {name: shown(value) for name, value in fields.items() if value is not None} | {"docs": self._docs + code}
            self._emit(level, "request_refused", {"code": code, **safe, "method": shown(method), "path": shown(path)})

    def flush(self) -> None:
        """Report what was held back, and begin a new interval."""
        with self._lock:
            held = {code: count - (self._first or 0) for code, count in self._counts.items() if self._exceeds(count)}
            seconds, self._began = self._monotonic() - self._began, self._monotonic()
            self._counts.clear()
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        if held:
            hint = "Many of one kind: see the token_rejected or request_refused events of these codes before this one."
            self._emit("warning", "token_rejections_summed", {"not_logged": held, "seconds": round(seconds, 1), "hint": hint})

    def totals(self) -> dict[tuple[str, int], int]:
        """How many requests were rejected or refused so far, logged or not, by code and HTTP status (0 if none was said).

        These only grow, and a child process begins with its own.
        """
        with self._lock:
            return dict(self._totals)

    def forked(self) -> None:
        """In a child process: a new lock, and none of the parent's counts."""
        self._lock = threading.Lock()
        self._counts, self._totals, self._timer = Counter(), Counter(), None

    def _is_due(self, code: str, status: int) -> bool:
        """Count it, in a new interval if it is time for one; True if it is to be logged by itself."""
        if self._monotonic() - self._began >= self._interval:
            self.flush()
        return self._counted(code, status)

    def _counted(self, code: str, status: int) -> bool:
        """Count it; True if it is among the first."""
        with self._lock:
            self._totals[code, status] += 1
            self._counts[code] += 1
            if not self._exceeds(self._counts[code]):
                return True
            if self._timer is None:
                self._start_timer()
            return False

    def _exceeds(self, count: int) -> bool:
        return self._first is not None and count > self._first

    def _start_timer(self) -> None:
        """A flood that stops must still be summed up, though no further rejection comes to cause it."""
        self._timer = threading.Timer(self._interval, self.flush)
        self._timer.daemon = True
        with contextlib.suppress(RuntimeError):  # no thread to be had: the next rejection sums up
            self._timer.start()

    def _emit(self, level: str, event: str, fields: dict[str, object]) -> None:
        with undivided(), contextlib.suppress(Exception):
            getattr(self._logger, level)(event, **fields)


def _interval(value: object) -> float:
    problem, fix = "in 0 seconds nothing can be summed up", "Give more, or first=None to log every rejection."
    return validation.some_seconds("interval", value, most=86400, problem=problem, fix=fix)


def event_fields(error: AuthenticationError) -> dict[str, object]:
    """An error as fields for a log: bounded, escaped, and without anything that must not be there."""
    fields: dict[str, object] = {
        "code": error.code,
        "status": error.status,
        "reason": shown(error.reason),
        "hint": shown(error.hint),
        "claim": error.claim,
        "expected": shown(error.expected),
        "seen": shown(error.actual) if error.claim is None or error.claim in SHOWN_CLAIMS else None,
        "issuer": shown(error.issuer),
        "kid": shown(error.kid),
        "alg": shown(error.algorithm),
        "client": shown(error.client),
        "key_age": None if error.key_age is None else round(error.key_age, 1),
        "retry_after": None if error.retry_after is None else round(error.retry_after, 1),
        "signature_held": error.signature_held,
        "fingerprint": error.fingerprint,
        **{name: shown(value) for name, value in error.upstream.items()},
    }
    return {name: value for name, value in fields.items() if value is not None}


def _level(error: AuthenticationError) -> str:
    if isinstance(error, ServiceUnavailable):
        return "error"
    return "info" if isinstance(error, MissingToken) else "warning"
