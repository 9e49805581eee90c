"""Who asks, who waits and who is served from what is held: all of that state, and every transition of it, in this file.

It knows no clock, no lock, no network and no task. The caller passes `mono` (a monotonic clock, seconds) and `wall` (the
epoch clock, seconds), holds one short lock around every call, and does what the decision says outside of it. Only `held` may
be called without the lock.

    of a key there is     decision
    a value in its time   Have
    a refusal             Refused, for a few seconds
    a flight              Join: wait for it
    none of these         Lead: a flight begins, and the caller sees to it that it lands; Full if too many are in the air

Rules that the rest relies on:

* One flight per key. What it brings reaches all who joined it, kept or not: it lies on the flight itself.
* A lease, not a flag. A flight has a deadline; whatever happens to its thread, task, loop or process, at the deadline it is
  void, its late landing is dropped, and the next caller leads another one.
* A value ends by two clocks: at its wall time, and on the monotonic clock as long after the flight's *start* as the wall time
  was. So neither a clock that is turned back nor one that is put right makes it live longer.
* A refusal is held for moments only, and never outlives a landing: a caller who repeats itself costs the server nothing, and a
  change of policy shows soon.
* Everything is bounded. Of values and refusals the oldest give way; flights do not, because somebody waits for each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

V = TypeVar("V")

MAX_FLIGHTS = 4096
"""Each is one request to the server and at least one caller who waits; a process does not have more of them."""
MAX_REFUSALS = 1024
"""Callers who repeat a refused token, at one time."""
MAX_REFUSED = 30.0
"""Seconds. The server's wish to be left alone may be longer; then one caller in half a minute asks whether it still is."""


@dataclass(frozen=True, slots=True, repr=False)
class Landed(Generic[V]):
    """What a flight brought, and the wall time until which it may be handed out again.

    borrowed  another process had it already, and nothing was asked for it here
    """

    value: V
    until: float
    borrowed: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a flight brought nothing, and for how many seconds the next callers are told the same without asking."""

    error: Exception
    seconds: float
    cut_short: bool = False
    """The flight was broken off with the loop that carried it, which says nothing to callers in others."""


Outcome: TypeAlias = Landed[V] | Failed


@dataclass(slots=True, eq=False, repr=False)
class Flight(Generic[V]):
    """One question under way, from `mono` until `deadline` on the monotonic clock; `outcome` is set once, by landing in time."""

    number: int
    key: bytes
    mono: float
    wall: float
    deadline: float
    outcome: Outcome[V] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Have(Generic[V]):
    """This value serves now: `mono < until_mono and wall < until_wall`."""

    value: V
    until_mono: float
    until_wall: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The last flight failed, and the next one may start in `seconds`."""

    error: Exception
    seconds: float


@dataclass(frozen=True, slots=True, repr=False)
class Join(Generic[V]):
    """Wait for this flight."""

    flight: Flight[V]


@dataclass(frozen=True, slots=True, repr=False)
class Lead(Generic[V]):
    """This flight is the caller's to carry out, and to land."""

    flight: Flight[V]


@dataclass(frozen=True, slots=True)
class Full:
    """Too many flights; come back in a moment."""


Decision: TypeAlias = Have[V] | Refused | Join[V] | Lead[V] | Full


@dataclass(slots=True, repr=False)
class Flights(Generic[V]):
    """The state machine. `lease` is how long a flight may take, in seconds; `size` how many values are kept, 0 for none."""

    lease: float
    size: int
    most: int = MAX_FLIGHTS
    kept: dict[bytes, Have[V]] = field(default_factory=dict)
    refusals: dict[bytes, tuple[Exception, float]] = field(default_factory=dict)
    flying: dict[bytes, Flight[V]] = field(default_factory=dict)
    _flights: int = 0

    # -- events ----------------------------------------------------------------------------------------------------

    def held(self, key: bytes, mono: float, wall: float) -> Have[V] | None:
        """The value in hand if it serves now. It changes nothing, and needs no lock."""
        have = self.kept.get(key)
        return have if have is not None and mono < have.until_mono and wall < have.until_wall else None

    def decide(self, key: bytes, mono: float, wall: float) -> Decision[V]:
        """Decide for one caller."""
        have = self.held(key, mono, wall)
        if have is not None:
            return have
        self.kept.pop(key, None)
        refusal = self._refusal(key, mono)
        if refusal is not None:
            return refusal
        flight = self.flying.get(key)
        if flight is not None and mono < flight.deadline:
            return Join(flight)
        return self._lead(key, mono, wall)

    def land(self, flight: Flight[V], outcome: Outcome[V], mono: float, wall: float) -> bool:
        """Take what a flight brought; False if it came too late and was dropped."""
        if self.flying.get(flight.key) is not flight:
            return False
        del self.flying[flight.key]
        if mono >= flight.deadline:
            return False
        flight.outcome = outcome
        if isinstance(outcome, Landed):
            self._keep(flight, outcome, mono, wall)
        else:
            self._refuse(flight, outcome, mono)
        return True

    def forget(self) -> None:
        """Drop every value and refusal. A flight under way still serves who waits for it, and what it brings is not kept."""
        self.kept, self.refusals, self.size = {}, {}, 0

    def forked(self) -> None:
        """A child process keeps the values, and none of the parent's flights."""
        self.flying = {}

    # -- transitions -----------------------------------------------------------------------------------------------

    def _refusal(self, key: bytes, mono: float) -> Refused | None:
        error, until = self.refusals.get(key, (None, 0.0))
        if error is not None and mono < until:
            return Refused(error, until - mono)
        self.refusals.pop(key, None)
        return None

    def _lead(self, key: bytes, mono: float, wall: float) -> Lead[V] | Full:
        if len(self.flying) >= self.most:
            self.flying = {name: flight for name, flight in self.flying.items() if mono < flight.deadline}
        if len(self.flying) >= self.most:
            return Full()
        self._flights += 1
        flight: Flight[V] = Flight(self._flights, key, mono, wall, mono + self.lease)
        self.flying[key] = flight
        return Lead(flight)

    def _keep(self, flight: Flight[V], landed: Landed[V], mono: float, wall: float) -> None:
        have = Have(landed.value, flight.mono + (landed.until - flight.wall), landed.until)
        if not self.size or not (mono < have.until_mono and wall < have.until_wall):
            return
        self._make_room(mono, wall)
        self.kept[flight.key] = have

    def _make_room(self, mono: float, wall: float) -> None:
        """Drop the oldest until there is room, and go on while they are over: no secret shall lie about for nothing."""
        while self.kept:
            oldest = next(iter(self.kept))
            if len(self.kept) < self.size and self.held(oldest, mono, wall) is not None:
                return
            del self.kept[oldest]

    def _refuse(self, flight: Flight[V], failed: Failed, mono: float) -> None:
        while len(self.refusals) >= min(MAX_REFUSALS, self.size) and self.refusals:
            del self.refusals[next(iter(self.refusals))]
        if self.size:
            self.refusals[flight.key] = (failed.error, mono + min(failed.seconds, MAX_REFUSED))
