"""What happens while known callers go on: nothing, a key rotation, an outage of the provider, its return."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from demo.cases import ACCEPTED, Expected, bearer
from demo.exchange import Row, ask
from demo.load import KnownCallers, Phase
from demo.processes import DemoError
from demo.stage import Stage
from demo.waits import Waits

PATIENCE = 30.0
"""Seconds for what should happen within three."""
ONE_WAIT = 1000.0
"""Milliseconds within which the first token of a new key must be accepted."""
COOL_FROM, COOL_UNTIL = 1.1, 2.2
"""Ages of the keys, in seconds, at which the app may fetch again but is not going to: see `demo.app.QUICK`."""
UNAVAILABLE = Expected(503, "keys_unavailable")


@dataclass(frozen=True)
class Check:
    """One thing that must be so: what, whether it is, and what was seen."""

    name: str
    holds: bool
    seen: str


@dataclass
class Chapter:
    """One part of the story: what was asked besides, what must hold, and what the known callers saw meanwhile."""

    name: str
    title: str
    callers: Phase
    rows: list[Row] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    waits: int = 0

    def require(self, name: str, holds: bool, seen: str) -> None:
        self.checks.append(Check(name, holds, seen))

    def all_checks(self) -> list[Check]:
        """Those of the story, and the one on the known callers, who are still being counted while it goes on."""
        callers = self.callers
        seen = f"{callers.requests} requests, {callers.errors} errors, {self.waits} waits"
        return [*self.checks, Check("Known callers", callers.requests > 0 and not callers.errors and not self.waits, seen)]


def known_tokens(stage: Stage) -> list[str]:
    """A dozen new tokens of both kinds and versions, by the key that the app has had from its start."""
    key = stage.first_kid
    return [stage.mint(kind=kind, version=version, key=key) for kind in ("user", "app") for version in ("1.0", "2.0") * 3]


class Story:
    """Tells the chapters, in order, on a stage that was set."""

    def __init__(self, stage: Stage, callers: KnownCallers, waits: Waits) -> None:
        self._stage = stage
        self._callers = callers
        self._waits = waits

    def quiet(self) -> Chapter:
        """Nothing happens: what the other chapters are compared with."""
        chapter = self._begin("quiet", "Quiet: known callers, and nothing else")
        time.sleep(1.5)
        return self._end(chapter)

    def rotation(self) -> Chapter:
        """The issuer signs with a new key, which the app has not seen."""
        unseen = known_tokens(self._stage)
        chapter = self._begin("rotation", "Rotation: the issuer signs with a new key; the old one stays published", unseen)
        self._until(self._cool, "the pause after the last fetch of keys to end")
        self._stage.control("rotate")
        tokens = [self._stage.mint(), self._stage.mint()]
        self._until(self._cool, "the pause after the last fetch of keys to end")
        with self._waits.of_an_unknown_key() as own:
            first = self._ask(chapter, "First token of the new key", tokens[0], ACCEPTED)
        seen = f"{own[0]} wait, {first.seen.milliseconds:.0f} ms"
        chapter.require("One wait, less than 1 s", own[0] <= 1 and first.seen.milliseconds < ONE_WAIT, seen)
        self._ask(chapter, "Next token of the new key", tokens[1], ACCEPTED)
        time.sleep(0.5)
        return self._end(chapter)

    def outage(self) -> Chapter:
        """The issuer's process is killed; refreshes fail behind the requests."""
        unknown, unseen = self._stage.mint(header={"kid": "a-key-of-which-nobody-can-tell"}), known_tokens(self._stage)
        self._stage.kill_issuer()
        chapter = self._begin("outage", "Outage: the issuer's process is killed", unseen)
        self._until(lambda: all(source["failures"] for source in self._stage.key_status()), "a refresh of the keys to fail")
        failures = sum(source["failures"] for source in self._stage.key_status())
        chapter.require("Refreshes fail behind requests", failures > 0, f"{failures} failed")
        with self._waits.of_an_unknown_key():
            row = self._ask(chapter, "Token of an unknown key", unknown, UNAVAILABLE)
        retry_after = row.seen.retry_after or "absent"
        chapter.require(
            "It is told when to try again", retry_after.isdigit() and int(retry_after) >= 1, f"Retry-After: {retry_after}"
        )
        time.sleep(0.5)
        return self._end(chapter)

    def recovery(self) -> Chapter:
        """The issuer is back at its address; its old keys died with its process, so it signs with a new one."""
        chapter = self._begin("recovery", "Return: the issuer is back, with a key that nobody has seen")
        self._stage.restart_issuer()
        token = self._stage.mint()
        self._until(lambda: not any(source["failures"] for source in self._stage.key_status()), "the app to fetch the new keys")
        with self._waits.of_an_unknown_key():
            self._ask(chapter, "Token of the returned issuer", token, ACCEPTED)
        time.sleep(0.3)
        return self._end(chapter)

    def _begin(self, name: str, title: str, unseen: Sequence[str] = ()) -> Chapter:
        """`unseen` tokens of known keys join in, so that the app cannot answer from its memory of tokens alone."""
        before = self._waits.of_known_callers()
        return Chapter(name, title, self._callers.during(unseen), waits=-before)

    def _end(self, chapter: Chapter) -> Chapter:
        chapter.waits += self._waits.of_known_callers()
        return chapter

    def _ask(self, chapter: Chapter, name: str, token: str, expected: Expected) -> Row:
        row = Row(name, expected, ask(self._stage, f"/jobs/{name.replace(' ', '-').lower()}", bearer(token)))
        chapter.rows.append(row)
        return row

    def _cool(self) -> bool:
        """Whether an unknown key would now cause a fetch, and nothing else would: else the wait to be shown may not come."""
        v2 = next(source for source in self._stage.key_status() if "v2.0" in source["source"])
        idle: bool = v2["fetch"] == "idle" and v2["failures"] == 0
        return idle and COOL_FROM <= v2["age"] <= COOL_UNTIL

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                fix = "Next: run it again on a less busy machine; if it stays so, the app's keys are at fault (GET /status)."
                raise DemoError(f"Waited {PATIENCE:.0f} s in vain for {what}.\n{fix}")
            time.sleep(0.03)
