"""All rules together: what no rule names is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from tokenward.databricks.admission.presets import PRESETS
from tokenward.databricks.admission.refusals import MethodNotAllowed, PathNotAllowed
from tokenward.databricks.admission.rule import Rule
from tokenward.errors import PolicyError

MAX_RULES = 1000
MAX_KNOWN = 2048
"""Paths whose rule is remembered: a hit saves most of what the rules cost. They take a megabyte at most."""
MAX_KNOWN_PATH = 256
"""Characters; longer paths are looked up each time."""


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
        self._known: dict[tuple[str, str], Rule] = {}
        self._root = _Node()
        for rule in self.rules:
            self._add(rule)

    def match(self, method: str, path: str) -> Rule:
        """The rule for a method and a path of a checked target. Raises PathNotAllowed, MethodNotAllowed."""
        rule = self._known.get((method, path))
        if rule is None:
            rule = self._looked_up(method, path)
            if len(path) <= MAX_KNOWN_PATH:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[method, path] = rule
        return rule

    def _looked_up(self, method: str, path: str) -> Rule:
        found: list[Rule] = []
        segments = path.split("/")
        _collect(self._root, segments, 1, len(segments), found)
        for rule in found:
            if method in rule.methods and not rule.excludes(path):
                return rule
        raise _refusal([rule for rule in found if not rule.excludes(path)], method)

    def _add(self, rule: Rule) -> None:
        node, path = self._root, rule.pattern.removesuffix("/**")
        for segment in path.split("/")[1:]:
            node = node.child(segment)
        (node.below if path != rule.pattern else node.here).append(rule)


def allowed(*names_or_rules: str | Rule) -> Rules:
    """Presets by name, and rules of your own. Raises PolicyError."""
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
