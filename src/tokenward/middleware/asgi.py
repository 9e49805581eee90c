"""The ASGI front door: pure ASGI, for http and websocket; in the lifespan it warms the keys and keeps them fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, ServiceUnavailable
from tokenward.identity import Identity
from tokenward.middleware.door import Door, Exempt, verifier_for
from tokenward.policy import Policy
from tokenward.verifier import WARM_UP_TIMEOUT, AsyncVerifier

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

POLICY_VIOLATION = 1008
TRY_AGAIN_LATER = 1013
"""WebSocket close codes (RFC 6455 section 7.4.1, and its registry)."""


class BearerMiddleware:
    """Guards an ASGI app: every request has a verified identity, or is answered here.

    `request.state.identity` and `request.state.claims` hold the caller; both are None where no token was needed. Give either
    `policy`, or a `verifier` of your own (to share its keys with another front door). `warm_up` is how many seconds the start
    waits for keys at most; the other options are Door's.

    It does not check what a caller may do beyond the policy. Put CORS middleware outside of it, so that refusals carry CORS
    headers, too.

    Raises PolicyError.
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
        allow_preflight: bool = True,
        warm_up: float = WARM_UP_TIMEOUT,
        diagnostics: Diagnostics | None = None,
    ) -> None:
        self.app = app
        self.verifier = verifier_for(AsyncVerifier, policy, verifier)
        self._door = Door(exempt=exempt, optional=optional, realm=realm, allow_preflight=allow_preflight, diagnostics=diagnostics)
        self._warm_up = warm_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            async with self.verifier.running(warm_up=self._warm_up):
                await self.app(scope, receive, send)
            return
        try:
            identity = await self._identify(scope)
        except AuthenticationError as error:
            await self._refuse(error, scope, receive, send)
            return
        await self.app(_with_identity(scope, identity), receive, send)

    async def _identify(self, scope: Scope) -> Identity | None:
        if self._door.is_open(_path(scope), scope) or (self._door.allow_preflight and _is_preflight(scope)):
            return None
        try:
            return await self.verifier.authenticate(authorization_values(scope))
        except AuthenticationError as error:
            if self._door.tolerates(error):
                return None
            raise

    async def _refuse(self, error: AuthenticationError, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._door.refuse(error, method=scope.get("method", "WEBSOCKET"), path=scope["path"])
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
        if scope["type"] == "http":
            prefix, body = "http.response", b"" if scope["method"] == "HEAD" else answer.body
        else:
            await receive()  # websocket.connect
            if "websocket.http.response" not in (scope.get("extensions") or {}):
                code = TRY_AGAIN_LATER if isinstance(error, ServiceUnavailable) else POLICY_VIOLATION
                await send({"type": "websocket.close", "code": code, "reason": error.public_description})
                return
            prefix, body = "websocket.http.response", answer.body
        await send({"type": f"{prefix}.start", "status": answer.status, "headers": headers})
        await send({"type": f"{prefix}.body", "body": body})


def authorization_values(scope: Scope) -> list[bytes]:
    """Every Authorization header of a scope; servers write names in lower case (ASGI specification)."""
    return [value for name, value in scope["headers"] if name == b"authorization"]


def _path(scope: Scope) -> str:
    """The path below the app's own mount point, as routes are written."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root + "/") else path


def _is_preflight(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "OPTIONS":
        return False
    names = {name for name, _ in scope["headers"]}
    return b"origin" in names and b"access-control-request-method" in names


def _with_identity(scope: Scope, identity: Identity | None) -> Scope:
    """A scope of the request's own: the server's state dict may be shared between requests."""
    state: dict[str, Any] = {
        **(scope.get("state") or {}),
        "identity": identity,
        "claims": identity.claims if identity else None,
    }
    return {**scope, "state": state}
