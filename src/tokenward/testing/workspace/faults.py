"""What the stand-in can be made to do wrong, path by path, and its rate limits."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from tokenward import validation
from tokenward.testing.workspace.messages import JSON_TYPE, Reply, Request, Reset, json_reply
from tokenward.testing.workspace.shapes import too_many

Mode: TypeAlias = Literal["status", "slow", "reset", "html", "empty", "garbage", "truncated", "lie"]
MODES: tuple[str, ...] = get_args(Mode)
SLOW = 30.0
"""Seconds that a slow answer takes, unless said otherwise."""
_GATEWAY_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail for the paths that begin with `path`, for the next `times` requests or until it is over.

    mode         "status" answers `status`, with Retry-After if `retry_after` is given; "slow" answers after `seconds`; "reset"
                 breaks the connection before an answer; "html" is a gateway's page with status 502; "empty" is 200 with no body;
                 "garbage" is 200 with half of a JSON object; "truncated" breaks off in the middle of the real answer; "lie" lays
                 `members` over a JSON answer and leaves out those in `without`
    """

    mode: Mode
    path: str = "/"
    seconds: float = SLOW
    status: int = 503
    retry_after: int | None = None
    times: int | None = None
    members: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    over: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no such fault; take one of {', '.join(MODES)}")
        validation.seconds("seconds", self.seconds, most=3600)
        validation.whole("status", self.status, least=200, most=599)
        for name in ("retry_after", "times"):
            if getattr(self, name) is not None:
                validation.whole(name, getattr(self, name), least=0, most=10**9)

    def spoil(self, answer: Callable[[], Reply], patience: float | None = None) -> Reply:
        """What goes back in place of this answer.

        Raises Reset if nothing does, and TimeoutError at once if it would take longer than `patience` seconds.
        """
        match self.mode:
            case "slow":
                if patience is not None and self.seconds >= patience:
                    raise TimeoutError
                self.over.wait(self.seconds)
                return answer()
            case "reset":
                raise Reset
            case "truncated":
                return _cut(answer())
            case "lie":
                return self._lie(answer())
            case _:
                return self._instead()

    def _instead(self) -> Reply:
        match self.mode:
            case "status":
                fields = {} if self.retry_after is None else {"retry-after": str(self.retry_after)}
                body = {"error_code": "TEMPORARILY_UNAVAILABLE", "message": "The service is temporarily unavailable."}
                return json_reply(self.status, body).having(fields)
            case "html":
                return Reply(502, {"content-type": "text/html"}, _GATEWAY_PAGE)
            case "empty":
                return Reply(200, {"content-type": JSON_TYPE})
            case _:
                return Reply(200, {"content-type": JSON_TYPE}, b'{"access_token":"eyJra')

    def _lie(self, reply: Reply) -> Reply:
        told = json.loads(reply.body) if isinstance(reply.body, bytes) and reply.body else None
        if not isinstance(told, dict):
            return reply
        lied = {name: value for name, value in {**told, **self.members}.items() if name not in self.without}
        return Reply(reply.status, reply.headers, json.dumps(lied).encode())


def _cut(reply: Reply) -> Reply:
    """Half of the bytes if they can be counted, else the first piece."""
    known = len(reply.body) if isinstance(reply.body, bytes) else reply.length
    return Reply(reply.status, reply.headers, reply.body, reply.length, 1 if known is None else known // 2)


class Faults:
    """The faults in force: of those that fit a path, the one that was set last. And the rate limits."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._faults: list[Fault] = []
        self._left: dict[int, int] = {}
        self._limits: dict[str, _Window] = {}
        self._lock = threading.Lock()

    def set(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
            if fault.times is not None:
                self._left[id(fault)] = fault.times

    def clear(self) -> None:
        """Answer properly again, without limits; slow answers under way are given at once."""
        with self._lock:
            ended, self._faults = self._faults, []
            self._left.clear()
            self._limits.clear()
        for fault in ended:
            fault.over.set()

    def limit(self, path: str, requests: int, seconds: float) -> None:
        """Answer at most so many requests to the paths that begin with `path` in so many seconds, and others with 429."""
        validation.whole("requests", requests, least=0, most=10**9)
        window = _Window(requests, validation.seconds("seconds", seconds, most=86400.0))
        with self._lock:
            self._limits[path] = window

    def names(self) -> list[str]:
        return [f"{fault.mode} {fault.path}" for fault in self._faults]

    def apply(self, request: Request, answer: Callable[[], Reply], patience: float | None = None) -> Reply:
        """The answer, unless a limit or a fault comes before it. Raises as `Fault.spoil`."""
        with self._lock:
            throttled = self._throttled(request.path)
            fault = None if throttled else self._taken(request.path)
        if throttled is not None:
            return throttled
        return fault.spoil(answer, patience) if fault else answer()

    def _throttled(self, path: str) -> Reply | None:
        now = self._monotonic()
        waits = [window.take(now) for prefix, window in self._limits.items() if path.startswith(prefix)]
        longest = max((wait for wait in waits if wait is not None), default=None)
        return None if longest is None else too_many(longest)

    def _taken(self, path: str) -> Fault | None:
        for fault in reversed(self._faults):
            if path.startswith(fault.path) and self._left.get(id(fault), 1) > 0:
                if id(fault) in self._left:
                    self._left[id(fault)] -= 1
                return fault
        return None


@dataclass(slots=True)
class _Window:
    """A window of fixed length, which begins with its first request."""

    requests: int
    seconds: float
    begun: float | None = None
    seen: int = 0

    def take(self, now: float) -> int | None:
        """None if this request may pass, else the whole seconds to wait."""
        if self.begun is None or now >= self.begun + self.seconds:
            self.begun, self.seen = now, 0
        self.seen += 1
        return None if self.seen <= self.requests else max(1, int(self.begun + self.seconds - now + 0.999))
