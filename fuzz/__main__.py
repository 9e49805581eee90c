"""`python -m fuzz`, from the root of the repository: look for inputs that break tokenward. Exit code 1: something was found."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from fuzz import fleet, hunt, report
from fuzz.replay import TOKEN, replay
from fuzz.targets.all import NAMES, seeds_of

SECONDS = 60
COUNT = 1_000_000
SEED = 7519
"""The RFC of the JSON Web Token."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    if options.what == "differential":
        return _differential(options.count, options.seed, options.processes, as_json=options.json)
    if options.what == "replay":
        held = [replay(options.target, path) for path in options.files]
        return 0 if all(held) else 1
    if options.what == "seeds":
        return _write_seeds()
    return _hunt(NAMES if options.what == "all" else (options.what,), options.seconds, as_json=options.json)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in (*NAMES, "all"):
        one = commands.add_parser(name, help="guided by coverage" if name != "all" else "each target, one after the other")
        one.add_argument("--seconds", type=_positive, default=SECONDS, help="for each target")
        one.add_argument("--json", action="store_true")
    one = commands.add_parser("differential", help="mutated tokens before tokenward, PyJWT and joserfc")
    one.add_argument("--count", type=_positive, default=COUNT)
    one.add_argument("--seed", type=int, default=SEED, help="what is tried depends on nothing else")
    one.add_argument("--processes", type=_positive, default=os.cpu_count() or 1)
    one.add_argument("--json", action="store_true")
    one = commands.add_parser("replay", help="what was found, again")
    one.add_argument("target", choices=(*NAMES, TOKEN))
    one.add_argument("files", type=Path, nargs="+")
    commands.add_parser("seeds", help="write the inputs from which a search starts into fuzz/corpus")
    return parser.parse_args(arguments)


def _hunt(names: Sequence[str], seconds: int, *, as_json: bool) -> int:
    if not hunt.is_possible():
        print(hunt.NOT_INSTALLED, file=sys.stderr)
        return 2
    rows = [hunt.hunt(name, seconds) for name in names]
    findings = [finding | {"target": row.target} for row in rows for finding in row.findings]
    if as_json:
        print(json.dumps(report.surroundings() | {"targets": [asdict(row) for row in rows]}, indent=2))
    else:
        head = ["target", "seconds", "executions", "covered", "features", "corpus", "findings"]
        print(report.table(head, hunt.lines_of(rows)))
    _tell(findings)
    return 1 if findings else 0


def _differential(count: int, seed: int, processes: int, *, as_json: bool) -> int:
    tally, seconds = fleet.run(count, seed, processes)
    findings = report.kept_findings(tally)
    if as_json:
        print(json.dumps(report.differential_document(tally, seconds, seed, processes) | {"findings": findings}, indent=2))
    else:
        print(report.differential_text(tally, seconds, seed, processes))
    _tell(findings)
    return 1 if findings else 0


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
    number = int(text)
    if number < 1:
        raise ValueError
    return number


if __name__ == "__main__":
    sys.exit(main())
