"""Where what was found is kept, under a name that its content decides, so that one input is kept once."""

from __future__ import annotations

import hashlib
from pathlib import Path

WORK = Path(__file__).parent / "kept"
"""Ignored by git: grown corpora and findings."""
FINDINGS = WORK / "findings"


def keep(target: str, data: bytes) -> Path:
    FINDINGS.mkdir(parents=True, exist_ok=True)
    path = FINDINGS / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def replay_command(target: str, path: Path) -> str:
    return f"scripts/fuzz replay {target} {shown(path)}"


def shown(path: Path) -> str:
    """From the root of the repository, if it lies there."""
    root = Path(__file__).parent.parent
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
