"""Secrets, which settings only name: the environment variable or the file that holds one."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tokenward.cli.outcome import CommandFailed
from tokenward.cli.serve.settings import Section

MAX_SECRET_BYTES = 64 * 1024
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_FILE = re.compile(r"[a-z0-9._-]{1,40}")
"""Names as people choose them. What is like none may be the secret itself, given in the place of its name, and is not shown."""


def secret_of(section: Section, stem: str, what: str) -> str | None:
    """The secret that `<stem>_env` or `<stem>_file` leads to, without white space around it; None if neither is set.

    Raises CommandFailed.
    """
    variable, path = f"{stem}_env", f"{stem}_file"
    if variable in section and path in section:
        raise section.failed(variable, f"{path} is set as well{section.origin(path)}", "Keep one of the two.")
    if variable in section:
        return _from_variable(section, variable, what)
    return _from_file(section, path, what) if path in section else None


def need_secret(section: Section, stem: str, what: str) -> str:
    """The same, where it must be set. Raises CommandFailed."""
    secret = secret_of(section, stem, what)
    if secret is None:
        ways = f"the name of an environment variable that holds {what}, or {stem}_file, a file that does"
        raise section.missing(f"{stem}_env", ways)
    return secret


def _from_variable(section: Section, field: str, what: str) -> str:
    name: str = section.need(field, what)
    value = os.environ.get(name, "").strip()
    if not value:
        raise _no_variable(section, field, what)
    return value


def _no_variable(section: Section, field: str, what: str) -> CommandFailed:
    name: str = section.get(field)
    if not _VARIABLE.fullmatch(name):
        fix = f"Set {field} to the name of an environment variable that holds {what}; if this is the secret itself, replace it."
        return section.failed(field, "what is given is no name of a variable", fix)
    fix = f"Set {name} to {what}, in the environment of this process; or set {field} to the name of the variable that holds it."
    return section.failed(field, f"the environment variable {name} is not set, or empty", fix)


def _from_file(section: Section, field: str, what: str) -> str:
    path = Path(section.need(field, what))
    try:
        text = read_small(path)
    except (OSError, ValueError) as exc:
        fix = f"Give the path of a file that this process may read, with {what}."
        raise section.failed(field, unreadable(_of_secret(path), exc), fix) from None
    if not text.strip():
        raise section.failed(field, f"{path} is empty", f"Put {what} into it.")
    return text.strip()


def _of_secret(path: Path) -> Path | str:
    return path if os.path.lexists(path) or (path.parent.is_dir() and _FILE.fullmatch(path.name)) else "the file that is named"


def read_small(path: Path) -> str:
    """The text of a file that is small by its nature. Raises OSError and ValueError."""
    with path.open("rb") as file:
        text = file.read(MAX_SECRET_BYTES + 1)
    if len(text) > MAX_SECRET_BYTES:
        raise ValueError("it is too large")
    return text.decode("utf-8")


def unreadable(path: Path | str, exc: Exception) -> str:
    """What is wrong with a file."""
    return f"{path} cannot be read ({getattr(exc, 'strerror', None) or type(exc).__name__})"


def failed_file(section: Section, field: str, exc: Exception, fix: str) -> CommandFailed:
    """The error for a file that cannot be read."""
    return section.failed(field, unreadable(Path(section.get(field)), exc), fix)
