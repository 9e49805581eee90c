"""What a process has used: memory at most, and processor time. Linux only; elsewhere there is nothing to tell."""

from __future__ import annotations

import os
from pathlib import Path

MEGABYTE = 1_000_000
PROC = Path("/proc")


class Memory:
    """Resident memory of a process at most, beyond what it had when this was made."""

    def __init__(self, pid: int) -> None:
        self._process = PROC / str(pid)
        self._before = self._kilobytes("VmRSS")
        self.forget()

    def forget(self) -> None:
        """The peak begins anew (proc(5), clear_refs), so that no moment after this is missed, and none before it counts."""
        if self._before is not None:
            (self._process / "clear_refs").write_text("5", encoding="ascii")

    def growth(self) -> float | None:
        """In megabytes; None where the system does not tell."""
        most = self._kilobytes("VmHWM")
        return None if most is None or self._before is None else (most - self._before) * 1024 / MEGABYTE

    def _kilobytes(self, name: str) -> int | None:
        try:
            lines = (self._process / "status").read_text(encoding="ascii").splitlines()
        except OSError:
            return None
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process and its children that run, so far; None where the system does not tell."""
    try:
        children = (PROC / str(pid) / "task" / str(pid) / "children").read_text(encoding="ascii").split()
        return sum(_own_seconds(each) for each in (pid, *map(int, children)))
    except OSError:
        return None


def _own_seconds(pid: int) -> float:
    """utime and stime (proc(5)); the name before them may hold anything, but ends with the last parenthesis."""
    fields = (PROC / str(pid) / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
