"""One input again, without atheris: what a finding was, and whether it still is."""

from __future__ import annotations

from pathlib import Path

from fuzz.differential import ACCEPTED, OURS, verdict_of
from fuzz.judges import judges
from fuzz.targets import Broken
from fuzz.targets.all import target_of
from fuzz.world import verifier

TOKEN = "token"
"""Beside the targets: a token of the differential run."""


def replay(name: str, path: Path) -> bool:
    """Print what becomes of it; True if all is well."""
    data = path.read_bytes()
    if name == TOKEN:
        return _replay_token(data)
    try:
        target_of(name).check(data)
    except Broken as broken:
        print(f"{path.name}: does not hold: {broken}")
        return False
    print(f"{path.name}: holds")
    return True


def _replay_token(token: bytes) -> bool:
    read = {OURS: verdict_of(verifier(), token), **{judge.name: judge.judge(token) for judge in judges()}}
    for name, verdict in read.items():
        print(f"{name:<10} {verdict if isinstance(verdict, str) else ACCEPTED}")
    ours = read.pop(OURS)
    return isinstance(ours, str) or all(theirs == ours for theirs in read.values())
