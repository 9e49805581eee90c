"""How each kind of setting is written: typed in TOML, and as text in the environment."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.fields import FIELDS, Kind
from tokenward.redaction import shown

_EXAMPLES: dict[Kind, str] = {
    "text": '"text" in quotes',
    "path": '"a/path" in quotes',
    "list": '["a", "list"]',
    "tenants": '["a", "list"], or "any"',
    "whole": "a whole number such as 4",
    "seconds": "seconds as a number, such as 10 or 0.5",
    "switch": "true or false",
}
_SWITCHES = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False, "on": True, "off": False}


def of_kind(section: str, name: str, value: object, origin: str, folder: Path) -> Any:
    """A value of a file in its final form; a path is relative to the file's folder. Raises CommandFailed."""
    kind = FIELDS[section][name]
    if not _is(kind, value):
        raise _refused(section, name, origin, *_in_quotes(kind, name, value) or (f"Write {_EXAMPLES[kind]}.",))
    return str(folder.absolute() / str(value)) if kind == "path" else value


def from_text(section: str, name: str, text: str, origin: str) -> Any:
    """A value of an environment variable in its final form; a path is relative to the working directory. Raises CommandFailed."""
    kind = FIELDS[section][name]
    try:
        value = _read(kind, text)
    except ValueError:
        raise _refused(section, name, origin, f"Write {how_written(kind)}.") from None
    return str(Path(text).absolute()) if kind == "path" else value


def how_written(kind: Kind) -> str:
    """How a variable's value is written."""
    return _IN_TEXT.get(kind, _EXAMPLES[kind])


_IN_TEXT: dict[Kind, str] = {"list": "a list with commas", "tenants": "a list with commas, or any"}


def _is(kind: Kind, value: object) -> bool:
    if kind == "switch" or isinstance(value, bool):
        return kind == "switch" and isinstance(value, bool)
    if kind == "seconds":
        return isinstance(value, (int, float)) and math.isfinite(value)
    if kind == "whole":
        return isinstance(value, int)
    if kind in ("list", "tenants") and isinstance(value, list):
        return all(isinstance(item, str) for item in value)
    return kind in ("text", "path", "tenants") and isinstance(value, str) and bool(value)


def _read(kind: Kind, text: str) -> Any:
    """Raises ValueError."""
    if kind == "switch":
        if text.lower() not in _SWITCHES:
            raise ValueError
        return _SWITCHES[text.lower()]
    if kind in ("whole", "seconds"):
        number = int(text) if kind == "whole" else float(text)
        if not math.isfinite(number):
            raise ValueError
        return number
    if kind == "list" or (kind == "tenants" and text != "any"):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _in_quotes(kind: Kind, name: str, value: object) -> tuple[str, str] | None:
    """What to write instead of a number or a switch in quotes, and that it is in quotes; None for everything else."""
    if kind not in ("whole", "seconds", "switch") or not isinstance(value, str):
        return None
    try:
        return f"Write it without quotes: {name} = {json.dumps(_read(kind, value))}", ", but a text in quotes"
    except ValueError:
        return None


def _refused(section: str, name: str, origin: str, fix: str, but: str = "") -> CommandFailed:
    problem = f"[{section}] {name} (from {shown(origin)}): it is not {_KINDS[FIELDS[section][name]]}{but}"
    return CommandFailed(Exit.USAGE, f"{problem}.", fix)


_KINDS: dict[Kind, str] = {
    "text": "a text",
    "path": "a path",
    "list": "a list of texts",
    "tenants": "a list of texts",
    "whole": "a whole number",
    "seconds": "a number of seconds",
    "switch": "a switch",
}
