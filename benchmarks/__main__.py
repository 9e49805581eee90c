"""`python -m benchmarks`, from the root of the repository. The exit code judges verdicts, never timings."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.again import same_token_again
from benchmarks.checks import Check, wrong
from benchmarks.doors import middleware
from benchmarks.first_sight import first_sight_es256, first_sight_rs256
from benchmarks.garbage import refusing_garbage
from benchmarks.importing import importing
from benchmarks.issuers import thousand_issuers
from benchmarks.load import under_load
from benchmarks.peers import COLUMNS
from benchmarks.plot import plot
from benchmarks.quiet import silence_loggers
from benchmarks.remembered import remembered_tokens
from benchmarks.report import Row, described, document, dumps, rows_of, table
from benchmarks.run import Benchmark, Run
from benchmarks.waiting import waiting

RESULTS = Path(__file__).parent / "results"
FULL_ROUNDS, QUICK_ROUNDS = 25, 7

BENCHMARKS: tuple[Benchmark, ...] = (
    first_sight_rs256,
    first_sight_es256,
    same_token_again,
    refusing_garbage,
    middleware,
    thousand_issuers,
    remembered_tokens,
    waiting,
    importing,
    under_load,
)
"""The budgets' order. A new row is a function and a line here."""


def main() -> int:
    options = _options()
    if options.last:
        return _show_last(options)
    silence_loggers()
    run = Run(
        rounds=QUICK_ROUNDS if options.quick else FULL_ROUNDS,
        with_peers=not options.no_peers,
        with_load=options.load,
        timing=not options.check,
    )
    try:
        rows = _rows(run)
    finally:
        run.close()
    _show(run, rows, options)
    return 1 if _wrong_of_ours(run.checks) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only the correctness half: no timing, no table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, not numbers to quote")
    parser.add_argument("--json", action="store_true", help="print the JSON document instead of the table")
    parser.add_argument("--no-peers", action="store_true", help="tokenward alone")
    parser.add_argument("--load", action="store_true", help="also uvicorn under wrk (about half a minute)")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="write the plot here, too, such as docs/benchmark.png")
    parser.add_argument("--last", action="store_true", help="show, or plot, what the last run kept; nothing is run")
    return parser.parse_args()


def _show_last(options: argparse.Namespace) -> int:
    try:
        kept = json.loads((RESULTS / "benchmarks.json").read_text(encoding="utf-8"))
        rows = rows_of(kept)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        print(f"no last run to show ({type(exc).__name__}); run `python -m benchmarks` first", file=sys.stderr)
        return 2
    peers = [name for name in COLUMNS if any(row.peers.get(name, "-") != "-" for row in rows)]
    print(dumps(kept | {"rows": described(rows)}) if options.json else f"{table(rows, peers)}\nmeasured {kept.get('when')}")
    return 0 if options.plot is None or _plotted(rows, options.plot) else 1


def _plotted(rows: list[Row], path: Path) -> bool:
    written = plot(rows, path)
    text = f"written: {path}" if written else "no plot: matplotlib is not installed, or there is nothing to compare"
    print(text, file=sys.stderr, flush=True)
    return written


def _rows(run: Run) -> list[Row]:
    rows: list[Row] = []
    for benchmark in BENCHMARKS:
        run.say(f"{benchmark.__name__} ...")
        rows += benchmark(run)
    return rows


def _show(run: Run, rows: list[Row], options: argparse.Namespace) -> None:
    result = document(rows, [asdict(check) | {"right": check.right} for check in run.checks], vars(options))
    if options.json:
        print(dumps(result))
    elif run.timing:
        print(table(rows, COLUMNS if run.with_peers else ()))
    if run.timing:
        _keep(run, rows, dumps(result), options.plot)
    bad = wrong(run.checks)
    for check in bad:
        run.say(f"WRONG {check}")
    out = sys.stderr if options.json else sys.stdout
    print(f"{len(run.checks) - len(bad)} of {len(run.checks)} verdicts right", file=out)


def _keep(run: Run, rows: list[Row], text: str, further: Path | None) -> None:
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "benchmarks.json").write_text(text, encoding="utf-8")
    run.say(f"written: {RESULTS / 'benchmarks.json'}")
    for path in [RESULTS / "benchmarks.png", *([further] if further else [])]:
        _plotted(rows, path)


def _wrong_of_ours(checks: list[Check]) -> list[Check]:
    """A peer's wrong verdict is shown in its column, and is no failure of this project."""
    return [check for check in wrong(checks) if check.subject == "tokenward"]


if __name__ == "__main__":
    sys.exit(main())
