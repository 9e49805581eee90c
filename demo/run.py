"""The run: the table of requests, the chapters, the exchanges of tokens, the gateway, and what it all comes to."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field

from demo.cases import cases
from demo.chapters import Chapter, Story, known_tokens
from demo.credentials import Credentials, credentials
from demo.exchange import Row, sent
from demo.gateway import Passages, gateway
from demo.load import KnownCallers
from demo.stage import Stage
from demo.waits import Waits


@dataclass
class Outcome:
    """Everything that was seen."""

    rows: list[Row] = field(default_factory=list)
    chapters: list[Chapter] = field(default_factory=list)
    credentials: Credentials = field(default_factory=Credentials)
    gateway: Passages = field(default_factory=Passages)
    known_waits: int = 0
    seconds: float = 0.0

    @property
    def all_rows(self) -> list[Row]:
        return [*self.rows, *(row for chapter in self.chapters for row in chapter.rows)]

    @property
    def requests(self) -> int:
        return len(self.all_rows) + sum(chapter.callers.requests for chapter in self.chapters)

    @property
    def refused(self) -> int:
        refused = sum(row.seen.status >= 400 for row in self.all_rows)
        return refused + sum(chapter.callers.errors for chapter in self.chapters)

    @property
    def unexpected(self) -> list[str]:
        """Every verdict that is not the expected one, in words."""
        rows = [f"{row.name}: {difference}" for row in self.all_rows for difference in row.differences()]
        checks = [
            f"{chapter.name}: {check.name}: {check.seen}"
            for chapter in self.chapters
            for check in chapter.all_checks()
            if not check.holds
        ]
        waits = [f"Known callers waited for keys {self.known_waits} times"] if self.known_waits else []
        return rows + checks + waits + self.credentials.unexpected + self.gateway.unexpected


def run(app: str, *, chapters: bool = True) -> Outcome:
    """Start everything, ask everything, stop everything. Raises DemoError if it cannot be done."""
    began = time.monotonic()
    progress("Starting the local issuer and the guarded app ...")
    with Stage(app) as stage:
        waits = Waits(stage)
        outcome = Outcome(rows=_table(stage, waits))
        if chapters:
            outcome.chapters = _chapters(stage, waits)
        outcome.known_waits = waits.of_known_callers()
    progress("Exchanging federated tokens at a stand-in workspace ...")
    outcome.credentials = credentials()
    progress("Calling the workspace through the gateway ...")
    outcome.gateway = gateway()
    outcome.seconds = time.monotonic() - began
    return outcome


def progress(text: str) -> None:
    """Say what is going on, where it disturbs no machine."""
    print(text, file=sys.stderr, flush=True)


def _table(stage: Stage, waits: Waits) -> list[Row]:
    table = cases()
    progress(f"Sending {len(table)} requests ...")
    rows = []
    for case in table:
        if case.expected.code == "unknown_key":
            with waits.of_an_unknown_key():
                rows.append(sent(stage, case))
        else:
            rows.append(sent(stage, case))
    return rows


def _chapters(stage: Stage, waits: Waits) -> list[Chapter]:
    with KnownCallers(f"{stage.app_url}/jobs/known", known_tokens(stage)) as callers:
        story = Story(stage, callers, waits)
        told = []
        for chapter, what in (
            (story.quiet, "Known callers call ..."),
            (story.rotation, "The issuer rotates its keys ..."),
            (story.outage, "The issuer is killed ..."),
            (story.recovery, "The issuer returns ..."),
        ):
            progress(what)
            told.append(chapter())
    return told
