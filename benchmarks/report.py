"""What came out: one table for people, one document for machines."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

PACKAGES = (
    "tokenward", "cryptography", "PyJWT", "joserfc", "Authlib", "fastmcp", "fastapi-azure-auth", "fastapi", "starlette",
    "uvicorn", "uvloop", "httptools", "aiohttp",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One line: a measurement, the budget it is held to, and the peers beside it.

    `value` and `peers` are in `unit`; "x" is the ratio to the bare signature check of the same token in the same run, "times"
    any other ratio. A `peers` entry may be a word instead ("not installed", "-"). `bound` says on which side of the budget
    `value` must be; on the other, whichever that is, the row is over its budget.
    """

    name: str
    value: float | None
    budget: float | None = None
    unit: str = "x"
    bound: Literal["at most", "at least"] = "at most"
    microseconds: float | None = None
    peers: dict[str, float | str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the budget is held; None where there is none, or nothing was measured."""
        if self.value is None or self.budget is None:
            return None
        return self.value <= self.budget if self.bound == "at most" else self.value >= self.budget


def table(rows: Sequence[Row], peers: Sequence[str]) -> str:
    """Columns as wide as what is in them; a note under the row it belongs to; below, which budgets are not held."""
    head = ["row", "tokenward", "us", "budget", "held?", *peers]
    lines = [[row.name, *_own(row), *(_peer(row, name) for name in peers)] for row in rows]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    out = [_line(head, widths), _line(["-" * width for width in widths], widths)]
    for row, line in zip(rows, lines, strict=True):
        out.append(_line(line, widths))
        if row.note:
            out.append(f"  {row.note}")
    return "\n".join([*out, "", _budgets(rows)])


def document(rows: Sequence[Row], checks: Sequence[object], options: dict[str, Any]) -> dict[str, Any]:
    """Everything that was measured, with what it was measured on."""
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": sys.version.split()[0],
        "machine": {"system": platform.system(), "architecture": platform.machine(), "cpu": cpu(), "cores": os.cpu_count()},
        "packages": {name: version(name) for name in PACKAGES},
        "options": options,
        "checks": checks,
        "rows": described(rows),
    }


def described(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows with their budgets, and whether these are held."""
    return [asdict(row) | {"held": row.held} for row in rows]


def rows_of(kept: dict[str, Any]) -> list[Row]:
    """The rows of a document that was kept. Raises KeyError or TypeError for anything else."""
    names = {field.name for field in fields(Row)}
    return [Row(**{name: value for name, value in row.items() if name in names}) for row in kept["rows"]]


def version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def cpu() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="ascii", errors="replace") as lines:
            return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        return platform.processor()


def dumps(value: object) -> str:
    return json.dumps(value, indent=2, default=str)


def _own(row: Row) -> list[str]:
    sign = "<=" if row.bound == "at most" else ">="
    budget = "" if row.budget is None else f"{sign} {_number(row.budget, row.unit)}"
    microseconds = "" if row.microseconds is None else f"{row.microseconds:.1f}"
    return ["-" if row.value is None else _number(row.value, row.unit), microseconds, budget, _HELD[row.held]]


_HELD = {True: "held", False: "over", None: "-"}


def _budgets(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.held is not None]
    over = "; ".join(row.name for row in judged if not row.held) or "none"
    return f"{sum(bool(row.held) for row in judged)} of {len(judged)} budgets held; over: {over}"


def _peer(row: Row, name: str) -> str:
    value = row.peers.get(name, "-")
    return value if isinstance(value, str) else _number(value, row.unit)


def _number(value: float, unit: str) -> str:
    digits = 0 if unit == "requests" else 2 if abs(value) < 10 else 1
    return f"{value:.{digits}f} {unit}".strip()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]
    return "  ".join(padded).rstrip()
