"""How findings on a registration are made: their pages, and names of strangers in commands."""

from __future__ import annotations

import re

from tokenward.finding import Finding
from tokenward.troubleshoot.registration.facts import Unread
from tokenward.troubleshoot.registration.members import Object, guid, text

GRAPH = "https://learn.microsoft.com/graph/api/resources"
ENTRA = "https://learn.microsoft.com/entra/identity-platform"
ENTERPRISE = "https://learn.microsoft.com/entra/identity/enterprise-apps"
AADSTS50000 = (
    "https://blogs.aaddevsup.xyz/2021/02/aadsts50000-there-was-an-error-issuing-a-token-or-an-issue-with-our-sign-in-service"
)
MAX_NAMED = 5
"""Items that a text lists; the portal shows the others."""

_WORD = re.compile(r"[A-Za-z0-9._:/-]{1,120}")
"""What a shell reads as one plain word, and every documented permission is; longer ones are not known."""


def unread(name: str, expected: object, what: Unread, source: str) -> Finding:
    """A check that could not be made, and what would tell."""
    return Finding(name, expected, what.why, None, what.fix, source)


def judged(name: str, expected: object, seen: object, held: bool, fix: str, source: str) -> Finding:
    """A check that was made; the fix only where it fails."""
    return Finding(name, expected, seen, held, "" if held else fix, source)


def waits(name: str, expected: object, other: str, source: str) -> Finding:
    """A check that could not be made, because of another one that was not, either."""
    return Finding(name, expected, f"not known; see {other}", None, "", source)


def word(value: str, instead: str) -> str:
    """A name for a command: as it is if a shell cannot read anything else in it."""
    return value if _WORD.fullmatch(value) and not value.startswith("-") else f"<{instead}>"


def id_of(item: Object, name: str, instead: str) -> str:
    """A GUID for a command."""
    return guid(item, name) or f"<{instead}>"


def name_of(item: Object, otherwise: str) -> str:
    """What to call an object in a table."""
    return text(item, "displayName") or otherwise


def steps(*lines: str) -> str:
    """A fix of several lines: what to do, and the commands and places for it on lines of their own, to be copied."""
    return "\n".join(lines)


def few(names: list[str]) -> str:
    """The first of them, and how many there are more."""
    more = len(names) - MAX_NAMED
    return ", ".join(names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
