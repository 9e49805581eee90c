"""Settings from a TOML file and from the environment, which wins; what is not known is refused, and the nearest name is told."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.serve.fields import BY_NAME, FIELDS, NARROWING, SECRETS, VARIABLES, variable
from tokenward.cli.serve.settings import Setting, Settings
from tokenward.cli.serve.values import from_text, how_written, of_kind
from tokenward.redaction import shown

MAX_FILE_BYTES = 1024 * 1024
PREFIX = "TOKENWARD_"
NEAR = 0.8
"""How alike a foreign variable must be to one of ours, behind the prefix, to be a slip of the pen (difflib's ratio)."""

_SERVICE_LINK = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_LINKED = re.compile(r"(tcp|udp|sctp)://")
"""What Kubernetes sets for a Service that is named like us (kubernetes.io/docs/concepts/services-networking/service, "Environment
variables"); a name such as TOKENWARD_SERVER_PORT could be ours, and is its where it holds such an address."""


def read_settings(path: str | None, environ: Mapping[str, str]) -> Settings:
    """The settings of a file, if one is given, and of the environment. Raises CommandFailed."""
    sections: dict[str, dict[str, Setting]] = {} if path is None else _of_file(Path(path))
    given = _of_environment(environ, _named(sections))
    for section, field in given:
        for other in _alternatives(section, field):
            sections.get(section, {}).pop(other, None)
    for (section, field), setting in given.items():
        sections.setdefault(section, {})[field] = setting
    return Settings(sections, path)


def _alternatives(section: str, field: str) -> list[str]:
    """Other ways to give the same, such as key_file for key_env: one in the environment takes the place of any in the file."""
    stem = _WAY.sub("", field)
    return [name for name in FIELDS[section] if name != field and _WAY.sub("", name) == stem]


_WAY = re.compile(r"_(env|file)$")


# -- the file ----------------------------------------------------------------------------------------------------------


def _of_file(path: Path) -> dict[str, dict[str, Setting]]:
    found: dict[str, dict[str, Setting]] = {}
    for section, table in _parsed(path).items():
        if section not in FIELDS:
            raise _unknown_section(section, table, path)
        if not isinstance(table, dict):
            raise _unusable(f"{section} is no section", path, f"Write [{section}] on a line of its own, and its settings below.")
        found[section] = {name: _of_line(section, name, value, path) for name, value in table.items()}
    return found


def _of_line(section: str, name: str, value: object, path: Path) -> Setting:
    if (section, name) in SECRETS:
        problem = f"[{section}] {name} (from {shown(str(path))}): a secret has no place in a configuration file"
        name_it = SECRETS[section, name]
        fix = f"Remove it, replace this secret, and set {name_it} to the name of an environment variable that holds it."
        raise CommandFailed(Exit.USAGE, f"{problem}.", fix)
    if name not in FIELDS[section]:
        raise _unknown_field(section, name, path)
    return Setting(of_kind(section, name, value, str(path), path.parent), str(path))


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise _unusable("it is larger than any configuration", path, "Give the configuration alone.")
        return tomllib.loads(text.decode("utf-8"))
    except (OSError, ValueError) as exc:
        raise _unusable(_why(exc), path, _FIX_TOML if isinstance(exc, ValueError) else _FIX_FILE) from None


_FIX_TOML = 'Write it as TOML: [section] lines, and below them lines such as name = "value"; see `tokenward gateway --example`.'
_FIX_FILE = "Check the path and its permissions."


def _why(exc: Exception) -> str:
    if isinstance(exc, tomllib.TOMLDecodeError):
        return f"it is not TOML: {exc}"
    if isinstance(exc, UnicodeDecodeError):
        return "it is not UTF-8"
    return f"it cannot be read ({getattr(exc, 'strerror', None) or type(exc).__name__})"


def _unusable(problem: str, path: Path, fix: str) -> CommandFailed:
    return CommandFailed(Exit.USAGE, f"{shown(str(path))}: {shown(problem)}.", fix)


def _unknown_section(section: str, table: object, path: Path) -> CommandFailed:
    what = f"there is no section [{section}]" if isinstance(table, dict) else f"{section} is in no section"
    homes = [home for home, fields in FIELDS.items() if section in fields]
    if homes and not isinstance(table, dict):
        return _unusable(what, path, f"Put it under [{homes[0]}].")
    return _unusable(what, path, _did_you_mean([f"[{near}]" for near in _nearest(section, FIELDS)], [f"[{s}]" for s in FIELDS]))


def _unknown_field(section: str, name: str, path: Path) -> CommandFailed:
    homes = [home for home, fields in FIELDS.items() if name in fields]
    near = _nearest(name, FIELDS[section])
    fix = f"It belongs under [{homes[0]}]." if homes and not near else _did_you_mean(near, FIELDS[section])
    return _unusable(f"[{section}] has no setting {name}", path, fix)


# -- the environment ---------------------------------------------------------------------------------------------------


def _of_environment(environ: Mapping[str, str], named: Iterable[str]) -> dict[tuple[str, str], Setting]:
    """`named` are variables that the file leads to."""
    found: dict[tuple[str, str], Setting] = {}
    foreign = {*named, *(environ.get(name) for name, (_, field) in VARIABLES.items() if field.endswith("_env"))}
    for name, text in environ.items():
        if _is_service_link(name, text):
            continue
        if name in VARIABLES:
            found |= _of_variable(name, text.strip())
        elif name.upper().startswith(PREFIX) and name not in foreign:
            _require_foreign(name)
    return found


def _is_service_link(name: str, text: str) -> bool:
    return bool(_SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and _LINKED.match(text)))


def _of_variable(name: str, text: str) -> dict[tuple[str, str], Setting]:
    """Nothing for an empty one, as Compose gives it for `${NAME}` that is not set, unless that would let more in."""
    section, field = VARIABLES[name]
    if (section, field) in BY_NAME:
        return {(section, BY_NAME[section, field]): Setting(name, name)} if text else {}
    value = from_text(section, field, text, name) if text else None
    if value not in (None, []):
        return {(section, field): Setting(value, name)}
    if (section, field) in NARROWING:
        fix = f"Unset it, or give {how_written(FIELDS[section][field])}."
        raise CommandFailed(Exit.USAGE, f"The environment variable {name} is empty, and it says who may do what.", fix)
    return {}


def _named(sections: Mapping[str, Mapping[str, Setting]]) -> list[str]:
    return [setting.value for held in sections.values() for name, setting in held.items() if name.endswith("_env")]


def _require_foreign(name: str) -> None:
    """Raise CommandFailed for a variable that was probably meant for us, and would silently count as unset."""
    end = name.upper().removeprefix(PREFIX)
    ends = {known.removeprefix(PREFIX): known for known in VARIABLES}
    section = next((section for section in FIELDS if end.startswith(f"{section}_".upper())), None)
    field = end if section is None else end[len(section) + 1 :]
    bare = [variable(home, field) for home, fields in FIELDS.items() if field.lower() in fields and end not in ends]
    near = [ends[found] for found in difflib.get_close_matches(end, ends, 1, NEAR)]
    if not (bare or near or section):
        return
    listed = [] if section is None else [variable(section, known) for known in FIELDS[section]]
    fix = f"Did you mean {' or '.join(bare)}?" if bare else _did_you_mean(near, listed)
    raise CommandFailed(Exit.USAGE, f"The environment variable {shown(name)} is no setting.", fix)


# -- slips of the pen --------------------------------------------------------------------------------------------------


def _nearest(name: str, known: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, list(known), 1)


def _did_you_mean(near: Iterable[str], known: Iterable[str]) -> str:
    return next((f"Did you mean {name}?" for name in near), f"There are {', '.join(known)}.")
