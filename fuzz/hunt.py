"""The search that coverage guides: the engine is started and watched, and what it says is put in one row."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.findings import FINDINGS, WORK, replay_command, shown
from fuzz.targets.all import target_of

SEEDS = Path(__file__).parent / "corpus"
TIMEOUT = 10
"""Seconds for one input; a verdict takes a millisecond, and a set of a thousand keys some tens of them."""
MEMORY = 1024
"""MiB for the whole process."""
PROGRESS = 5.0
"""Seconds between two lines of progress."""
MOST_OF_A_REASON = 200
STARTING = 60
"""Seconds that the engine may need beyond its time, to end."""
NOT_INSTALLED = """\
atheris is not installed for this Python. It has wheels for Linux and CPython 3.11 and later:
    python -m pip install atheris
Without it these still run: scripts/fuzz differential, scripts/fuzz replay TARGET FILE."""

_STATS = re.compile(r"#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/\S+.*?exec/s: (\d+)")
_DONE = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_FAILED = re.compile(r"ERROR: libFuzzer: (?!fuzz target exited)")
_KEPT = re.compile(r"Test unit written to (\S+)")


@dataclass
class Row:
    """What came of one target; `features` is libFuzzer's count of what was reached in how many ways."""

    target: str
    seconds: float = 0.0
    executions: int = 0
    per_second: int = 0
    coverage: int = 0
    features: int = 0
    corpus: int = 0
    findings: list[dict[str, str]] = field(default_factory=list)


def is_possible() -> bool:
    return importlib.util.find_spec("atheris") is not None


def hunt(name: str, seconds: int) -> Row:
    """Search for so long, or until something is found. Ctrl-C ends it early, with what was seen."""
    row, began, spoke, reason, before = Row(name), time.monotonic(), 0.0, "", ""
    grown = WORK / "corpus" / name
    for folder in (grown, FINDINGS):
        folder.mkdir(parents=True, exist_ok=True)
    command = _command(name, seconds, grown)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as engine:
        try:
            for line in engine.stdout or ():
                reason = _reason_in(line, before) or reason
                before = line
                _read(line, row, reason)
                if time.monotonic() - spoke > PROGRESS:
                    spoke = time.monotonic()
                    _say(row, spoke - began)
            code = engine.wait(STARTING)
        except KeyboardInterrupt:
            engine.kill()
            code = 0
    row.seconds = round(time.monotonic() - began, 1)
    for finding in row.findings:
        finding["what"] = finding["what"] or reason  # which of a timeout is said after its input is kept
    if code != 0 and not row.findings:
        row.findings.append({"what": f"the engine ended with {code}: {reason}", "file": "", "replay": ""})
    return row


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


def _say(row: Row, seconds: float) -> None:
    print(
        f"{row.target:<13}{seconds:4.0f} s  {row.executions:>9,} inputs  {row.per_second:,}/s  "
        f"covered {row.coverage:,}  features {row.features:,}  corpus {row.corpus:,}",
        file=sys.stderr,
        flush=True,
    )


def lines_of(rows: list[Row]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield row.target, f"{row.seconds:.0f}", row.executions, row.coverage, row.features, row.corpus, len(row.findings)
