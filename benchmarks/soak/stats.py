"""Quantiles, and the memory of a process."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Sequence
from pathlib import Path


def quantile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least this part of them does not exceed; NaN without any."""
    if not values:
        return math.nan
    return sorted(values)[max(math.ceil(part * len(values)) - 1, 0)]


def rss_mb(pid: int) -> float | None:
    """Resident memory of a process in MB (10^6 bytes): Linux's own figure, elsewhere that of `ps`; None if it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmRSS:"))
    except (OSError, StopIteration):
        return _by_ps(pid)


def _by_ps(pid: int) -> float | None:
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
        return int(told.stdout) * 1024 / 1e6
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
