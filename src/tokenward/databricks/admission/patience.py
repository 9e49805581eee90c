"""How long the upstream is waited for, and how long it usually is, by path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenward import validation

MAX_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the upstream is waited for, in seconds; None is without a limit.

    connect     for a connection, TLS included
    first_byte  from the last byte of the request to the first one of the answer
    idle        between two parts of the answer. For event streams (text/event-stream) there is no such limit

    The default is twice the time after which databricks-sdk-py gives up (_base_client.py: 60 s), and more than twice the longest
    `wait_timeout` of a statement (service/sql.py: 50 s). Raises PolicyError.
    """

    connect: float = 10.0
    first_byte: float | None = 120.0
    idle: float | None = 120.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "connect", _positive("connect", self.connect))
        for name in ("first_byte", "idle"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _positive(name, value))


def _positive(name: str, value: object) -> float:
    problem, fix = "in 0 seconds nothing can be done", "Give seconds, or None for no limit (but for connect)."
    return validation.some_seconds(name, value, most=MAX_SECONDS, problem=problem, fix=fix)


LONG = Patience(first_byte=310.0, idle=310.0)
"""Databricks itself ends a query to a model after 297 s (docs.databricks.com, model-serving-limits), and the gateway must not do
so earlier. Thrift polls, files and MCP tools have no published limit, and are given the same time."""

_LONG_BELOW = tuple(
    place.split("/")
    for place in ("/serving-endpoints", "/ai-gateway", "/sql/1.0", "/sql/protocolv1", "/api/2.0/fs", "/api/2.0/mcp")
)


def usual(pattern: str) -> Patience:
    """The patience of a rule that was given none: LONG if all that it holds is in one of the places that need it."""
    segments = pattern.removesuffix("/**").split("/")
    return LONG if any(_within(segments, place) for place in _LONG_BELOW) else Patience()


def _within(segments: Sequence[str], place: Sequence[str]) -> bool:
    """Whether a pattern is in a place, or would be if its stars stood for that."""
    if len(segments) < len(place):
        return False
    return all(segment in ("*", name) for segment, name in zip(segments, place, strict=False))
