"""A guarded Starlette app. Try it against the local issuer:

python -m tokenward.testing --port 8400          # prints a tenant and a client_id
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 uvicorn starlette_app:app
"""

import os
import sys
from dataclasses import replace

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tokenward import entra
from tokenward.middleware.asgi import BearerMiddleware

policy = entra.api(
    client_id=os.environ.get("CLIENT_ID") or sys.exit("Set CLIENT_ID: the Application (client) ID of your API."),
    tenants=[os.environ.get("TENANT") or sys.exit("Set TENANT: the Directory (tenant) ID whose users may call.")],
    cloud=replace(entra.PUBLIC, authority=os.environ.get("AUTHORITY", entra.PUBLIC.authority)),  # not needed in production
)
guard = Middleware(BearerMiddleware, policy=policy, exempt=["/health"])


async def jobs(request: Request) -> JSONResponse:
    user = request.state.identity
    return JSONResponse({"user": user.subject, "kind": user.kind, "tenant": request.state.claims["tid"]})


async def health(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


async def live(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"user": socket.state.identity.subject})
    await socket.close()


app = Starlette(routes=[Route("/jobs", jobs), Route("/health", health), WebSocketRoute("/live", live)], middleware=[guard])
