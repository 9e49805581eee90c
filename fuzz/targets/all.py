"""Every target by name. A new one is a module and a line here."""

from __future__ import annotations

from importlib import import_module

from fuzz.targets import Target

NAMES = ("authenticate", "jwks", "discovery")


def target_of(name: str) -> Target:
    """Imported when it is asked for, so that the engine can watch tokenward being imported."""
    target: Target = import_module(f"fuzz.targets.{name}").TARGET
    return target


def seeds_of(name: str) -> dict[str, bytes]:
    seeds: dict[str, bytes] = import_module(f"fuzz.targets.{name}").seeds()
    return seeds
