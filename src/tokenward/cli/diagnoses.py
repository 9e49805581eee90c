"""Diagnoses for people: which errors there are, then what to do about those that say most, the answer before the details."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import MappingProxyType

from tokenward.acquisition.catalogue import Cause, Entry
from tokenward.acquisition.diagnosis import Diagnosis, is_general
from tokenward.cli.layout import wrapped
from tokenward.cli.output import print_fields, print_line, print_table, width_of_stream

MOST = 3
"""Errors that are explained in full; more is no answer any more."""
KINDS = MappingProxyType(
    {
        "aadsts": "an error of Entra",
        "b2c": "an error of Azure AD B2C",
        "oauth": "a general word of OAuth",
        "suberror": "a class of Entra's errors",
        "databricks": "an answer of Databricks",
        "library": "a text of a library",
        "tokenward": "a verdict of tokenward",
        "gateway": "a refusal of the gateway",
    }
)
UNKNOWN = "not in tokenward's catalogue; see the page"


def print_diagnoses(found: Sequence[Diagnosis]) -> None:
    """A table of those that say most if there are several, the first few of them in full, and the names of the others."""
    telling = [each for each in found if not is_general(each)] or found
    if len(telling) > 1:
        rows = [(each.code, each.count, _meaning(each), _who(each)) for each in telling]
        print_table(f"{len(telling)} errors", ("code", "messages", "meaning", "who must act first"), rows)
        print_line("")
    for each in telling[:MOST]:
        _print(each)
    shown = telling[:MOST]
    if left := [each.code for each in found if each not in shown]:
        print_line(f"also in it, and explained by: tokenward diagnose {' '.join(left)}")


def _print(found: Diagnosis) -> None:
    name = "" if found.entry is None else found.entry.name or KINDS[found.entry.kind]
    print_fields(f"{found.code} {name}".rstrip(), _fields(found))
    if found.entry is not None:
        if found.entry.tell:
            print_line(f"to tell {'which cause' if len(found.entry.causes) > 1 else 'from the registration'}:")
            print_line(f"     {found.entry.tell}")
        for number, cause in enumerate(found.entry.causes, 1):
            _print_cause(f"{number}. ", cause)
        print_line(f"source: {found.entry.source} ({found.entry.mark})")
    print_line("")


def _fields(found: Diagnosis) -> dict[str, object]:
    entry = found.entry
    told: dict[str, object] = {"meaning": _meaning(found)}
    if entry is not None:
        first = entry.causes[0]
        told["do first"] = f"{first.who}: {first.steps[0]}" if len(entry.causes) > 1 else None
        told |= {"who must act": entry.who if len(entry.who) > 1 else None, "trying again": entry.trying_again}
    told["look up"] = None if entry is not None and found.look_up == entry.source else found.look_up
    ids = {"trace id": found.trace_id, "correlation id": found.correlation_id, "time": found.timestamp}
    return {**told, "messages": found.count if found.count > 1 else None, **ids}


def _meaning(found: Diagnosis) -> str:
    return UNKNOWN if found.entry is None else found.entry.meaning


def _who(found: Diagnosis) -> str | None:
    entry: Entry | None = found.entry
    return None if entry is None else entry.causes[0].who


def _print_cause(number: str, cause: Cause) -> None:
    """Commands are never wrapped, for they are copied."""
    _print_wrapped(f"{number}{cause.cause} ({cause.who})", 3)
    for step in cause.steps:
        _print_wrapped(f"   - {step}", 2)
    for command in cause.commands:
        print_line(f"     {command}")


def _print_wrapped(text: str, hang: int) -> None:
    width = width_of_stream(sys.stdout)
    for line in [text] if width is None else wrapped(text, width, hang=hang):
        print_line(line)
