"""The guarded app that the servers of this folder run: `guarded:asgi` and `guarded:wsgi` are its factories, for a policy and a
rhythm from the environment.

Whoever has a token reads /jobs. /status needs none, and says which process answers and how its keys are.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tokenward import AsyncVerifier, Verifier, entra
from tokenward.keys.rhythm import Rhythm
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


def _told(verifier: Verifier | AsyncVerifier) -> dict[str, Any]:
    time.sleep(BUSY)
    return {"pid": os.getpid(), "sources": [asdict(source) for source in verifier.status()]}


# -- ASGI --------------------------------------------------------------------------------------------------------------


def asgi(verifier: AsyncVerifier | None = None) -> Starlette:
    verifier = verifier or AsyncVerifier(POLICY, rhythm=RHYTHM)

    async def jobs(request: Request) -> Response:
        return JSONResponse({"user": request.state.identity.subject})

    async def status(_: Request) -> Response:
        return JSONResponse(_told(verifier))

    guard = Middleware(BearerMiddleware, verifier=verifier, exempt=OPEN, warm_up=PATIENCE)
    return Starlette(routes=[Route("/jobs", jobs), Route("/status", status)], middleware=[guard])


def preloaded_asgi() -> Starlette:
    """Warm before anybody forks, in an event loop that is over by then."""
    verifier = AsyncVerifier(POLICY, rhythm=RHYTHM)
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
    verifier = Verifier(POLICY, rhythm=RHYTHM)
    verifier.warm_up(PATIENCE)

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        identity = environ["tokenward.identity"]
        body = {"user": identity.subject} if identity else _told(verifier)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(body).encode()]

    return WsgiBearerMiddleware(app, verifier=verifier, exempt=OPEN)
