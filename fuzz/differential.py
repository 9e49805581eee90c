"""Mutated tokens before tokenward and two other libraries: it must accept nothing that either of them refuses."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from fuzz.judges import Judge
from fuzz.tokens import make
from tokenward import AuthenticationError, Identity
from tokenward.errors import CODES
from tokenward.identity import Claims

BATCH = 2500
"""Tokens that are drawn from one seed, whatever the number of processes; another number would draw others."""
PART = 250
"""Tokens of a batch after which is told what came of them: a second of work."""
MAX_FINDINGS = 20
"""Kept of one part; a verifier that is broken altogether would fill the disk."""
OURS = "tokenward"
ACCEPTED = "accepted"
FALSE_ACCEPT = "false accept"


class Verifies(Protocol):
    def verify(self, token: bytes) -> Identity: ...


@dataclass(frozen=True)
class Finding:
    """A token that must be looked into, and what happened to it; `verdicts` are by subject, tokenward first."""

    what: str
    kind: str
    verdicts: dict[str, str]
    token: bytes = field(repr=False)


@dataclass
class Tally:
    """What came of many tokens. Tallies of parts add up.

    verdicts  per subject, how often each verdict
    kinds     per kind of mutation, how many were made, and how many tokenward accepted
    stricter  tokenward's code -> how often it refused what each judge, and all judges, accepted
    """

    count: int = 0
    verdicts: dict[str, Counter[str]] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    kinds_accepted: Counter[str] = field(default_factory=Counter)
    stricter: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.count += other.count
        self.kinds += other.kinds
        self.kinds_accepted += other.kinds_accepted
        for mine, more in ((self.verdicts, other.verdicts), (self.stricter, other.stricter)):
            for name, counter in more.items():
                mine.setdefault(name, Counter()).update(counter)
        self.findings += other.findings[:MAX_FINDINGS]

    @property
    def false_accepts(self) -> int:
        return sum(finding.what == FALSE_ACCEPT for finding in self.findings)


@dataclass(frozen=True)
class Judged:
    """A mutated token, and what the judges make of it: its claims, or why not."""

    kind: str
    token: bytes
    theirs: Mapping[str, Claims | str]


def run_batch(seed: int, batch: int, size: int, subject: Verifies, others: Sequence[Judge]) -> Iterator[Tally]:
    """Judge one batch, part by part; the same seed and number draw the same changes."""
    judged = drawn(seed, batch, size, others)
    for _ in range(0, size, PART):
        tally = Tally()
        for one in itertools.islice(judged, PART):
            compare(subject, one, tally)
        yield tally


def drawn(seed: int, batch: int, size: int, others: Sequence[Judge]) -> Iterator[Judged]:
    """Mutated tokens, `size` of them, with the verdicts of the judges."""
    rng = Random(f"{seed} {batch}")
    tokens = ((kind, token) for kind, made in iter(lambda: make(rng), None) for token in made)
    for kind, token in itertools.islice(tokens, size):
        yield Judged(kind, token, {judge.name: judge.judge(token) for judge in others})


def compare(subject: Verifies, judged: Judged, tally: Tally) -> None:
    """Have the subject judge it, too, and add what came of it to the tally."""
    ours = verdict_of(subject, judged.token)
    verdicts = {name: read if isinstance(read, str) else ACCEPTED for name, read in {OURS: ours, **judged.theirs}.items()}
    tally.count += 1
    tally.kinds[judged.kind] += 1
    tally.kinds_accepted[judged.kind] += verdicts[OURS] == ACCEPTED
    for name, verdict in verdicts.items():
        tally.verdicts.setdefault(name, Counter())[verdict] += 1
    what = _finding_in(ours, judged.theirs)
    if what is not None:
        tally.findings.append(Finding(what, judged.kind, verdicts, judged.token))
    elif verdicts[OURS] != ACCEPTED:
        _count_stricter(verdicts, tally)


def verdict_of(subject: Verifies, token: bytes) -> Claims | str:
    """The claims if it accepts, else a code of the closed set, or what escaped. It asks twice: the second may be remembered."""
    try:
        first, again = subject.verify(token), subject.verify(token)
    except AuthenticationError as error:
        return error.code
    except Exception as exc:  # noqa: BLE001  # what nothing may do
        return f"escaped: {type(exc).__name__}"
    return first.claims if first == again and first.claims is not again.claims else "remembered differently"


def _finding_in(ours: Claims | str, theirs: Mapping[str, Claims | str]) -> str | None:
    if isinstance(ours, str):
        return None if ours in CODES else "no verdict of the closed set"
    if any(isinstance(read, str) for read in theirs.values()):
        return FALSE_ACCEPT
    return None if all(read == ours for read in theirs.values()) else "claims read differently"


def _count_stricter(verdicts: Mapping[str, str], tally: Tally) -> None:
    accepting = [name for name, verdict in verdicts.items() if verdict == ACCEPTED]
    if accepting:
        counter = tally.stricter.setdefault(verdicts[OURS], Counter())
        counter.update([*accepting, *(["all"] if len(accepting) == len(verdicts) - 1 else [])])
