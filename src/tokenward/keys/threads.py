"""The driver for threads: a daemon thread fetches, and a request that must wait waits on an event."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace

from tokenward.forks import on_fork
from tokenward.keys.decision import Answer, Lease, Unavailable, Wait
from tokenward.keys.driving import TICK, Errand, Refresh, WarmUp, behind, join, leave
from tokenward.keys.loading import Loaded, Loading, carried_out
from tokenward.keys.loops import is_in_loop
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse, as_failure, tried
from tokenward.keys.source import KeySource

MAX_WAITING = 16
"""Threads that wait for one source; whoever finds them waiting is told to come back in a second."""
MAX_PATIENT = 2
"""Threads of one verifier that wait for the whole of a slow fetch while any of its issuers has usable keys: a WSGI pool may be
four threads, and a kid that is not among the keys is mostly junk."""
SHORT_WAIT = 1.0
"""Seconds from the start of the fetch that the others wait then. After a rotation many requests have the new kid, and an issuer
that is well answers in a tenth of it. Where the attempt before has failed, they do not wait at all: a known caller would feel it
at every attempt of an outage."""


class ThreadDriver:
    """Carries out what the sources decide, with daemon threads that keep no process alive.

    A fetch is over at its total deadline, but for name resolution: no thread can be interrupted in it. It then ends late, and
    only for itself: its lease ran out before, which tells the observer and lets another fetch start.
    """

    def __init__(self, sources: Sequence[KeySource], fetch: Fetch) -> None:
        self._sources = tuple(sources)
        self._fetch = fetch
        self._ticker: threading.Thread | None = None
        self._closed = threading.Event()
        self._started: dict[KeySource, Lease] = {}
        self._patient = threading.Semaphore(MAX_PATIENT)
        on_fork(self)

    def forked(self) -> None:
        """In a child process: nobody waits there, and the event's own lock may be held by the parent's ticker."""
        self._patient = threading.Semaphore(MAX_PATIENT)
        was_closed, self._closed = self._closed.is_set(), threading.Event()
        if was_closed:
            self._closed.set()

    def find(self, source: KeySource, kid: str | None) -> Answer:
        """Decide for one request, which waits at most once."""
        self._keep_ticking()
        decision = source.decide(kid)
        if isinstance(decision, Wait):
            self._start(source, decision.lease if decision.start else None)
            decision = self._waited(source, kid, decision)
        self._start(source, behind(decision))
        return decision

    def warm_up(self, timeout: float) -> bool:
        """Fetch what was never fetched; True if every source has usable keys within `timeout` seconds."""
        return self._run([WarmUp(source, timeout) for source in self._sources], timeout)

    def refresh(self, timeout: float) -> bool:
        """Fetch every source now, because an operator asks; True if each of these fetches succeeded within `timeout` seconds.

        It waits for a fetch under way first, which may have begun before the change that the operator knows of.
        """
        return self._run([Refresh(source) for source in self._sources], timeout)

    def start_due(self) -> None:
        """Begin every fetch that is due, and wait for none."""
        self._keep_ticking()
        for source in self._sources:
            self._start(source, source.tick())

    def close(self) -> None:
        """Stop the ticker; a fetch under way ends by its own deadline."""
        self._closed.set()

    def _waited(self, source: KeySource, kid: str | None, wait: Wait) -> Answer:
        if self._started.get(source) != wait.lease and is_in_loop():  # perhaps a task of this loop fetches, and would never end
            return source.decide_finally(kid, has_asked=wait.start)
        is_patient = self._patient.acquire(blocking=False)
        try:
            return self._waited_until(self._end_of(wait, source, is_patient=is_patient), source, kid, wait)
        finally:
            if is_patient:
                self._patient.release()

    def _waited_until(self, end: float | None, source: KeySource, kid: str | None, wait: Wait) -> Answer:
        if end is None:
            return source.decide_finally(kid, has_asked=wait.start)
        woken = threading.Event()
        if not source.wait_for(wait.lease, woken.set, MAX_WAITING, kid):
            return Unavailable(source.rhythm.min_gap)
        try:
            woken.wait(source.seconds_until(end))
        finally:
            source.stop_waiting(woken.set)
        return source.decide_finally(kid, has_asked=wait.start)

    def _end_of(self, wait: Wait, source: KeySource, *, is_patient: bool) -> float | None:
        """Until when a request may keep its thread, on the source's clock; None if it may not wait at all."""
        if is_patient or not any(each.ready for each in self._sources):  # else no thread is kept from a known caller
            return wait.until
        return None if source.is_failing else min(wait.until, wait.lease.start + SHORT_WAIT)

    def _run(self, errands: Sequence[Errand], timeout: float) -> bool:
        begin = time.monotonic()
        self._start_each(errands)
        while (still := [each for each in errands if not each.over]) and (left := begin + timeout - time.monotonic()) > 0:
            if self._closed.is_set():
                break
            self._pursue(still, left)
        self._keep_ticking()
        succeeded = [errand.end(time.monotonic() - begin) for errand in errands]  # every errand is ended, whatever the others did
        return all(succeeded)

    def _pursue(self, errands: Sequence[Errand], seconds: float) -> None:
        self._start_each(errands)
        woken = threading.Event()
        is_any, pause = join(errands, woken.set)
        (woken if is_any else self._closed).wait(min(pause, seconds))
        leave(errands, woken.set)

    def _start_each(self, errands: Sequence[Errand]) -> None:
        for errand in errands:
            self._start(errand.source, errand.start())

    def _start(self, source: KeySource, lease: Lease | None) -> None:
        if lease is None:
            return
        self._started[source] = lease
        try:
            threading.Thread(target=_fetch_for, args=(source, lease, self._fetch), name="tokenward-fetch", daemon=True).start()
        except (RuntimeError, MemoryError):  # no thread to be had, or the interpreter is going down
            source.finish(lease, FetchFailed("not_started", "no thread could be started"))

    def _keep_ticking(self) -> None:
        """Start the ticker late, and again in a child process, because threads do not survive a fork."""
        if self._closed.is_set() or not self._sources or (self._ticker is not None and self._ticker.is_alive()):
            return
        self._ticker = threading.Thread(
            target=_keep_looking, args=(weakref.ref(self), self._closed), name="tokenward-ticker", daemon=True
        )
        with contextlib.suppress(RuntimeError, MemoryError):  # no thread to be had: requests still refresh
            self._ticker.start()


def _keep_looking(driver: weakref.ref[ThreadDriver], closed: threading.Event) -> None:
    while not closed.wait(TICK):
        alive = driver()
        if alive is None or alive._ticker is not threading.current_thread():  # noqa: SLF001  # a second one took over
            return
        alive.start_due()
        del alive  # this thread must not keep the driver alive


def _fetch_for(source: KeySource, lease: Lease, fetch: Fetch) -> None:
    outcome: Loaded | FetchFailed
    time.sleep(source.seconds_until(lease.start))
    try:
        if not source.seconds_until(lease.deadline):  # this process was suspended, and another fetch may be under way
            raise FetchFailed("timeout", "its time ran out before it began")
        outcome = _loaded(source.loading(lease), fetch, time.monotonic() + source.rhythm.fetch_timeout)
    except BaseException as exc:  # noqa: BLE001  # even what would end a thread must give the lease back, and ends only this one
        outcome = as_failure(exc)
    source.finish(lease, outcome)


def _loaded(loading: Loading, fetch: Fetch, until: float) -> Loaded:
    """Make the requests that loading asks for. Raises FetchFailed."""

    def ask(request: FetchRequest) -> FetchResponse | FetchFailed:
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise FetchFailed("timeout", "the total deadline")
        return tried(fetch, replace(request, timeout=remaining))

    return carried_out(loading, ask)
