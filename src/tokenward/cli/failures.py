"""The library's errors, as a command tells them: an exit code, what Databricks answered, and the next step."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import date
from tokenward.errors import AuthenticationError, MalformedToken, PolicyError, ServiceUnavailable, TokenTooLarge
from tokenward.redaction import shown

OPTIONS = MappingProxyType(
    {
        "host": "--workspace (or --host, or DATABRICKS_HOST)",
        "client_id": "--client-id",
        "account_id": "--account-id",
        "scope": "--scope",
        "timeout": "--timeout",
    }
)
"""The library's arguments, as they are written on the command line."""

_ARGUMENT = re.compile(r"\b(client_id|account_id)\b")
_NO_TOKENS = (MalformedToken, TokenTooLarge)

Advice = Mapping[str, str]
"""A command's own next step for a code, where the library's hint is meant for whoever runs a service."""


def failure_of(error: PolicyError | AuthenticationError, advice: Advice) -> CommandFailed:
    """What to print of an error, and which code to exit with."""
    if isinstance(error, PolicyError):
        return _unusable(error)
    fix = advice.get(error.code, error.hint)
    wait = error.retry_after if isinstance(error, ServiceUnavailable) else None
    again = "" if wait is None else f" Try again in {math.ceil(wait)} s."
    problem, code = f"{error.reason or error.code}.", error.code
    return CommandFailed(_exit_of(error), problem, fix + again, code=code, facts=_facts(error), retry_after=wait)


def _unusable(error: PolicyError) -> CommandFailed:
    field = OPTIONS.get(error.field, error.field)
    problem = shown(f"{field}: {_as_options(error.problem)}")  # it may quote what was given for a host, say, and is a token
    return CommandFailed(Exit.USAGE, f"{problem}.", _as_options(error.fix))


def _as_options(text: str) -> str:
    return _ARGUMENT.sub(lambda name: OPTIONS[name.group()], text)


def _exit_of(error: AuthenticationError) -> Exit:
    if isinstance(error, ServiceUnavailable):
        return Exit.UNAVAILABLE
    return Exit.NO_TOKEN if isinstance(error, _NO_TOKENS) else Exit.NO


def _facts(error: AuthenticationError) -> dict[str, str]:
    """What was expected and seen; a list that was not compared with anything is the answer of a server, part by part."""
    if error.claim == "exp" and isinstance(error.actual, (int, float)):
        return {"ended": date(error.actual)}
    if error.expected is None and isinstance(error.actual, (list, tuple)):
        return {"answer": " ".join(str(shown(part)) for part in error.actual)}
    seen = {"expected": error.expected, "seen": error.actual}
    return {name: _text(value) for name, value in seen.items() if value is not None}


def _text(value: object) -> str:
    safe = shown(value)
    return " or ".join(map(str, safe)) if isinstance(safe, list) else str(safe)
