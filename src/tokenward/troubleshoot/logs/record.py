"""One line of a log -> the JSON object of one of our events in it, however it was wrapped, and its time.

Understood are lines that are such an object; lines with something in front of it or behind it, as container runtimes,
`kubectl logs --timestamps` and `docker compose` write; and objects that hold it under a usual name, as text or as an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tokenward.troubleshoot.logs.moment import moment

REFUSALS = ("token_rejected", "token_rejections_summed", "request_refused")
AROUND = (
    *("keys_refresh_failed", "keys_awaited", "keys_refreshed", "keys_seeded", "keys_seed_ignored", "private_key_published"),
    *("token_exchange_failed", "shared_tokens_lost", "shared_tokens_back", "shared_tokens_unreadable"),
)
NAMED_BY = ("event", "message", "msg")
"""Where renderers write an event's name: structlog's, python-json-logger's and others'."""
WRAPPED_BY = (
    *("log", "message", "msg", "event", "line", "record", "fields", "extra", "data", "@message"),
    *("Log", "Log_s", "LogMessage", "LogEntry", "jsonPayload", "textPayload"),
)
"""Where log collectors put what they collect: Docker, Fluent Bit, ECS, CloudWatch, Azure Monitor and Container Apps, GCP."""
DATED_BY = ("timestamp", "time", "ts", "@timestamp", "asctime", "datetime", "TimeGenerated")
MAX_WRAPS = 4
"""Wrappers within each other; two are usual, the runtime's and a collector's."""
MAX_BRACES = 3
"""Opening braces at which an object is looked for; what is in front of one seldom has any."""

_OURS = re.compile("|".join((*REFUSALS, *AROUND)).encode("ascii"))
_DATE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Record:
    """An event of ours: its name, its members, and its time in seconds since the epoch, if it has one."""

    name: str
    fields: dict[str, Any]
    at: float | None


def names_an_event(line: bytes) -> bool:
    """Whether it can be an event at all. Most lines of most logs are not, and need no look at their JSON."""
    return _OURS.search(line) is not None


def record_of(line: bytes) -> Record | None:
    """The event in a line; None if there is none, or if it is not written as JSON."""
    text = line.decode("utf-8", "replace")
    dated = _DATE.search(text[: text.find("{") + 1])
    return _in_text(text, moment(dated.group()) if dated else None, 0)


def _in_text(text: str, at: float | None, depth: int) -> Record | None:
    for start in _braces(text):
        try:
            found, _ = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        return _in_object(found, at, depth)
    return None


def _braces(text: str) -> Iterable[int]:
    start = -1
    for _ in range(MAX_BRACES):
        start = text.find("{", start + 1)
        if start < 0:
            return
        yield start


def _in_object(found: dict[str, Any], outer: float | None, depth: int) -> Record | None:
    """The time of the innermost object counts: its application wrote it, and not whoever collected it."""
    own = next((at for name in DATED_BY if (at := moment(found.get(name))) is not None), None)
    at = outer if own is None else own
    for key in NAMED_BY:
        name = found.get(key)
        if isinstance(name, str) and (name in REFUSALS or name in AROUND):
            return Record(name, found, at)
    return _in_wrapper(found, at, depth + 1) if depth < MAX_WRAPS else None


def _in_wrapper(found: dict[str, Any], at: float | None, depth: int) -> Record | None:
    for key in WRAPPED_BY:
        inner = found.get(key)
        record = None
        if isinstance(inner, dict):
            record = _in_object(inner, at, depth)
        elif isinstance(inner, str) and "{" in inner:
            record = _in_text(inner, at, depth)
        if record is not None:
            return record
    return None
