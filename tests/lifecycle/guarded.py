"""The guarded app that the servers of this folder run: `guarded:asgi` and `guarded:wsgi` are its factories, for a policy and a
rhythm from the environment.

Whoever has a token reads /jobs. /status needs none, and says which process answers, how its keys are, and what was seen of the
requests that wait. GUARDED_MUTANT names a defect to put into this process, so that tests can show that they would see it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tokenward import AsyncVerifier, Identity, Verifier, entra
from tokenward.keys import threads
from tokenward.keys.decision import Answer, Decision, Lease, Unknown
from tokenward.keys.fetch import AsyncHttpxFetch, HttpxFetch
from tokenward.keys.freshness import Freshness
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.keys.rhythm import Rhythm
from tokenward.keys.source import KeySource
from tokenward.memory import Memory, Remembered
from tokenward.middleware.asgi import BearerMiddleware
from tokenward.middleware.wsgi import BearerMiddleware as WsgiBearerMiddleware

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = ["/status"]
BUSY = 0.02
"""Seconds that /status keeps its process busy, so that whoever asks at the same time meets another one."""
PATIENCE = float(os.environ.get("WARM_UP", "20"))
"""Seconds that a start waits for keys."""
POLICY = entra.api(
    os.environ["CLIENT_ID"], [os.environ["TENANT"]], cloud=replace(entra.PUBLIC, authority=os.environ["AUTHORITY"])
)
RHYTHM = Rhythm(**json.loads(os.environ.get("RHYTHM", "{}")))
MANY = 20
"""Requests that begin during one fetch, after which a request that was there before them, and still is, has waited for it."""


@dataclass(eq=False, slots=True)
class Seen:
    """A request: how many came before it, and the key that its token names."""

    number: int
    kid: str


class Watch:
    """Sees which requests wait for a fetch, whatever the verifier counts: by whose thread or task makes it, and by who is still
    there when it is over. No clock is asked, so a machine that is busy makes nobody wait. A fork finds no lock in it.
    """

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.waits: set[Seen] = set()
        self._served: dict[object, Seen] = {}

    @contextlib.contextmanager
    def request(self, authorization: str | None) -> Iterator[None]:
        who, request = _thread_or_task(), Seen(len(self.requests), _kid(authorization or ""))
        self.requests.append(request)
        self._served[who] = request
        try:
            yield
        finally:
            del self._served[who]

    @contextlib.contextmanager
    def fetch(self) -> Iterator[None]:
        begun = len(self.requests)
        own = self.own_request()
        self.waits.update({own} if own else ())
        try:
            yield
        finally:
            last = len(self.requests) - MANY
            self.waits.update(request for request in list(self._served.values()) if max(begun, request.number) <= last)

    def own_request(self) -> Seen | None:
        """The request that this very thread or task serves."""
        return self._served.get(_thread_or_task())


def _thread_or_task() -> object:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return threading.get_ident()


def _kid(authorization: str) -> str:
    """Empty without a token that names one."""
    header = authorization.removeprefix("Bearer ").partition(".")[0]
    try:
        return str(json.loads(base64.urlsafe_b64decode(header + "=="))["kid"])
    except (ValueError, KeyError):
        return ""


WATCH = Watch()


def _told(verifier: Verifier | AsyncVerifier) -> dict[str, Any]:
    time.sleep(BUSY)
    sources = [asdict(source) for source in verifier.status()]
    waits = Counter(request.kid for request in WATCH.waits)
    return {"pid": os.getpid(), "sources": sources, "requests": len(WATCH.requests), "waits": waits}


# -- ASGI --------------------------------------------------------------------------------------------------------------


def asgi(verifier: AsyncVerifier | None = None) -> Starlette:
    verifier = verifier or _async_verifier()

    async def jobs(request: Request) -> Response:
        return JSONResponse({"user": request.state.identity.subject})

    async def status(_: Request) -> Response:
        return JSONResponse(_told(verifier))

    guard = Middleware(BearerMiddleware, verifier=verifier, exempt=OPEN, warm_up=PATIENCE)
    return Starlette(routes=[Route("/jobs", jobs), Route("/status", status)], middleware=[Middleware(_Watched), guard])


class _Watched:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_request = scope["type"] == "http"
        with WATCH.request(Headers(scope=scope).get("authorization")) if is_request else contextlib.nullcontext():
            await self.app(scope, receive, send)


def _async_verifier() -> AsyncVerifier:
    fetch = AsyncHttpxFetch()

    async def watched(request: FetchRequest) -> FetchResponse:
        with WATCH.fetch():
            return await fetch(request)

    return AsyncVerifier(POLICY, rhythm=RHYTHM, fetch=watched)


def preloaded_asgi() -> Starlette:
    """Warm before anybody forks, in an event loop that is over by then."""
    verifier = _async_verifier()
    asyncio.run(verifier.warm_up(PATIENCE))
    return asgi(verifier)


def ending_with_its_client() -> ASGIApp:
    """The same app, in which a request is cancelled as soon as its client has gone."""
    app = asgi()

    async def ended(scope: Scope, receive: Receive, send: Send) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(_cancel_when_gone, receive, group.cancel_scope)
            await app(scope, receive, send)
            group.cancel_scope.cancel()

    return ended


async def _cancel_when_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


# -- WSGI --------------------------------------------------------------------------------------------------------------


def wsgi() -> WSGIApplication:
    """Warm as soon as it is made, which a server may do before it forks."""
    fetch = HttpxFetch()

    def watched_fetch(request: FetchRequest) -> FetchResponse:
        with WATCH.fetch():
            return fetch(request)

    verifier = Verifier(POLICY, rhythm=RHYTHM, fetch=watched_fetch)
    verifier.warm_up(PATIENCE)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        identity = environ["tokenward.identity"]
        body = {"user": identity.subject} if identity else _told(verifier)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    guarded = WsgiBearerMiddleware(app, verifier=verifier, exempt=OPEN)

    def watched(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with WATCH.request(environ.get("HTTP_AUTHORIZATION")):
            return guarded(environ, start_response)

    return watched


# -- defects, each of which the verifier's own counts do not show ------------------------------------------------------


def _fetch_in_request() -> None:
    """Whoever finds that a refresh is due makes it."""
    start = threads.ThreadDriver._start

    def mutated(self: threads.ThreadDriver, source: KeySource, lease: Lease | None) -> None:
        if lease is not None and WATCH.own_request():
            threads._fetch_for(source, lease, self._fetch)
        else:
            start(self, source, lease)

    threads.ThreadDriver._start = mutated  # type: ignore[method-assign]


def _wait_for_refresh() -> None:
    """Whoever finds that a refresh is due is answered when it is over."""
    find = threads.ThreadDriver.find

    def mutated(self: threads.ThreadDriver, source: KeySource, kid: str | None) -> Answer:
        answer = find(self, source, kid)
        while source.pending()[0] is not None:
            time.sleep(BUSY)
        return answer

    threads.ThreadDriver.find = mutated  # type: ignore[method-assign]


def _remember_for_ever() -> None:
    """A token that was good once is good, whatever becomes of its key."""

    def mutated(self: Memory, digest: bytes, now: float) -> Remembered | None:
        return self._entries.get(digest)

    Memory.recall = mutated  # type: ignore[method-assign]


def _never_look_for_a_key() -> None:
    """Whoever comes with a kid that is not among the keys is refused at once; new keys come with the refreshes."""
    missed = Freshness._missed

    def mutated(self: Freshness, mono: float, wall: float, **how: Any) -> Decision:
        return Unknown() if self.alive(mono, wall) else missed(self, mono, wall, **how)

    Freshness._missed = mutated  # type: ignore[method-assign]


def _wait_for_any_fetch() -> None:
    """Whoever comes while somebody's key is looked for waits as well, whatever keys are in hand."""
    verify = AsyncVerifier._verify

    async def mutated(self: AsyncVerifier, token: bytes) -> Identity:
        while any(source.pending()[0] for source in self._remote):  # noqa: ASYNC110  # a defect
            await asyncio.sleep(BUSY)
        return await verify(self, token)

    AsyncVerifier._verify = mutated  # type: ignore[method-assign]


MUTANTS = {
    "fetch_in_request": _fetch_in_request,
    "wait_for_refresh": _wait_for_refresh,
    "remember_for_ever": _remember_for_ever,
    "never_look_for_a_key": _never_look_for_a_key,
    "wait_for_any_fetch": _wait_for_any_fetch,
}
if "GUARDED_MUTANT" in os.environ:
    MUTANTS[os.environ["GUARDED_MUTANT"]]()
