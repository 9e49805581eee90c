"""[gateway] allow: names of presets, and rules of one's own such as "GET|HEAD /api/2.0/clusters/**".

Behind the path may stand how long the upstream is waited for: "POST /my-endpoint/** first_byte=310 idle=none".
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from tokenward.cli.serve.settings import Section
from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.presets import PRESETS
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.admission.rules import allowed
from tokenward.errors import PolicyError

_WHAT = f"what may be called: {', '.join(sorted(PRESETS))}, or rules of your own; all is every API of the workspace"


def allow_from(section: Section) -> list[str | Rule]:
    """What may be called, which has no default here: a setting that got lost would open everything. Raises CommandFailed."""
    given = section.need("allow", _WHAT)
    with section.judging(**dict.fromkeys(("rules", "name", "names", "methods", "pattern", *_LIMITS), "allow")):
        listed = [_rule(item) for item in given]
        allowed(*listed)
    return listed


def _rule(text: str) -> str | Rule:
    words = text.split()
    if len(words) < 2:
        return text
    methods, pattern, *limits = words
    given: dict[str, Any] = dict(_limit(word) for word in limits)
    rule = Rule(" ".join(words), frozenset(methods.split("|")), pattern)
    return replace(rule, patience=replace(rule.patience, **given))


_LIMITS = tuple(field.name for field in fields(Patience))
_NO_LIMIT = "none"
_FIX = f'Write it like "POST /a/path first_byte=310 idle=310"; the limits are {", ".join(_LIMITS)}, in seconds, or {_NO_LIMIT}.'


def _limit(word: str) -> tuple[str, float | None]:
    name, _, value = word.partition("=")
    if name not in _LIMITS:
        raise PolicyError("allow", f"{word!r:.80} is no limit of time", _FIX)
    if value == _NO_LIMIT:
        return name, None
    try:
        return name, float(value)
    except ValueError:
        raise PolicyError("allow", f"{word!r:.80} has no number", _FIX) from None
