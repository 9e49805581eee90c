"""One error that was found in a text: what the catalogue says of it, and what a log may tell of it."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward.acquisition.catalogue import Entry, entries

LOOK_UP = "https://login.microsoftonline.com/error?code="
"""Microsoft's own page about a number."""
LOOK_UP_B2C = "https://learn.microsoft.com/azure/active-directory-b2c/error-codes"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One error that was found; the ids are those of the last message with it, and are what the vendor's support asks for.

    entry    what the catalogue says; None for a code that it does not know, for which there is `look_up`
    look_up  Microsoft's page about the number, or the entry's source; may be empty for a word that nobody knows
    count    in how many messages it was found
    """

    code: str
    entry: Entry | None
    look_up: str
    count: int = 1
    trace_id: str | None = None
    correlation_id: str | None = None
    timestamp: str | None = None

    def log_fields(self) -> dict[str, object]:
        """What an event says of the error beside tokenward's own code: bounded, and nothing of the error's own text."""
        entry = self.entry
        told = {
            "upstream_error": self.code,
            "upstream_meaning": None if entry is None else entry.meaning,
            "who_must_act": None if entry is None else entry.causes[0].who,
            "likely_cause": None if entry is None else entry.causes[0].cause,
            "first_step": None if entry is None else entry.causes[0].steps[0],
            "retry": None if entry is None else entry.retry,
            "upstream_look_up": (self.look_up or None) if entry is None else None,
            "upstream_trace_id": self.trace_id,
            "upstream_correlation_id": self.correlation_id,
            "upstream_timestamp": self.timestamp,
        }
        return {name: value for name, value in told.items() if value is not None}


def of_code(code: str) -> Diagnosis:
    """The diagnosis of a code or a word that was answered as one, without ids."""
    entry = entries().get(code)
    return Diagnosis(code, entry, _look_up(code, entry), 0)


def _look_up(code: str, entry: Entry | None) -> str:
    if code.startswith("AADSTS"):
        return LOOK_UP + code.removeprefix("AADSTS")
    if code.startswith("AADB2C"):
        return LOOK_UP_B2C
    return "" if entry is None else entry.source
