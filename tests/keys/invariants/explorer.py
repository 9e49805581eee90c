"""Random traces: playing them, the shortest one that still breaks a rule, and what a test may say about many of them.

A trace is told by its seed and the numbers of its steps. Every step draws its luck from the seed and its own number, so a step
can be left out and the others stay what they are; that is how a failure is cut down to the few steps that it needs.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

SHARE = float(os.environ.get("TOKENWARD_EXAMPLES") or 1)
"""As for every property test: 1 is what the tests say themselves, 10 a long search, 0.2 a short one."""
MOST_REPLAYS = 150
"""Of one trace, to find the steps that a failure needs. A replay is a trace, and so some hundredths of a second."""


class Broken(AssertionError):
    """A rule did not hold."""

    def __init__(self, rule: str, what: str) -> None:
        super().__init__(f"{rule}: {what}")
        self.rule = rule


@dataclass
class Rules:
    """What was asked in one trace, how often, and what had happened until then."""

    held: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)

    def require(self, rule: str, held: bool, what: str) -> None:
        if not held:
            raise Broken(rule, what)
        self.held[rule] += 1


Play = Callable[[Rules, int, Sequence[int]], None]
"""Plays these steps of the trace of a seed, and raises Broken."""


@dataclass
class Played:
    """One trace, and where it ended."""

    seed: int
    steps: Sequence[int]
    rules: Rules
    broken: Broken | None = None


def played(play: Play, seed: int, steps: Sequence[int]) -> Played:
    outcome = Played(seed, steps, Rules())
    try:
        play(outcome.rules, seed, steps)
    except Broken as broken:
        outcome.broken = broken
    except Exception as exc:
        exc.add_note(f"seed {seed}, {len(outcome.rules.story)} steps, the last: {outcome.rules.story[-3:]}")
        raise
    return outcome


def shrunk(play: Play, whole: Played) -> Played:
    """The same failure with as few steps as leaving out halves, quarters, ... and single steps finds."""
    best = Played(whole.seed, whole.steps[: len(whole.rules.story)], whole.rules, whole.broken)
    replays, pieces = 0, 2
    while pieces <= len(best.steps) and replays < MOST_REPLAYS:
        size = max(1, len(best.steps) // pieces)
        for start in range(0, len(best.steps), size):
            tried = played(play, whole.seed, [*best.steps[:start], *best.steps[start + size :]])
            replays += 1
            if str(tried.broken) == str(whole.broken):
                best = tried
                break
        else:
            if size == 1:
                break
            pieces *= 2
    return best


def told(play: Play, failed: Played) -> str:
    """A failure for whoever has to find its reason."""
    short = shrunk(play, failed)
    found = f"seed {failed.seed}, after step {len(failed.rules.story) - 1}; with these {len(short.rules.story)} steps alone:"
    return "\n".join([str(failed.broken), found, *short.rules.story])


class Exploration:
    """Many traces of what should keep every rule."""

    def __init__(self, play: Play, traces: int, steps: int) -> None:
        self._play = play
        self.traces = [played(play, seed, range(steps)) for seed in range(max(4, round(traces * SHARE)))]

    def require_held(self, rule: str) -> None:
        """Fail with the shortest trace that breaks the rule, and if nothing ever asked about it."""
        for trace in self.traces:
            if trace.broken is not None and trace.broken.rule == rule:
                raise AssertionError(told(self._play, trace))
        asked = sum(trace.rules.held[rule] for trace in self.traces)
        assert asked >= len(self.traces), f"{rule} was asked about {asked} times only"


def require_caught(play: Play, rule: str, traces: int, steps: int) -> Played:
    """Fail if no trace shows that what is played breaks this very rule."""
    seen: Counter[str] = Counter()
    for seed in range(traces):
        trace = played(play, seed, range(steps))
        if trace.broken is not None:
            if trace.broken.rule == rule:
                return trace
            seen[str(trace.broken)] += 1
    raise AssertionError(f"none of {traces} traces shows that {rule} is broken; they show {dict(seen)}")
