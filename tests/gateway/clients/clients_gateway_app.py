"""Gateways as a server loads them: one for each name that the server is called by, told by $GATEWAYS (see `conftest`)."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.routing import Host

from tokenward import Issuer, Policy, entra
from tokenward.databricks import Exchange, Gateway, PassThrough

Told = Mapping[str, str]


def make() -> Starlette:
    """The app; a name that nobody knows is 404."""
    gateways = {name: _gateway(told) for name, told in json.loads(os.environ["GATEWAYS"]).items()}

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for gateway in gateways.values():
                await stack.enter_async_context(gateway.running())
            yield

    return Starlette(routes=[Host(name, gateway) for name, gateway in gateways.items()], lifespan=lifespan)


def _gateway(told: Told) -> Gateway:
    if told["credentials"] == "exchange":
        issuer = Issuer(told["issuer"], audiences=[told["audience"]], jwks_uri=told["jwks_uri"])
        return Gateway(Policy([issuer]), told["upstream"], credentials=Exchange(told["workspace"]), drain=2.0)
    cloud = replace(entra.PUBLIC, authority=told["authority"])
    return Gateway(entra.databricks(told["tenant"], cloud=cloud), told["upstream"], credentials=PassThrough(), drain=2.0)


app = make()
