"""The gateway in front of the stand-in workspace: real requests through it, each verdict against what was expected."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import httpx

from demo.chapters import Check
from demo.passage import WORKSPACE_DOWN, Headers, Passage, passages
from demo.processes import Child, Event
from demo.stage import START
from demo.workspace import StandIn
from tokenward.testing.loopback import free_port

LOG_DELAY = 5.0
"""Seconds that a line in the gateway's log may take to reach us; it is written before the answer is sent."""
PAUSE = 0.02
"""Seconds between two events of a stream, so that it can be seen whether each comes by itself."""
EVENTS = ("token_rejected", "request_refused")


@dataclass(frozen=True)
class Passed:
    """One request through the gateway, with what was expected of it and what was seen."""

    expected: Passage
    status: int
    mark: str | None
    code: str | None
    says: str
    hint: str
    milliseconds: float

    def differences(self) -> list[str]:
        """What is not as expected, in words."""
        pairs = [(part, getattr(self.expected, part), getattr(self, part)) for part in ("status", "mark", "code")]
        found = [f"{part}: expected {expected}, seen {seen}" for part, expected, seen in pairs if expected != seen]
        return found if self.code is None or self.hint else [*found, "hint: nothing is explained"]

    @property
    def explanation(self) -> str:
        """What came of it; of a refusal, what the operator reads."""
        return f"{self.says} {self.hint}".strip()


@dataclass
class Passages:
    """Everything that was seen of the gateway."""

    rows: list[Passed] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def unexpected(self) -> list[str]:
        rows = [f"{row.expected.name}: {difference}" for row in self.rows for difference in row.differences()]
        return rows + [f"gateway: {check.name}: {check.seen}" for check in self.checks if not check.holds]


class GatewayProcess:
    """The gateway under uvicorn, in a `with` block."""

    def __init__(self, standin: StandIn) -> None:
        port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=START)
        environment = {
            "DEMO_WORKSPACE": standin.url,
            "DEMO_ACCOUNT_ID": standin.account_id,
            "DEMO_POLICIES": json.dumps(standin.control("policies")),
        }
        options = ["--port", str(port), "--lifespan", "on", "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
        self.process = Child("the gateway", ["uvicorn", "demo.gateway_app:app", *options], environment=environment)

    def __enter__(self) -> Self:
        until = time.monotonic() + START
        while time.monotonic() < until and self.process.running:
            try:
                if self.http.get("/-/ready").status_code == httpx.codes.OK:
                    return self
            except httpx.HTTPError:
                pass
            time.sleep(0.02)
        error = self.process.failure("did not start")
        self.__exit__(None, None, None)
        raise error

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self.http.close()
        self.process.stop()

    def passed(self, passage: Passage, standin: StandIn) -> Passed:
        """Send the request, and find the event that it left in the log."""
        headers: Headers = {} if passage.make is None else {"Authorization": f"Bearer {passage.make(standin)}"}
        return self.sent(passage, headers)

    def sent(self, passage: Passage, headers: Headers) -> Passed:
        """As `passed`, with a token that was made before."""
        known, began = len(self._refusals()), time.perf_counter()
        try:
            status, mark, says = passage.call(self.http, headers)
        except httpx.HTTPError as exc:
            raise self.process.failure(f"did not answer {passage.name!r} ({type(exc).__name__})") from exc
        milliseconds = (time.perf_counter() - began) * 1000
        event = self._refusal_after(known, waiting=mark is not None)
        reason = str(event.get("reason", ""))
        return Passed(
            passage, status, mark, event.get("code"), f"{reason}." if reason else says, event.get("hint", ""), milliseconds
        )

    def _refusals(self) -> list[Event]:
        return [event for event in list(self.process.events) if event.get("event") in EVENTS]

    def _refusal_after(self, known: int, *, waiting: bool) -> Event:
        if waiting:
            self.process.wait_for(lambda _: len(self._refusals()) > known, LOG_DELAY)
        later = self._refusals()[known:]
        return later[-1] if later else {}


def gateway() -> Passages:
    """Start the stand-in and the gateway, send everything through, and stop them. Raises DemoError if it cannot be done."""
    began, told = time.monotonic(), Passages()
    with StandIn() as standin, GatewayProcess(standin) as process:
        standin.control("serving", pause=PAUSE)
        told.rows = [process.passed(passage, standin) for passage in passages()]
        told.checks = [_one_exchange(standin), *_counted(standin)]
        down = WORKSPACE_DOWN.make(standin) if WORKSPACE_DOWN.make else ""
        standin.kill()
        told.rows.append(process.sent(WORKSPACE_DOWN, {"Authorization": f"Bearer {down}"}))
    told.seconds = time.monotonic() - began
    return told


def _one_exchange(standin: StandIn) -> Check:
    """One for each JWT that the policy held good: four requests of one caller, and one of a stranger to the workspace."""
    asked = standin.exchanges()
    return Check(
        "Exchanges", asked == len({"ada", "nobody"}), f"{asked} for two callers, one of whom the workspace does not know"
    )


def _counted(standin: StandIn) -> list[Check]:
    """What must not have reached the workspace has not."""
    counts: dict[str, int] = standin.control("state")["counts"]
    strayed = sorted(name for name in counts if "clusters" in name or "%" in name)
    return [Check("Nothing else got through", not strayed, ", ".join(strayed) or "no refused request reached the workspace")]
