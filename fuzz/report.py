"""What came out: tables for people, one document for machines."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from fuzz.differential import ACCEPTED, OURS, Tally
from fuzz.findings import keep, replay_command, shown
from fuzz.hunt import Row

PACKAGES = ("tokenward", "PyJWT", "joserfc", "cryptography", "msgspec", "atheris")
SHOWN_REASONS = 12
"""Of a judge's own words for refusing."""


def table(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """The first column flush left, the others right."""
    rows = [list(head), *([_cell(value) for value in line] for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(_line(row, widths) for row in [rows[0], ["-" * width for width in widths], *rows[1:]])


def hunt_document(rows: Sequence[Row], names: Sequence[str], seconds: int) -> dict[str, Any]:
    """After an interruption `targets` holds fewer than `wanted` does."""
    wanted = {"targets": list(names), "seconds": seconds}
    interrupted = any(row.interrupted for row in rows)
    return surroundings() | {"wanted": wanted, "interrupted": interrupted, "targets": [asdict(row) for row in rows]}


def differential_text(tally: Tally, seconds: float, seed: int, processes: int) -> str:
    ours = tally.verdicts.get(OURS, Counter())
    names = [name for name in tally.verdicts if name != OURS]
    parts = [
        table(["verdict of tokenward", "tokens"], ours.most_common()),
        *(table([f"verdict of {name}", "tokens"], tally.verdicts[name].most_common(SHOWN_REASONS)) for name in names),
        table(
            ["refused by tokenward, accepted by", *names, "all of them"],
            [(code, *(row[name] for name in names), row["all"]) for code, row in sorted(tally.stricter.items())],
        ),
        table(
            ["kind of mutation", "tokens", "accepted"],
            [(kind, made, tally.kinds_accepted[kind]) for kind, made in tally.kinds.most_common()],
        ),
    ]
    others = len(tally.findings) - tally.false_accepts
    last = (
        f"{tally.count:,} tokens from seed {seed} in {seconds:.0f} s by {processes} processes ({tally.count / seconds:,.0f}/s): "
        f"{ours[ACCEPTED]:,} accepted, {tally.false_accepts} false accepts, {others} other findings"
    )
    return "\n\n".join([*parts, last])


def differential_document(tally: Tally, seconds: float, seed: int, processes: int) -> dict[str, Any]:
    return surroundings() | {
        "count": tally.count,
        "seconds": round(seconds, 1),
        "seed": seed,
        "processes": processes,
        "false_accepts": tally.false_accepts,
        "verdicts": tally.verdicts,
        "kinds": tally.kinds,
        "kinds_accepted": tally.kinds_accepted,
        "stricter": tally.stricter,
    }


def kept_findings(tally: Tally) -> list[dict[str, Any]]:
    """Write what was found to files, and say how each is judged again."""
    kept = []
    for finding in tally.findings:
        path = keep("token", finding.token)
        kept.append(
            {
                "what": finding.what,
                "kind": finding.kind,
                "verdicts": finding.verdicts,
                "file": shown(path),
                "replay": replay_command("token", path),
            }
        )
    return kept


def surroundings() -> dict[str, Any]:
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
    ).rstrip()
