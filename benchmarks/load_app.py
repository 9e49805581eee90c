"""The apps that stand under load, for `uvicorn --factory`. The keys' address comes in the environment."""

from __future__ import annotations

import os
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from benchmarks.doors import App, with_authentication_middleware
from benchmarks.tokens import CLIENT, V2_ISSUER
from tokenward import Issuer, Policy
from tokenward.middleware.asgi import BearerMiddleware

JWKS_URI = "BENCHMARK_JWKS_URI"


async def hello(request: Request) -> PlainTextResponse:  # noqa: ARG001  # Starlette's signature
    return PlainTextResponse("ok")


def unguarded() -> App:
    return Starlette(routes=[Route("/", hello)])


def guarded() -> App:
    issuer = Issuer(V2_ISSUER, audiences=[CLIENT], jwks_uri=os.environ[JWKS_URI], required_claims=["exp", "nbf", "tid"])
    middleware = [Middleware(BearerMiddleware, policy=Policy([issuer]))]
    return Starlette(routes=[Route("/", hello)], middleware=middleware)


def authentication_middleware() -> App:
    app: Any = Starlette(routes=[Route("/", hello)])
    return with_authentication_middleware(app, os.environ[JWKS_URI])
