"""How a command ends: exit codes that scripts can rely on, and errors that end with what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Exit(IntEnum):
    """0 and 1 are answers; the others say that there is none, and whose doing that is."""

    YES = 0
    """Done, or accepted."""
    NO = 1
    """A definite no: refused, or nothing matches."""
    USAGE = 2
    """The command line, a file or the configuration cannot be used."""
    UNAVAILABLE = 3
    """Somebody else's service could not be asked; trying again may help."""
    NO_TOKEN = 4
    """There was no token to look at, or it is no token."""
    INTERRUPTED = 130
    """Ctrl-C: 128 + SIGINT, as shells count."""
    BROKEN_PIPE = 141
    """Whoever read the output had enough: 128 + SIGPIPE."""


CODES = {Exit.USAGE: "usage", Exit.NO_TOKEN: "no_token", Exit.UNAVAILABLE: "unavailable", Exit.NO: "refused"}
"""What `--json` calls an error that has no code of tokenward's own."""


class CommandFailed(Exception):
    """A command that cannot go on; no part of it quotes a token.

    problem      what is wrong, in one sentence
    fix          what to do next
    code         for machines: one of tokenward's codes, or a word for the exit code
    facts        what is known beyond that, such as what Databricks answered, by a name for each
    retry_after  seconds after which trying again may help
    usage        help to be read before the error
    """

    def __init__(
        self,
        exit_code: Exit,
        problem: str,
        fix: str,
        *,
        code: str = "",
        facts: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        usage: str = "",
    ) -> None:
        super().__init__(f"{problem} {fix}")
        self.exit_code = exit_code
        self.problem = problem
        self.fix = fix
        self.code = code or CODES[exit_code]
        self.facts = dict(facts or {})
        self.retry_after = retry_after
        self.usage = usage
