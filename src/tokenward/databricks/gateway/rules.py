"""Which methods on which paths may go on, and how long the upstream is waited for: what no rule names is refused."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tokenward import validation
from tokenward.databricks.gateway.path import Target, checked_target
from tokenward.databricks.gateway.refusals import MethodNotAllowed, PathMalformed, PathNotAllowed
from tokenward.errors import PolicyError

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""Not CONNECT and TRACE, which are no calls of an API; not OPTIONS, which is asked without a token and must not go on with one."""
MAX_SECONDS = 86_400.0
MAX_RULES = 1000

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


class _Node:
    """A place in the tree of patterns, one segment deep for each step from the root."""

    __slots__ = ("any", "below", "here", "literal")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.here: list[Rule] = []
        self.below: list[Rule] = []

    def child(self, segment: str) -> _Node:
        if segment != "*":
            return self.literal.setdefault(segment, _Node())
        if self.any is None:
            self.any = _Node()
        return self.any


class Rules:
    """All rules of a gateway. Where several hold a path, the one whose pattern is more exact from the left comes first.

    Of one pattern, the rule that was given first comes first. Raises PolicyError.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        if not self.rules:
            raise PolicyError("rules", "there are none, so nothing could be called", "Give at least one Rule.")
        if len(self.rules) > MAX_RULES or not all(isinstance(rule, Rule) for rule in self.rules):
            raise PolicyError("rules", f"they are not Rules, or more than {MAX_RULES}", "Give a list of Rule(...).")
        self._root = _Node()
        for rule in self.rules:
            self._add(rule)

    def match(self, method: str, path: str) -> Rule:
        """The rule for a method and a path of a checked target. Raises PathNotAllowed, MethodNotAllowed."""
        found: list[Rule] = []
        segments = path.split("/")
        _collect(self._root, segments, 1, len(segments), found)
        for rule in found:
            if method in rule.methods and (rule._excluded is None or not rule.excludes(path)):
                return rule
        raise _refusal([rule for rule in found if not rule.excludes(path)], method)

    def _add(self, rule: Rule) -> None:
        node, path = self._root, rule.pattern.removesuffix("/**")
        for segment in path.split("/")[1:]:
            node = node.child(segment)
        (node.below if path != rule.pattern else node.here).append(rule)


def allowed(*names_or_rules: str | Rule) -> Rules:
    """Presets by name, and rules of your own. Raises PolicyError."""
    from tokenward.databricks.gateway.presets import PRESETS

    rules: list[Rule] = []
    for item in names_or_rules:
        if isinstance(item, Rule):
            rules.append(item)
        elif isinstance(item, str) and item in PRESETS:
            rules.extend(PRESETS[item])
        else:
            known = ", ".join(sorted(PRESETS))
            raise PolicyError("allow", f"{item!r:.80} is no Rule, and no preset", f"The presets are {known}.")
    if not rules:
        raise PolicyError("allow", "it is empty, so nothing could be called", "Name presets, such as ['sql', 'me'].")
    return Rules(rules)


def _collect(node: _Node, segments: Sequence[str], at: int, end: int, found: list[Rule]) -> None:
    """Every rule that holds the path, the more exact first. It goes no deeper than the patterns are long."""
    if at == end:
        found.extend(node.here)
    else:
        segment = segments[at]
        literal = node.literal.get(segment)
        if literal is not None:
            _collect(literal, segments, at + 1, end, found)
        if node.any is not None and segment:
            _collect(node.any, segments, at + 1, end, found)
    found.extend(node.below)


def _refusal(holding: Collection[Rule], method: str) -> PathNotAllowed | MethodNotAllowed:
    if not holding:
        return PathNotAllowed("no rule names this path")
    allow = tuple(sorted({name for rule in holding for name in rule.methods}))
    return MethodNotAllowed("no rule names this method on this path", expected=allow, seen=method, allow=allow)


def _methods(value: object) -> frozenset[str]:
    return frozenset(validation.choices("methods", value, METHODS))


def _pattern(name: str, value: object) -> str:
    text = validation.text(name, value, _EXAMPLE)
    body = text.removesuffix("/**")
    segments = body.split("/")
    if any("*" in segment and segment != "*" for segment in segments):
        raise PolicyError(name, f"{text!r} has a star within a segment", f"Write it like {_EXAMPLE}.")
    try:
        normal = checked_target(body.encode("utf-8") or b"/", b"")
    except PathMalformed as refusal:
        raise PolicyError(name, f"no request can have the path {text!r}: {refusal.reason}", f"Write it like {_EXAMPLE}.") from None
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
