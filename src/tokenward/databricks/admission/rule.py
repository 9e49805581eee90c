"""One rule: some methods on some paths, and how long the upstream is waited for there."""

from __future__ import annotations

from dataclasses import dataclass

from tokenward import validation
from tokenward.databricks.admission.credential_paths import names_credentials
from tokenward.databricks.admission.path import Target, checked_target
from tokenward.databricks.admission.patience import Patience, usual
from tokenward.databricks.admission.refusals import PathMalformed
from tokenward.errors import PolicyError

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
"""Not CONNECT and TRACE, which are no calls of an API; not OPTIONS, which browsers ask without a token (Fetch, preflight)."""

_EXAMPLE = "'/api/2.0/clusters/*', '/api/2.0/mcp/**'"


@dataclass(frozen=True, slots=True)
class Rule:
    """Some methods on some paths.

    name            for the log
    methods         among GET, HEAD, POST, PUT, PATCH, DELETE; HEAD is not part of GET
    pattern         literal segments; `*` for any one segment; `/**` at the end for any rest, and for none
    patience        how long the upstream is waited for. None is what the presets have there: 310 s for serving, the AI gateway,
                    Thrift, files and MCP, and 120 s for the rest and for wider patterns. The attribute is a Patience always
    no_credentials  whether the rule does not hold paths that make or show credentials (`credential_paths`); another one may

    Paths are compared in their normalised form, letter by letter: the upstream's routes are in lower case. Raises PolicyError.
    """

    name: str
    methods: frozenset[str]
    pattern: str
    patience: Patience = None  # type: ignore[assignment]  # until __post_init__
    no_credentials: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", validation.text("name", self.name, "'clusters'"))
        object.__setattr__(self, "methods", _methods(self.methods))
        object.__setattr__(self, "pattern", _pattern(self.pattern))
        if self.patience is None:
            object.__setattr__(self, "patience", usual(self.pattern))
        if not isinstance(self.patience, Patience):
            raise PolicyError("patience", "it is not a Patience", "Pass Patience(first_byte=310), or leave it out.")
        validation.boolean("no_credentials", self.no_credentials)

    def excludes(self, path: str) -> bool:
        """Whether the rule does not hold this path although its pattern does."""
        return self.no_credentials and names_credentials(path)


def _methods(value: object) -> frozenset[str]:
    return frozenset(validation.choices("methods", value, METHODS))


def _pattern(value: object) -> str:
    text = validation.text("pattern", value, _EXAMPLE)
    body = text.removesuffix("/**")
    segments = body.split("/")
    if segments[0] or segments[1:2] in ([], [""], ["*"]):
        raise PolicyError("pattern", f"{text!r} does not begin with a segment of its own", f"Write it like {_EXAMPLE}.")
    if any("*" in segment and segment != "*" for segment in segments):
        raise PolicyError("pattern", f"{text!r} has a star within a segment", f"Write it like {_EXAMPLE}.")
    try:
        normal = checked_target(body.encode("utf-8") or b"/", b"")
    except PathMalformed as refusal:
        raise PolicyError(
            "pattern", f"no request can have the path {text!r}: {refusal.reason}", f"Write it like {_EXAMPLE}."
        ) from None
    if normal != Target(body or "/", ""):
        raise PolicyError("pattern", f"{text!r} is not in the form that it is compared in", f"Write {normal.path!r}.")
    return text
