"""What is left out of the soak's latencies: when the machine was away, and never because the service was slow."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.soak.caller import Caller
from benchmarks.soak.latency import Latencies, Latency
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.moments import MOMENT, left_out, moment_at, moments_between
from benchmarks.soak.plan import AUDIENCE, ISSUER, KEYS, Span, spans
from benchmarks.soak.record import Record
from benchmarks.soak.sink import Sink
from benchmarks.soak.tokens import Tokens
from benchmarks.soak.wire import absence
from benchmarks.soak.witness import is_away, stolen
from tokenward import Issuer, Policy, Verifier
from tokenward.testing import SigningKey

BEGIN = 1000.0
SECONDS = 42.0
STOP = 0.5
PATIENCE = 60.0
"""Seconds, on a machine that has much else to do."""


@pytest.mark.parametrize(
    ("away", "out"),
    [
        pytest.param(set(), set(), id="never away"),
        pytest.param({10}, {9, 10, 11}, id="away once: with the moments before and after"),
        pytest.param({10, 11, 12}, {9, 10, 11, 12, 13, 14, 15}, id="away for long: as long again to catch up"),
        pytest.param({10, 20}, {9, 10, 11, 19, 20, 21}, id="away twice"),
    ],
)
def test_a_moment_is_left_out_if_the_machine_was_away_in_it_or_beside_it(away: set[int], out: set[int]) -> None:
    assert left_out(away) == out


class _World:
    """A machine and a service in a time of their own: callers sleep, and what they send is answered at once; but for one second,
    in which the machine is away, or the service takes nothing.
    """

    def __init__(self, *, machine: float = float("inf"), service: float = float("inf")) -> None:
        self.now = BEGIN
        self.machine = machine
        self.service = service
        self.record = Record("async", SECONDS, begin=BEGIN, ended=SECONDS)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, /) -> None:
        self.now += seconds
        if self.machine <= self.now < self.machine + 1:
            self.now = self.machine + 1

    def send(self, line: bytes) -> bool:
        """To a pipe that holds nothing, so that a caller waits as soon as the service takes nothing."""
        due, phase, kind, *_ = line.decode().split()
        stalls = self.service <= self.now < self.service + 1
        if stalls:
            self.now = self.service + 1
        self.now += 0.0001
        if kind == "k":
            microseconds = int((self.now - int(due) / 1e9) * 1e6)
            self.record.latencies.setdefault(int(phase), []).append((moment_at(int(due) / 1e9), [microseconds]))
        return stalls

    def away(self, begin: float, end: float) -> None:
        self.record.away.update(moments_between(begin, end))


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    return Tokens([SigningKey.generate("ES256") for _ in range(KEYS)], random.Random(6))


def _called(world: _World, tokens: Tokens) -> Latency:
    span: Span = spans(SECONDS)[0]
    Caller(world.send, BEGIN, tokens, world.away, world).call(span)
    return Latencies(world.record).of(span.number)


def test_a_service_that_stalls_is_charged_for_it_though_it_holds_its_callers_up(tokens: Tokens) -> None:
    world = _World(service=BEGIN + 1)
    latency = _called(world, tokens)
    assert world.record.away == set()
    assert latency.left_out == 0
    assert latency.p99 == latency.p99_all > 900


def test_a_machine_that_is_away_is_not_charged_to_the_service(tokens: Tokens) -> None:
    world = _World(machine=BEGIN + 1)
    latency = _called(world, tokens)
    assert (
        set(moments_between(BEGIN + 1.1, BEGIN + 1.9)) <= world.record.away <= set(moments_between(BEGIN + 0.9, BEGIN + 1.2 + 1))
    )
    assert latency.p99 < 3
    assert latency.p99_all > 900


def test_a_service_that_stalls_before_the_machine_is_away_is_charged_for_its_own_part(tokens: Tokens) -> None:
    latency = _called(_World(service=BEGIN + 0.5, machine=BEGIN + 2), tokens)
    assert 0.3 < latency.left_out < 0.9
    assert latency.p99 > 900


def _fill(descriptor: int) -> None:
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(descriptor, b"x" * size)


def test_a_sink_says_when_the_service_had_to_be_waited_for() -> None:
    readable, writable = os.pipe()
    try:
        sink = Sink(writable)
        assert not sink.send(b"first\n")
        _fill(writable)
        emptied = threading.Timer(0.1, os.read, (readable, 1 << 21))
        emptied.start()
        assert sink.send(b"last\n")
        emptied.join()
        assert os.read(readable, 1 << 21).endswith(b"last\n")
    finally:
        os.close(readable)
        os.close(writable)


def test_a_request_belongs_to_the_moment_at_which_it_was_due_however_late_it_is_served(tokens: Tokens) -> None:
    issuer = Issuer(ISSUER, audiences=[AUDIENCE], algorithms=["ES256"], jwks_uri="http://127.0.0.1:9/jwks")
    ledger = Ledger(Verifier(Policy([issuer])))
    ledger.closed(ledger.opened(tokens.first_sight(0).line(5_050_000_000, 2)), "accepted")
    ((phase, moment, latencies),) = ledger.told()["latencies"]
    assert (phase, moment, len(latencies)) == (2, moment_at(5.05), 1)


@pytest.mark.parametrize(
    ("late", "waited", "away"),
    [
        pytest.param(0.0001, 0.0, False, id="in time"),
        pytest.param(0.05, 0.0, True, id="nobody else had its turn"),
        pytest.param(0.05, 0.0495, False, id="the service kept the processor busy"),
        pytest.param(0.05, 0.01, True, id="for a part of the time another had its turn"),
    ],
)
def test_a_busy_processor_is_no_absence(late: float, waited: float, away: bool) -> None:
    assert is_away(late, waited) == away


def test_stolen_time_is_the_eighth_number_of_the_kernel_s_line_for_all_processors() -> None:
    assert stolen("cpu  61 18 77 52 23 0 49 379 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n") == 379
    assert stolen("cpu  61 18 77 52\n") == 0


def test_the_witness_names_every_moment_that_it_missed() -> None:
    record = Record("async", SECONDS)
    record.witness_told(json.loads(absence(10.5 * MOMENT, 12.5 * MOMENT)))
    assert record.away == {10, 11, 12}


@pytest.mark.servers
@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="the kernel does not say who had a turn")
def test_a_witness_that_was_stopped_says_that_the_machine_was_away(root: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak.witness"]
    witness = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    said: list[str] = []
    listening = threading.Thread(target=_listen, args=(witness, said))
    listening.start()
    try:
        assert _stopped_until_noticed(witness, said, time.monotonic() + PATIENCE)
    finally:
        witness.kill()
        listening.join()
        witness.communicate()


def _listen(witness: subprocess.Popen[str], said: list[str]) -> None:
    for line in witness.stdout or ():
        said.append(line)  # noqa: PERF402  # one by one, as they come


def _stopped_until_noticed(witness: subprocess.Popen[str], said: list[str], deadline: float) -> bool:
    """The first stops may come before it watches."""
    while time.monotonic() < deadline:
        witness.send_signal(signal.SIGSTOP)
        time.sleep(STOP)
        witness.send_signal(signal.SIGCONT)
        time.sleep(MOMENT)
        stretches = [json.loads(line)["away"] for line in said]
        if any(last - first >= STOP / MOMENT - 1 for first, last in stretches):
            return True
    return False
