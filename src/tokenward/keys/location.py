"""Where an issuer's keys are, by configuration only: never by anything that a token says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from tokenward.keys.keyset import KeySet


@dataclass(frozen=True, slots=True)
class Static:
    """Keys given in the configuration; they are never fetched and never age."""

    keyset: KeySet

    @property
    def name(self) -> str:
        return "configuration"


@dataclass(frozen=True, slots=True)
class JwksUri:
    """A JWKS at a fixed address."""

    url: str

    @property
    def name(self) -> str:
        return self.url


@dataclass(frozen=True, slots=True)
class Discovery:
    """A discovery document at a fixed address, which must be of one of `issuers` and names the JWKS."""

    url: str
    issuers: frozenset[str]

    @property
    def name(self) -> str:
        return self.url


Remote: TypeAlias = JwksUri | Discovery
Location: TypeAlias = Static | Remote
