"""The driver for threads: a daemon thread fetches, and a request that must wait waits on an event."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from tokenward.keys.freshness import Lease, Unavailable, Unknown, Use, Wait
from tokenward.keys.loading import Loaded, Loading, advance
from tokenward.keys.port import Fetch, FetchFailed, FetchRequest, FetchResponse, checked
from tokenward.keys.source import KeySource

MAX_WAITING_THREADS = 8
"""A WSGI pool is small: junk must not park all of it while an issuer is slow."""
TICK = 5.0
"""Seconds between looks whether a refresh is due. A look costs microseconds."""


class ThreadDriver:
    """Carries out what the sources decide, with daemon threads that keep no process alive."""

    def __init__(self, sources: Sequence[KeySource], fetch: Fetch) -> None:
        self._sources = tuple(sources)
        self._fetch = fetch
        self._ticker: threading.Thread | None = None
        self._closed = threading.Event()

    def find(self, source: KeySource, kid: str | None) -> Use | Unknown | Unavailable:
        """Decide for one request, which waits at most once."""
        self._keep_ticking()
        decision = source.decide(kid)
        if isinstance(decision, Wait):
            self._start(source, decision.lease if decision.start else None)
            decision = self._waited(source, kid, decision)
        return self._refresh_behind(source, decision)

    def warm_up(self, timeout: float) -> bool:
        """Fetch what was never fetched; True if every source has usable keys within `timeout` seconds."""
        until = time.monotonic() + timeout
        for source in self._sources:
            self._start(source, source.tick())
        for source in self._sources:
            while not source.ready and time.monotonic() < until and not self._closed.is_set():
                self._await_attempt(source, until - time.monotonic())
        self._keep_ticking()
        return all(source.ready for source in self._sources)

    def close(self) -> None:
        """Stop the ticker; a fetch under way ends by its own deadline."""
        self._closed.set()

    def _refresh_behind(self, source: KeySource, decision: Use | Unknown | Unavailable) -> Use | Unknown | Unavailable:
        match decision:
            case Use():
                self._start(source, decision.start)
            case Unknown() | Unavailable():
                pass
            case _:
                assert_never(decision)
        return decision

    def _waited(self, source: KeySource, kid: str | None, wait: Wait) -> Use | Unknown | Unavailable:
        woken = threading.Event()
        if not source.wait_for(wait.lease, woken.set, MAX_WAITING_THREADS):
            return Unavailable(source.rhythm.min_gap)
        woken.wait(source.seconds_until(wait.until))
        source.stop_waiting(woken.set)
        return source.decide_finally(kid)

    def _await_attempt(self, source: KeySource, seconds: float) -> None:
        self._start(source, source.tick())
        lease, pause = source.pending()
        if lease is None:
            self._closed.wait(min(max(pause, source.rhythm.min_gap), seconds))
            return
        woken = threading.Event()
        source.wait_for(lease, woken.set)
        woken.wait(min(source.seconds_until(lease.deadline), seconds))
        source.stop_waiting(woken.set)

    def _start(self, source: KeySource, lease: Lease | None) -> None:
        if lease is None:
            return
        try:
            threading.Thread(target=_fetch_for, args=(source, lease, self._fetch), name="tokenward-fetch", daemon=True).start()
        except RuntimeError:  # no thread to be had, or the interpreter is going down
            source.finish(lease, FetchFailed("not_started", "no thread could be started"))

    def _keep_ticking(self) -> None:
        """Start the ticker late, and again in a child process, because threads do not survive a fork."""
        if self._closed.is_set() or not self._sources or (self._ticker is not None and self._ticker.is_alive()):
            return
        self._ticker = threading.Thread(
            target=_tick, args=(weakref.ref(self), self._closed), name="tokenward-ticker", daemon=True
        )
        with contextlib.suppress(RuntimeError):  # no thread to be had: requests still refresh
            self._ticker.start()

    def _tick(self) -> None:
        for source in self._sources:
            self._start(source, source.tick())


def _tick(driver: weakref.ref[ThreadDriver], closed: threading.Event) -> None:
    while not closed.wait(TICK):
        alive = driver()
        if alive is None or alive._ticker is not threading.current_thread():  # noqa: SLF001  # a second one took over
            return
        alive._tick()  # noqa: SLF001  # the thread's half of the class; it must not keep the driver alive
        del alive


def _fetch_for(source: KeySource, lease: Lease, fetch: Fetch) -> None:
    outcome: Loaded | FetchFailed
    time.sleep(source.seconds_until(lease.start))
    try:
        outcome = _carried_out(source.loading(lease), fetch, time.monotonic() + source.rhythm.fetch_timeout)
    except FetchFailed as failure:
        outcome = failure
    except BaseException as exc:  # noqa: BLE001  # even what would end a thread must give the lease back, and ends only this one
        outcome = FetchFailed("other", type(exc).__name__)
    source.finish(lease, outcome)


def _carried_out(loading: Loading, fetch: Fetch, until: float) -> Loaded:
    """Make the requests that loading asks for. Raises FetchFailed."""
    answer: FetchResponse | FetchFailed | None = None
    while True:
        asked = advance(loading, answer)
        if isinstance(asked, Loaded):
            return asked
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise FetchFailed("timeout", "the total deadline")
        answer = _fetched(fetch, replace(asked, timeout=remaining))


def _fetched(fetch: Fetch, request: FetchRequest) -> FetchResponse | FetchFailed:
    try:
        return checked(fetch(request))
    except FetchFailed as failure:
        return failure
    except Exception as exc:  # noqa: BLE001  # whatever a client raises, the lease is released
        return FetchFailed("other", type(exc).__name__)
