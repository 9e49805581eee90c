"""The command `tokenward`: finds the subcommand, runs it, and turns what went wrong into an exit code and a next step."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from tokenward.cli.extras import explained
from tokenward.cli.failures import failure_of
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import failure_document, prepare_streams, print_failure, print_json, print_raw
from tokenward.cli.parser import COMMAND, EXPOSED, MASKED, Parser
from tokenward.cli.registry import COMMANDS, listed, module_of
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.redaction import shown

DESCRIPTION = f"""\
Tell why a web service refuses a bearer token, why none was given, and what to
change where; exchange and use tokens of Azure Databricks; guard its APIs.
Tokens are read from stdin, from a file or from the environment, and never from
the command line. No token is printed, unless exchange is asked to.

{listed()}"""
EPILOG = """\
examples:
  tokenward explain --api "$CLIENT_ID" --tenant "$TENANT" < token.txt
  tokenward diagnose AADSTS65001
  tokenward exchange --token-env FEDERATED_JWT_TOKEN --raw | tokenward me

exit codes:
  0  done, or accepted
  1  a definite no: refused, or something is wrong
  2  a wrong option, file or setting, or a missing package
  3  a service could not be asked; try again
  4  there was no token, or it is none
  70 a defect of tokenward
  130 ended by Ctrl-C; 141 the reader of the output had enough

Every error ends with what to do next; with --json it is a JSON document, too.
tokenward COMMAND --help has the options and examples of each."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _reported(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return int(Exit.BROKEN_PIPE)
    except KeyboardInterrupt:
        return int(Exit.INTERRUPTED)
    except OSError as exc:
        _discard_output()
        print_failure(_unwritable(exc))
        return int(Exit.USAGE)
    return code


def parser_of(*names: str) -> Parser:
    """The whole command line with these commands, whose modules are imported. Raises ModuleNotFoundError."""
    usage = "tokenward COMMAND [OPTION ...]\n       tokenward [COMMAND] --help"
    parser = Parser(prog="tokenward", usage=usage, description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    subparsers = parser.add_subparsers(prog="tokenward", required=True, metavar=COMMAND, help=argparse.SUPPRESS)
    for name in names:
        module_of(COMMANDS[name]).add_parser(subparsers)
    return parser


def _reported(arguments: Sequence[str]) -> int:
    try:
        prepare_streams()
        return _run(arguments)
    except CommandFailed as failure:
        if any(MASKED in str(shown(argument)) for argument in arguments):
            failure.fix = EXPOSED  # it may stand where a name or a path is meant, and matters more than what is wrong there
        print_failure(failure)
        if "--json" in arguments and sys.stdout is not None:
            print_json(failure_document(failure))
        return int(failure.exit_code)


def _run(arguments: Sequence[str]) -> int:
    try:
        return _done(_parsed(arguments))
    except SystemExit as done:  # --help and --version, which were printed
        return int(done.code or 0)
    except ModuleNotFoundError as error:
        if (failure := explained(error)) is None:
            raise
        raise failure from None


def _done(args: argparse.Namespace) -> int:
    try:
        return int(args.run(args))
    except (PolicyError, AuthenticationError) as error:
        raise failure_of(error, args.advice) from None


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    parser = parser_of(*(known for known in COMMANDS if known == name))
    if name is not None and name not in COMMANDS:
        raise parser.no_command(name, COMMANDS)
    args, rest = parser.parse_known_args(arguments)
    if rest:
        raise args.parser.unrecognized(rest)
    return args


class _Version(argparse.Action):
    """--version; what knows it is imported only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print_raw(f"tokenward {version('tokenward')}")
        parser.exit()


def _unwritable(exc: OSError) -> CommandFailed:
    problem = f"The output cannot be written ({exc.strerror or type(exc).__name__})."
    return CommandFailed(Exit.USAGE, problem, "Check where it goes, and whether there is room.")


def _discard_output() -> None:
    """So that the interpreter, which flushes once more at its end, has nothing to complain about."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
