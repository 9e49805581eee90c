"""One target under atheris, in a process of its own: `python -m fuzz.engine TARGET [libFuzzer's options and folders]`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # it has no types, and need not be there

from fuzz.targets import Target

WATCHED = ("token", "keys", "walk", "memory", "policy", "issuer_name", "redaction", "diagnostics", "challenge")
"""The rooms whose coverage guides: those that judge what comes from outside, and speak of it."""
STRUCTURED = 0.6
"""The part of the mutations that are the target's own; the others are libFuzzer's, on bytes."""


def main() -> None:
    with atheris.instrument_imports(include=[f"tokenward.{room}" for room in WATCHED]):
        from fuzz.targets.all import target_of

        target = target_of(sys.argv[1])
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.check, custom_mutator=_mutator(target))
    atheris.Fuzz()


def _mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < STRUCTURED:
            return target.change(data, rng)[:most]
        changed: bytes = atheris.Mutate(data, most)
        return changed

    return mutate


if __name__ == "__main__":
    main()
