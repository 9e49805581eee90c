"""The rows that are ratios to the bare check, as bars: tokenward, its budget, and the peers beside it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Row


def pyplot_or_none() -> Any:
    """matplotlib.pyplot, drawing into files; None where it is not installed."""
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError:
        return None


def plot(rows: Sequence[Row], path: Path) -> bool:
    """Write a PNG; False, and no file, where matplotlib is not installed."""
    pyplot = pyplot_or_none()
    if pyplot is None:
        return False
    alone = not any(_peers(row) for row in rows)
    shown = [row for row in rows if row.unit == "x" and row.bound == "at most" and (_peers(row) or alone)]
    if not shown:
        return False
    heights = [0.6 + 0.25 * (1 + len(_peers(row))) for row in shown]
    size, ratios = (9, 0.5 + sum(heights)), {"height_ratios": heights}
    figure, axes = pyplot.subplots(len(shown), 1, figsize=size, layout="constrained", squeeze=False, gridspec_kw=ratios)
    for axis, row in zip(axes[:, 0], shown, strict=True):
        bars = {"tokenward": row.value or 0.0, **_peers(row)}
        colours = ["#1f6f5c", *(["#b9c0c7"] * (len(bars) - 1))]
        drawn = axis.barh(list(bars), list(bars.values()), color=colours)
        axis.bar_label(drawn, fmt="%.2f", padding=3, fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.12)
        held = "within" if row.held else "over"
        budget = "" if row.budget is None else f": {held} its budget of {row.budget:g} (dashed)"
        if row.budget is not None:
            axis.axvline(row.budget, color="#c0392b", linewidth=1, linestyle="--")
        axis.set_title(f"{row.name}{budget}", loc="left", fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    figure.supxlabel("multiples of the bare signature check of the same token (smaller is better)", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return True


def _peers(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.peers.items() if isinstance(value, (int, float))}
