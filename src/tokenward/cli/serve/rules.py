"""[gateway] allow: names of presets, and rules of one's own such as "GET|HEAD /api/2.0/clusters/**"."""

from __future__ import annotations

from tokenward.cli.serve.settings import Section
from tokenward.databricks.gateway.rules import Rule, allowed

EVERYTHING = ["all"]
"""What is allowed where nothing is said, as in the library."""


def allow_from(section: Section) -> list[str | Rule]:
    """What may be called. Raises CommandFailed."""
    with section.judging(rules="allow", name="allow", names="allow", methods="allow", pattern="allow"):
        listed = [_rule(item) for item in section.get("allow", EVERYTHING)]
        allowed(*listed)
    return listed


def _rule(text: str) -> str | Rule:
    methods, space, pattern = text.partition(" ")
    if not space:
        return text
    return Rule(text, frozenset(methods.split("|")), pattern.strip())
