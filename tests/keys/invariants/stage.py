"""Real threads on time that is wound by hand: every wait of the thread driver ends by its event or by the trace's clock.

It stands in for the modules `threading` and `time` of the driver. The trace goes on when every thread waits or has ended, so
that what it finds then does not depend on how fast the machine is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tokenward.keys import threads

LONGEST = 30.0
"""Real seconds for threads to come to rest; on any machine they take milliseconds."""
FOREVER = float("inf")


@dataclass
class Clock:
    """Both clocks of a source. `also` winds another one with them."""

    mono: float = 1000.0
    wall: float = 1.7e9
    also: Callable[[float], None] = lambda _seconds: None

    def monotonic(self) -> float:
        return self.mono

    def time(self) -> float:
        return self.wall

    def pass_time(self, seconds: float) -> None:
        self.mono += seconds
        self.wall += seconds
        self.also(seconds)


@dataclass(eq=False)
class Parked:
    """A thread that waits: for an event or, without one, for a time alone."""

    until: float
    event: HandWoundEvent | None
    is_free: bool = False


class Stage:
    """What the thread driver has in place of `threading` and `time`."""

    Semaphore = threading.Semaphore
    current_thread = staticmethod(threading.current_thread)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.changed = threading.Condition()
        self.running = 0
        self.parked: list[Parked] = []
        self.loop_thread: int | None = None
        self.stuck: Callable[[], None] = lambda: None

    def install(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(threads, "threading", self)
        patch.setattr(threads, "time", self)

    # -- `threading` and `time` ------------------------------------------------------------------------------------

    def Event(self) -> HandWoundEvent:  # noqa: N802  # the module's word
        return HandWoundEvent(self)

    def Thread(  # noqa: N802  # as above
        self, target: Callable[..., object], args: tuple[object, ...], name: str = "request", daemon: bool = True
    ) -> CountedThread:
        return CountedThread(self, target, args, name, daemon)

    def sleep(self, seconds: float) -> None:
        self.park(None, seconds)

    def monotonic(self) -> float:
        return self.clock.mono

    # -- the trace's half ------------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        self.clock.pass_time(seconds)
        with self.changed:
            self.free(lambda parked: parked.until <= self.clock.mono)

    def settle(self) -> None:
        """Until every thread waits or has ended."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.running == 0, LONGEST), "threads do not come to rest"

    # -- the threads' half -----------------------------------------------------------------------------------------

    def park(self, event: HandWoundEvent | None, seconds: float) -> None:
        if seconds <= 0:
            return
        with self.changed:
            if event is not None and event.happened:
                return
            if threading.get_ident() == self.loop_thread:
                self._block_the_loop(event)
                return
            parked = Parked(self.clock.mono + seconds, event)
            self.parked.append(parked)
            self.count(-1)
            self.changed.wait_for(lambda: parked.is_free)

    def free(self, who: Callable[[Parked], bool]) -> None:
        for parked in [parked for parked in self.parked if who(parked)]:
            self.parked.remove(parked)
            parked.is_free = True
            self.count(+1)

    def count(self, more: int) -> None:
        self.running += more
        self.changed.notify_all()

    def _block_the_loop(self, event: HandWoundEvent | None) -> None:
        """Whoever blocks a loop must wait for threads alone; once these all wait, only time can still help."""
        while event is None or not event.happened:
            assert self.changed.wait_for(lambda: self.running == 0 or (event and event.happened), LONGEST)
            sleeping = [parked.until for parked in self.parked if parked.event is None]
            if event is not None and event.happened:
                return
            if not sleeping:
                self.stuck()
                return
            self.pass_time(min(sleeping) - self.clock.mono)


class HandWoundEvent:
    """`threading.Event`, as far as the driver uses it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.happened = False

    def set(self) -> None:
        with self._stage.changed:
            self.happened = True
            self._stage.free(lambda parked: parked.event is self)
            self._stage.changed.notify_all()

    def is_set(self) -> bool:
        return self.happened

    def wait(self, seconds: float = FOREVER) -> bool:
        self._stage.park(self, seconds)
        return self.happened


class CountedThread(threading.Thread):
    """A real one, which the stage counts from its start to its end."""

    def __init__(self, stage: Stage, target: Callable[..., object], args: tuple[object, ...], name: str, daemon: bool) -> None:
        super().__init__(target=target, args=args, name=name, daemon=daemon)
        self._stage = stage

    def start(self) -> None:
        with self._stage.changed:
            self._stage.count(+1)
        super().start()

    def run(self) -> None:
        try:
            super().run()
        finally:
            with self._stage.changed:
                self._stage.count(-1)
