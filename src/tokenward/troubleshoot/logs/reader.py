"""A log's bytes -> events: lines, records and events in a row, with what could not be read counted and not hidden."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace

from tokenward.troubleshoot.logs.event import OTHER_CODES, LogEvent, Rejected, Summed, event_of, is_known, rejections_in
from tokenward.troubleshoot.logs.lines import Lines
from tokenward.troubleshoot.logs.record import names_an_event, record_of

MAX_OWN_CODES = 20
"""Codes besides ours, which a service raises by itself; more of them are one."""
AHEAD = 86400.0
"""Seconds by which a log may be dated ahead of this machine's clock; of what is further on, the time is not believed."""


class LogReader:
    """Reads one log, or several one after another; `left_out` are the rejections that its options leave out.

    clock    seconds since the epoch
    since    events before that time, and those without a time, are left out; None reads all
    codes    of rejections only these are read; none reads all
    is_live  an event without a time has the time at which it is read
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        since: float | None = None,
        codes: Collection[str] = (),
        is_live: bool = False,
    ) -> None:
        self._clock, self._since, self._codes, self._is_live = clock, since, frozenset(codes), is_live
        self._own: set[str] = set()
        self._cut = Lines()
        self.lines = 0
        self.no_json = 0
        self.undated = 0
        self.left_out = 0

    @property
    def unread(self) -> int:
        """Lines that name an event but hold none in JSON, and those that are too long."""
        return self.no_json + self._cut.too_long

    def feed(self, chunk: bytes) -> Iterator[LogEvent]:
        """The events that are complete now."""
        return self._events(self._cut.feed(chunk))

    def finish(self) -> Iterator[LogEvent]:
        """The event in a last line without an end."""
        return self._events(self._cut.finish())

    def _events(self, lines: Iterable[bytes]) -> Iterator[LogEvent]:
        for line in lines:
            self.lines += 1
            event = self._event(line) if names_an_event(line) else None
            if event is None:
                continue
            wanted = self._wanted(self._dated(event))
            self.left_out += rejections_in(event) - rejections_in(wanted)
            if wanted is not None:
                yield wanted

    def _event(self, line: bytes) -> LogEvent | None:
        record = record_of(line)
        self.no_json += record is None
        return event_of(record) if record is not None else None

    def _dated(self, event: LogEvent) -> LogEvent:
        now = self._clock()
        if event.at is not None and event.at <= now + AHEAD:
            return event
        if self._is_live:
            return replace(event, at=now)
        self.undated += 1
        return replace(event, at=None)

    def _wanted(self, event: LogEvent) -> LogEvent | None:
        if self._since is not None and (event.at is None or event.at < self._since):
            return None
        if isinstance(event, Rejected):
            return replace(event, code=self._name(event.code)) if self._takes(event.code) else None
        if isinstance(event, Summed):
            counts: dict[str, int] = {}
            for code in filter(self._takes, event.counts):
                counts[self._name(code)] = counts.get(self._name(code), 0) + event.counts[code]
            return replace(event, counts=counts) if counts else None
        return event

    def _takes(self, code: str) -> bool:
        return not self._codes or code in self._codes

    def _name(self, code: str) -> str:
        """The code, as long as there are not too many of them."""
        if is_known(code) or code in self._own:
            return code
        if len(self._own) >= MAX_OWN_CODES:
            return OTHER_CODES
        self._own.add(code)
        return code
