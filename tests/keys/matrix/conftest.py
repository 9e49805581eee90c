"""What the rows of the matrix share: an issuer behind a fault server, a source of keys, and requests by one driver or by two."""

from __future__ import annotations

import json
import os
import queue
import re
import ssl
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import anyio
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tokenward.keys import aio, threads
from tokenward.keys.aio import AsyncDriver
from tokenward.keys.decision import Answer, Unavailable, Use
from tokenward.keys.events import KeyEvent, KeysRefreshed, KeysRefreshFailed
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.location import Discovery, JwksUri, Remote
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.keys.threads import ThreadDriver
from tokenward.testing import FaultServer, HandClock, LocalIssuer, OidcIssuer, SigningKey, faults
from tokenward.testing.faults import Fault

HERE = Path(__file__).parent
ROWS = {row["id"]: row for row in tomllib.loads((HERE / "rows.toml").read_text("utf-8"))["row"]}
COLUMNS = ("threads", "asyncio", "trio", "mixed")
RUNS = {"mixed": ("mixed, a thread first", "mixed, a task first")}
_LONGEST = 2 + max(len(row["fault"]) for row in ROWS.values())
SOON = 20.0
"""Real seconds within which what must happen happens, on a machine with much else to do."""
SHORT = 0.4
"""Real seconds of a total deadline that is to be met."""
HOUR = 3600.0
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody, and so costs nothing to make."""

Asker: TypeAlias = Literal["threads", "asyncio", "trio"]


# -- rows ------------------------------------------------------------------------------------------------------------------


def row_of(function: str) -> dict[str, Any]:
    """The row that a test's name begins with."""
    found = re.match(r"test_(f\d\d)_", function)
    assert found is not None, f"{function} names no row"
    return cast("dict[str, Any]", ROWS[found[1].upper()])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of a row is run on each of the row's drivers."""
    if "driver" in metafunc.fixturenames:
        columns = row_of(metafunc.function.__name__).get("drivers", COLUMNS)
        runs = [run for column in columns for run in RUNS.get(column, (column,))]
        metafunc.parametrize("driver", runs, indirect=True, scope="function")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note which cells of the table a test is for, so that the report of it knows: one that names no driver is for all."""
    for item in items:
        if isinstance(item, pytest.Function) and item.path.parent == HERE and item.path.stem != "test_table":
            row = row_of(item.originalname)
            run = item.callspec.params.get("driver") if hasattr(item, "callspec") else None
            columns = row.get("drivers", COLUMNS) if run is None else [str(run).partition(",")[0]]
            item.user_properties.extend(("cell", (row["id"], column)) for column in columns)


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int) -> None:
    """The table: fault, driver, held or failed. TOKENWARD_MATRIX_JSON names a file for the same as a document."""
    cells: dict[tuple[str, str], set[str]] = {}
    tests = set()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, cell in getattr(report, "user_properties", ()):
                if name == "cell":
                    cells.setdefault((cell[0], cell[1]), set()).add(outcome)
                    tests.add(report.nodeid)
    if cells:
        _print_table(terminalreporter, cells, len(tests))
    if document := os.environ.get("TOKENWARD_MATRIX_JSON"):
        Path(document).write_text(_document(cells, len(tests), exitstatus) + "\n", "utf-8")


def _print_table(terminal: Any, cells: dict[tuple[str, str], set[str]], tests: int) -> None:
    """At a terminal as wide as it is; elsewhere nothing is cut off."""
    room = max(terminal._tw.fullwidth - 4 - 9 * len(COLUMNS), 20) if terminal.isatty else _LONGEST
    terminal.section("fault matrix")
    terminal.write_line("     " + "fault".ljust(room) + "".join(column.ljust(9) for column in COLUMNS).rstrip())
    for row in ROWS.values():
        words = [_word(cells.get((row["id"], column))) for column in COLUMNS]
        if set(words) != {""}:
            fault = row["fault"] if len(row["fault"]) < room else row["fault"][: room - 2] + "…"
            terminal.write_line(f"{row['id']}  {fault.ljust(room)}" + "".join(word.ljust(9) for word in words).rstrip())
    held = sum(_word(outcomes) == "held" for outcomes in cells.values())
    rows = len({row for row, _ in cells})
    counted = ", ".join((_counted(rows, "row"), _counted(len(cells), "cell"), _counted(tests, "test")))
    terminal.write_line(f"{counted}: {_counted(held, 'cell')} held, {len(cells) - held} did not")


def _document(cells: dict[tuple[str, str], set[str]], tests: int, status: int) -> str:
    rows = [
        {"id": row["id"], "fault": row["fault"]}
        | {column: _word(cells[row["id"], column]).lower() for column in COLUMNS if (row["id"], column) in cells}
        for row in ROWS.values()
    ]
    held = sum(_word(outcomes) == "held" for outcomes in cells.values())
    counts = {"tests": tests, "cells": len(cells), "held": held, "interrupted": status == pytest.ExitCode.INTERRUPTED}
    return json.dumps(counts | {"rows": [row for row in rows if len(row) > 2]}, indent=2)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _word(outcomes: set[str] | None) -> str:
    if not outcomes:
        return ""
    if outcomes & {"failed", "error"}:
        return "FAILED"
    return "held" if "passed" in outcomes else "skipped"


# -- requests --------------------------------------------------------------------------------------------------------------


@dataclass
class Threads:
    """Requests on threads."""

    pool: ThreadPoolExecutor
    kind: Asker = "threads"
    most_waiting: int = threads.MAX_WAITING
    most_waiting_beside_keys: int = threads.MAX_PATIENT

    def driver(self, source: KeySource, **options: Any) -> ThreadDriver:
        return ThreadDriver([source], HttpxFetch(**options))

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        return self.pool.submit(function, *arguments)


@dataclass
class Tasks:
    """Requests as tasks of an event loop, which runs in a thread of its own."""

    portal: BlockingPortal
    kind: Asker
    most_waiting: int = aio.MAX_WAITING
    most_waiting_beside_keys: int = aio.MAX_WAITING

    def driver(self, source: KeySource, **options: Any) -> AsyncDriver:
        return AsyncDriver([source], AsyncHttpxFetch(**options))

    def submit(self, function: Callable[..., Any], *arguments: object) -> Future[Any]:
        return self.portal.start_task_soon(function, *arguments)


@dataclass
class Rig:
    """One source of keys, the issuer that it asks, and who asks it: one kind of request, or two in turn.

    What happens is told in `events`; `find` is what the verifiers' walk does.
    """

    issuer: OidcIssuer
    server: FaultServer
    source: KeySource
    mono: HandClock
    wall: HandClock
    events: queue.Queue[KeyEvent]
    askers: Sequence[Threads | Tasks]
    drivers: Sequence[Any]
    turn: int = 0

    @property
    def next_asker(self) -> Threads | Tasks:
        """Who makes the next request."""
        return self.askers[self.turn % len(self.askers)]

    @property
    def kid(self) -> str:
        return self.issuer.signing_key.kid

    def submit(self, kid: str | None) -> Future[Answer]:
        """One request, which goes to the driver whose turn it is."""
        number, self.turn = self.turn % len(self.askers), self.turn + 1
        return self.askers[number].submit(self.drivers[number].find, self.source, kid)

    def find(self, kid: str | None) -> Answer:
        """The same, for its answer. A key in hand needs no driver."""
        keys = self.source.in_hand(kid, self.wall())
        return Use(keys) if keys is not None else self.submit(kid).result(SOON)

    def pass_time(self, seconds: float) -> None:
        self.mono.advance(seconds)
        self.wall.advance(seconds)

    def told(self) -> KeyEvent:
        """The next event."""
        return self.events.get(timeout=SOON)

    def refreshed(self) -> KeysRefreshed:
        event = self.told()
        assert isinstance(event, KeysRefreshed), event
        return event

    def failed(self) -> KeysRefreshFailed:
        event = self.told()
        assert isinstance(event, KeysRefreshFailed), event
        return event

    def warm(self) -> None:
        """The first set."""
        assert isinstance(self.find(self.kid), Use)
        self.refreshed()

    def hurry(self, seconds: float = SHORT, max_wait: float = 5.0) -> None:
        """From now on fetches have a total deadline, and requests a patience, that a test can wait for."""
        self.source.rhythm = replace(self.source.rhythm, fetch_timeout=seconds)
        self.source._state.rhythm = replace(self.source._state.rhythm, max_wait=max_wait)

    def hold(self) -> Fault:
        """The next answer is kept back until it is ended, and is then what the issuer publishes by then."""
        fault = faults.slow(HOUR)
        self.server.next(fault)
        return fault

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait for what happens in another thread."""
        end = time.monotonic() + SOON
        while not happened():
            assert time.monotonic() < end, "it did not happen"
            time.sleep(0.002)

    def settle(self) -> None:
        """Let every loop run through what is ready."""
        for asker in self.askers:
            if isinstance(asker, Tasks):
                for _ in range(20):
                    asker.portal.call(anyio.sleep, 0.005)

    def be_patient(self) -> None:
        self.source.rhythm = replace(self.source.rhythm, fetch_timeout=10.0)

    @property
    def fetches(self) -> int:
        return self.source.status().fetches

    @property
    def waits(self) -> int:
        return self.source.status().waits


OpenRig: TypeAlias = Callable[..., Rig]


@pytest.fixture
def driver(request: pytest.FixtureRequest) -> str:
    """Which driver makes the requests; `pytest_generate_tests` gives it."""
    return str(request.param)


@pytest.fixture
def askers(driver: str) -> Iterator[list[Threads | Tasks]]:
    kinds: dict[str, list[Asker]] = {
        "mixed, a thread first": ["threads", "asyncio"],
        "mixed, a task first": ["asyncio", "threads"],
    }
    with ExitStack() as stack:
        yield [_asker(stack, kind) for kind in kinds.get(driver, [cast("Asker", driver)])]


def _asker(stack: ExitStack, kind: Asker) -> Threads | Tasks:
    if kind == "threads":
        return Threads(stack.enter_context(ThreadPoolExecutor(40)))
    return Tasks(stack.enter_context(start_blocking_portal(kind)), kind)


@pytest.fixture
def ed25519() -> Callable[[], SigningKey]:
    """A maker of small keys, which cost nothing to make."""
    return lambda: SigningKey.generate("EdDSA")


@pytest.fixture
def open_rig(askers: list[Threads | Tasks], ed25519: Callable[[], SigningKey]) -> Iterator[OpenRig]:
    """Makes rigs: `open_rig(rhythm, tls=True, discovery=True, observer=...)`. What hangs in them is let go at the end."""
    with ExitStack() as stack:

        def make(
            rhythm: Rhythm | None = None,
            *,
            tls: bool = False,
            discovery: bool = False,
            location: Remote | None = None,
            observer: Callable[[KeyEvent], None] | None = None,
            share: Rig | None = None,
            trusting: ssl.SSLContext | None = None,
            trust_env: bool = False,
        ) -> Rig:
            issuer = share.issuer if share else LocalIssuer.oidc(new_key=ed25519)
            server = share.server if share else stack.enter_context(FaultServer(issuer, tls=tls))
            found = Discovery(issuer.discovery_url, frozenset([issuer.issuer])) if discovery else JwksUri(issuer.jwks_uri)
            mono, wall, events = HandClock(1000.0), HandClock(1.7e9), queue.Queue[KeyEvent]()
            source = KeySource(
                location or found,
                rhythm=rhythm or Rhythm(jitter=0.0),
                clock=wall,
                monotonic=mono,
                observer=observer or events.put,
            )
            trusted = trusting or (server.authority.trusting() if tls else NO_TLS)
            drivers = [asker.driver(source, tls=trusted, trust_env=trust_env) for asker in askers]
            for made in drivers:
                if isinstance(made, ThreadDriver):
                    stack.callback(made.close)
            return Rig(issuer, server, source, mono, wall, events, askers, drivers)

        yield make


@pytest.fixture
def proxy_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have the environment name a proxy on this port."""

    def name(port: int) -> None:
        for variable in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(variable, f"http://127.0.0.1:{port}")

    for variable in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return name


@pytest.fixture
def far_away(
    open_rig: OpenRig, ed25519: Callable[[], SigningKey], proxy_at: Callable[[int], None]
) -> Iterator[Callable[..., Rig]]:
    """A rig whose issuer is on another machine, at https://idp.example, behind a proxy that leads to it."""
    issuer = LocalIssuer.oidc(new_key=ed25519)
    with FaultServer(issuer, names=("idp.example",)) as server:
        proxy_at(int(server.url.rpartition(":")[2]))

        def make(url: str, *, discovery: bool = False) -> Rig:
            location = Discovery(url, frozenset([issuer.issuer])) if discovery else JwksUri(url)
            rig = open_rig(location=location, trusting=server.authority.trusting(), trust_env=True)
            rig.issuer, rig.server = issuer, server
            return rig

        yield make


# -- what many rows say ----------------------------------------------------------------------------------------------------

Outage: TypeAlias = Callable[..., KeysRefreshFailed]


@pytest.fixture
def keeps(open_rig: OpenRig) -> Outage:
    """One outage from its beginning to its end: `keeps(fault, kind)` gives the failure that was told.

    There are keys, and they are due for a refresh. The refresh meets the fault and fails as `kind`; known callers are served
    meanwhile and after, with the same keys, and none of them waits; strangers get no definite answer. Then the issuer
    recovers, and so do the keys.
    """

    def run(fault: Fault, kind: str, *, slow: bool = False, rig: Rig | None = None, **options: Any) -> KeysRefreshFailed:
        rig = rig or open_rig(**options)
        rig.warm()
        before, waits = rig.find(rig.kid), rig.waits
        rig.pass_time(2 * HOUR)
        if slow:
            rig.hurry()
        rig.server.always(fault)
        assert _serves_as(rig, before)
        failed = rig.failed()
        assert (failed.kind, failed.usable, failed.failures) == (kind, True, 1)
        assert failed.retry_in > 0
        assert _serves_as(rig, before)
        status = rig.source.status()
        assert (status.waits, status.keys, status.last_failure) == (waits, "stale", kind)
        assert status.age == 2 * HOUR
        assert isinstance(rig.find("nobody"), Unavailable)
        rig.be_patient()
        rig.server.recover()
        rig.pass_time(61)
        assert _serves_as(rig, before)
        rig.refreshed()
        assert rig.source.status().keys == "fresh"
        return failed

    return run


def _serves_as(rig: Rig, before: Answer) -> bool:
    """Whether the known kid is served with the very same keys."""
    now = rig.find(rig.kid)
    return isinstance(now, Use) and isinstance(before, Use) and now.keys == before.keys


@pytest.fixture
def serves(open_rig: OpenRig) -> Callable[..., tuple[Rig, KeysRefreshed]]:
    """The other case: with this fault the set is still taken. Gives the rig, and what was told."""

    def run(fault: Fault, **options: Any) -> tuple[Rig, KeysRefreshed]:
        rig = open_rig(**options)
        rig.server.always(fault)
        assert isinstance(rig.find(rig.kid), Use)
        return rig, rig.refreshed()

    return run
