"""What the operator reads: one structlog event for each rejection, and one for each fetch of keys.

Never in an event: a token or a part of one, key material, or a claim that says who somebody is. What a stranger wrote is cut
short and escaped, and shown only where it says which issuer, audience, key, algorithm or application was meant.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from tokenward import validation
from tokenward.errors import AuthenticationError, MissingToken, ServiceUnavailable
from tokenward.forks import on_fork
from tokenward.keys.events import KeyEvent, KeysRefreshed

MAX_TEXT = 200
"""Characters of a foreign text in a log; issuers, audiences and kids are shorter."""
MAX_NUMBER = 2**63
"""Larger integers are no dates or sizes, and may have thousands of digits."""
MAX_ITEMS = 10
"""Items of a list in a log; a policy may hold a thousand tenants."""
FIRST = 10
"""Rejections logged one by one, per code and interval."""
INTERVAL = 60.0
"""Seconds after which the others are summed up."""
SHOWN_CLAIMS = frozenset(
    {"iss", "aud", "tid", "ver", "exp", "nbf", "iat", "typ", "alg", "scp", "roles", "kind", "client", "token_use"}
)
"""Claims whose value may be logged: what was asked for, and by which application; not who a person is."""

_TOKEN_LIKE = re.compile(r"eyJ[\w-]{8,}[\w.-]*|[\w-]{16,}\.[\w-]{16,}\.[\w-]*|dapi[0-9a-f]{8,}[\w-]*")


class Logger(Protocol):
    """What is used of a structlog logger."""

    def info(self, event: str, **fields: Any) -> Any: ...

    def warning(self, event: str, **fields: Any) -> Any: ...

    def error(self, event: str, **fields: Any) -> Any: ...


class Diagnostics:
    """Logs rejections, and sums them up when there are many.

    first     how many are logged one by one, per code and interval; None logs all of them
    interval  seconds after which the others are reported as counts, in one `token_rejections_summed` event
    logger    a structlog logger; by default `structlog.get_logger("tokenward")`

    A logger that raises does not disturb the request.
    """

    def __init__(
        self,
        *,
        first: int | None = FIRST,
        interval: float = INTERVAL,
        logger: Logger | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = None if first is None else validation.whole("first", first, least=0, most=1_000_000)
        self._interval = validation.seconds("interval", interval, most=86400)
        self._logger: Logger = structlog.get_logger("tokenward") if logger is None else logger
        self._monotonic = monotonic
        self._counts: Counter[str] = Counter()
        self._began = monotonic()
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        on_fork(self)

    def rejected(self, error: AuthenticationError, *, method: str, path: str) -> None:
        """Report one rejection of one request; `path` is without its query, which may hold secrets."""
        if self._monotonic() - self._began >= self._interval:
            self.flush()
        if self._counted(error.code):
            self._emit(_level(error), "token_rejected", event_fields(error) | {"method": shown(method), "path": shown(path)})

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
            hint = "Many rejections of one kind: see the token_rejected events before this one for examples."
            self._emit("warning", "token_rejections_summed", {"not_logged": held, "seconds": round(seconds, 1), "hint": hint})

    def forked(self) -> None:
        """In a child process: a new lock, and none of the parent's counts."""
        self._lock = threading.Lock()
        self._counts, self._timer = Counter(), None

    def _counted(self, code: str) -> bool:
        """Count it; True if it is among the first."""
        with self._lock:
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
        with contextlib.suppress(Exception):
            getattr(self._logger, level)(event, **fields)


def event_fields(error: AuthenticationError) -> dict[str, object]:
    """An error as fields for a log: bounded, escaped, and without anything that must not be there."""
    fields: dict[str, object] = {
        "code": error.code,
        "status": error.status,
        "reason": shown(error.reason),
        "hint": error.hint,
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
    }
    return {name: value for name, value in fields.items() if value is not None}


def shown(value: object) -> object:
    """A value fit for a log: texts cut and escaped, lists cut, anything like a token taken out, nothing else let through."""
    if value is None or isinstance(value, float) or (isinstance(value, int) and -MAX_NUMBER < value < MAX_NUMBER):
        return value
    if isinstance(value, str):
        text = _TOKEN_LIKE.sub("<token>", value[: 4 * MAX_TEXT]).encode("unicode_escape").decode("ascii")
        return text if len(text) <= MAX_TEXT and len(value) <= 4 * MAX_TEXT else f"{text[:MAX_TEXT]}..."
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [
            f"<{type(item).__name__}>" if isinstance(item, (list, dict)) else shown(item) for item in list(value)[:MAX_ITEMS]
        ]
        return items if len(value) <= MAX_ITEMS else [*items, f"... {len(value) - MAX_ITEMS} more"]
    return f"<{type(value).__name__}>"


def log_key_event(event: KeyEvent, logger: Logger | None = None) -> None:
    """Report one fetch of keys. The verifiers' default observer."""
    log = structlog.get_logger("tokenward") if logger is None else logger
    if isinstance(event, KeysRefreshed):
        fields = {"keys": event.keys, "added": event.added, "removed": event.removed, "seconds": round(event.seconds, 3)}
        log.info("keys_refreshed", source=event.source, why=event.why, **fields, skipped=event.skipped)
        if event.skipped.get("private_key_published"):
            log.error("private_key_published", source=event.source, hint="The issuer publishes private keys; tell it at once.")
        return
    report = log.warning if event.usable else log.error
    report(
        "keys_refresh_failed",
        source=event.source,
        why=event.why,
        kind=event.kind,
        detail=shown(event.detail),
        failures=event.failures,
        retry_in=round(event.retry_in, 1),
        key_age=None if event.age is None else round(event.age, 1),
        usable=event.usable,
        hint=_FAILURE_HINTS.get(event.kind, "Ask for the address by hand from this machine, such as with curl."),
    )


_FAILURE_HINTS = {
    "dns": "The host name does not resolve here; check the address and this machine's DNS.",
    "tls": "The certificate is not accepted; a proxy may intercept TLS, so add its CA to this machine.",
    "connect": "Nothing answers at this address; check the network, the firewall and the proxy settings.",
    "timeout": "The issuer answers too slowly or not at all; check the network, the firewall and the proxy settings.",
    "status": "The issuer answered with an error; check the address, and the issuer's own status page.",
    "redirect": "Redirects are not followed; configure the address that it leads to.",
    "not_json": "Something else than the issuer answered; look for a login page or a proxy.",
    "metadata": "The discovery document is of another issuer; compare its issuer with the policy, to the letter.",
    "no_keys": "No key in the set can be used; see the reasons in detail.",
}


def _level(error: AuthenticationError) -> str:
    if isinstance(error, ServiceUnavailable):
        return "error"
    return "info" if isinstance(error, MissingToken) else "warning"
