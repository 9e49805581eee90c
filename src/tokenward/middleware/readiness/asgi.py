"""Readiness as an ASGI app: Starlette, FastAPI, Litestar, or by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tokenward.challenge import POLICY_VIOLATION
from tokenward.middleware.asgi import deny_websocket, send_answer
from tokenward.middleware.readiness.probe import Probe
from tokenward.readiness import METHOD_NOT_ALLOWED, Of
from tokenward.verifier import AsyncVerifier, Verifier

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class Readiness:
    """200 while there are keys to judge tokens with, else 503 and Retry-After.

        Starlette(
            routes=[Route("/readyz", Readiness(verifier)), ...],
            middleware=[Middleware(BearerMiddleware, verifier=verifier, exempt=["/readyz"])],
        )

    verifier  the one that the middleware has (a Verifier, too, if that is what judges the tokens here)
    of        "all": every issuer must have usable keys; "any": one is enough
    details   add each source's state; whoever asks needs no token, and would learn the issuers' addresses

    It answers at any path, so it is for the router to say where; it needs no token, and takes no lifespan. It says nothing of
    what the app itself needs. Raises PolicyError; and, for a scope that is neither http nor websocket, NotImplementedError.
    """

    def __init__(self, verifier: AsyncVerifier | Verifier, *, of: Of = "all", details: bool = False) -> None:
        self._probe = Probe(verifier, of=of, details=details)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send_answer(self._probe.answer(scope["method"]), scope["method"], send)
        elif scope["type"] == "websocket":
            await deny_websocket(METHOD_NOT_ALLOWED, POLICY_VIOLATION, "no websocket", scope, receive, send)
        else:
            raise NotImplementedError(f"Readiness answers http, and cannot answer {scope['type']!r}")
