"""Files with federation policies, read in one way: for `policy would-accept`, `doctor`, `explain`, `inspect` and the gateway."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import print_note
from tokenward.cli.tokens import STDIN, read_file, read_stdin
from tokenward.databricks.federation.federation_policy import FederationPolicy
from tokenward.databricks.federation.policies import read_policies
from tokenward.errors import PolicyError
from tokenward.redaction import shown

MAX_FILE_BYTES = 4 * 1024 * 1024
"""Twenty federation policies with keys of their own are 100 KB."""
GIVE_POLICIES = "Give a JSON or YAML file with federation policies."


def read_federation_file(name: str, account_id: str | None, *, takes_stdin: bool = False) -> list[FederationPolicy]:
    """The policies in a file, or in stdin for "-" where a command takes that. Raises CommandFailed."""
    from_stdin = takes_stdin and name == STDIN
    text = read_stdin(MAX_FILE_BYTES) if from_stdin else read_file(name, MAX_FILE_BYTES, fix=GIVE_POLICIES)
    return policies_in(text, "stdin" if from_stdin else name, account_id)


def policies_in(text: bytes, name: str, account_id: str | None) -> list[FederationPolicy]:
    """The policies in what was read from there; without an account, $DATABRICKS_ACCOUNT_ID is it. Raises CommandFailed."""
    if len(text) > MAX_FILE_BYTES:
        raise CommandFailed(Exit.USAGE, f"{shown(name)} is larger than any list of policies.", "Give the policies alone.")
    with naming(name):
        return noted_policies(text, account_id or os.environ.get("DATABRICKS_ACCOUNT_ID") or None)


def noted_policies(text: bytes, account_id: str | None) -> list[FederationPolicy]:
    """The policies in a text; that the list goes on is a note on stderr. Raises PolicyError."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        policies = read_policies(text, account_id=account_id)
    for warning in heard:
        print_note(str(warning.message))
    return policies


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Raise the library's PolicyError as CommandFailed that says in which file the error is."""
    try:
        yield
    except PolicyError as error:
        problem = f"{shown(name)}: {shown(f'{error.field}: {error.problem}')}."
        raise CommandFailed(Exit.USAGE, problem, error.fix.replace("Pass account_id", "Give --account-id")) from None
