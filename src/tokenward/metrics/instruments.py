"""Every instrument, once: both adapters and the table in docs/metrics.md are made from this list.

What differs within an instrument is told by labels: the address of a source, which is configured, and words of closed sets. So
there are only as many series as sources times words, whatever strangers send. No kid is a label.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from tokenward.errors import CODES
from tokenward.keys.counts import Lookup
from tokenward.keys.status import KeyStatus
from tokenward.metrics.moment import Moment, Watched

Labels: TypeAlias = tuple[str, ...]
Points: TypeAlias = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One number, or one for each combination of labels.

    name         by OpenTelemetry's conventions; `exposed` is what Prometheus has
    kind         a counter only grows, from the start of the process; a gauge is how things are now
    unit         by UCUM, as OpenTelemetry has it; what is counted is in braces
    labels       their names
    read         the numbers at a moment, by the values of the labels
    """

    name: str
    kind: Literal["counter", "gauge"]
    unit: str
    description: str
    labels: Labels
    read: Callable[[Moment], Points]

    @property
    def exposed(self) -> str:
        """Its name in Prometheus, as OpenTelemetry's own rules translate it.

        Source: opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics
        """
        unit = "_seconds" if self.unit == "s" else ""
        return self.name.replace(".", "_") + unit + ("_total" if self.kind == "counter" else "")


def _lookups(status: KeyStatus) -> Points:
    return {(outcome,): status.counts.lookups.get(outcome, 0) for outcome in get_args(Lookup)}


def _fetches(status: KeyStatus) -> Points:
    return {(why, outcome): number for why, ended in status.counts.fetches.items() for outcome, number in ended.items()}


def _skipped(status: KeyStatus) -> Points:
    """The reason that nobody may overlook is there from the beginning, so that an alarm sees it rise."""
    skipped = {"private_key_published": 0, **status.counts.keys_skipped}
    return {(reason,): number for reason, number in skipped.items()}


def _rejections(moment: Moment) -> Points:
    counted = {(code, error.status): 0 for code, error in CODES.items()} | dict(moment.rejections)
    return {(code, str(status)): number for (code, status), number in counted.items()}


def _one(value: float | None) -> Points:
    return {} if value is None else {(): value}


def _of_sources(
    read: Callable[[KeyStatus], Points], together: Callable[[float, float], float] = operator.add, *, static: bool = False
) -> Callable[[Moment], Points]:
    """For each source, by its name; sources of one name are counted together. `static`: also of keys that are never fetched."""

    def points(moment: Moment) -> Points:
        found: dict[Labels, float] = {}
        for status in moment.sources:
            for labels, value in (read(status) if static or status.keys != "static" else {}).items():
                place = (status.source, *labels)
                found[place] = together(found[place], value) if place in found else value
        return found

    return points


KEYS: tuple[Instrument, ...] = (
    Instrument(
        "tokenward.key.lookups",
        "counter",
        "{lookup}",
        "Questions for the key of a token, by how they ended.",
        ("source", "outcome"),
        _of_sources(_lookups),
    ),
    Instrument(
        "tokenward.key.fetches",
        "counter",
        "{fetch}",
        "Fetches of keys, by why they began and how they ended.",
        ("source", "why", "outcome"),
        _of_sources(_fetches),
    ),
    Instrument(
        "tokenward.key.leases_expired",
        "counter",
        "{fetch}",
        "Fetches of keys that never came back.",
        ("source",),
        _of_sources(lambda status: _one(status.counts.leases_expired)),
    ),
    Instrument(
        "tokenward.keys.skipped",
        "counter",
        "{key}",
        "Keys of fetched sets that cannot be used, by reason; every fetch counts them again.",
        ("source", "reason"),
        _of_sources(_skipped),
    ),
    Instrument(
        "tokenward.key.set_changes",
        "counter",
        "{fetch}",
        "Fetches that brought another set of keys than the one before.",
        ("source",),
        _of_sources(lambda status: _one(status.counts.sets_changed)),
    ),
    Instrument(
        "tokenward.key.age",
        "gauge",
        "s",
        "Time since the last good fetch of keys; absent before the first.",
        ("source",),
        _of_sources(lambda status: _one(status.age), max),
    ),
    Instrument(
        "tokenward.key.refresh_interval",
        "gauge",
        "s",
        "Age at which the keys in hand are fetched again; absent without keys.",
        ("source",),
        _of_sources(lambda status: _one(status.interval), min),
    ),
    Instrument(
        "tokenward.key.expiry",
        "gauge",
        "s",
        "Time until the keys in hand must not serve any more if no fetch succeeds; absent without keys.",
        ("source",),
        _of_sources(lambda status: _one(status.serves_for), min),
    ),
    Instrument(
        "tokenward.keys.usable",
        "gauge",
        "{key}",
        "Keys that may serve now.",
        ("source",),
        _of_sources(lambda status: _one(status.usable), min, static=True),
    ),
    Instrument(
        "tokenward.key.fetch_failures",
        "gauge",
        "{fetch}",
        "Fetches of keys that have failed one after the other; 0 once one succeeds.",
        ("source",),
        _of_sources(lambda status: _one(status.failures), max),
    ),
    Instrument(
        "tokenward.key.waiting",
        "gauge",
        "{request}",
        "Requests that wait for a fetch of keys now.",
        ("source",),
        _of_sources(lambda status: _one(status.waiting)),
    ),
)
"""What verifiers tell."""

REJECTIONS = Instrument(
    "tokenward.rejections",
    "counter",
    "{request}",
    "Requests that were refused, by code and HTTP status, logged one by one or summed up.",
    ("code", "status"),
    _rejections,
)
"""What Diagnostics tells."""


def instruments_of(watched: Watched) -> tuple[Instrument, ...]:
    """Those that have something to tell."""
    return (*KEYS, REJECTIONS) if watched.tells_rejections else KEYS
