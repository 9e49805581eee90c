"""A text of JSON, or of YAML where PyYAML is there -> the document that it holds."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tokenward.errors import PolicyError
from tokenward.token.strict import parse_unique_object

MAX_DOCUMENT = 4 * 1024 * 1024
"""Characters. A thousand policies with keys of their own are shorter."""

MAX_YAML = 256 * 1024
"""Characters. PyYAML reads a hundred thousand in a second; what is longer comes from the API, in JSON."""
_TAGS = frozenset({"tag:yaml.org,2002:bool", "tag:yaml.org,2002:null"})
"""What plain words may stand for. Numbers stay strings: no field of a policy is one."""


def parsed(text: str | bytes) -> object:
    """The document: JSON if it begins as JSON does, else YAML. A member that is named twice is refused in both.

    Dates stay the strings that they are in JSON. Raises PolicyError, which holds nothing of the text.
    """
    decoded = _decoded(text)
    if len(decoded) > MAX_DOCUMENT:
        raise PolicyError("policies", f"longer than {MAX_DOCUMENT} characters", "Give only the policies.")
    begin = decoded.lstrip()[:1]
    if not begin:
        raise PolicyError("policies", "the text is empty", "Give the API's answer, or a file of policies.")
    return _json(decoded) if begin in "{[" else _yaml(decoded)


def _decoded(text: str | bytes) -> str:
    try:
        decoded = text.decode("utf-8-sig") if isinstance(text, bytes) else text
        decoded.encode("utf-8")
    except UnicodeError:
        raise PolicyError("policies", "the text is not UTF-8", "Save the file as UTF-8.") from None
    return decoded.removeprefix("\ufeff")


def _json(text: str) -> object:
    """The strict parser takes objects only, so a bare list is put into one, and must be all that is in it."""
    try:
        if text.lstrip()[0] == "{":
            return parse_unique_object(text.encode("utf-8"))
        document = parse_unique_object(f'{{"policies":{text}}}'.encode())
        if len(document) > 1:
            raise ValueError("not JSON")
        return document["policies"]
    except ValueError as exc:
        raise PolicyError("policies", f"the text is {exc}", "Give JSON, or YAML that does not begin with { or [.") from None


def _yaml(text: str) -> object:
    if len(text) > MAX_YAML:
        raise PolicyError("policies", f"longer than {MAX_YAML} characters, and not JSON", "Give JSON, as the API answers.")
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise PolicyError(
            "policies",
            "the text is not JSON, and PyYAML is not installed",
            "Install PyYAML (pip install 'PyYAML>=6'), or give JSON.",
        ) from None
    try:
        _require_plain(yaml, text)
        documents = list(yaml.load_all(text, Loader=_loader(yaml)))
    except Exception as exc:  # noqa: BLE001  # PyYAML raises anything for odd scalars
        where = getattr(exc, "problem_mark", None)
        line = "" if where is None else f" (line {where.line + 1})"
        raise PolicyError("policies", f"the text is neither JSON nor YAML{line}", "Correct the line.") from None
    return documents[0] if len(documents) == 1 else documents


def _require_plain(yaml: Any, text: str) -> None:
    """Neither aliases nor tags: a few hundred characters of them can stand for more than memory holds."""
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        tagged = getattr(event, "tag", None) is not None
        if tagged or isinstance(event, yaml.AliasEvent):
            raise yaml.constructor.ConstructorError(None, None, "an alias or a tag", event.start_mark)


def _loader(yaml: Any) -> Any:
    """PyYAML's safe loader, without dates, numbers to base 60 and merges, and without members that are named twice."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own form
            first: [(tag, pattern) for tag, pattern in rules if tag in _TAGS]
            for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names = [key.value for key, _ in node.value]
            if len(set(names)) != len(names):
                raise yaml.constructor.ConstructorError(None, None, "a member is named twice", node.start_mark)
            return super().construct_mapping(node, deep=deep)

    return Loader
