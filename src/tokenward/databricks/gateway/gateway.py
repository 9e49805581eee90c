"""Gateway: the guarded proxy in front of a workspace, as an ASGI app. What it refuses never reaches the upstream.

The way of a request: its form and its path (`admission.form`, `admission.path`), its token and its rule (`Admission.identify`), a
place among those under way (`in_flight`), the token to go on with (`Admission.authorize`), and then there and back (`relay`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from tokenward import validation
from tokenward.challenge import Answer
from tokenward.databricks.admission.admission import Admission, of_known_caller
from tokenward.databricks.admission.credentials import Credentials
from tokenward.databricks.admission.form import judge_request
from tokenward.databricks.admission.health import health_of
from tokenward.databricks.admission.path import Target, checked_target
from tokenward.databricks.admission.refusals import GatewayRefusal
from tokenward.databricks.admission.refusing import Refusing, ending
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.admission.rules import allowed
from tokenward.databricks.gateway.aiohttp_mover import AiohttpMover
from tokenward.databricks.gateway.deadline import Awaited, Rounds
from tokenward.databricks.gateway.fields import forwarded
from tokenward.databricks.gateway.in_flight import MAX_CONCURRENT, InFlight
from tokenward.databricks.gateway.metadata import ResourceMetadata
from tokenward.databricks.gateway.port import Mover
from tokenward.databricks.gateway.relay import CLIENT_IDLE, Broken, ClientLeft, Relay
from tokenward.databricks.hosts import workspace_origin
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.middleware.asgi import authorization_values, live, send_answer
from tokenward.middleware.door import verifier_for
from tokenward.policy import Policy
from tokenward.verifier import MAX_WARM_UP, WARM_UP_TIMEOUT, AsyncVerifier

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CUT_OFF = 1.0
"""Seconds for what was cut off to say so."""
DRAIN_TIMEOUT = 30.0
"""Seconds that the end of the lifespan waits for what is under way; servers wait themselves before that."""


class Gateway:
    """A proxy that verifies the caller's token, replaces it, and streams the request to one upstream and its answer back.

    policy                 whom to believe; or `verifier`, an AsyncVerifier of your own
    upstream               the workspace: "adb-1234567890123456.7.azuredatabricks.net", or an https address
    credentials            with which token a request goes on: PassThrough(), Fixed(...), Exchange(...), OnBehalfOf(...), or an
                             AsyncTokenSource of your own
    allow                  what may be called: names of presets ("sql", "serving", "files", "dbfs", "jobs", "mcp", "me", "all"),
                             and Rules of your own
    public_url             the gateway's own address, for RFC 9728 metadata, which MCP clients ask for; without it there is none
    authorization_servers  for that metadata; by default the policy's issuers
    max_concurrent         requests of one caller at one time
    client_idle            seconds in which a client must send a part of its body, or take a part of its answer
    mover                  who moves the bytes; by default aiohttp's client
    realm, diagnostics     as BearerMiddleware's
    warm_up                seconds that the start waits for keys at most
    drain                  seconds that the end of the lifespan waits for what is under way at most

    `/-/health` and `/-/ready` need no token. Everything else does, and nothing but what `allow` names goes on. Own refusals carry
    the header `Tokenward-Refused`, which is removed from the upstream's answers. Mounted in another app, whose lifespan does
    not reach it, it wants `async with gateway.running():` there: without that the first token or the first `/-/ready` begins
    the fetches of keys, nothing refreshes them but requests, and the end drains nothing.

    It follows no redirect, rewrites no body, and passes on no websocket. Behind middleware that collects answers or ends them by
    itself (Starlette's BaseHTTPMiddleware, `@app.middleware("http")`) a client cannot see that an answer broke off: put none
    around it. It runs on asyncio. Raises PolicyError.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        upstream: str = "",
        *,
        credentials: Credentials,
        allow: Iterable[str | Rule] = ("all",),
        verifier: AsyncVerifier | None = None,
        public_url: str | None = None,
        authorization_servers: Iterable[str] = (),
        max_concurrent: int = MAX_CONCURRENT,
        client_idle: float = CLIENT_IDLE,
        mover: Mover | None = None,
        realm: str | None = None,
        diagnostics: Diagnostics | None = None,
        warm_up: float = WARM_UP_TIMEOUT,
        drain: float = DRAIN_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        origin = workspace_origin("upstream", upstream)
        self.verifier = verifier_for(AsyncVerifier, policy, verifier)
        self._host = urlsplit(origin).netloc.encode("ascii")
        self._admission = Admission(self.verifier, credentials, allowed(*allow), clock)
        self._metadata = None if public_url is None else ResourceMetadata(public_url, authorization_servers, self.verifier.policy)
        self._in_flight = InFlight(max_concurrent)
        self._rounds = Rounds()
        self._client_idle = _client_idle(client_idle)
        self._mover = AiohttpMover(origin) if mover is None else _of_same_upstream(mover, origin)
        self._refusing = Refusing(realm, diagnostics)
        self._warm_up = validation.seconds("warm_up", warm_up, most=MAX_WARM_UP)
        self._drain = validation.seconds("drain", drain, most=MAX_WARM_UP)

    # -- ASGI ------------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._serve(scope, receive, send)
        elif kind == "lifespan":
            await live(self.running(), receive, send)
        elif kind == "websocket":
            await self._refusing.refuse_websocket(scope, receive, send)
        else:
            raise NotImplementedError(f"Gateway serves http, and refuses websockets; it does not know {kind!r}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the lifespan of an app that it is mounted in: keys at the start and behind the requests, a clean end."""
        self._in_flight.draining = self._in_flight.is_over = False
        async with self.verifier.running(warm_up=self._warm_up):
            try:
                yield
            finally:
                self.drain()
                await self.drained(self._drain)
                await self._mover.close()

    def drain(self) -> None:
        """From now on `/-/ready` is 503, and so is every new request; what is under way goes on."""
        self._in_flight.draining = True

    async def drained(self, timeout: float) -> bool:
        """Wait until nothing is under way, `timeout` seconds at most, and cut off what is left; whether nothing was."""
        if await self._in_flight.tally.none_left(timeout):
            return True
        self._in_flight.is_over = True
        self._rounds.end_all(Awaited.STOP)
        await self._in_flight.tally.none_left(CUT_OFF)
        return False

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._in_flight.tally.total

    # -- the way of a request --------------------------------------------------------------------------------------

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        scope = {**scope, "headers": tuple(scope["headers"])}  # uvicorn adds trailers to its list when they come: after judgment
        try:
            judge_request(scope["headers"], scope["http_version"])
            target = checked_target(_raw_path_or_escaped(scope), scope["query_string"], scope.get("root_path", ""))
            path = target.path
            own = self._own(method, path)
            if own is None:
                await self._pass_on(scope, target, receive, send)
                return
        except (AuthenticationError, GatewayRefusal) as error:
            own = self._refusing.answer(error, method=method, path=path, resource_metadata=self._metadata_for(path))
            own = ending(own, error, scope["http_version"])
        except ClientLeft:
            return
        except Broken as broken:  # the server drops a connection whose answer was not ended
            self._refusing.report(broken.refusal, method=method, path=path)
            return
        await send_answer(own, method, send)

    def _own(self, method: str, path: str) -> Answer | None:
        """What the gateway answers by itself, to anybody."""
        if method not in ("GET", "HEAD") or path[:2] not in ("/-", "/."):
            return None
        if path.startswith("/-"):
            return health_of(path, self.verifier, draining=self._in_flight.draining)
        return self._metadata.document_at(path) if self._metadata is not None else None

    async def _pass_on(self, scope: Scope, target: Target, receive: Receive, send: Send) -> None:
        """Everything after the form: a caller's place is taken before a token is exchanged for it, and kept to the end."""
        self._in_flight.require_open()
        values = authorization_values(scope)
        identity, rule = await self._admission.identify(values, scope["method"], target)
        caller = (identity.issuer, identity.subject or identity.client_id)
        try:
            self._in_flight.enter(caller)
        except GatewayRefusal as refusal:
            raise of_known_caller(refusal, identity) from None
        try:
            access = await self._admission.authorize(values, identity)
            self._in_flight.require_not_over()
            fields = forwarded(scope["headers"], access.authorization.encode("ascii"), self._host)
            adapt = None if self._metadata is None else partial(self._metadata.of_challenge, path=target.path)
            relay = Relay(self._mover, receive, send, rule.patience, self._client_idle, self._rounds, adapt)
            await relay.carry(scope, str(target), fields)
        finally:
            self._in_flight.leave(caller)

    def _metadata_for(self, path: str) -> str | None:
        return self._metadata.address_for(path) if self._metadata is not None else None


def _of_same_upstream(mover: Mover, origin: str) -> Mover:
    """A mover of another upstream would be sent tokens that are for this one."""
    if isinstance(mover, AiohttpMover) and mover.origin != origin:
        raise PolicyError("mover", "it moves to another upstream", "Make it for the same address: AiohttpMover(upstream).")
    return mover


def _client_idle(value: float) -> float:
    problem, fix = "no client is done in 0 seconds", "Give seconds, such as 60; there is no way to have no limit."
    return validation.some_seconds("client_idle", value, most=MAX_WARM_UP, problem=problem, fix=fix)


def _raw_path_or_escaped(scope: Scope) -> bytes:
    """The path as it was sent; a server that does not say has decoded it, and it is escaped again.

    Whatever comes of it is what is judged, and what is sent on: the two cannot be different paths, as they could be where a
    proxy sends on a path of its own.
    """
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"], safe="/-._~!$&'()*+,;=:@").encode("ascii") if raw is None else raw
