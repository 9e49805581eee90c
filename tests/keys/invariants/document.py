"""docs/invariants.md, made from the rows of the table, and from the names of their tests and of the faults these catch.

`python tests/keys/invariants/document.py` writes it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "invariants.md"
ROWS: list[dict[str, str]] = tomllib.loads((HERE / "invariants.toml").read_text("utf-8"))["invariant"]
MODULES = {path.stem.removeprefix("test_"): path.read_text("utf-8") for path in sorted(HERE.glob("test_*.py"))}
TEST = re.compile(r"^def test_(i\d+)_(\w+)", re.MULTILINE)
FAULT = re.compile(r"pytest\.param\(\s*\"(I\d+)\".*?id=\"([^\"]+)\"", re.DOTALL)

BEFORE = """\
# Invariants: what holds of an issuer's keys, whatever happens

<!-- Made by `python tests/keys/invariants/document.py`. Change tests/keys/invariants/, not this page. -->

Each row is a property that random traces are tested for: hours of requests, crowds, cancellations, rotations, outages, clocks
that jump and answers that are late, empty or never come, first of the state machine alone, then of both drivers on threads,
asyncio and trio. Time is wound by hand; the threads and the loops are real. To run them:

```sh
python -m pytest tests/keys/invariants
TOKENWARD_EXAMPLES=10 python -m pytest tests/keys/invariants   # ten times the traces
```

A failure names the invariant and the seed, and the few steps of the trace that it needs. That a check can fail is tested as
well: it must catch every fault in the last column, each put into the code on purpose.

"""


def tests_of(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Which tests each invariant has, in words."""
    found: dict[str, list[str]] = {}
    for text in modules.values():
        for number, words in TEST.findall(text):
            found.setdefault(number.upper(), []).append(words.replace("_", " "))
    return found


def faults_of(modules: Mapping[str, str]) -> dict[str, list[str]]:
    """Which faults the tests of each invariant must catch."""
    found: dict[str, list[str]] = {}
    for text in modules.values():
        for rule, fault in FAULT.findall(text):
            found.setdefault(rule, []).append(fault)
    return found


def gaps(modules: Mapping[str, str]) -> set[str]:
    """Invariants without a test or without a fault, and tests and faults without an invariant."""
    named = {row["id"] for row in ROWS}
    return (named ^ set(tests_of(modules))) | (named ^ set(faults_of(modules)))


def page() -> str:
    return BEFORE + "\n".join(_table()) + "\n"


def _table() -> Iterator[str]:
    tests, faults = tests_of(MODULES), faults_of(MODULES)
    yield "| | what holds | tests | faults that they catch |"
    yield "|---|---|---|---|"
    for row in ROWS:
        own = "; ".join(dict.fromkeys(tests[row["id"]]))
        yield f"| {row['id']} | {row['holds']} | {own} | {'; '.join(faults[row['id']])} |"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
