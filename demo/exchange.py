"""One request and its answer, judged: status, code and challenge, each against what was expected."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

import httpx

from demo.cases import Case, Expected, Headers
from demo.processes import Event
from demo.stage import Stage

SHOWN = 60
"""Characters of what was expected and seen in a table; the event itself has up to 200."""
LOG_DELAY = 5.0
"""Seconds that a line in the app's log may take to reach us; it is written before the answer is sent."""


@dataclass(frozen=True)
class Seen:
    """What came back; `code`, `reason` and `hint` are the app's own log event, None where it logged no rejection.

    `reason` is with what was expected and what was seen, as the event has them.
    """

    status: int
    code: str | None
    challenge: str | None
    reason: str | None
    hint: str | None
    body: str
    retry_after: str | None
    milliseconds: float


@dataclass(frozen=True)
class Row:
    """A request with what was expected of it and what was seen."""

    name: str
    expected: Expected
    seen: Seen

    def differences(self) -> list[str]:
        """What is not as expected, in words. Empty if the verdict is the right one."""
        pairs = [(part, getattr(self.expected, part), getattr(self.seen, part)) for part in ("status", "code", "challenge")]
        found = [f"{part}: expected {expected}, seen {seen}" for part, expected, seen in pairs if expected != seen]
        if self.seen.status >= 400 and not self.seen.hint:
            found.append("hint: the app's log explains nothing")
        return found

    @property
    def explanation(self) -> str:
        """What the operator reads of a refusal; of an accepted request, what the app learned of its caller."""
        return f"{self.seen.reason}. {self.seen.hint}" if self.seen.hint else _learned(self.seen.body)


def _learned(body: str) -> str:
    try:
        caller = json.loads(body)
        return f"{caller['kind']}, granted {' '.join(caller['granted'])}"
    except (ValueError, KeyError, TypeError):
        return body[:200]


def sent(stage: Stage, case: Case) -> Row:
    """Make the request, send it, and judge it."""
    return Row(case.name, case.expected, ask(stage, case.path, case.make(stage)))


def ask(stage: Stage, path: str, headers: Headers) -> Seen:
    """Send one request, and find the event that it left in the app's log. `path` must not have been used before."""
    began = time.perf_counter()
    try:
        response = stage.http.get(f"{stage.app_url}{path}", headers=headers)
    except httpx.HTTPError as exc:
        raise stage.app.failure(f"did not answer {path} ({type(exc).__name__})") from exc
    milliseconds = (time.perf_counter() - began) * 1000
    event = _event(stage, path, waiting=response.status_code >= 400)
    return Seen(
        response.status_code,
        event.get("code"),
        response.headers.get("WWW-Authenticate"),
        _reason(event),
        event.get("hint"),
        response.text,
        response.headers.get("Retry-After"),
        milliseconds,
    )


def _reason(event: Event) -> str | None:
    """Why, and what the two things were that differ."""
    if "reason" not in event:
        return None
    judged = [f"{word} {_short(event[word])}" for word in ("expected", "seen") if word in event]
    return f"{event['reason']} ({', '.join(judged)})" if judged else str(event["reason"])


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _event(stage: Stage, path: str, *, waiting: bool) -> Event:
    """The app logs before it answers, so the event of a refusal is on its way; an accepted request should have none."""
    seconds = LOG_DELAY if waiting else 0.0
    return stage.app.wait_for(lambda event: event.get("event") == "token_rejected" and event.get("path") == path, seconds) or {}
