"""Fast and wrong is not fast: every measured call must first accept the good token, and refuse the bad ones."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.tokens import Corpus

ACCEPTED = "accepted"
REFUSED = "refused"


@dataclass(frozen=True)
class Check:
    """One verdict: what was given to whom, what should come of it, and what came."""

    row: str
    subject: str
    given: str
    expected: str
    seen: str

    @property
    def right(self) -> bool:
        return self.expected == self.seen

    def __str__(self) -> str:
        return f"{self.row}: {self.subject}: {self.given}: expected {self.expected}, got {self.seen}"


def codes_of(row: str, verdict: Callable[[str], str], expected: Mapping[str, tuple[str, str]]) -> list[Check]:
    """tokenward's verdicts, to the code. `expected` is what is given -> (token, verdict)."""
    return [Check(row, "tokenward", given, code, verdict(token)) for given, (token, code) in expected.items()]


def the_three(corpus: Corpus) -> dict[str, tuple[str, str]]:
    """What every accepting call is held to."""
    return {
        "a good token": (corpus.good, ACCEPTED),
        "a tampered token": (corpus.tampered, "signature_invalid"),
        "an expired token": (corpus.expired, "token_expired"),
    }


async def peer_checks(row: str, name: str, call: Callable[[str], Any], corpus: Corpus) -> list[Check]:
    """A peer's verdicts; of refusals it only counts that there is one."""
    given = {"a good token": (corpus.good, ACCEPTED), "a tampered token": (corpus.tampered, REFUSED)}
    given["an expired token"] = (corpus.expired, REFUSED)
    return [Check(row, name, what, expected, await _seen(call, token)) for what, (token, expected) in given.items()]


def wrong(checks: Iterable[Check]) -> list[Check]:
    return [check for check in checks if not check.right]


async def _seen(call: Callable[[str], Any], token: str) -> str:
    try:
        answer = call(token)
        if inspect.isawaitable(answer):
            await answer
    except Exception:  # noqa: BLE001  # each peer refuses in its own way
        return REFUSED
    return ACCEPTED
