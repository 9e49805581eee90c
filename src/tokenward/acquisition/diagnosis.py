"""One error that was found in a text: what the catalogue says of it, and what a log may tell of it."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward.acquisition.catalogue import Entry, entries

LOOK_UP = "https://login.microsoftonline.com/error?code="
"""Microsoft's own page about a number."""
LOOK_UP_B2C = "https://learn.microsoft.com/azure/active-directory-b2c/error-codes"
_GENERAL = frozenset({"AADSTS70002", "exchange_refused", "exchange_unavailable", "claims_challenge"})
"""Beside them stands the code that says what is wrong: Entra puts the first in front of it, and tokenward's follow from it."""


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
        """What an event says of the error beside tokenward's own code: bounded, and nothing of the error's own text.

        Of a general error it names no cause and nobody who must act, for it would be a guess; the hint says what to look at.
        """
        entry = self.entry
        first = None if entry is None or entry.general or is_general(self) else entry.causes[0]
        told = {
            "upstream_error": self.code,
            "upstream_meaning": None if entry is None else entry.meaning,
            "who_must_act": None if first is None else first.who,
            "likely_cause": None if first is None else first.cause,
            "first_step": None if first is None else first.steps[0],
            "retry": None if entry is None else entry.retry,
            "upstream_look_up": (self.look_up or None) if entry is None else None,
            "upstream_trace_id": self.trace_id,
            "upstream_correlation_id": self.correlation_id,
            "upstream_timestamp": self.timestamp,
        }
        return {name: value for name, value in told.items() if value is not None}


def is_general(found: Diagnosis) -> bool:
    """Whether it says little beside an error that has a meaning of its own."""
    return found.code in _GENERAL or (found.entry is not None and found.entry.kind in ("oauth", "suberror"))


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
