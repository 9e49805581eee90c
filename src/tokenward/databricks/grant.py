"""What a way to an access token is: pure steps that ask for requests and pauses, and say what to do with the answers.

`driving.run` and `driving.run_async` carry steps out. Nothing here knows a clock, a lock or a network.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from tokenward.databricks.access import AccessToken, Subject
from tokenward.errors import ExchangeUnavailable
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

T = TypeVar("T")

AGAIN_KINDS = frozenset({"connect", "dns", "timeout"})
"""Failures before any answer. Asking for a token twice does no harm, but a cut or garbled answer says that somebody is there."""
AGAIN_STATUS = frozenset({429, 503})
"""Statuses that ask us to come back; after any other the same request would bring the same answer."""
UNAVAILABLE_FOR = 1.0
"""Seconds after which a caller may ask again, where the server does not say."""
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


class Grant(Protocol):
    """A way from a caller's token to an access token, such as `Exchange`."""

    @property
    def name(self) -> str:
        """For logs: the kind and the host, never a secret."""
        ...

    def key(self, subject: Subject) -> bytes:
        """What the access token depends on, as `key_of`: two callers with one key get one token."""
        ...

    def steps(self, subject: Subject, now: float) -> Steps[AccessToken]:
        """Raises ExchangeRefused, ExchangeUnavailable, ClaimsChallenge or TokenExpired; `now` is in seconds since the epoch."""
        ...


def key_of(*parts: str | bytes | None) -> bytes:
    """SHA-256 over the parts, each after its length, so that no two lists of parts are one text; None is not the empty part."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(_NO_PART if data is None else len(data).to_bytes(8, "big") + data)
    return digest.digest()


_NO_PART = b"\xff" * 8  # no part is that long


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


def unavailable(answer: Answered, reason: str = "the token endpoint gave no usable answer") -> ExchangeUnavailable:
    """The 503 for an answer that decides nothing; the log is told what it was, and nothing of its text."""
    seen = str(answer) if isinstance(answer, FetchFailed) else f"HTTP {answer.status}"
    wait = max(retry_after_of(answer) or 0.0, UNAVAILABLE_FOR)
    return ExchangeUnavailable(reason, actual=seen, hint=_hint(answer), retry_after=wait)


def _hint(answer: Answered) -> str | None:
    """What an answer says that is none; None for a failed request, of which the code's own hint is true."""
    if isinstance(answer, FetchFailed):
        return None
    if answer.status == 429:
        return "The endpoint limits how often it is asked; come back after retry_after, and share tokens between processes."
    if answer.status in (404, 405) or 300 <= answer.status < 400:
        return "This is not the endpoint that was meant; check the host, and the account id if one is given."
    return "The endpoint answered, but not as it does when it is well; see its status page, and what is seen."
