"""`python -m benchmarks`, from the root of the repository. The exit code judges verdicts, never timings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.again import same_token_again
from benchmarks.checks import Check, wrong
from benchmarks.doors import middleware
from benchmarks.first_sight import first_sight_es256, first_sight_rs256
from benchmarks.garbage import refusing_garbage
from benchmarks.gateway import all as gateway
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


@dataclass(frozen=True)
class Suite:
    """What one call runs, how often, and under which name in RESULTS it is kept. A new row is a function and a line here."""

    name: str
    benchmarks: Sequence[Benchmark]
    columns: Sequence[str]
    rounds: int
    quick_rounds: int


_TOKENS: tuple[Benchmark, ...] = (
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
"""The budgets' order."""
TOKENS = Suite("benchmarks", _TOKENS, COLUMNS, 25, 7)
GATEWAY = Suite("gateway", gateway.GATEWAY, gateway.COLUMNS, gateway.FULL_ROUNDS, gateway.QUICK_ROUNDS)


def main() -> int:
    options = _options()
    suite = GATEWAY if options.gateway else TOKENS
    if options.last:
        return _show_last(suite, options)
    silence_loggers()
    run = Run(
        rounds=suite.quick_rounds if options.quick else suite.rounds,
        with_peers=not options.no_peers,
        with_load=options.load,
        timing=not options.check,
    )
    try:
        rows = _rows(run, suite)
    finally:
        run.close()
    _show(run, suite, rows, options)
    return 1 if _wrong_of_ours(run.checks) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only the correctness half: no timing, no table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: a first look, not numbers to quote")
    parser.add_argument("--json", action="store_true", help="print the JSON document instead of the table")
    parser.add_argument("--no-peers", action="store_true", help="tokenward alone")
    parser.add_argument("--load", action="store_true", help="also uvicorn under wrk (about half a minute)")
    parser.add_argument("--gateway", action="store_true", help="the gateway and forward-auth instead, under wrk and nginx")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="write the plot here, too, such as docs/benchmark.png")
    parser.add_argument("--last", action="store_true", help="show, or plot, what the last run kept; nothing is run")
    return parser.parse_args()


def _show_last(suite: Suite, options: argparse.Namespace) -> int:
    try:
        kept = json.loads(_kept_at(suite).read_text(encoding="utf-8"))
        rows = rows_of(kept)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        print(f"no last run to show ({type(exc).__name__}); run `python -m benchmarks` first", file=sys.stderr)
        return 2
    peers = [name for name in suite.columns if any(row.peers.get(name, "-") != "-" for row in rows)]
    print(dumps(kept | {"rows": described(rows)}) if options.json else f"{table(rows, peers)}\nmeasured {kept.get('when')}")
    return 0 if suite is GATEWAY or options.plot is None or _plotted(rows, options.plot) else 1


def _plotted(rows: list[Row], path: Path) -> bool:
    written = plot(rows, path)
    text = f"written: {path}" if written else "no plot: matplotlib is not installed, or there is nothing to compare"
    print(text, file=sys.stderr, flush=True)
    return written


def _rows(run: Run, suite: Suite) -> list[Row]:
    rows: list[Row] = []
    for benchmark in suite.benchmarks:
        run.say(f"{benchmark.__name__} ...")
        rows += benchmark(run)
    return rows


def _show(run: Run, suite: Suite, rows: list[Row], options: argparse.Namespace) -> None:
    result = document(rows, [asdict(check) | {"right": check.right} for check in run.checks], vars(options))
    if options.json:
        print(dumps(result))
    elif run.timing:
        print(table(rows, suite.columns if run.with_peers or suite is GATEWAY else ()))
    if run.timing:
        _keep(run, suite, rows, dumps(result), options.plot)
    bad = wrong(run.checks)
    for check in bad:
        run.say(f"WRONG {check}")
    out = sys.stderr if options.json else sys.stdout
    print(f"{len(run.checks) - len(bad)} of {len(run.checks)} verdicts right", file=out)


def _keep(run: Run, suite: Suite, rows: list[Row], text: str, further: Path | None) -> None:
    RESULTS.mkdir(exist_ok=True)
    _kept_at(suite).write_text(text, encoding="utf-8")
    run.say(f"written: {_kept_at(suite)}")
    if suite is GATEWAY:  # one plot of all these units would show nothing
        return
    for path in [RESULTS / "benchmarks.png", *([further] if further else [])]:
        _plotted(rows, path)


def _kept_at(suite: Suite) -> Path:
    return RESULTS / f"{suite.name}.json"


def _wrong_of_ours(checks: list[Check]) -> list[Check]:
    """A peer's wrong verdict is shown in its column, and is no failure of this project."""
    return [check for check in wrong(checks) if check.subject == "tokenward"]


if __name__ == "__main__":
    sys.exit(main())
