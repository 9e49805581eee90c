"""The command `tokenward`: finds the subcommand, runs it, and turns what went wrong into an exit code and a next step."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from tokenward.cli import diagnose, exchange, me, policy
from tokenward.cli.failures import failure_of
from tokenward.cli.outcome import CommandFailed, Exit
from tokenward.cli.output import failure_document, prepare_streams, print_failure, print_json
from tokenward.cli.parser import Parser
from tokenward.cli.serve import forward_auth, gateway
from tokenward.errors import AuthenticationError, PolicyError

COMMANDS = (exchange, me, policy, diagnose, gateway, forward_auth)
"""Each module adds its parser, which names the function to run."""

DESCRIPTION = """\
Tokens for Azure Databricks: exchanged, used and explained. Tokens are read from
stdin, from a file or from the environment, and never from the command line."""
EPILOG = """\
the three steps of Databricks' token federation:
  export DATABRICKS_HOST=adb-1234567890123456.7.azuredatabricks.net
  export FEDERATED_JWT_TOKEN=...        from your identity provider
  tokenward exchange --token-env FEDERATED_JWT_TOKEN --raw | tokenward me

why a token could not be got, from a code, an error's text or a log:
  tokenward diagnose AADSTS65001
  tokenward diagnose < service.log

servers of their own, configured by a file or the environment:
  tokenward gateway --config gateway.toml
  tokenward forward-auth --config gateway.toml

exit codes:
  0  done, or accepted
  1  a definite no: refused, or no policy accepts the token
  2  a wrong option, file or setting
  3  a service could not be asked; try again
  4  there was no token, or it is none
  70 a defect of tokenward

Every error ends with what to do next; with --json it is a JSON document, too."""


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


def _reported(arguments: Sequence[str]) -> int:
    try:
        prepare_streams()
        return _run(arguments)
    except CommandFailed as failure:
        print_failure(failure)
        if "--json" in arguments and sys.stdout is not None:
            print_json(failure_document(failure))
        return int(failure.exit_code)


def _run(arguments: Sequence[str]) -> int:
    try:
        args = _parser().parse_args(arguments)
    except SystemExit as done:  # --help and --version, which were printed
        return int(done.code or 0)
    try:
        return int(args.run(args))
    except (PolicyError, AuthenticationError) as error:
        raise failure_of(error, args.advice) from None


def _parser() -> Parser:
    parser = Parser(prog="tokenward", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"tokenward {version('tokenward')}")
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="command")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def _unwritable(exc: OSError) -> CommandFailed:
    problem = f"The output cannot be written ({exc.strerror or type(exc).__name__})."
    return CommandFailed(Exit.USAGE, problem, "Check where it goes, and whether there is room.")


def _discard_output() -> None:
    """So that the interpreter, which flushes once more at its end, has nothing to complain about."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
