"""`python -m demo [--json | --serve]`, from the repository's root."""

from __future__ import annotations

import argparse
import importlib.util
import signal
import sys
from collections.abc import Sequence

DESCRIPTION = """\
Starts a local issuer and a guarded app as real processes on this machine, sends them real requests, good and bad, and then
rotates the issuer's keys and kills it while known callers go on. Then exchanges federated tokens, good and bad, at a stand-in
for a Databricks workspace, calls that through the gateway, and kills it, too. Exit status 0 only if every verdict is the
expected one."""
NEEDED = ("tokenward", "structlog", "starlette", "httpx", "uvicorn", "aiohttp")
STOPPED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all was as expected, 1 if not, 2 for wrong arguments, 130 if a signal ended it."""
    options = _parser().parse_args(arguments)
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        return _complain(options, f"Not installed: {', '.join(missing)}.\nNext: run scripts/demo, which installs what it needs.")
    _stop_on_signals()
    return _carried_out(options)


def _carried_out(options: argparse.Namespace) -> int:
    from demo.processes import DemoError

    try:
        return _serve(options) if options.serve else _run(options)
    except DemoError as error:
        return _complain(options, str(error))
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return STOPPED


def _run(options: argparse.Namespace) -> int:
    from demo.document import document
    from demo.report import print_report
    from demo.run import run

    outcome = run(options.app, chapters=not options.quick)
    if options.json:
        print(document(outcome), flush=True)
    else:
        print_report(outcome)
    return 1 if outcome.unexpected else 0


def _serve(options: argparse.Namespace) -> int:
    from demo.serve import serve

    try:
        serve(options.app)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
    return 0


def _complain(options: argparse.Namespace, text: str) -> int:
    print(f"demo: {text}", file=sys.stderr)
    if options.json:
        from demo.document import failure

        print(failure(text), flush=True)
    return 1


def _stop_on_signals() -> None:
    """Have the usual signals end every `with` block in good order; a second one finds that under way already."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def _stop(*_: object) -> None:
        for number in ends:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in ends:
        signal.signal(number, _stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/demo", description=DESCRIPTION)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print one JSON document and nothing else on standard output")
    how.add_argument("--serve", action="store_true", help="keep everything up and print curl lines to try, until Ctrl-C")
    parser.add_argument("--quick", action="store_true", help="without rotation and outage")
    parser.add_argument("--app", default="demo.app:app", metavar="MODULE:NAME", help="guard another app (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
