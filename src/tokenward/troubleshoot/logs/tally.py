"""All that is counted of a log, in bounded memory whatever is in it."""

from __future__ import annotations

from tokenward.troubleshoot.logs.event import Around, LogEvent, Rejected, Summed
from tokenward.troubleshoot.logs.group import Group, Key, Kind, Nearby
from tokenward.troubleshoot.logs.window import WINDOW

MAX_GROUPS = 50
"""Groups of one code. A stranger may write any issuer into a token, so of one code there could be any number of groups; those
that stay are the largest, and then the latest."""
MAX_NEARBY = 50
"""Kinds of events around rejections: ten names, for each issuer, host and reason."""


class Tally:
    """Counts events by (code, issuer, client, hint), and keeps what happened around them."""

    def __init__(self) -> None:
        self._codes: dict[str, dict[Key, Group]] = {}
        self._rest: dict[tuple[str, Kind], Group] = {}
        self._nearby: dict[tuple[str, str, str], Nearby] = {}
        self.total = 0
        self.oldest: float | None = None
        self.newest: float | None = None

    def add(self, event: LogEvent) -> Group | None:
        """Count an event; the group, if this is its first rejection."""
        if isinstance(event, Around):
            self._add_nearby(event)
            return None
        self._date(event)
        if isinstance(event, Rejected):
            return self._add_rejected(event)
        self._add_summed(event)
        return None

    def groups(self) -> list[Group]:
        """All groups, those with the most rejections lately first."""
        every = [group for groups in self._codes.values() for group in groups.values()]
        return sorted([*every, *self._rest.values()], key=self._rank)

    def nearby(self) -> list[Nearby]:
        """What happened around the rejections, the latest first."""
        return sorted(self._nearby.values(), key=lambda nearby: -(nearby.last or 0.0))

    def per_minute(self, group: Group) -> float:
        """The rate of the last minutes, or of the whole log if it is shorter."""
        return group.lately(self.newest) * 60 / self.window

    @property
    def window(self) -> float:
        """Seconds that "lately" is here; no less than a minute."""
        if self.oldest is None or self.newest is None:
            return WINDOW
        return min(WINDOW, max(60.0, self.newest - self.oldest))

    def _date(self, event: Rejected | Summed) -> None:
        if event.at is None:
            return
        began = event.at - (event.seconds if isinstance(event, Summed) else 0.0)
        self.oldest = began if self.oldest is None else min(began, self.oldest)
        self.newest = event.at if self.newest is None else max(event.at, self.newest)

    def _add_rejected(self, event: Rejected) -> Group | None:
        self.total += 1
        groups = self._codes.setdefault(event.code, {})
        key = (event.code, event.issuer, event.client, event.hint)
        group = groups.get(key)
        if group is not None:
            group.add(event)
            return None
        if len(groups) >= MAX_GROUPS:
            self._give_up_the_least(event.code, groups)
        groups[key] = Group(key)
        groups[key].add(event)
        return groups[key]

    def _give_up_the_least(self, code: str, groups: dict[Key, Group]) -> None:
        least = min(groups, key=lambda key: (groups[key].count, groups[key].last or 0.0))
        self._rest_of(code, "others").take_in(groups.pop(least))

    def _add_summed(self, event: Summed) -> None:
        for code, count in event.counts.items():
            self.total += count
            self._rest_of(code, "summed").add_sum(count, event.at, event.seconds)

    def _rest_of(self, code: str, kind: Kind) -> Group:
        return self._rest.setdefault((code, kind), Group((code, None, None, ""), kind))

    def _add_nearby(self, event: Around) -> None:
        key = (event.name, event.of, event.why)
        if key not in self._nearby and len(self._nearby) >= MAX_NEARBY:
            del self._nearby[min(self._nearby, key=lambda key: self._nearby[key].last or 0.0)]
        self._nearby.setdefault(key, Nearby(event)).add(event)

    def _rank(self, group: Group) -> tuple[float, ...]:
        return (-group.lately(self.newest), -group.count, -(group.last or 0.0))
