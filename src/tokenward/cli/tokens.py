"""Where a command's token comes from: an environment variable, a file, stdin, or a prompt that does not show it.

Never an argument: arguments are seen by every process of the machine, and stay in the shell's history.
"""

from __future__ import annotations

import argparse
import codecs
import getpass
import os
import sys
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.redaction import shown

MAX_INPUT_BYTES = 1024 * 1024
"""The most that a policy may let a token have."""
MAX_TYPED = 4095
"""Characters of a line that Linux takes from a terminal; the rest is lost."""
CHUNK = 65536
"""Bytes of one read: what a pipe of Linux holds."""
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""With which a file begins that the `>` of Windows PowerShell has written."""
STDIN = "-"
CHECK_PATH = "Check the path and its permissions."


def add_token_options(parser: argparse.ArgumentParser, *, what: str) -> None:
    """Add --token-env and --token-file; without them the token is read from stdin."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--token-env", metavar="NAME", help=f"the environment variable that holds {what}")
    group.add_argument("--token-file", metavar="PATH", help=f"the file that holds {what}; - is stdin, which is the default")


def reads_stdin(args: argparse.Namespace) -> bool:
    """Whether the token is to come from stdin."""
    return args.token_env is None and args.token_file in (None, STDIN)


def read_token(args: argparse.Namespace) -> str:
    """The token, without the white space around it and without a leading "Bearer". Raises CommandFailed."""
    text = read_text(args.token_env, args.token_file).strip().removeprefix("\ufeff")
    token = text[7:].strip() if text[:7].lower() == "bearer " else text
    if not token:
        raise CommandFailed(Exit.NO_TOKEN, "There is no token.", "Pipe it in, or use --token-env or --token-file.")
    if token[0] in "{[\"'":
        fix = "Pass only the token, such as with `jq -r .access_token`, or `tokenward exchange --raw`."
        raise CommandFailed(Exit.NO_TOKEN, "What was read is quoted or JSON, and not a token alone.", fix)
    if any(character.isspace() for character in token):
        fix = "Pass exactly one, without headers or line breaks in it."
        raise CommandFailed(Exit.NO_TOKEN, "What was read is more than one word, so it is no token.", fix)
    return token


def read_stdin(most: int = MAX_INPUT_BYTES) -> bytes:
    """Everything on stdin, up to one byte more than `most`. Raises CommandFailed."""
    if sys.stdin is None:
        raise CommandFailed(Exit.NO_TOKEN, "Standard input is closed.", "Pipe the input in, or use --token-env or --token-file.")
    try:
        return b"".join(_chunks(cast(BufferedReader, sys.stdin.buffer), most + 1))
    except OSError as exc:
        problem = f"Standard input cannot be read ({exc.strerror or type(exc).__name__})."
        raise CommandFailed(Exit.NO_TOKEN, problem, "Pipe the input in, or use --token-env or --token-file.") from None


def _chunks(stream: BufferedReader, most: int) -> Iterator[bytes]:
    """In one read, a Ctrl-C that comes between two pieces would wait for the next one."""
    left = most
    while left > 0 and (chunk := stream.read1(min(left, CHUNK))):
        left -= len(chunk)
        yield chunk


def read_file(path: str, most: int, *, fix: str = CHECK_PATH) -> bytes:
    """Everything in a file, up to one byte more than `most`. Raises CommandFailed, with `fix` as what to do next."""
    try:
        with Path(path).open("rb") as file:
            return file.read(most + 1)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        why = getattr(exc, "strerror", None) or type(exc).__name__
        raise CommandFailed(Exit.USAGE, f"{shown(path)} cannot be read ({why}).", fix) from None


def read_text(variable: str | None, path: str | None) -> str:
    """What the options name, or stdin holds, as it is: for commands that take more than a token alone. Raises CommandFailed."""
    if variable is not None:
        return _variable(variable)
    if path is not None and path != STDIN:
        return _decoded(read_file(path, MAX_INPUT_BYTES))
    if sys.stdin is not None and sys.stdin.isatty():
        return _typed()
    return _decoded(read_stdin())


def _variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value.strip():
        problem = f"The environment variable {shown(name)} is not set, or empty."
        fix = "Give the variable's name, without $, and export it: `export NAME`."
        raise CommandFailed(Exit.NO_TOKEN, problem, fix)
    return value


def _typed() -> str:
    try:
        text = getpass.getpass("Token (not shown): ", stream=sys.stderr)
    except EOFError:
        return ""
    if len(text) >= MAX_TYPED:
        problem = f"A terminal passes on no more than {MAX_TYPED} characters of a line, so the token may have been cut."
        raise CommandFailed(Exit.NO_TOKEN, problem, "Use --token-file or --token-env for a token of this length.")
    return text


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_INPUT_BYTES:
        raise CommandFailed(Exit.NO_TOKEN, "The input is longer than any token.", "Pass the token alone.")
    return raw.decode("utf-16" if raw.startswith(UTF16_MARKS) else "utf-8", "replace")
