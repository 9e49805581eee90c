"""The guarded app: a Starlette service of one tenant, as `uvicorn demo.app:app` runs it.

What is here for the demo only: the issuer's address, the quick rhythm, and the /status page.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tokenward import AsyncVerifier, entra
from tokenward.keys.rhythm import Rhythm
from tokenward.middleware.asgi import BearerMiddleware

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.JSONRenderer(),
    ]
)

# Left alone, it refreshes keys hourly, and lets an unknown kid cause a fetch every 30 seconds. Nobody watches a demo so long.
QUICK = Rhythm(refresh_interval=3.0, refresh_floor=3.0, miss_cooldown=0.5, backoff=0.5)


async def jobs(request: Request) -> Response:
    """Who called: the middleware has put it on the request."""
    caller = request.state.identity
    return JSONResponse({"kind": caller.kind, "client": caller.client_id, "granted": sorted(caller.scopes | caller.roles)})


async def health(_: Request) -> Response:
    """Needs no token."""
    return PlainTextResponse("ok")


async def status(_: Request) -> Response:
    """How the keys are. Needs no token here; in production, do not show it to strangers."""
    return JSONResponse([asdict(source) for source in verifier.status()])


policy = entra.api(
    client_id=os.environ["DEMO_CLIENT_ID"],
    tenants=[os.environ["DEMO_TENANT"]],
    guests=False,
    cloud=replace(entra.PUBLIC, authority=os.environ["DEMO_ISSUER"]),  # leave this line out, and Entra itself is asked
)
verifier = AsyncVerifier(policy, rhythm=QUICK)
app = Starlette(
    routes=[Route("/jobs/{name}", jobs), Route("/health", health), Route("/status", status)],
    middleware=[Middleware(BearerMiddleware, verifier=verifier, exempt=["/health", "/status"])],
)
