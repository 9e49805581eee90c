"""The most likely cause of an incident, in words, and what to do next.

It is the code that grew most against the time before, so that a trickle that is always there does not hide what began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenward.databricks.admission.refusals import CODES as GATEWAY_CODES
from tokenward.troubleshoot.logs.group import MAX_TOKENS, Group, Nearby
from tokenward.troubleshoot.logs.moment import date_text, offset_text, span_text, time_text
from tokenward.troubleshoot.logs.tally import Tally
from tokenward.troubleshoot.logs.window import WINDOW

FEW = 5
"""Rejections of fewer tell nothing about how many tokens there are."""
OF_KEYS = frozenset({"keys_unavailable", "unknown_key", "key_not_for_issuer", "signature_invalid"})
OF_EXCHANGE = frozenset({"exchange_refused", "exchange_unavailable", "claims_challenge"})
OF_REQUEST = frozenset({"missing_token", "invalid_authorization", "multiple_tokens", "token_too_large"})
BEHIND = {"keys_unavailable": "keys_refresh_failed", "exchange_unavailable": "token_exchange_failed"}
"""Of each code of our own inability, the event that says why."""

_SAFE_ISSUER = re.compile(r"https?://[A-Za-z0-9._~:/-]+")
"""What may stand in a command that somebody copies into a shell."""


@dataclass(frozen=True, slots=True)
class Cause:
    """`sentence` says what, from whom and since when; `next` is a command or a place to look at; `share` is of `among`."""

    code: str
    sentence: str
    hint: str
    next: str
    since: float | None
    share: float
    among: int


@dataclass(frozen=True, slots=True)
class _Share:
    """What one code has lately: its groups, their counts, and what it had before in as much time."""

    groups: list[Group]
    lately: int
    before: float | None

    @property
    def growth(self) -> float:
        return self.lately - (self.before or 0.0)


def cause_of(tally: Tally, offset: float) -> Cause | None:
    """The most likely cause; None if there are no rejections. `offset` is local time's, in seconds."""
    groups = tally.groups()
    shares = {code: _share([group for group in groups if group.code == code], tally) for code in {g.code for g in groups}}
    if not shares:
        return None
    code = max(sorted(shares), key=lambda code: (shares[code].growth, shares[code].lately))
    among = sum(share.lately for share in shares.values())
    return _told(code, shares[code], among, tally, offset)


def _share(groups: list[Group], tally: Tally) -> _Share:
    """Where no event has a time, all of them count."""
    newest, oldest = tally.newest, tally.oldest
    every = sum(group.count for group in groups)
    if newest is None or oldest is None:
        return _Share(groups, every, None)
    lately = sum(group.lately(newest) for group in groups)
    earlier = newest - oldest - WINDOW
    return _Share(groups, lately, (every - lately) * WINDOW / earlier if earlier >= WINDOW else None)


def _told(code: str, share: _Share, among: int, tally: Tally, offset: float) -> Cause:
    leader = _leader(share.groups, tally)
    since = _since(_told_of(leader, share.groups, tally), tally.newest)
    reason = _reason(code, tally.nearby())
    part = share.lately / among if among else 0.0
    told = [f"{_percent(part)} of {_which(among, tally)}: {code}{_before(share)}{_by_whom(leader, share.groups, tally)}"]
    if since is not None:
        told.append(f", since {date_text(since, offset)} {time_text(since, offset)} {offset_text(offset)}")
    told += [".", _tokens(leader), _because(reason)]
    hint = (reason.hint if reason else "") or (leader.hint if leader else "")
    return Cause(code, "".join(told), hint, _next(code, leader), since, part, among)


# -- whose, and since when ---------------------------------------------------------------------------------------------


def _leader(groups: Sequence[Group], tally: Tally) -> Group | None:
    """The largest group of those that were logged one by one, which alone know whose they are."""
    logged = [group for group in groups if group.kind == "logged"]
    return max(logged, key=lambda group: (_weight(group, tally), group.count), default=None)


def _weight(group: Group, tally: Tally) -> int:
    return group.count if tally.newest is None else group.lately(tally.newest)


def _told_of(leader: Group | None, groups: Sequence[Group], tally: Tally) -> Sequence[Group]:
    """Whose beginning is meant: the leader's, where it is most of what is known one by one, and not a trickle's beside it."""
    logged = sum(_weight(group, tally) for group in groups if group.kind != "summed")
    return [leader] if leader is not None and 2 * _weight(leader, tally) > logged else groups


def _since(groups: Sequence[Group], newest: float | None) -> float | None:
    """When the code's present run began, over all groups that still go on."""
    going = [g.since for g in groups if g.since is not None and g.last is not None and (newest or 0.0) - g.last <= WINDOW]
    return min(going, default=None)


def _reason(code: str, nearby: Sequence[Nearby]) -> Nearby | None:
    """What says why the service could not tell."""
    return next((event for event in nearby if event.name == BEHIND.get(code)), None)


# -- in words ----------------------------------------------------------------------------------------------------------


def _percent(part: float) -> str:
    return "all" if part == 1 else f"{min(99, max(1, round(part * 100)))} %"


def _which(among: int, tally: Tally) -> str:
    rejections = f"{among:,} rejection{'' if among == 1 else 's'}"
    if tally.newest is None:
        return f"{rejections} without a time"
    if tally.window < WINDOW:
        return f"the {rejections}"
    return f"the {rejections} in the last {span_text(WINDOW)} of the log"


def _before(share: _Share) -> str:
    """Said where it grew to twice of what it was; a code that was not there before is new."""
    if share.before is None or share.lately < 2 * share.before:
        return ""
    before, lately = (count * 60 / WINDOW for count in (share.before, share.lately))
    return f" (up from {before:.1f} to {lately:.1f} a minute)" if before else " (new)"


def _by_whom(leader: Group | None, groups: Sequence[Group], tally: Tally) -> str:
    """The client, or the issuer while no signature held; how many of the code's that are, unless it is all."""
    if leader is None or (leader.client is None and leader.issuer is None):
        return ""
    logged = sum(_weight(group, tally) for group in groups if group.kind != "summed")
    part = _weight(leader, tally) / logged if logged else 0.0
    summed = " logged one by one" if any(group.kind == "summed" for group in groups) else ""
    most = "" if part == 1 and not summed else f" ({_percent(part)} of those{summed})"
    who = f"client {leader.client}" if leader.client is not None else f"issuer {leader.issuer}, which is the token's own word"
    return f" from {who}{most}"


def _tokens(leader: Group | None) -> str:
    """One client that tries one token again looks unlike a thousand users."""
    if leader is None or leader.count < FEW or not leader.tokens:
        return ""
    number = len(leader.tokens)
    if number == 1:
        return " It is one token, sent again and again."
    if number >= MAX_TOKENS:
        return (
            f" They are {number} different tokens or more: many users, or a client that gets new ones, and not one token again."
        )
    return f" They are {number} different tokens."


def _because(reason: Nearby | None) -> str:
    if reason is None:
        return ""
    return f" Around it: {reason.name}{f' ({reason.why})' if reason.why else ''}{f' for {reason.of}' if reason.of else ''}."


def _next(code: str, leader: Group | None) -> str:
    issuer = leader.issuer if leader is not None and leader.issuer is not None else ""
    if code in OF_KEYS:
        return f"tokenward keys {issuer if _SAFE_ISSUER.fullmatch(issuer) else 'ISSUER'}"
    if code in OF_EXCHANGE:
        return "tokenward diagnose --file LOG, and tokenward policy would-accept with a token of this client"
    if code == "user_not_in_workspace":
        return "tokenward me, with a Databricks token of this caller"
    if code in OF_REQUEST:
        return "look at how the client sends its requests; method and path are in the events"
    if code in GATEWAY_CODES:
        return "look at reason and path in the request_refused events of this code"
    return "tokenward explain, with a token of this client"
