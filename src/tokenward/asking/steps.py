"""Pure steps that ask for requests and pauses, and get the answers; and which request may be made again.

`driving.run` and `driving.run_async` carry steps out. Nothing here knows a clock, a lock or a network.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

T = TypeVar("T")

AGAIN_KINDS = frozenset({"connect", "dns", "timeout"})
"""Failures before any answer. Asking for a token twice does no harm, but a cut or garbled answer says that somebody is there."""
AGAIN_STATUS = frozenset({429, 503})
"""Statuses that ask us to come back; after any other the same request would bring the same answer."""
MAX_RETRY_AFTER = 3600.0
"""Seconds; longer wishes are cut here."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long. None is sent in when it is over, and a FetchFailed, at once, if the total deadline comes first."""

    seconds: float


Answered: TypeAlias = FetchResponse | FetchFailed
"""What a request brings. A failed one is sent in as a value, too; it is not thrown."""
Steps: TypeAlias = Generator[FetchRequest | Pause, Answered | None, T]
"""Requests and pauses out, answers in, and in the end a T. A request's own `timeout` is lowered to what is left of the total."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often to ask again, and how long to wait before: `first` seconds at most, doubled each time up to `most`."""

    times: int = 2
    first: float = 0.25
    most: float = 2.0


class RetryBudget:
    """How many requests may be repeated, for all callers of one endpoint: AT_ONCE, and one for each ten requests after.

    Without it, an endpoint that is down would be asked three times as often as one that is well.
    """

    AT_ONCE = 10.0
    PER_REQUEST = 0.1

    def __init__(self) -> None:
        self._left = self.AT_ONCE

    def asked(self) -> None:
        """A first request is made."""
        self._left = min(self._left + self.PER_REQUEST, self.AT_ONCE)

    def allows_another(self) -> bool:
        """Whether one may be repeated, which is then counted."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def with_retries(
    request: FetchRequest,
    retries: Retries = Retries(),
    rng: Callable[[], float] = random.random,
    *,
    budget: RetryBudget | None = None,
) -> Steps[Answered]:
    """Make the request, and make it again where that is safe and there is time; the last answer, whatever it is.

    Never after an answer that decides, such as 400 or 401. A Retry-After is waited for, if the total deadline allows it. The
    `budget` is that of all who ask the same endpoint.
    """
    if budget is not None:
        budget.asked()
    for number in range(retries.times):
        answer = yield from ask(request)
        if not may_be_asked_again(answer) or (budget is not None and not budget.allows_another()):
            return answer
        jittered = min(retries.first * 2.0**number, retries.most) * (0.5 + rng() / 2)
        if (yield Pause((retry_after_of(answer) or 0.0) + jittered)) is not None:
            return answer
    return (yield from ask(request))


def ask(request: FetchRequest) -> Steps[Answered]:
    """One request and its answer."""
    answer = yield request
    if answer is None:
        raise TypeError("the driver sent in no answer to a request")
    return answer


def may_be_asked_again(answer: Answered) -> bool:
    """Whether nothing was decided, and the same request may fare better in a moment."""
    return answer.status in AGAIN_STATUS or (isinstance(answer, FetchFailed) and answer.kind in AGAIN_KINDS)


def retry_after_of(answer: Answered) -> float | None:
    """The server's wish in seconds (RFC 9110 section 10.2.3); a date, which Databricks does not send, counts as none."""
    if isinstance(answer, FetchFailed):
        return None if answer.retry_after is None else _bounded(answer.retry_after)
    wish = answer.headers.get("retry-after", "").strip()
    return _bounded(int(wish)) if wish.isascii() and wish.isdecimal() and len(wish) <= 10 else None


def _bounded(seconds: float) -> float:
    return min(max(0.0, seconds), MAX_RETRY_AFTER)  # in this order NaN is 0
