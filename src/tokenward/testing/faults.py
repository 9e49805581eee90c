"""What an issuer can be made to do wrong: one table, for answers in process and over HTTP alike."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from tokenward import validation
from tokenward.keys.port import MAX_BODY_BYTES, FailureKind, FetchFailed, FetchRequest, FetchResponse

Mode: TypeAlias = Literal["status", "slow", "reset", "html", "empty", "garbage", "redirect", "too_large", "down"]
MODES: tuple[str, ...] = get_args(Mode)

SLOW = 30.0
"""Seconds that a slow answer takes, unless said otherwise: longer than any fetch may."""
JSON: Mapping[str, str] = {"content-type": "application/json; charset=utf-8"}
_PORTAL = b"<!doctype html><title>Sign in to the network</title><h1>Accept the terms of use</h1>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to a GET. `measured` says whether the server declares the length of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    measured: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail, until it is `over`. `seconds` is the delay of "slow", `status` and `retry_after` are for "status"."""

    mode: Mode
    seconds: float = SLOW
    status: int = 503
    retry_after: int | None = None
    over: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no such fault; take one of {', '.join(MODES)}")
        validation.seconds("seconds", self.seconds, most=3600)
        validation.whole("status", self.status, least=200, most=599)
        if self.retry_after is not None:
            validation.whole("retry_after", self.retry_after, least=0, most=10**9)

    def spoil(self, answer: Answer) -> Answer:
        """What goes back in place of this answer, where the fault is in the answer at all."""
        match self.mode:
            case "status":
                return Answer(self.status, {**JSON, **self._retry_after()}, b'{"error":"temporarily_unavailable"}')
            case "html":
                return Answer(200, {"content-type": "text/html; charset=utf-8"}, _PORTAL)
            case "empty":
                return Answer(200, JSON, b'{"keys":[]}')
            case "garbage":
                return Answer(200, JSON, b'{"keys":[{"kty":"RSA","kid":\xff\xfe')
            case "redirect":
                return Answer(302, {"location": "https://portal.example/login"}, b"")
            case "too_large":
                return Answer(200, JSON, answer.body + b" " * (MAX_BODY_BYTES + 1), measured=False)
            case _:
                return answer

    def raise_in_process(self, request: FetchRequest) -> None:
        """Raise what a client would have raised, where there would have been no answer at all."""
        kind = _NO_ANSWER.get(self.mode)
        if kind is not None and (self.mode != "slow" or self.seconds >= request.timeout):
            raise FetchFailed(kind, f"the local issuer was told to fail: {self.mode}")

    def _retry_after(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"retry-after": str(self.retry_after)}


_NO_ANSWER: dict[str, FailureKind] = {"slow": "timeout", "reset": "read", "down": "connect"}


def response_to(request: FetchRequest, answer: Answer) -> FetchResponse:
    """The answer as the key port has it. Raises FetchFailed if it is longer than the request allows."""
    if len(answer.body) > request.limit:
        raise FetchFailed("too_large", "the body is larger than the limit of the request")
    return FetchResponse(answer.status, dict(answer.headers), answer.body)
