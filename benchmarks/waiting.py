"""Who waits while the provider hangs: keys are in hand but due for a refresh, and the refresh does not come back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from benchmarks.checks import Check, codes_of, the_three
from benchmarks.peers import Call
from benchmarks.provider import InProcess
from benchmarks.report import Row
from benchmarks.run import Run
from benchmarks.subject import entra_policy, verdict
from benchmarks.tokens import Corpus, entra_corpus
from tokenward import AsyncVerifier, Verifier
from tokenward.keys.port import FetchRequest, FetchResponse

NAME = "requests waiting on a refresh"
REQUESTS = 32
PATIENCE = 1.0
"""Seconds after which a request that is not answered counts as waiting; an answer takes a thousandth of that."""
LATER = 7200.0
"""Seconds: beyond the refresh interval of every cache here but one, whose stamp is set back by days."""


class Outage:
    """A clock to move, and a fetch that works until the outage begins."""

    def __init__(self) -> None:
        self.passed = 0.0
        self._provider = InProcess()
        self.started = threading.Event()
        self.over = threading.Event()

    def clock(self) -> float:
        return time.time() + self.passed

    def monotonic(self) -> float:
        return time.monotonic() + self.passed

    def fetch(self, request: FetchRequest) -> FetchResponse:
        if self.passed:
            self.started.set()
            self.over.wait(30)
        return self._provider.fetch(request)

    async def fetch_async(self, request: FetchRequest) -> FetchResponse:
        if self.passed:
            self.started.set()
            await asyncio.to_thread(self.over.wait, 30)
        return self._provider.fetch(request)

    def begin(self) -> None:
        """A minute before the tokens end, long after the keys' interval."""
        self.passed = LATER / 2 + 400


def waiting(run: Run) -> list[Row]:
    """32 requests at once, threads and event loop; both must answer all of them during the hang."""
    corpus = entra_corpus()
    counts = {"threads": _threads(run, corpus), "event loop": run.loop.run_until_complete(_event_loop(run, corpus))}
    run.check(Check(NAME, "tokenward", kind, "0 wait", f"{count} wait") for kind, count in counts.items())
    if not run.timing:
        return []
    peers = {
        name: call if isinstance(call, str) else _peer(run, name, call, corpus) for name, call in run.peers(NAME, "RS256").items()
    }
    note = f"of {REQUESTS} at once while the fetch hangs, for threads and for the event loop"
    return [Row(NAME, sum(counts.values()), 0, unit="requests", peers=peers, details=counts, note=note)]


def _threads(run: Run, corpus: Corpus) -> int:
    outage = Outage()
    made = Verifier(entra_policy(), fetch=outage.fetch, clock=outage.clock, monotonic=outage.monotonic, remember=0, observer=None)
    made.warm_up()
    run.check(codes_of(NAME, lambda token: verdict(made, token), the_three(corpus)))
    outage.begin()
    try:
        waiting = count_threads(made.verify, corpus)
        hung = outage.started.wait(PATIENCE)
    finally:
        outage.over.set()
        made.close()
    run.check([Check(NAME, "tokenward", "the refresh, threads", "hangs", "hangs" if hung else "was not started")])
    return waiting


async def _event_loop(run: Run, corpus: Corpus) -> int:
    outage = Outage()
    made = AsyncVerifier(
        entra_policy(), fetch=outage.fetch_async, clock=outage.clock, monotonic=outage.monotonic, remember=0, observer=None
    )
    await made.warm_up()
    await made.verify(corpus.good)
    outage.begin()
    try:
        waiting = await count_tasks(made.verify, corpus)
        hung = outage.started.is_set()
    finally:
        outage.over.set()
    run.check([Check(NAME, "tokenward", "the refresh, event loop", "hangs", "hangs" if hung else "was not started")])
    return waiting


def count_threads(call: Callable[[str], Any], corpus: Corpus) -> int:
    """How many of the requests have no answer when patience ends."""
    answered = threading.Semaphore(0)

    def request(token: str) -> None:
        call(token)
        answered.release()

    for token in corpus.tokens[:REQUESTS]:
        threading.Thread(target=request, args=(token,), daemon=True).start()
    until = time.monotonic() + PATIENCE
    return REQUESTS - sum(answered.acquire(timeout=max(until - time.monotonic(), 0)) for _ in range(REQUESTS))


async def count_tasks(call: Callable[[str], Awaitable[Any]], corpus: Corpus) -> int:
    tasks = [asyncio.ensure_future(call(token)) for token in corpus.tokens[:REQUESTS]]
    done, pending = await asyncio.wait(tasks, timeout=PATIENCE)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    return REQUESTS - sum(task.exception() is None for task in done)


def _peer(run: Run, name: str, call: Call, corpus: Corpus) -> float | str:
    """The peer's keys are made old by setting its own stamp back; then its provider hangs."""
    make_old = _AGE.get(name)
    if make_old is None:
        return "-"  # it fetches nothing itself
    try:
        make_old(call)
    except AttributeError as exc:
        run.say(f"  {name}: cannot be made old ({exc})")
        return "broken"
    with run.provider.hanging():
        if name == "PyJWKClient":
            return float(count_threads(call, corpus))
        return float(run.loop.run_until_complete(count_tasks(call, corpus)))


def _age_pyjwk_client(call: Any) -> None:
    call.client.jwk_set_cache.jwk_set_with_timestamp.timestamp -= LATER


def _age_fastmcp(call: Any) -> None:
    call.verifier._jwks_cache_time -= LATER  # no public way to let its time pass
    call.verifier._jwks_last_refresh_attempt -= LATER


def _age_azure(call: Any) -> None:
    call.scheme.openid_config._config_timestamp = datetime.now() - timedelta(days=2)  # noqa: DTZ005  # as it does


_AGE: dict[str, Callable[[Any], None]] = {
    "PyJWKClient": _age_pyjwk_client,
    "FastMCP": _age_fastmcp,
    "fastapi-azure-auth": _age_azure,
}
