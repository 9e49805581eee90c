"""A record -> what is counted: a rejection, a sum of rejections, or what happened around them.

Every text of a log is a stranger's: it is cut, escaped and masked here, once, and nothing else of it is kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from tokenward.databricks.admission.refusals import CODES as GATEWAY_CODES
from tokenward.errors import CODES as TOKEN_CODES
from tokenward.redaction import MAX_TEXT, shown
from tokenward.troubleshoot.logs.record import Record

MAX_SUMMED_CODES = 100
"""Codes in one sum: there are half as many, and a service may have its own."""
MAX_COUNT = 10**9
"""Rejections of one code in one sum, which a process could not make within any interval."""
MAX_SECONDS = 86400.0
"""The longest interval that `Diagnostics` takes."""
OTHER_CODES = "(other codes)"

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FINGERPRINT = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Rejected:
    """One rejection; `fingerprint` is the first 48 bits of the token's SHA-256, as a number."""

    at: float | None
    code: str
    issuer: str | None
    client: str | None
    hint: str
    docs: str
    fingerprint: int | None


@dataclass(frozen=True, slots=True)
class Summed:
    """Rejections that were not logged one by one, of the `seconds` before `at`."""

    at: float | None
    seconds: float
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Around:
    """What happened to keys, exchanges or the shared store: `of` says to which, and `why` what was wrong."""

    at: float | None
    name: str
    of: str
    why: str
    hint: str


LogEvent: TypeAlias = Rejected | Summed | Around


def is_known(code: str) -> bool:
    """Whether it is one of the library's or the gateway's own codes."""
    return code in TOKEN_CODES or code in GATEWAY_CODES


def rejections_in(event: LogEvent | None) -> int:
    """How many rejections it tells of."""
    return sum(event.counts.values()) if isinstance(event, Summed) else int(isinstance(event, Rejected))


def event_of(record: Record) -> LogEvent | None:
    """What is counted of a record; None if it lacks what it must have, or is none of our business."""
    if record.name == "token_rejections_summed":
        return _summed(record)
    if record.name in ("token_rejected", "request_refused"):
        return _rejected(record)
    return _around(record)


def _rejected(record: Record) -> Rejected | None:
    fields, code = record.fields, _code(record.fields.get("code"))
    if code is None:
        return None
    issuer, client = (_text(fields.get(name)) or None for name in ("issuer", "client"))
    hint, docs = _text(fields.get("hint")), _text(fields.get("docs"))
    return Rejected(record.at, code, issuer, client, hint, docs, _fingerprint(fields.get("fingerprint")))


def _summed(record: Record) -> Summed | None:
    held = record.fields.get("not_logged")
    if not isinstance(held, dict) or len(held) > MAX_SUMMED_CODES:
        return None
    counts = {code: _count(count) for name, count in held.items() if (code := _code(name)) is not None}
    return Summed(record.at, _seconds(record.fields.get("seconds")), {code: count for code, count in counts.items() if count})


def _around(record: Record) -> Around | None:
    fields = record.fields
    if record.name == "keys_refreshed" and not (fields.get("added") or fields.get("removed")):
        return None  # the ordinary fetch, which changed nothing
    of = next((_text(fields[name]) for name in ("source", "grant", "store") if name in fields), "")
    why = next((_text(fields[name]) for name in ("kind", "code", "why", "reason") if name in fields), "")
    return Around(record.at, record.name, of, why, _text(fields.get("hint")))


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _text(value: Any) -> str:
    return _shown(value[: 2 * MAX_TEXT + 1]) if isinstance(value, str) else ""


@lru_cache(maxsize=1000)
def _shown(text: str) -> str:
    """Remembered, because most of a log's texts are the same few. More than twice of what is shown is not looked at."""
    return str(shown(text))


def _fingerprint(value: Any) -> int | None:
    return int(value, 16) if isinstance(value, str) and _FINGERPRINT.fullmatch(value) else None


def _count(value: Any) -> int:
    return min(max(value, 0), MAX_COUNT) if isinstance(value, int) and not isinstance(value, bool) else 0


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        return 0.0
    return float(min(value, MAX_SECONDS))  # compared as it is: an integer may be larger than any float
