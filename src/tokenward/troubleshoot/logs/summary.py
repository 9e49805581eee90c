"""What a report says of one or several logs, in the order in which it says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tokenward.redaction import shown
from tokenward.troubleshoot.logs.cause import Cause, cause_of
from tokenward.troubleshoot.logs.group import MAX_TOKENS, Group, Nearby
from tokenward.troubleshoot.logs.tally import Tally

MOST_HINTS = 3
"""Hints of one code; some codes have a few, by what was expected."""


@dataclass(slots=True)
class CodeSum:
    """One code: how many, when, and what to do, the most frequent hint first."""

    code: str
    count: int = 0
    docs: str = ""
    hints: list[str] = field(default_factory=list)
    first: float | None = None
    last: float | None = None


@dataclass(slots=True)
class Caller:
    """One issuer and client: how many, by code, and how many different tokens at the most of one code and hint."""

    issuer: str | None
    client: str | None
    count: int = 0
    codes: dict[str, int] = field(default_factory=dict)
    most_tokens: int = 0

    @property
    def tokens(self) -> str:
        """For a table; "-" where no fingerprint was logged."""
        return f"{self.most_tokens}{'+' if self.most_tokens >= MAX_TOKENS else ''}" if self.most_tokens else "-"


@dataclass(frozen=True, slots=True)
class Summary:
    """The whole; times in seconds since the epoch, `offset` that of local time in seconds."""

    names: Sequence[str]
    lines: int
    unread: int
    undated: int
    total: int
    begin: float | None
    end: float | None
    offset: float
    per_minute: float
    cause: Cause | None
    codes: Sequence[CodeSum]
    callers: Sequence[Caller]
    unattributed: int
    nearby: Sequence[Nearby]


def summary_of(names: Sequence[str], tally: Tally, *, lines: int, unread: int, undated: int, offset: float) -> Summary:
    """Sum up what was counted of the logs of these names."""
    groups = tally.groups()
    return Summary(
        names=[str(shown(name)) for name in names],
        lines=lines,
        unread=unread,
        undated=undated,
        total=tally.total,
        begin=tally.oldest,
        end=tally.newest,
        offset=offset,
        per_minute=sum(map(tally.per_minute, groups)),
        cause=cause_of(tally, offset),
        codes=_codes(groups),
        callers=_callers(groups),
        unattributed=sum(group.count for group in groups if group.kind != "logged"),
        nearby=tally.nearby(),
    )


def _codes(groups: Sequence[Group]) -> list[CodeSum]:
    codes: dict[str, CodeSum] = {}
    for group in sorted(groups, key=lambda group: -group.count):
        code = codes.setdefault(group.code, CodeSum(group.code))
        code.count += group.count
        code.docs = code.docs or group.docs
        if group.hint and group.hint not in code.hints and len(code.hints) < MOST_HINTS:
            code.hints.append(group.hint)
        code.first = min((at for at in (code.first, group.first) if at is not None), default=None)
        code.last = max((at for at in (code.last, group.last) if at is not None), default=None)
    return sorted(codes.values(), key=lambda code: (-code.count, code.code))


def _callers(groups: Sequence[Group]) -> list[Caller]:
    callers: dict[tuple[str | None, str | None], Caller] = {}
    for group in groups:
        if group.kind == "logged":
            caller = callers.setdefault((group.issuer, group.client), Caller(group.issuer, group.client))
            caller.count += group.count
            caller.codes[group.code] = caller.codes.get(group.code, 0) + group.count
            caller.most_tokens = max(caller.most_tokens, len(group.tokens))
    return sorted(callers.values(), key=lambda caller: -caller.count)
