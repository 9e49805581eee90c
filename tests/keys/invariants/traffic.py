"""A trace of a driver: requests with known, new and junk kids, alone and in crowds, some of them cancelled; tickers; outages;
seeds; and fetches that bring keys, nothing or an exception, late or never.

What may be answered is told by the account of `account`; the state machine itself has traces of its own.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tokenward.keys import threads
from tokenward.keys.decision import Unavailable, Unknown, Use
from tokenward.keys.keyset import read_keyset
from tokenward.keys.port import FetchResponse

from .account import A_MOMENT, Account, fingerprints
from .explorer import Play, Rules
from .loop_worlds import AsyncioWorld, LoopWorld, TrioWorld
from .machine import AGES, Issuer
from .thread_world import ThreadWorld
from .world import Flight, Kind, Outcome, Request

STEPS = 120
MOST_PATIENT, SHORT_WAIT = threads.MAX_PATIENT, threads.SHORT_WAIT
CROWDS = {"threads": (5, 30), "asyncio": (20, 90), "trio": (20, 90)}
EVENTS = {
    "ask": 30, "ask_junk": 12, "crowd": 3, "reply": 30, "cancel": 6, "ask_blocking": 5, "jump": 1,
    "publish": 3, "publish_again": 1, "withdraw": 1, "outage": 1, "operator": 2, "sow": 10, "rest": 6,
}  # fmt: skip


class Traffic:
    """One run of a driver in one world."""

    def __init__(self, kind: Kind, rules: Rules, patch: pytest.MonkeyPatch, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.rules = rules
        self.world = self.open(kind, patch)
        self.world.source._state.rng = random.Random(seed)  # its jitter is part of the trace
        self.places = self.world.driver._patient._value if isinstance(self.world, ThreadWorld) else 0
        self.rhythm = self.world.source.rhythm
        self.account = Account(rules, self.rhythm)
        self.issuer = Issuer(self.rng)
        self.issuer.publish()
        self.parked: list[Request] = []
        self.seen: list[Flight] = []
        self.gained = self.is_well = False
        self.failure: Exception | None = None

    def open(self, kind: Kind, patch: pytest.MonkeyPatch) -> ThreadWorld | AsyncioWorld | TrioWorld:
        if kind == "threads":
            return ThreadWorld(self.rules, patch)
        return (AsyncioWorld if kind == "asyncio" else TrioWorld)(self.rules, patch, self.fetch_now)

    async def run(self, steps: Sequence[int]) -> None:
        """What fails here is kept for `play`: a task group would wrap it."""
        try:
            await self._run(steps)
        except Exception as exc:  # noqa: BLE001  # as above
            self.failure = exc

    async def _run(self, steps: Sequence[int]) -> None:
        for number in steps:
            self.rng.seed(self.seed * 1_000_003 + number)
            (event,) = self.rng.choices(list(EVENTS), list(EVENTS.values()))
            seconds = self.rng.choice([0.0, 0.0, 0.01, 0.3, 1.1, 1.1, 3.0, 11.0, 40.0, 400.0, 4000.0])
            self.rules.story.append(f"{number}: +{seconds:g} s, {event}")
            await self.let(seconds)
            before = self.key_map()
            getattr(self, event, getattr(self.issuer, event, self.rest))()
            await self.settle(before)
        await self.recover()

    async def let(self, seconds: float) -> None:
        """Pass time, in which requests give up, fetches reach their deadlines and tickers tick."""
        before = self.key_map()
        self.world.stage.pass_time(seconds)
        await self.settle(before)

    async def settle(self, before: object) -> None:
        await self.world.settle()
        if self.world.broken is not None:
            raise self.world.broken
        self.check(before)

    # -- events ----------------------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Nothing."""

    def jump(self) -> None:
        self.world.clock.wall += self.rng.choice([-7200.0, 7200.0, 90000.0])

    def ask(self) -> None:
        self.send(self.rng.choice([self.issuer.any_kid(), "key-0", None]))

    def ask_junk(self) -> None:
        self.send(f"junk-{self.rng.random()}")

    def crowd(self) -> None:
        kid = self.rng.choice([self.issuer.any_kid(), "junk"])
        for _ in range(self.rng.choice(CROWDS[self.world.kind])):
            self.send(kid)

    def send(self, kid: str | None) -> None:
        request = self.request(kid)
        self.parked.append(request)
        self.world.ask(request)

    def ask_blocking(self) -> None:
        """A call of the other driver, in the middle of a task."""
        if isinstance(self.world, LoopWorld):
            request = self.request(self.rng.choice([self.issuer.any_kid(), "junk"]))
            self.world.ask_blocking(request)
            self.rules.require("I11", request.is_done, "a call on the loop's thread does not return")
            self.parked.append(request)

    def operator(self) -> None:
        """A start or a wish for fresh keys, which waits as well, and takes no request's place."""
        driver: Any = self.world.driver
        self.world.run_beside(self.rng.choice([driver.warm_up, driver.refresh]), 5.0)

    def sow(self) -> None:
        """Keys that another process has fetched, for whoever waits, too."""
        clock, document = self.world.clock, self.issuer.document()
        as_of = clock.wall - self.rng.choice((0.0, *AGES))
        taken = self.world.source.seed(json.dumps(document).encode(), as_of)
        counts = bool(document["keys"]) and self.account.seed(read_keyset(document), clock.wall - as_of, clock.mono, clock.wall)
        self.rules.require("I4", taken == counts, "keys from elsewhere count exactly if they are younger")
        self.gained = self.gained or counts

    def request(self, kid: str | None) -> Request:
        clock = self.world.clock
        had = self.account.usable(kid, clock.mono, clock.wall) is not None
        return Request(kid, clock.mono, had, self.account.alive(clock.mono, clock.wall))

    def cancel(self) -> None:
        if self.parked and isinstance(self.world, LoopWorld):
            self.rng.choice([self.parked[0], self.rng.choice(self.parked)]).scope.cancel()

    def reply(self) -> None:
        under_way = [flight for flight in self.world.flights if not flight.is_over]
        if under_way:
            flight = self.rng.choice(under_way)
            self.world.reply(flight, self.outcome(flight))

    def fetch_now(self, flight: Flight) -> Outcome:
        """For a fetch by a thread that a call on the loop's thread began: it waits for nobody."""
        return self.outcome(flight)

    def outcome(self, flight: Flight) -> Outcome:
        lease, state, clock = flight.lease, self.world.source._state, self.world.clock
        counts = state.lease == lease and clock.mono < lease.deadline
        document = {"keys": list(self.issuer.listed.values())} if self.is_well else self.issuer.document()
        if not self.is_well and (not self.issuer.up or self.rng.random() < 0.1):
            return self.exception()
        if counts and document["keys"]:
            self.account.succeed(read_keyset(document), clock.mono, clock.wall)
            self.gained = True
        return FetchResponse(200, {}, json.dumps(document).encode())

    def exception(self) -> BaseException:
        ends = {"threads": SystemExit, "asyncio": asyncio.CancelledError, "trio": ValueError}[self.world.kind]
        return self.rng.choice([OSError, ends])()

    # -- the rules -------------------------------------------------------------------------------------------------

    def check(self, before: object) -> None:
        done = [request for request in self.parked if request.is_done]
        self.parked = [request for request in self.parked if not request.is_done]
        for request in done:
            self.check_answer(request)
        self.check_parked()
        for flight in self.world.flights[len(self.seen) :]:
            self.check_begun(flight)
        self.check_flights()
        self.rules.require("I5", self.gained or self.key_map() == before, "keys changed without a good answer")
        self.gained = False

    def check_answer(self, request: Request) -> None:
        if request.scope.cancel_called:
            return
        if request.error is not None:
            raise request.error
        require, clock, answer = self.rules.require, self.world.clock, request.answer
        expected = self.account.usable(request.kid, clock.mono, clock.wall)
        if expected is not None:
            require("I1", isinstance(answer, Use), "a usable key is in hand, and the request does not get it")
        if isinstance(answer, Use):
            require("I4", fingerprints(answer.keys) == expected, "a key served that is too old, withdrawn or replaced")
        if isinstance(answer, Unknown):
            well = self.world.source.status().failures == 0
            sure = well and self.account.alive(clock.mono, clock.wall)
            require("I12", sure, "a definite no without current keys")
            require("I12", self.was_searched(request), "a definite no by a fetch that began before the request")
        if isinstance(answer, Unavailable):
            bound = max(self.rhythm.miss_cooldown_max, self.rhythm.backoff_max)
            require("I13", 0 < answer.retry_after <= bound, "Retry-After is out of bounds")

    def was_searched(self, request: Request) -> bool:
        """Whether a fetch began after the request came, or a search may have been so short a time ago that it forbids another."""
        recent = self.world.clock.mono - self.rhythm.miss_cooldown_max
        return any(
            flight.began >= request.began or (flight.lease.why == "miss" and flight.lease.start > recent)
            for flight in self.world.flights
        )

    def check_parked(self) -> None:
        require, clock, source = self.rules.require, self.world.clock, self.world.source
        for request in self.parked:
            came = self.gained and self.account.usable(request.kid, clock.mono, clock.wall) is not None
            require("I1", not request.had and not came, "a usable key is in hand, and the request waits")
            require("I6", clock.mono < request.began + self.rhythm.max_wait, "a request waits too long")
        require("I6", len(self.parked) <= self.world.most_waiting, "too many requests wait")
        require("I6", not self.parked or source._state.lease is not None, "a request waits, and no fetch is under way")
        require("I7", source.status().waiting == len(self.parked), "one is kept as waiting that does not wait")
        if isinstance(self.world, ThreadWorld) and not self.parked:
            require("I7", self.world.driver._patient._value == self.places, "a place is kept for one who does not wait")
        lease = source._state.lease
        if self.world.kind == "threads" and source.ready and lease and clock.mono >= lease.start + SHORT_WAIT:
            beside_keys = sum(request.beside_keys for request in self.parked)
            require("I6", beside_keys <= MOST_PATIENT, "too many threads wait for a slow fetch beside usable keys")

    def check_begun(self, flight: Flight) -> None:
        require, lease = self.rules.require, flight.lease
        require("I10", flight.span == "none", "the context of a request is that of the fetch")
        require("I2", lease not in [other.lease for other in self.seen], "two fetches for one lease")
        require("I3", flight.began >= lease.start - A_MOMENT, "a fetch begins before its time")
        starts = [other.lease.start for other in self.seen]
        if starts:
            require("I3", lease.start >= max(starts) + self.rhythm.min_gap - A_MOMENT, "a fetch storm")
        self.seen.append(flight)

    def check_flights(self) -> None:
        require, source = self.rules.require, self.world.source
        lease, mono, on_loop = source._state.lease, self.world.clock.mono, isinstance(self.world, LoopWorld)
        alive = [flight for flight in self.seen if not flight.is_over and mono < flight.lease.deadline]
        require("I2", len(alive) <= 1, "two fetches are in flight")
        for flight in self.seen[-20:]:
            if flight.cancelled is not None:
                in_time = flight.cancelled >= flight.lease.start + self.rhythm.fetch_timeout - A_MOMENT
                require("I10", in_time, "a request that was cancelled takes the fetch with it")
            in_time = flight.is_over or not on_loop or mono < flight.began + self.rhythm.fetch_timeout
            require("I8", in_time, "a fetch on a loop goes on after its total deadline")
            require("I8", not (flight.is_over and flight.lease == lease), "a fetch is over, and its lease is not given back")

    def key_map(self) -> object:
        snapshot = self.world.source._state.snapshot
        return dict(snapshot.keys) if snapshot else None

    async def recover(self) -> None:
        """The issuer is back, and answers at once: how long until the keys are, with a request each second?"""
        self.is_well, clock = True, self.world.clock
        begin, alive = clock.mono, self.account.alive(clock.mono, clock.wall)
        worst = self.rhythm.miss_cooldown_max if alive else self.rhythm.backoff_max_empty
        kid = self.issuer.any_kid()
        while self.account.usable(kid, clock.mono, clock.wall) is None:
            before = self.key_map()
            self.send(kid)
            await self.settle(before)
            for flight in [flight for flight in self.world.flights if not flight.is_over]:
                before = self.key_map()
                self.world.reply(flight, self.outcome(flight))
                await self.settle(before)
            await self.let(1.0)
            in_time = clock.mono - begin <= worst + self.rhythm.lease + 2
            self.rules.require("I13", in_time, "the issuer is back and the keys are not")


Break = Callable[[pytest.MonkeyPatch], None]


def traffic_of(kind: Kind, mutate: Break | None = None) -> Play:
    """The traces of one driver; `mutate` has it break a rule."""

    def play(rules: Rules, seed: int, steps: Sequence[int]) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if mutate is not None:
                mutate(patch)
            traffic = Traffic(kind, rules, patch, seed)
            try:
                traffic.world.run(lambda _world: traffic.run(steps))
            finally:
                if failure := traffic.world.broken or traffic.failure:
                    raise failure from None

    return play
