"""What is told of keys: an event for each fetch, for a start in vain, and for keys from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class KeysRefreshed:
    """A set was fetched and swapped in. `added` and `removed` count kids against the set before, each change once."""

    source: str
    why: str
    seconds: float
    keys: int
    added: int
    removed: int
    skipped: dict[str, int]


@dataclass(frozen=True, slots=True)
class KeysRefreshFailed:
    """An attempt failed; the keys stay. `age` is that of the keys in hand, in seconds."""

    source: str
    why: str
    kind: str
    detail: str
    failures: int
    retry_in: float
    age: float | None
    usable: bool


@dataclass(frozen=True, slots=True)
class KeysAwaited:
    """A start waited `seconds` for keys in vain; until they come, requests that need them are answered 503."""

    source: str
    seconds: float


@dataclass(frozen=True, slots=True)
class KeysSeeded:
    """A set that was fetched elsewhere was offered. `ignored` says why it does not serve, and is None if it does.

    `age` is in seconds, and None where the document cannot be read.
    """

    source: str
    keys: int
    age: float | None
    ignored: str | None


KeyEvent: TypeAlias = KeysRefreshed | KeysRefreshFailed | KeysAwaited | KeysSeeded
Observer: TypeAlias = Callable[[KeyEvent], None]
