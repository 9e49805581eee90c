"""The state machine under random traces: nobody gets what is another's, nothing outlives its time, nobody asks twice.

A trace is a process over minutes: callers of several identities, landings that are good, short, refused, late or never come,
clocks that jump, suspended machines, forks. A second, simpler account is kept beside the machine, and every decision is
compared with it. Each rule has mutants that break it, and the checker must see every one of them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from tokenward.databricks import Exchange, Subject
from tokenward.databricks.flights import (
    MAX_REFUSED,
    Decision,
    Failed,
    Flight,
    Flights,
    Full,
    Have,
    Join,
    Landed,
    Lead,
    Outcome,
    Refused,
)

LEASE, SIZE, MOST = 10.0, 3, 4
Value: TypeAlias = tuple[object, int]
"""Whose it is, and a number."""


class Violation(AssertionError):
    """A rule did not hold."""


def require(held: bool, rule: str) -> None:
    if not held:
        raise Violation(rule)


# -- whose key ---------------------------------------------------------------------------------------------------------

CLIENTS = (None, "7cb2f8a4-49a7-4147-83db-35cb69e5cede", "0b5f3a4c-8d3e-4a36-9d53-3f3d0f8c1f2a")
HOSTS, SCOPES = ("a.example", "b.example"), ("sql", "sqle")
GRANTS = [
    *(Exchange(host, client_id=client, scope=scope) for host, client, scope in product(HOSTS, CLIENTS, SCOPES)),
    *(Exchange("a.example", account_id=account) for account in CLIENTS if account),
]
SUBJECTS = [Subject(token, 0.0, "RS256", {}) for token in ("e.y.J", "ee.y.J", "e.y.Je")]
IDENTITIES = list(product(GRANTS, SUBJECTS))
KeyOf: TypeAlias = Callable[[Exchange, Subject], bytes]


def exchange_key(grant: Exchange, subject: Subject) -> bytes:
    return grant.key(subject)


def _hashed(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


KEY_MUTANTS: dict[str, KeyOf] = {
    "no caller": lambda grant, subject: _hashed(grant.url, grant.client_id, grant.scope),
    "no client": lambda grant, subject: _hashed(grant.url, grant.scope, subject.token),
    "no scope": lambda grant, subject: _hashed(grant.url, grant.client_id, subject.token),
    "no host": lambda grant, subject: _hashed(grant.account_id, grant.client_id, grant.scope, subject.token),
    "no account": lambda grant, subject: _hashed(grant.host, grant.client_id, grant.scope, subject.token),
    "no lengths": lambda grant, subject: hashlib.sha256(
        f"{grant.url}{grant.client_id}{grant.scope}{subject.token}".encode()
    ).digest(),
    "a part of the hash": lambda grant, subject: grant.key(subject)[:1],
}


def share_one_machine(key_of: KeyOf, callers: Sequence[int]) -> None:
    """All identities in one machine, more than any source has: each gets what was landed for it, or leads."""
    flights: Flights[Value] = Flights(LEASE, 10_000)
    for moment, number in enumerate(callers):
        grant, subject = IDENTITIES[number]
        decision = flights.decide(key_of(grant, subject), moment, moment)
        if isinstance(decision, Lead):
            flights.land(decision.flight, Landed((number, moment), 1e9), moment, moment)
        else:
            require(isinstance(decision, Have) and decision.value[0] == number, "one caller gets another's token")


CALLERS = st.lists(st.integers(0, len(IDENTITIES) - 1), min_size=2, max_size=60)


@settings(max_examples=300, deadline=None)
@given(CALLERS)
def test_no_two_callers_clients_scopes_hosts_or_accounts_ever_share_a_token(callers: list[int]) -> None:
    share_one_machine(exchange_key, callers)


@pytest.mark.parametrize("mutant", KEY_MUTANTS)
def test_the_checker_sees_a_key_that_leaves_something_out(mutant: str) -> None:
    assert found(CALLERS, lambda callers: share_one_machine(KEY_MUTANTS[mutant], callers))


def found(traces: st.SearchStrategy[Any], run: Callable[[Any], None]) -> bool:
    """Whether some trace breaks a rule; raises if none is found."""

    def breaks(trace: Any) -> bool:
        try:
            run(trace)
        except Violation:
            return True
        return False

    quick = settings(max_examples=3000, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    return bool(find(traces, breaks, settings=quick, random=random.Random(0)))


# -- the machine -------------------------------------------------------------------------------------------------------


@dataclass
class Known:
    """What the account knows of one identity."""

    value: Value | None = None
    mono: float = 0.0
    wall: float = 0.0
    life: float = 0.0
    error: Exception | None = None
    refused_at: float = 0.0
    refused_for: float = 0.0
    flight: Flight[Value] | None = None
    was_over: bool = False
    """Then the machine may have dropped the value, even if a clock that is turned back says that it would serve again."""

    def serves(self, mono: float, wall: float) -> bool:
        """By both clocks, `life` counted from the start of the flight."""
        return self.value is not None and mono < self.mono + self.life and wall < self.wall + self.life

    def refuses(self, mono: float) -> bool:
        return self.error is not None and mono < self.refused_at + min(self.refused_for, MAX_REFUSED)

    def flies(self, mono: float) -> bool:
        return self.flight is not None and mono < self.flight.mono + LEASE


@dataclass
class Trace:
    """One run of a machine. `size` values are kept; where that is fewer than there are identities, some may be gone early."""

    flights: Flights[Value]
    size: int
    mono: float = 1000.0
    wall: float = 1.7e9
    number: int = 0
    known: dict[int, Known] = field(default_factory=lambda: {name: Known() for name in range(MOST + 1)})
    under_way: list[tuple[int, Flight[Value]]] = field(default_factory=list)
    forgotten: bool = False

    def run(self, events: Sequence[tuple[str, int, float]]) -> None:
        for event, who, amount in events:
            getattr(self, event)(who, amount)
            self.check_bounds()
            for known in self.known.values():
                known.was_over |= not known.serves(self.mono, self.wall)

    # -- the world -------------------------------------------------------------------------------------------------

    def pass_time(self, _who: int, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds

    def jump(self, who: int, seconds: float) -> None:
        self.wall += seconds * (-50 if who % 2 else 50)

    def suspend(self, _who: int, seconds: float) -> None:
        self.wall += seconds

    def fork(self, _who: int, _seconds: float) -> None:
        self.flights.forked()
        for known in self.known.values():
            known.flight = None

    def forget(self, who: int, _seconds: float) -> None:
        if who == 0:  # seldom: nothing is kept afterwards
            self.flights.forget()
            self.forgotten = True
            for known in self.known.values():
                known.value, known.error = None, None

    # -- the machine -----------------------------------------------------------------------------------------------

    def ask(self, who: int, _seconds: float) -> None:
        decision = self.flights.decide(b"%d" % who, self.mono, self.wall)
        known = self.known[who]
        self.check(who, known, decision)
        if isinstance(decision, Lead):
            known.flight = decision.flight
            self.under_way.append((who, decision.flight))

    def succeed(self, which: int, seconds: float) -> None:
        self.land(which, lambda who, flight: Landed((who, self.number), flight.wall + 2 * seconds), 2 * seconds)

    def fail(self, which: int, seconds: float) -> None:
        self.land(which, lambda who, flight: Failed(LookupError(who), 4 * seconds), 4 * seconds)

    def land(self, which: int, outcome_of: Callable[[int, Flight[Value]], Outcome[Value]], seconds: float) -> None:
        if not self.under_way:
            return
        who, flight = self.under_way.pop(which % len(self.under_way))
        self.number += 1
        known, outcome = self.known[who], outcome_of(who, flight)
        counts = known.flight is flight and self.mono < flight.mono + LEASE
        kept, refusals = dict(self.flights.kept), dict(self.flights.refusals)
        took = self.flights.land(flight, outcome, self.mono, self.wall)
        require(took == counts, "an answer counts exactly while its flight is alive")
        require((flight.outcome is outcome) == counts, "those who joined get exactly what landed in time")
        if not counts:
            require((self.flights.kept, self.flights.refusals) == (kept, refusals), "a late answer changed something")
            known.flight = None if known.flight is flight else known.flight
            return
        known.flight = None
        if isinstance(outcome, Failed):
            known.error, known.refused_at, known.refused_for = outcome.error, self.mono, seconds
        else:
            known.value, known.mono, known.wall, known.life = outcome.value, flight.mono, flight.wall, seconds
            known.was_over = False
        if self.forgotten:
            known.value = known.error = None

    # -- the rules -------------------------------------------------------------------------------------------------

    def check(self, who: int, known: Known, decision: Decision[Value]) -> None:
        mono, wall = self.mono, self.wall
        if isinstance(decision, Have):
            require(decision.value[0] == who, "one caller gets another's value")
            require(decision.value == known.value and known.serves(mono, wall), "a value that is over or replaced")
            return
        may_be_gone = self.size < len(self.known) or known.was_over
        require(may_be_gone or not known.serves(mono, wall), "a value in hand, and the caller does not get it")
        if isinstance(decision, Refused):
            require(decision.error is known.error and known.refuses(mono), "a refusal that is over or another's")
            left = known.refused_at + min(known.refused_for, MAX_REFUSED) - mono
            require(abs(decision.seconds - left) < 1e-6, "a wrong time to come back")
            return
        require(self.size < len(self.known) or not known.refuses(mono), "a refusal is known, and the server is asked again")
        if isinstance(decision, Join):
            require(decision.flight is known.flight and known.flies(mono), "a flight that is over or another's")
            require(decision.flight.deadline == decision.flight.mono + LEASE, "a wrong deadline")
            return
        require(not known.flies(mono), "two flights for one caller")
        if isinstance(decision, Full):
            alive = sum(other.flies(mono) for other in self.known.values())
            require(alive >= MOST, "full, and it is not")

    def check_bounds(self) -> None:
        flights = self.flights
        require(len(flights.kept) <= (0 if self.forgotten else self.size), "more values than wished")
        require(len(flights.refusals) <= (0 if self.forgotten else self.size), "more refusals than wished")
        require(len(flights.flying) <= MOST, "more flights than allowed")


EVENTS = st.tuples(
    st.sampled_from(
        ["ask"] * 8 + ["succeed"] * 4 + ["fail"] * 2 + ["pass_time"] * 4 + ["jump"] * 2 + ["suspend", "fork", "forget"],
    ),
    st.integers(0, MOST),
    st.sampled_from([0.0, 0.5, 1.0, 5.0, 9.5, 10.0, 11.0, 40.0]),
)
TRACES = st.lists(EVENTS, min_size=1, max_size=80)
LONG_TRACES = st.lists(EVENTS, min_size=40, max_size=120)
FEW = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "succeed", "pass_time", "jump"]), st.just(1), st.sampled_from([0.0, 5.0, 9.5, 40.0])
    ),
    min_size=20,
    max_size=60,
)
"""One caller, and nothing but clocks: for what hides in the order of a few events."""
ROOMY = MOST + 1


def run(machine: type[Flights[Value]], size: int, events: Sequence[tuple[str, int, float]]) -> None:
    Trace(machine(LEASE, size, MOST), size).run(events)


@settings(max_examples=500, deadline=None)
@given(TRACES, st.sampled_from([0, 1, SIZE, ROOMY]))
def test_every_decision_is_the_right_one(events: list[tuple[str, int, float]], size: int) -> None:
    run(Flights, size, events)


@settings(max_examples=150, deadline=None)
@given(LONG_TRACES)
def test_every_decision_is_the_right_one_in_long_traces(events: list[tuple[str, int, float]]) -> None:
    run(Flights, ROOMY, events)


class NoWallTime(Flights[Value]):
    def held(self, key: bytes, mono: float, wall: float) -> Have[Value] | None:
        return super().held(key, mono, float("-inf"))


class NoMonotonicTime(Flights[Value]):
    def held(self, key: bytes, mono: float, wall: float) -> Have[Value] | None:
        return super().held(key, float("-inf"), wall)


class LifeFromTheLanding(Flights[Value]):
    def _keep(self, flight: Flight[Value], landed: Landed[Value], mono: float, wall: float) -> None:
        shifted: Flight[Value] = Flight(flight.number, flight.key, mono, flight.wall, flight.deadline)
        super()._keep(shifted, landed, mono, wall)


class NobodyJoins(Flights[Value]):
    def decide(self, key: bytes, mono: float, wall: float) -> Decision[Value]:
        decision = super().decide(key, mono, wall)
        return self._lead(key, mono, wall) if isinstance(decision, Join) else decision


class FlightsWithoutADeadline(Flights[Value]):
    def decide(self, key: bytes, mono: float, wall: float) -> Decision[Value]:
        flight = self.flying.get(key)
        return Join(flight) if flight is not None and self.held(key, mono, wall) is None else super().decide(key, mono, wall)


class LateAnswersCount(Flights[Value]):
    def land(self, flight: Flight[Value], outcome: Outcome[Value], mono: float, wall: float) -> bool:
        return super().land(flight, outcome, min(mono, flight.deadline - 1), wall)


class AnyAnswerLandsTheFlight(Flights[Value]):
    def land(self, flight: Flight[Value], outcome: Outcome[Value], mono: float, wall: float) -> bool:
        self.flying[flight.key] = flight
        return super().land(flight, outcome, mono, wall)


class RefusalsForEver(Flights[Value]):
    def _refuse(self, flight: Flight[Value], failed: Failed, mono: float) -> None:
        super()._refuse(flight, failed, mono)
        self.refusals = {key: (error, float("inf")) for key, (error, _) in self.refusals.items()}


class RefusalsOfAnyLength(Flights[Value]):
    def _refuse(self, flight: Flight[Value], failed: Failed, mono: float) -> None:
        super()._refuse(flight, failed, mono)
        if flight.key in self.refusals:
            self.refusals[flight.key] = (failed.error, mono + failed.seconds)


class NoRefusals(Flights[Value]):
    def _refuse(self, flight: Flight[Value], failed: Failed, mono: float) -> None:
        pass


class OneRefusalForAll(Flights[Value]):
    def _refusal(self, key: bytes, mono: float) -> Refused | None:
        return super()._refusal(next(iter(self.refusals), key), mono)


class FlightsSurviveAFork(Flights[Value]):
    def forked(self) -> None:
        pass


class ValuesDieInAFork(Flights[Value]):
    def forked(self) -> None:
        super().forked()
        self.kept = {}


class NothingIsForgotten(Flights[Value]):
    def forget(self) -> None:
        pass


class StillKeepsAfterForgetting(Flights[Value]):
    def forget(self) -> None:
        self.kept, self.refusals = {}, {}


class AnyNumberOfValues(Flights[Value]):
    def _make_room(self, mono: float, wall: float) -> None:
        pass


class AnyNumberOfFlights(Flights[Value]):
    def _lead(self, key: bytes, mono: float, wall: float) -> Lead[Value] | Full:
        self.most = 10**9
        return super()._lead(key, mono, wall)


class TooFewFlights(Flights[Value]):
    def _lead(self, key: bytes, mono: float, wall: float) -> Lead[Value] | Full:
        return Full() if len(self.flying) >= self.most else super()._lead(key, mono, wall)


class NothingIsKept(Flights[Value]):
    def _keep(self, flight: Flight[Value], landed: Landed[Value], mono: float, wall: float) -> None:
        pass


class ThrowsOutTheRest(Flights[Value]):
    """As a first version did, by a negative slice."""

    def _make_room(self, mono: float, wall: float) -> None:
        for key in list(self.kept)[: len(self.kept) - self.size + 1]:
            del self.kept[key]


MUTANTS: list[tuple[type[Flights[Value]], int]] = [
    (NoWallTime, ROOMY),
    (NoMonotonicTime, ROOMY),
    (LifeFromTheLanding, ROOMY),
    (NobodyJoins, ROOMY),
    (FlightsWithoutADeadline, ROOMY),
    (LateAnswersCount, ROOMY),
    (AnyAnswerLandsTheFlight, ROOMY),
    (RefusalsForEver, ROOMY),
    (RefusalsOfAnyLength, ROOMY),
    (NoRefusals, ROOMY),
    (OneRefusalForAll, ROOMY),
    (FlightsSurviveAFork, ROOMY),
    (ValuesDieInAFork, ROOMY),
    (NothingIsForgotten, ROOMY),
    (StillKeepsAfterForgetting, ROOMY),
    (AnyNumberOfValues, 1),
    (AnyNumberOfFlights, ROOMY),
    (TooFewFlights, ROOMY),
    (NothingIsKept, ROOMY),
    (ThrowsOutTheRest, ROOMY),
]


@pytest.mark.parametrize(("mutant", "size"), [pytest.param(*row, id=row[0].__name__) for row in MUTANTS])
def test_the_checker_sees_every_mutant(mutant: type[Flights[Value]], size: int) -> None:
    traces = FEW if mutant is LifeFromTheLanding else LONG_TRACES
    assert found(traces, lambda events: run(mutant, size, events))


# -- single rules ------------------------------------------------------------------------------------------------------


def test_values_that_are_over_are_dropped_when_others_come() -> None:
    flights: Flights[str] = Flights(LEASE, 100)
    for number in range(10):
        lead = flights.decide(b"%d" % number, 0.0, 0.0)
        assert isinstance(lead, Lead)
        flights.land(lead.flight, Landed("a secret", 5.0), 0.0, 0.0)
    lead = flights.decide(b"next", 6.0, 6.0)
    assert isinstance(lead, Lead)
    flights.land(lead.flight, Landed("b", 60.0), 6.0, 6.0)
    assert list(flights.kept) == [b"next"]


@settings(max_examples=300, deadline=None)
@given(
    skew=st.floats(-86400, 86400),
    life=st.floats(1, 86400),
    taken=st.floats(0, 9),
    events=st.lists(st.tuples(st.floats(0, 4000), st.floats(-7200, 7200)), max_size=20),
)
def test_whatever_the_wall_clock_says_a_token_is_not_served_beyond_the_life_that_an_honest_server_gave_it(
    skew: float, life: float, taken: float, events: list[tuple[float, float]]
) -> None:
    """The clock is off by `skew`, and by something else later; `expires_in` is honest, the caller's token ends with it."""
    true, margin = 1e6, 40.0
    flights: Flights[str] = Flights(LEASE, 10)
    lead = flights.decide(b"key", true, true + skew)
    assert isinstance(lead, Lead)
    ends, now = true + life, lead.flight.wall
    until = min(ends, now + life) - margin
    true += taken
    flights.land(lead.flight, Landed("token", until), true, true + skew)
    for passed, change in events:
        true, skew = true + passed, skew + change
        if flights.held(b"key", true, true + skew) is not None:
            assert true <= ends - margin + 1e-6
