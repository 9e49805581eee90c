"""The runs as a picture: latency, memory, and the fetches that arrived, second by second over the phases."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.plot import pyplot_or_none
from benchmarks.soak.moments import left_out
from benchmarks.soak.plan import JUNK
from benchmarks.soak.record import Record
from benchmarks.soak.stats import quantile

COLOURS = {"async": "#1f6f5c", "threads": "#7a4fa3"}
SHADES = {"up": "#ffffff", "dead": "#f3d9d6", "silent": "#f7ead0"}
SUFFIXES = (".png", ".svg", ".pdf")
"""What matplotlib can write, as far as anybody wants it."""
LEGEND = f"seconds; red: the issuer is dead; yellow: it is silent; hatched: {JUNK:,} random kids a second"


def obstacle(path: Path) -> str | None:
    """Why no plot can be written there; None if it can. To find out it makes the directory, and leaves no file."""
    if path.suffix.lower() not in SUFFIXES:
        return f"its name must end in {' or '.join(SUFFIXES)}"
    is_new = not os.path.lexists(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if is_new:
            path.unlink()
    except OSError as error:
        return str(error.strerror)
    return None


def plot(records: Sequence[Record], path: Path) -> bool:
    """Write a picture; False, and no file, where matplotlib is not installed or nothing was measured. Raises OSError."""
    pyplot = pyplot_or_none()
    if pyplot is None:
        return False
    shown = [record for record in records if record.phases()]
    if not shown:
        return False
    heights = {"height_ratios": [3, 1.3, 0.7]}
    figure, axes = pyplot.subplots(3, 1, figsize=(11, 7), layout="constrained", sharex=True, gridspec_kw=heights)
    for axis, draw in zip(axes, (_latency, _memory, _fetches), strict=True):
        _phases(axis, max(shown, key=lambda record: record.ended), named=draw is _latency)
        draw(axis, shown)
    axes[-1].set_xlabel(LEGEND, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return True


def _phases(axis: Any, record: Record, *, named: bool) -> None:
    for span in record.phases():
        hatch = "///" if span.phase.junk == "random" else None
        axis.axvspan(span.start, span.end, facecolor=SHADES[span.phase.issuer], edgecolor="#d0d0d0", hatch=hatch, linewidth=0)
        if named:
            middle, above = (span.start + span.end) / 2, axis.get_xaxis_transform()
            axis.text(middle, 1.02, span.phase.name, transform=above, ha="center", fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)
    axis.set_xlim(0, record.ended)


def _latency(axis: Any, records: Sequence[Record]) -> None:
    for record in records:
        for part, style, name, without in (
            (0.5, ":", "p50", left_out(record.away)),
            (0.99, "-", "p99", left_out(record.away)),
            (0.99, "--", "p99 all", set[int]()),
        ):
            found = record.by_second(without)
            values = [quantile(latencies, part) / 1000 for latencies in found]
            faint = {"linewidth": 0.6, "alpha": 0.6} if name == "p99 all" else {"linewidth": 1.2}
            axis.plot(range(len(found)), values, style, color=COLOURS[record.driver], label=f"{record.driver} {name}", **faint)
    axis.set_yscale("log")
    axis.set_ylabel("known callers, ms", fontsize=9)
    axis.legend(fontsize=8, frameon=False, ncols=6, loc="upper right")


def _memory(axis: Any, records: Sequence[Record]) -> None:
    for record in records:
        moments, megabytes = zip(*(sample for sample in record.memory if sample[0] >= 0), strict=True)
        axis.plot(moments, megabytes, color=COLOURS[record.driver], linewidth=1.2)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("memory, MB", fontsize=9)


def _fetches(axis: Any, records: Sequence[Record]) -> None:
    for height, record in enumerate(records):
        arrived = [at for at in record.arrived if at >= 0]
        axis.plot(arrived, [height] * len(arrived), "|", color=COLOURS[record.driver], markersize=12)
    axis.set_ylim(-0.6, len(records) - 0.4)
    axis.set_yticks(range(len(records)), [record.driver for record in records])
    axis.set_ylabel("fetches", fontsize=9)
