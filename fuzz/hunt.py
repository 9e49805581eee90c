"""The search that coverage guides: the engine is started and watched, and what it says is put in one row."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.findings import FINDINGS, WORK, replay_command, shown
from fuzz.interrupts import deaf_children
from fuzz.targets.all import target_of

SEEDS = Path(__file__).parent / "corpus"
TIMEOUT = 10
"""Seconds for one input; a verdict takes a millisecond, and a set of a thousand keys some tens of them."""
MEMORY = 1024
"""MiB for the whole process."""
PROGRESS = 5.0
"""Seconds between two lines of progress."""
MOST_OF_A_REASON = 200
ENDING = 60
"""Seconds that the engine may need to end, after its last word."""
NOT_INSTALLED = """\
atheris is not installed for this Python. It has wheels for Linux and CPython 3.11 and later:
    python -m pip install atheris
Without it these still run: scripts/fuzz differential, scripts/fuzz replay TARGET FILE."""

_FIRST = re.compile(r"INFO: Seed: ")
"""What libFuzzer says before its first input; its own time runs from there."""
_STATS = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/\S+.*?exec/s: (\d+)")
_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_FAILED = re.compile(r"ERROR: libFuzzer: (?!fuzz target exited)")
_KEPT = re.compile(r"Test unit written to (\S+)")


@dataclass
class Row:
    """What came of one target; `features` is libFuzzer's count of what was reached in how many ways.

    wanted       seconds that were asked for
    seconds      from the first input on, as the engine counts them, too
    interrupted  Ctrl-C ended it
    failure      why nothing was tried, though nobody ended it
    """

    target: str
    wanted: int
    seconds: float = 0.0
    interrupted: bool = False
    executions: int = 0
    per_second: int = 0
    coverage: int = 0
    features: int = 0
    corpus: int = 0
    findings: list[dict[str, str]] = field(default_factory=list)
    failure: str = ""


def is_possible() -> bool:
    return importlib.util.find_spec("atheris") is not None


def hunt(name: str, seconds: int) -> Row:
    """Search for so long, or until something is found. Ctrl-C ends it early, with what was seen, and the row says so."""
    row, grown = Row(name, seconds), WORK / "corpus" / name
    for folder in (grown, FINDINGS):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with _engine(_command(name, seconds, grown)) as engine:
            reason = _watch(engine.stdout or (), row)
            _conclude(row, engine.wait(ENDING), reason)
    except KeyboardInterrupt:
        row.interrupted = True
    return row


@contextmanager
def _engine(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The engine, which does not outlive this."""
    engine = None
    try:
        with deaf_children():
            engine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        yield engine
    finally:
        if engine is not None:
            engine.kill()
            engine.communicate()


def _watch(lines: Iterable[str], row: Row) -> str:
    """Read what the engine says, to its end; why it ended, or its last line."""
    began, spoke, reason, before = None, time.monotonic(), "", ""
    _say(f"{row.target:<13}starting: tokenward is read for what to watch ...")
    for line in lines:
        now = time.monotonic()
        if began is None and _FIRST.search(line):
            began = spoke = now
        row.seconds = 0.0 if began is None else round(now - began, 1)
        reason = _reason_in(line, before) or reason
        before = line
        _read(line, row, reason)
        if began is not None and now - spoke > PROGRESS:
            spoke = now
            _say(_progress_of(row))
    return reason or before.strip()[:MOST_OF_A_REASON]


def _conclude(row: Row, code: int, reason: str) -> None:
    for finding in row.findings:
        finding["what"] = finding["what"] or reason  # which of a timeout is said after its input is kept
    if row.findings:
        return
    if row.executions == 0:
        row.failure = f"the engine ran nothing, and ended with {code}: {reason}"
    elif code != 0:
        row.findings.append({"what": f"the engine ended with {code}: {reason}", "file": "", "replay": ""})


def _command(name: str, seconds: int, grown: Path) -> list[str]:
    options = {
        "max_total_time": seconds,
        "timeout": TIMEOUT,
        "rss_limit_mb": MEMORY,
        "max_len": target_of(name).most,
        "print_final_stats": 1,
        "artifact_prefix": f"{FINDINGS}/{name}-",
    }
    return [
        sys.executable,
        "-m",
        "fuzz.engine",
        name,
        *(f"-{key}={value}" for key, value in options.items()),
        *map(str, (grown, SEEDS / name)),
    ]


def _read(line: str, row: Row, reason: str) -> None:
    if found := _STATS.search(line):
        row.executions, row.coverage, row.features, row.corpus, row.per_second = map(int, found.groups())
    elif found := _DONE.search(line):
        row.executions = int(found[1])
    elif found := _KEPT.search(line):
        path = Path(found[1])
        row.findings.append({"what": reason, "file": shown(path), "replay": replay_command(row.target, path)})


def _reason_in(line: str, before: str) -> str:
    """What was raised, in one line, or libFuzzer's own word."""
    if "Uncaught Python exception" in before or _FAILED.search(line):
        return line.strip()[:MOST_OF_A_REASON]
    return ""


def _progress_of(row: Row) -> str:
    return (
        f"{row.target:<13}{row.seconds:4.0f} s  {row.executions:>9,} inputs  {row.per_second:,}/s  "
        f"covered {row.coverage:,}  features {row.features:,}  corpus {row.corpus:,}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def lines_of(rows: list[Row]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield row.target, f"{row.seconds:.0f}", row.executions, row.coverage, row.features, row.corpus, len(row.findings)
