"""The arguments that several methods of the local issuer take alike, each written down once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

from tokenward.testing.keys import SigningKey

LIFETIME = 3600.0
"""Seconds; Entra's own are 60 to 90 minutes."""


class Holding(TypedDict, total=False):
    """How an issuer gets its keys and its time; `Publisher` says what each means."""

    clock: Callable[[], float]
    new_key: Callable[[], SigningKey]
    keys: Sequence[SigningKey]


class Minting(TypedDict, total=False):
    """How a token is made.

    lifetime      seconds from `now`; negative for a token that has expired
    now           epoch seconds; by default the issuer's clock's
    claims,       overrides; a value of ABSENT leaves the member out, None is JSON null
      header
    key,          who signs, and how; see `Publisher.mint`
      algorithm
    """

    lifetime: float
    now: float | None
    claims: Mapping[str, object] | None
    header: Mapping[str, object] | None
    key: SigningKey | None
    algorithm: str | None


class EntraMinting(Minting, total=False):
    """As `Minting`; `tenant` is another tenant than the issuer's own, in `tid` and `iss`."""

    tenant: str | None


def require_known(options: Mapping[str, object], known: type[Minting]) -> None:
    """Raise TypeError for an argument that is not among `known`, as Python does where the arguments are written out."""
    names = known.__annotations__.keys()
    if unknown := sorted(options.keys() - names):
        raise TypeError(f"unknown argument: {', '.join(unknown)}; known are {', '.join(sorted(names))}")
