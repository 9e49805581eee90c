"""A guarded FastAPI app, with a scope per route. Try it against the local issuer:

python -m tokenward.testing --port 8400          # prints a tenant and a client_id
TENANT=... CLIENT_ID=... AUTHORITY=http://127.0.0.1:8400 uvicorn fastapi_app:app
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated

from fastapi import FastAPI, Security, WebSocket

from tokenward import Identity, entra
from tokenward.middleware.fastapi import BearerAuth

policy = entra.api(
    client_id=os.environ.get("CLIENT_ID") or sys.exit("Set CLIENT_ID: the Application (client) ID of your API."),
    tenants=[os.environ.get("TENANT") or sys.exit("Set TENANT: the Directory (tenant) ID whose users may call.")],
    cloud=replace(entra.PUBLIC, authority=os.environ.get("AUTHORITY", entra.PUBLIC.authority)),  # not needed in production
)
auth = BearerAuth(policy)
Reader = Annotated[Identity, Security(auth, scopes=["jobs.read"])]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    async with auth.verifier.running():  # keys are there before the first request
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/jobs")
async def jobs(user: Reader) -> dict[str, str | None]:
    return {"user": user.subject, "kind": user.kind, "tenant": user.tenant}


@app.get("/health")
async def health() -> str:
    return "ok"


@app.websocket("/live")
async def live(socket: WebSocket, user: Reader) -> None:
    await socket.accept()
    await socket.send_json({"user": user.subject})
    await socket.close()
