"""What a way to an access token is: the pure steps of `tokenward.asking` that end in one."""

from __future__ import annotations

import hashlib
from typing import Protocol

from tokenward.asking.steps import Answered, Steps, retry_after_of
from tokenward.databricks.access import AccessToken, Subject
from tokenward.errors import ExchangeUnavailable
from tokenward.keys.port import FetchFailed

UNAVAILABLE_FOR = 1.0
"""Seconds after which a caller may ask again, where the server does not say."""


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
