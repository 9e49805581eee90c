"""What the stand-in Graph can be made to do wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from tokenward import validation
from tokenward.testing.faults import JSON, SLOW, Answer
from tokenward.testing.graph.errors import graph_answer, graph_error
from tokenward.testing.graph.routes import Asked, next_link

Mode: TypeAlias = Literal["status", "slow", "reset", "html", "garbage", "too_large", "endless", "elsewhere"]
MODES: tuple[str, ...] = get_args(Mode)
LARGE = 32 * 1024 * 1024
"""Bytes, more than anything that reads Graph should take in."""
ELSEWHERE = "https://graph.example.invalid"


class Reset(Exception):
    """The connection is to be broken in place of an answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail for the paths (below /v1.0) that begin with `path`, until it is `over`.

    mode  "status" answers `status` in Graph's shape, with Retry-After if `retry_after` is given; "slow" answers after `seconds`;
          "reset" breaks the connection; "html" is a proxy's page; "garbage" is half of an object; "too_large" never ends for most
          readers; "endless" names a next page on every page; "elsewhere" names one at another host
    """

    mode: Mode
    path: str = "/"
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

    def concerns(self, path: str) -> bool:
        return path.startswith(self.path)

    def spoil(self, asked: Asked, origin: str, answer: Callable[[], Answer]) -> Answer:
        """What goes back in place of this answer. Raises Reset if nothing does."""
        match self.mode:
            case "slow":
                self.over.wait(self.seconds)
                return answer()
            case "reset":
                raise Reset
            case "status":
                return graph_error(self.status, retry_after=self.retry_after)
            case "html":
                return Answer(200, {"content-type": "text/html"}, b"<!doctype html><title>Sign in to the network</title>")
            case "garbage":
                return Answer(200, JSON, b'{"value":[{"appId":"')
            case "too_large":
                return Answer(200, JSON, b'{"value":[' + b" " * LARGE, measured=False)
            case _:
                host = origin if self.mode == "endless" else ELSEWHERE
                return graph_answer(200, {"value": [], "@odata.nextLink": next_link(asked, host, 1)})
