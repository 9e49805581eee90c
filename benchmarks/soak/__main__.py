"""`python -m benchmarks.soak`, from the root of the repository: rotation, outages and floods, and what known callers feel of it.

The exit code is 1 for wrong verdicts, requests without one, waits with a usable key and more fetches than the rhythm allows;
never for times or memory, which are the machine's, too. It is 2 for a run that failed, and for wrong words. After Ctrl-C it shows
what there is, and the code is 130.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import dumps
from benchmarks.soak.conductor import Conductor, SoakFailed
from benchmarks.soak.judge import Promise, promises_of, rows_of
from benchmarks.soak.latency import Latencies
from benchmarks.soak.plan import MAX_SECONDS, MIN_SECONDS, Span
from benchmarks.soak.plot import obstacle, plot
from benchmarks.soak.record import Record
from benchmarks.soak.report import judged, table, told

DRIVERS = {"async": ["async"], "threads": ["threads"], "both": ["async", "threads"]}
THREADS = 40
"""As many as anyio, and with it Starlette and FastAPI, give to functions that block."""
INTERRUPTED = 130


def main() -> int:
    """Run, print, judge."""
    options = _options()
    try:
        records, interrupted = _run(DRIVERS[options.driver], options.seconds, options.threads)
    except SoakFailed as failed:
        _say(f"soak: {failed}; nothing can be said of the verifiers")
        return 2
    judged_rows = [(record, rows_of(record)) for record in records]
    rows = [row for _, found in judged_rows for row in found]
    promises = [promise for record, found in judged_rows for promise in promises_of(record, found)]
    document = told(records, rows, promises, vars(options), interrupted=interrupted)
    print(dumps(document) if options.json else f"{table(rows)}\n\n{judged(promises)}", flush=True)
    if interrupted:
        _say(_broken_off(DRIVERS[options.driver][len(records) :]))
    if options.plot is not None:
        _say(_drawn(records, options.plot))
    return 1 if _broken(promises) else INTERRUPTED if interrupted else 0


def _run(drivers: Sequence[str], seconds: float, threads: int) -> tuple[list[Record], bool]:
    """One driver after the other, since at once each would be measured with the other's load; and whether Ctrl-C ended it."""
    records: list[Record] = []
    for driver in drivers:
        conductor = Conductor(seconds / len(drivers), driver, threads, _Progress())
        records.append(conductor.record)
        try:
            conductor.run()
        except KeyboardInterrupt:
            return records, True
    return records, False


def _broken(promises: Sequence[Promise]) -> bool:
    return any(promise.is_fact and promise.held is False for promise in promises)


def _broken_off(missing: Sequence[str]) -> str:
    return f"interrupted: this is not the soak that was asked for{'; not run: ' if missing else ''}{', '.join(missing)}"


def _drawn(records: Sequence[Record], path: Path) -> str:
    """What became of the plot. Whatever it is, the run is judged by what it found."""
    try:
        written = plot(records, path)
    except OSError as error:
        return f"no plot: {path} cannot be written: {error.strerror}"
    return f"written: {path}" if written else "no plot: matplotlib is not installed, or nothing was measured"


class _Progress:
    """A line at the beginning of each phase; at a terminal also how far it is, in place."""

    def __init__(self) -> None:
        self._phase = -2

    def __call__(self, record: Record, now: float, span: Span | None) -> None:
        if now >= record.seconds:
            return
        number, name, end = (span.number, span.phase.name, span.end) if span else (-1, "warm-up", 0.0)
        if number != self._phase:
            self._phase = number
            _say(f"{record.driver}, {max(now, 0):.0f} of {record.seconds:.0f} s: {name} ...")
        if sys.stderr.isatty():
            print(f"  {end - now:3.0f} s left; {_figures(record, number)}\033[K", end="\r", file=sys.stderr, flush=True)


def _figures(record: Record, number: int) -> str:
    p99 = Latencies(record).of(number).p99_all
    return f"p99 {p99:.1f} ms, {len(record.arrived)} fetches so far, {record.memory[-1][1]:.0f} MB"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, metavar="N", help="all phases, of both drivers (default: 120)")
    parser.add_argument("--driver", choices=DRIVERS, default="both", help="which verifier; both: half of the time each (default)")
    parser.add_argument("--threads", type=int, default=THREADS, metavar="N", help="in the pool (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a JSON document instead of the tables")
    parser.add_argument("--plot", type=Path, metavar="PATH", help="write a plot there, such as docs/soak.png")
    options = parser.parse_args()
    each = options.seconds / len(DRIVERS[options.driver])
    if not MIN_SECONDS <= each <= MAX_SECONDS:
        both = f"{2 * MIN_SECONDS} to {2 * MAX_SECONDS} for both drivers"
        parser.error(f"--seconds: {both}, {MIN_SECONDS} to {MAX_SECONDS} for one")
    if options.threads < 1:
        parser.error("--threads: at least 1")
    if options.plot is not None and (why := obstacle(options.plot)) is not None:
        parser.error(f"--plot: {options.plot} cannot be written: {why}; name a file in a directory that you may write to")
    return options


if __name__ == "__main__":
    sys.exit(main())
