"""The ASGI front door: pure ASGI, for http and websocket; in the lifespan it warms the keys and keeps them fresh."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any

from tokenward import validation
from tokenward.challenge import Answer, close_code
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, KeysUnavailable
from tokenward.identity import Identity
from tokenward.middleware.door import Door, Exempt, require_app, verifier_for
from tokenward.policy import Policy
from tokenward.verifier import MAX_WARM_UP, WARM_UP_TIMEOUT, AsyncVerifier

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

GUARDED = ("http", "websocket")
"""The kinds of connection that can be judged; of others it is not known where they would carry a token."""


class BearerMiddleware:
    """Guards an ASGI app: every request has a verified identity, or is answered here.

    `request.state.identity` and `request.state.claims` hold the caller; both are None where no token was needed. Give either
    `policy`, or a `verifier` of your own (to share its keys with another front door). `warm_up` is how many seconds the start
    waits for keys at most; with `require_keys` a start that has waited in vain fails, and the server ends with a message that
    says why, where it would else begin and answer 503. The other options are Door's, and so is what happens when code of your
    own raises.

    An AuthenticationError that the app raises for an http request, such as `errors.InsufficientRole()`, is reported and answered
    in the same way, if the app has not begun to answer. (Starlette itself answers 500 to what leaves a whole app, so put the
    middleware into it, by `Middleware(BearerMiddleware, ...)`, and not around it.)

    It does not check what a caller may do beyond the policy. Put CORS middleware outside of it, so that refusals carry CORS
    headers, too.

    Raises PolicyError; and, for a scope that is neither http, websocket nor lifespan, NotImplementedError.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        policy: Policy | None = None,
        verifier: AsyncVerifier | None = None,
        exempt: Exempt = (),
        optional: bool = False,
        realm: str | None = None,
        allow_preflight: bool = False,
        warm_up: float = WARM_UP_TIMEOUT,
        require_keys: bool = False,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        require_app("app", app)
        self.app = app
        self.verifier = verifier_for(AsyncVerifier, policy, verifier)
        self._door = Door(exempt=exempt, optional=optional, realm=realm, allow_preflight=allow_preflight, diagnostics=diagnostics)
        self._warm_up = validation.seconds("warm_up", warm_up, most=MAX_WARM_UP)
        self._require_keys = validation.boolean("require_keys", require_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        if scope["type"] not in GUARDED:
            raise NotImplementedError(f"BearerMiddleware guards {' and '.join(GUARDED)}, and cannot judge {scope['type']!r}")
        try:
            identity = await self._identify(scope)
        except AuthenticationError as error:
            await self._refuse(error, scope, receive, send)
            return
        answering = _Answering(send)
        try:
            await self.app(_with_identity(scope, identity), receive, answering)
        except AuthenticationError as error:
            if answering.has_begun or scope["type"] != "http":
                raise
            await self._refuse(self._door.of_app(error, identity), scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        running = self.verifier.running(warm_up=self._warm_up, required=self._require_keys)
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(running)
            except KeysUnavailable as error:  # raised, it would be an app without a lifespan to some servers, which carry on
                await receive()  # lifespan.startup
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await self.app(scope, receive, send)

    async def _identify(self, scope: Scope) -> Identity | None:
        if not self._door.needs_token(scope, _path, _is_preflight):
            return None
        try:
            return await self.verifier.authenticate(authorization_values(scope))
        except AuthenticationError as error:
            self._door.tolerate(error)
            return None

    async def _refuse(self, error: AuthenticationError, scope: Scope, receive: Receive, send: Send) -> None:
        method: str = scope.get("method", "WEBSOCKET")
        answer = self._door.refuse(error, method=method, path=scope["path"])
        if scope["type"] == "websocket":
            await deny_websocket(answer, close_code(error), error.public_description, scope, receive, send)
        else:
            await send_answer(answer, method, send)


class _Answering:
    """The app's `send`, which knows whether the app has begun to answer."""

    __slots__ = ("_send", "has_begun")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    def __call__(self, message: Message) -> Awaitable[None]:
        self.has_begun = True
        return self._send(message)


async def live(running: AbstractAsyncContextManager[object], receive: Receive, send: Send) -> None:
    """The lifespan of an app of ours: `running` is entered at its start, and left at its end."""
    await receive()  # lifespan.startup
    async with running:
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
    await send({"type": "lifespan.shutdown.complete"})


async def deny_websocket(answer: Answer, code: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a websocket: by the answer where the server has the denial response extension, else by closing it."""
    await receive()  # websocket.connect
    if takes_http_answer(scope):
        await send_answer(answer, "GET", send, "websocket.http")
    else:
        await send({"type": "websocket.close", "code": code, "reason": reason})


async def send_answer(answer: Answer, method: str, send: Send, prefix: str = "http") -> None:
    """Send a whole answer; `prefix` is "websocket.http" where a websocket is denied."""
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": f"{prefix}.response.start", "status": answer.status, "headers": headers})
    await send({"type": f"{prefix}.response.body", "body": answer.body_for(method)})


def authorization_values(scope: Scope) -> list[bytes]:
    """Every Authorization header of a scope.

    Servers write names in lower case (ASGI specification); one that does not must not turn a token into a missing one.
    """
    return [value for name, value in scope["headers"] if len(name) == 13 and name.lower() == b"authorization"]


def takes_http_answer(scope: Scope) -> bool:
    """Whether a refusal can be an HTTP answer; a websocket's, only where the server has the denial response extension."""
    return scope["type"] == "http" or "websocket.http.response" in (scope.get("extensions") or {})


def _path(scope: Scope) -> str:
    """The path below the app's own mount point, as Starlette's router sees it; "" is the mount point without a slash.

    Servers that do not put `root_path` at the front of `path` (uvicorn before 0.26) are not told apart from those that do; a
    path of theirs that does not begin with `root_path` is taken whole, as the router does.
    """
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if not root or not path.startswith(root):
        return path
    below = path[len(root) :]
    return below if not below or below[0] == "/" else path


def _is_preflight(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    names = {name.lower() for name, _ in scope["headers"]}
    return {b"origin", b"access-control-request-method"} <= names and b"authorization" not in names


def _with_identity(scope: Scope, identity: Identity | None) -> Scope:
    """A scope of the request's own: the server's state dict may be shared between requests."""
    state: dict[str, Any] = {
        **(scope.get("state") or {}),
        "identity": identity,
        "claims": identity.claims if identity else None,
    }
    return {**scope, "state": state}
