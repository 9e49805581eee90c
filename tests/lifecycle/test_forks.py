"""Processes that fork at a bad moment: the child serves with the keys that it has at once, and can fetch its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")]

Python = Callable[..., Any]  # of this folder's conftest

WORLD = """
    import asyncio, faulthandler, logging, multiprocessing, os, sys, threading, traceback
    from tokenward import AsyncVerifier, Verifier, entra
    from tokenward.diagnostics import Diagnostics
    from tokenward.errors import MissingToken
    from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
    from tokenward.testing import FaultServer, HandClock, LocalIssuer, faults

    logging.getLogger("asyncio").setLevel("ERROR")  # its debug mode tells of the time that a fork takes
    kind, moment = sys.argv[1:]
    now, issuer = HandClock(1000.0), LocalIssuer()
    server = FaultServer(issuer).start()
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, versions=["2.0"])
    known, diagnostics, hooks = issuer.user_token(), Diagnostics(first=None), []

    def happen(here):
        if here == moment and hooks:
            hooks.pop()()

    def fetch(request):
        happen("in a fetch")
        return HttpxFetch(trust_env=False)(request)

    async def fetch_async(request):
        happen("in a fetch")
        return await AsyncHttpxFetch(trust_env=False)(request)

    def observe(event):
        happen("in an observer")

    if kind == "threads":
        verifier = Verifier(policy, monotonic=now, fetch=fetch, observer=observe)
        verify, refresh = verifier.verify, verifier.refresh
    else:
        verifier = AsyncVerifier(policy, monotonic=now, fetch=fetch_async, observer=observe)
        verify = lambda token: asyncio.run(verifier.verify(token))
        refresh = lambda timeout: asyncio.run(verifier.refresh(timeout))
    verify(known)
    new = issuer.rotate()
    source, = verifier._remote
    now.advance(60)

    def live():
        faulthandler.dump_traceback_later(20, exit=True)
        hooks.clear()
        waits = source.status().waits
        assert verify(known).subject, "a known caller"
        assert verify(issuer.user_token(key=issuer.keys[0])).subject, "a new token of a known key"
        assert source.status().waits == waits, "a known caller waited"
        diagnostics.rejected(MissingToken("none"), method="GET", path="/")
        now.advance(60)
        assert verify(issuer.user_token()).subject, "a token of a new key"
        if kind == "threads":
            verifier.close()

    def fork():
        child = os.fork()
        if child == 0:
            try:
                live()
                os._exit(42)
            except BaseException:
                traceback.print_exc()
            os._exit(13)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == 42, code

    def while_held(lock):
        held = threading.Event()
        def hold():
            with lock:
                held.set()
                threading.Event().wait(60)
        threading.Thread(target=hold, daemon=True).start()
        held.wait()
        fork()
        os._exit(42)
"""
MOMENTS = """
    if moment in ("in a fetch", "in an observer"):
        forked = threading.Event()
        hooks.append(lambda: (fork(), forked.set()))
        assert refresh(30), "the parent's own fetch goes on"
        assert forked.wait(20)
        verify(issuer.user_token())
    elif moment == "by multiprocessing":
        server.always(faults.held())
        threading.Thread(target=refresh, args=(1,), daemon=True).start()
        while source.status().fetch != "in_flight":
            pass
        server.recover()
        processes = [multiprocessing.get_context("fork").Process(target=live) for _ in range(3)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        assert [process.exitcode for process in processes] == [0] * 3
    else:
        while_held({
            "keys locked": source._lock,
            "memory locked": verifier._walk._memory._lock,
            "diagnostics locked": diagnostics._lock,
            "ticker locked": verifier._driver._closed._cond,
        }[moment])
    os._exit(42)
"""


MOMENTS_OF = [
    *(("threads", moment) for moment in ("in a fetch", "in an observer", "by multiprocessing")),
    *(("asyncio", moment) for moment in ("in a fetch", "in an observer", "by multiprocessing")),
    *(("threads", f"{lock} locked") for lock in ("keys", "memory", "diagnostics", "ticker")),
]


@pytest.mark.parametrize(("kind", "moment"), MOMENTS_OF)
def test_a_child_serves_at_once_and_can_fetch(python: Python, kind: str, moment: str) -> None:
    done = python(WORLD + MOMENTS, kind, moment)
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


CUT_OFF = """
    def live():
        faulthandler.dump_traceback_later(20, exit=True)
        assert verify(known).subject, "a known caller"
        assert source.status().fetches == source.status().waits == 0, "a known caller waited"
        assert verify(new).subject, "a token of the key that the parent looks for"
        assert source.status().fetches == 1, "its own"
        if kind == "threads":
            verifier.close()

    new, begun, over = issuer.user_token(), threading.Event(), threading.Event()
    who, moment = moment, "in a fetch"
    if who == "who fetches":
        hooks.append(lambda: (fork(), over.set()))
        verify(new)
    else:
        hooks.append(lambda: (begun.set(), over.wait(20)))
        threading.Thread(target=verify, args=(new,), daemon=True).start()
        assert begun.wait(20)
        fork()
        over.set()
    assert over.is_set() and verify(new).subject, "the parent's own look goes on"
    os._exit(42)
"""


@pytest.mark.parametrize("forks", ["who fetches", "another thread"])
@pytest.mark.parametrize("kind", ["threads", "asyncio"])
def test_a_child_looks_itself_for_the_key_that_its_parent_was_looking_for(python: Python, kind: str, forks: str) -> None:
    """The parent alone is answered what it asked. The child must not refuse good tokens until it may ask again."""
    done = python(WORLD + CUT_OFF, kind, forks)
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


STORM = """
    def call():
        while True:
            verify(known)
            diagnostics.rejected(MissingToken("none"), method="GET", path="/")

    for _ in range(4):
        threading.Thread(target=call, daemon=True).start()
    for _ in range(30):
        now.advance(60)
        fork()
    os._exit(42)
"""


def test_no_child_of_a_busy_process_hangs(python: Python) -> None:
    """Threads of the parent are anywhere in our code, and in that of the logger, when it forks."""
    done = python(WORLD + STORM, "threads", "")
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


AFTER_WARM_UP = """
    import structlog
    from tokenward.keylog import log_key_event

    for _ in range(40):
        verifier = Verifier(policy, monotonic=now, fetch=fetch, observer=log_key_event)
        source, = verifier._remote
        verifier.warm_up(20)
        fork()
        verifier.close()
    os._exit(42)
"""


def test_a_child_that_is_forked_right_after_the_warm_up_can_write_its_log(python: Python) -> None:
    """As a preloading server does: the thread that fetched may be about to log it, with a lock of structlog's in hand."""
    done = python(WORLD + AFTER_WARM_UP, "threads", "")
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


TICKING = """
    from tokenward.keys import threads

    def live():
        threads.TICK = 0.01
        faulthandler.dump_traceback_later(20, exit=True)
        assert verify(known if moment == "remembered" else issuer.user_token(key=issuer.keys[0])).subject
        assert source.status().fetches == 0, "it needed none"
        now.advance(2 * 3600)
        while not source.status().fetches:  # and nobody asks any more
            threading.Event().wait(0.01)

    fork()
    os._exit(42)
"""


@pytest.mark.parametrize("token", ["remembered", "new, of a known key"])
def test_the_first_good_token_of_a_child_begins_its_background_refresh(python: Python, token: str) -> None:
    """Threads do not survive a fork; a child that found everything in hand would else refresh behind requests only."""
    done = python(WORLD + TICKING, "threads", token)
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


APART = """
    from tokenward.keys.rhythm import Rhythm

    verifier = Verifier(policy, monotonic=now, fetch=fetch, rhythm=Rhythm(refresh_interval=86400.0, max_stale=7 * 86400.0))
    source, = verifier._remote
    verifier.warm_up(20)
    now.advance(60)

    def counts():
        status = source.status()
        return status.fetches, sum(status.counts.lookups.values())

    assert verifier.verify(known) and verifier.verify(issuer.user_token(key=issuer.keys[0]))
    assert counts() == (1, 2)
    due = []
    for _ in range(4):
        read, write = os.pipe()
        if os.fork() == 0:
            before = counts()
            assert verifier.verify(known) and verifier.refresh(20)
            os.write(write, repr((source.status().next_attempt, before, counts())).encode())
            os._exit(0)
        next_attempt, before, after = eval(os.read(read, 1000))
        due.append(next_attempt)
        assert (before, after) == ((0, 0), (1, 1)), "not what the parent has counted"
    assert counts() == (1, 2)
    assert len(set(due)) == 4, due
    os._exit(42)
"""


def test_forked_workers_part_company_and_count_for_themselves(python: Python) -> None:
    """Else all workers of a machine would refresh in the same second for ever, and their sums would count the parent's twice."""
    done = python(WORLD + APART, "threads", "")
    assert (done.returncode, done.stderr) == (42, ""), done.stderr


WORKERS = [
    pytest.param("guarded:wsgi()", ("-k", "sync"), id="sync"),
    pytest.param("guarded:wsgi()", ("-k", "gthread", "--threads", "4"), id="gthread"),
    pytest.param("guarded:preloaded_asgi()", ("-k", "uvicorn_worker.UvicornWorker"), id="uvicorn"),
]


@pytest.mark.parametrize(("app", "options"), WORKERS)
def test_workers_of_a_preloaded_app_need_no_issuer_to_start_and_fetch_for_themselves(
    serve: Callable[..., Any], issuer_process: Any, until: Callable[..., None], app: str, options: tuple[str, ...]
) -> None:
    service = serve("gunicorn", app, issuer_process.environment, "--preload", "--workers", "2", *options, workers=2)
    fetched, token = len(issuer_process.asked), issuer_process.token()
    issuer_process.control("fail", mode="reset")
    assert {service.get(token).status for _ in range(20)} == {200}
    for sources in service.statuses().values():
        assert [(source["keys"], source["waits"]) for source in sources] == [("fresh", 0)] * 2
    assert (fetched, len(issuer_process.asked)) == (4, 4), "the parent's: metadata and keys for tokens of both versions"
    issuer_process.control("recover")
    kid, verdicts = issuer_process.control("rotate")["kid"], set()
    token = issuer_process.token()

    def all_have_it() -> bool:
        verdicts.add(service.get(token).status)
        return all(kid in sources[1]["kids"] for sources in service.statuses().values())

    until(all_have_it)
    assert verdicts == {200}
