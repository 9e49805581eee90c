"""A guarded Starlette app that Prometheus watches: each worker tells its numbers on a port of its own, beside the app's.

python -m tokenward.testing --port 8400          # prints a tenant and a client_id
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 uvicorn measured_app:app --workers 2
curl http://127.0.0.1:9464/metrics               # and 9465: have Prometheus scrape both
"""

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

from prometheus_client import REGISTRY, start_http_server
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from tokenward import AsyncVerifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.metrics.prometheus import KeysCollector
from tokenward.middleware.asgi import BearerMiddleware

FIRST_PORT = int(os.environ.get("METRICS_PORT", "9464"))
MOST_WORKERS = 16

policy = entra.api(
    client_id=os.environ.get("CLIENT_ID") or sys.exit("Set CLIENT_ID: the Application (client) ID of your API."),
    tenants=[os.environ.get("TENANT") or sys.exit("Set TENANT: the Directory (tenant) ID whose users may call.")],
    cloud=replace(entra.PUBLIC, authority=os.environ.get("AUTHORITY", entra.PUBLIC.authority)),  # not needed in production
)
verifier, diagnostics = AsyncVerifier(policy), Diagnostics()
guard = Middleware(BearerMiddleware, verifier=verifier, diagnostics=diagnostics, exempt=["/health"])
REGISTRY.register(KeysCollector(verifier, diagnostics=diagnostics))


def tell_numbers() -> None:
    """On the first port that no other worker has; whoever replaces a worker that has ended gets the port of that one."""
    for port in range(FIRST_PORT, FIRST_PORT + MOST_WORKERS):
        with contextlib.suppress(OSError):
            start_http_server(port, addr="127.0.0.1")
            return
    sys.exit(f"No port is free among {MOST_WORKERS} from {FIRST_PORT}.")


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    tell_numbers()
    yield


async def jobs(request: Request) -> JSONResponse:
    return JSONResponse({"user": request.state.identity.subject})


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/jobs", jobs), Route("/health", health)], middleware=[guard], lifespan=lifespan)
