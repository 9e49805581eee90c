"""The command: look for inputs that break tokenward.

The exit code is 1 if something was found; else 130 after Ctrl-C, 2 if a search could not run, and 0 if it ran to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fuzz import fleet, hunt, report
from fuzz.interrupts import INTERRUPTED
from fuzz.replay import TOKEN, replay
from fuzz.targets.all import NAMES, seeds_of

SECONDS = 60
COUNT = 1_000_000
SEED = 7519
"""The RFC of the JSON Web Token."""


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return _run(_options(arguments))
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    if options.what == "differential":
        return _differential(options.count, options.seed, options.processes, as_json=options.json)
    if options.what == "replay":
        held = [replay(options.target, path) for path in options.files]
        return 0 if all(held) else 1
    if options.what == "seeds":
        return _write_seeds()
    return _hunt(NAMES if options.what == "all" else (options.what,), options.seconds, as_json=options.json)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in (*NAMES, "all"):
        one = commands.add_parser(name, help="guided by coverage" if name != "all" else "each target, one after the other")
        one.add_argument("--seconds", type=_positive, default=SECONDS, help="of search, for each target")
        one.add_argument("--json", action="store_true")
    one = commands.add_parser("differential", help="mutated tokens before tokenward, PyJWT and joserfc")
    one.add_argument("--count", type=_positive, default=COUNT)
    one.add_argument("--seed", type=int, default=SEED, help="decides which changes are tried")
    one.add_argument("--processes", type=_positive, default=os.cpu_count() or 1)
    one.add_argument("--json", action="store_true")
    one = commands.add_parser("replay", help="what was found, again")
    one.add_argument("target", choices=(*NAMES, TOKEN))
    one.add_argument("files", type=_file, nargs="+")
    commands.add_parser("seeds", help="write the inputs from which a search starts into fuzz/corpus")
    return parser.parse_args(arguments)


def _hunt(names: Sequence[str], seconds: int, *, as_json: bool) -> int:
    if not hunt.is_possible():
        print(hunt.NOT_INSTALLED, file=sys.stderr)
        return 2
    rows: list[hunt.Row] = []
    for name in names:
        rows.append(hunt.hunt(name, seconds))
        if rows[-1].interrupted:
            break
    findings = [finding | {"target": row.target} for row in rows for finding in row.findings]
    if as_json:
        print(json.dumps(report.hunt_document(rows, names, seconds), indent=2))
    else:
        head = ["target", "seconds", "executions", "covered", "features", "corpus", "findings"]
        print(report.table(head, hunt.lines_of(rows)))
    _tell(findings)
    for row in rows:
        if row.failure:
            print(f"{row.target}: {row.failure}", file=sys.stderr)
    return _code(findings, interrupted=rows[-1].interrupted) or (2 if any(row.failure for row in rows) else 0)


def _differential(count: int, seed: int, processes: int, *, as_json: bool) -> int:
    run = fleet.run(count, seed, processes)
    findings = report.kept_findings(run.tally)
    if as_json:
        wanted = {"wanted": {"tokens": count}, "interrupted": run.interrupted, "findings": findings}
        print(json.dumps(report.differential_document(run.tally, run.seconds, seed, processes) | wanted, indent=2))
    elif run.tally.count:
        print(report.differential_text(run.tally, run.seconds, seed, processes))
    _tell(findings)
    if run.died:
        print("a process of it was ended, by the machine for its memory or by another: run it again", file=sys.stderr)
    return _code(findings, interrupted=run.interrupted) or (2 if run.died else 0)


def _code(findings: Sequence[object], *, interrupted: bool) -> int:
    """What was found is found, whoever ended the search."""
    if interrupted:
        print("interrupted: this is not the search that was asked for", file=sys.stderr)
    return 1 if findings else INTERRUPTED if interrupted else 0


def _tell(findings: Sequence[Mapping[str, object]]) -> None:
    for finding in findings:
        print(f"FOUND {finding['what']}\n  file    {finding['file']}\n  replay  {finding['replay']}", file=sys.stderr)


def _write_seeds() -> int:
    for name in NAMES:
        folder = hunt.SEEDS / name
        folder.mkdir(parents=True, exist_ok=True)
        for seed, data in seeds_of(name).items():
            (folder / seed).write_bytes(data)
    return 0


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1 on")
    return int(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return Path(text)
