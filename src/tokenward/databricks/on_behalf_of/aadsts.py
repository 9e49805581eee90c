"""What Entra's token endpoint says when it refuses: its error object, read with suspicion.

Programs decide by `error`, `suberror` and `claims` only: Microsoft changes codes and texts at any time. The numbers (AADSTS...)
explain, and are for the log; what they mean is in `tokenward.acquisition`, and nowhere else.
Source: learn.microsoft.com/entra/identity-platform/reference-error-codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tokenward.acquisition.catalogue import entries
from tokenward.acquisition.diagnosis import LOOK_UP, Diagnosis, of_code
from tokenward.token.strict import parse_object

MAX_CODES = 8
"""Entra names one or two; more than a handful is none of its answers."""
MAX_CLAIMS_CHARS = 2048
"""Of the JSON that a claims challenge passes down; recorded ones have 80 to 200, and a header line must hold its base64."""

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ")
_NUMBER = re.compile(r"AADSTS(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error of Entra's token endpoint, without its text: that quotes names of people and applications.

    error, suberror  what to decide by; "unreadable" in place of anything that is not a plain word
    codes            AADSTS numbers, in Entra's order; it may name several
    claims           what the user must satisfy, as the JSON text that Entra sent; never logged
    trace_id,        what Microsoft's support asks for
      correlation_id, timestamp
    """

    error: str
    suberror: str | None = None
    codes: tuple[int, ...] = ()
    claims: str | None = None
    trace_id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None

    @property
    def code(self) -> int | None:
        """The number that says most: the last, since Entra puts the general one (70002) first."""
        return self.codes[-1] if self.codes else None

    @property
    def diagnosis(self) -> Diagnosis:
        """What the catalogue says of the number, or of the word where there is none; and what Microsoft's support asks for."""
        found = of_code(self.error if self.code is None else f"AADSTS{self.code}")
        return replace(found, count=1, trace_id=self.trace_id, correlation_id=self.correlation_id, timestamp=self.timestamp)

    def shown(self) -> tuple[str, ...]:
        """What a log may show of it, and support will ask for."""
        names = ("trace_id", "correlation_id", "timestamp")
        said = [self.error, *([self.suberror] if self.suberror else []), *(f"AADSTS{code}" for code in self.codes)]
        return (*said, *(f"{name}={value}" for name in names if (value := getattr(self, name)) is not None))


def read_problem(document: Mapping[str, object], request_id: str | None = None) -> Problem | None:
    """The error in an answer's JSON object, or None if there is none.

    request_id  the header x-ms-request-id, which is the trace id where the object names none
    """
    error = document.get("error")
    if error is None:
        return None
    return Problem(
        _word(error) or "unreadable",
        None if document.get("suberror") in (None, "") else _word(document["suberror"]) or "unreadable",
        _codes(document.get("error_codes"), document.get("error_description")),
        _claims(document.get("claims")),
        _matching(_GUID, document.get("trace_id")) or _matching(_GUID, request_id),
        _matching(_GUID, document.get("correlation_id")),
        _matching(_TIME, document.get("timestamp")),
    )


def explain(code: int) -> str | None:
    """What an AADSTS number means for this service, and what to do, in one line; None for those not in the catalogue."""
    entry = entries().get(f"AADSTS{code}")
    return None if entry is None else entry.hint


def look_up(code: int) -> str:
    """Microsoft's own page about a number."""
    return f"{LOOK_UP}{code}"


def _word(value: object) -> str | None:
    return _matching(_WORD, value)


def _matching(pattern: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _codes(listed: object, description: object) -> tuple[int, ...]:
    """The list if there is one, else the numbers in the text, of which v1 answers have one or two."""
    if isinstance(listed, list) and listed:
        numbers = [code for code in listed if type(code) is int and 0 < code < 10**9]
    else:
        numbers = [int(found) for found in _NUMBER.findall(description[:4096])] if isinstance(description, str) else []
    return tuple(dict.fromkeys(numbers))[:MAX_CODES]


def _claims(value: object) -> str | None:
    """A JSON object in a string, to be passed down as it is; anything else would be passed to a client that cannot use it."""
    if not isinstance(value, str) or len(value) > MAX_CLAIMS_CHARS:
        return None
    try:
        return value if parse_object(value.encode()) else None
    except ValueError:  # also for lone surrogates, which have no UTF-8
        return None
