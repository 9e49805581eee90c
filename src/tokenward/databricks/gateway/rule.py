"""One rule: some methods on some paths, and how long the upstream is waited for there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from tokenward import validation
from tokenward.databricks.gateway.path import Target, checked_target
from tokenward.databricks.gateway.refusals import PathMalformed
from tokenward.errors import PolicyError

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""Not CONNECT and TRACE, which are no calls of an API; not OPTIONS, which browsers ask without a token (Fetch, preflight)."""
MAX_SECONDS = 86_400.0

_EXAMPLE = "'/api/2.0/clusters/*', '/api/2.0/mcp/**'"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the upstream is waited for, in seconds; None is without a limit.

    connect     for a connection, TLS included
    first_byte  from the last byte of the request to the first one of the answer
    idle        between two parts of the answer. For event streams (text/event-stream) there is no such limit

    Raises PolicyError.
    """

    connect: float = 10.0
    first_byte: float | None = 120.0
    idle: float | None = 120.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "connect", _positive("connect", self.connect))
        for name in ("first_byte", "idle"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else _positive(name, value))


@dataclass(frozen=True, slots=True)
class Rule:
    """Some methods on some paths.

    name      for the log
    methods   among GET, HEAD, POST, PUT, PATCH, DELETE; HEAD is not part of GET
    pattern   literal segments; `*` for any one segment; `/**` at the end for any rest, and for none
    patience  how long the upstream is waited for
    but_not   patterns that this rule does not hold, in whatever case they are written; another rule may

    Paths are compared in their normalised form, letter by letter: the upstream's routes are in lower case. Raises PolicyError.
    """

    name: str
    methods: frozenset[str]
    pattern: str
    patience: Patience = field(default_factory=Patience)
    but_not: tuple[str, ...] = ()
    _excluded: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", validation.text("name", self.name, "'clusters'"))
        object.__setattr__(self, "methods", _methods(self.methods))
        object.__setattr__(self, "pattern", _pattern("pattern", self.pattern))
        if not isinstance(self.patience, Patience):
            raise PolicyError("patience", "it is not a Patience", "Pass Patience(first_byte=310), or leave it out.")
        excluded = validation.texts("but_not", self.but_not, "['/api/*/token/**']", empty=True)
        object.__setattr__(self, "but_not", tuple(_pattern("but_not", item) for item in excluded))
        object.__setattr__(self, "_excluded", _any_of(self.but_not))

    def excludes(self, path: str) -> bool:
        """Whether `but_not` names this path."""
        return self._excluded is not None and self._excluded.fullmatch(path) is not None


def _methods(value: object) -> frozenset[str]:
    return frozenset(validation.choices("methods", value, METHODS))


def _pattern(name: str, value: object) -> str:
    text = validation.text(name, value, _EXAMPLE)
    body = text.removesuffix("/**")
    segments = body.split("/")
    if segments[0] or segments[1:2] in ([], [""], ["*"]):
        raise PolicyError(name, f"{text!r} does not begin with a segment of its own", f"Write it like {_EXAMPLE}.")
    if any("*" in segment and segment != "*" for segment in segments):
        raise PolicyError(name, f"{text!r} has a star within a segment", f"Write it like {_EXAMPLE}.")
    try:
        normal = checked_target(body.encode("utf-8") or b"/", b"")
    except PathMalformed as refusal:
        raise PolicyError(
            name, f"no request can have the path {text!r}: {refusal.reason}", f"Write it like {_EXAMPLE}."
        ) from None
    if normal != Target(body or "/", ""):
        raise PolicyError(name, f"{text!r} is not in the form that it is compared in", f"Write {normal.path!r}.")
    return text


def _any_of(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(_regex(pattern) for pattern in patterns), re.IGNORECASE) if patterns else None


def _regex(pattern: str) -> str:
    body = pattern.removesuffix("/**")
    segments = ["[^/]+" if segment == "*" else re.escape(segment) for segment in body.split("/")]
    return "/".join(segments) + ("(?:/.*)?" if body != pattern else "")


def _positive(name: str, value: object) -> float:
    seconds = validation.seconds(name, value, most=MAX_SECONDS)
    if not seconds:
        raise PolicyError(name, "in 0 seconds nothing can be done", "Give seconds, or None for no limit (but for connect).")
    return seconds
