"""Whether there are keys to judge tokens with: the answer to a probe, and the error of a start that requires them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

from tokenward.challenge import Answer, json_answer, retry_after
from tokenward.errors import KeysUnavailable
from tokenward.keys.status import KeyStatus

Of: TypeAlias = Literal["all", "any"]

READY = json_answer(200, {"status": "ready"})
METHODS = ("GET", "HEAD")
METHOD_NOT_ALLOWED = json_answer(405, {"error": "method_not_allowed"}, ("Allow", ", ".join(METHODS)))

_WORDS = ("source", "keys", "fetch", "usable", "failures", "last_failure")
_SECONDS = ("age", "serves_for", "cooling_down", "next_attempt")


def readiness(sources: Sequence[KeyStatus], *, of: Of = "all", details: bool = False) -> Answer:
    """200 if there are usable keys, else 503 with Retry-After: seconds until fetches that may change it.

    It looks at what is known and fetches nothing.

    of       "all": every source must have usable keys; "any": one is enough
    details  add each source's words and times; they name the issuers, and whoever asks needs no token
    """
    lacking = without_keys(sources)
    told = {"sources": [_details(status) for status in sources]} if details else {}
    if not lacking or (of == "any" and len(lacking) < len(sources)):
        return json_answer(200, {"status": "ready", **told}) if details else READY
    wait = ("Retry-After", retry_after(_until_attempted(lacking, max if of == "all" else min)))
    return json_answer(503, {"status": "no_keys", "issuers_without_keys": len(lacking), **told}, wait)


def without_keys(sources: Iterable[KeyStatus]) -> list[KeyStatus]:
    """Those of the sources that have no key which may serve now."""
    return [status for status in sources if not status.usable]


def require_keys(sources: Sequence[KeyStatus]) -> None:
    """Raise KeysUnavailable, in words for whoever starts the service, unless every source has usable keys."""
    lacking = without_keys(sources)
    if not lacking:
        return
    named = "; ".join(f"{status.source} ({status.last_failure or 'no attempt has ended yet'})" for status in lacking)
    reason = (
        f"this start requires keys, and {len(lacking)} of {len(sources)} sources have none: {named}. "
        "Make them reachable from here (each keys_refresh_failed event in the log says what to check), allow more time, "
        "or start without requiring keys: tokens are then answered 503 until they come"
    )
    raise KeysUnavailable(reason, retry_after=_until_attempted(lacking, max))


def _until_attempted(lacking: Iterable[KeyStatus], chosen: Callable[[Iterable[float]], float]) -> float:
    """Seconds; a fetch that is under way may be over at any moment."""
    return chosen(status.next_attempt or 0.0 for status in lacking)


def _details(status: KeyStatus) -> dict[str, object]:
    told: dict[str, object] = {name: getattr(status, name) for name in _WORDS}
    for name in _SECONDS:
        value: float | None = getattr(status, name)
        told[name] = None if value is None else round(value, 1)
    return told
