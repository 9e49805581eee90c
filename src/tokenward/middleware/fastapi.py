"""The FastAPI front door: a security dependency, with scopes per route and a place in the OpenAPI document."""

# No `from __future__ import annotations`: FastAPI reads the annotations of `__call__`, and cannot resolve strings there.

from collections.abc import Sequence

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.websockets import WebSocket

from tokenward.challenge import Answer
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, MissingToken, PolicyError, ServiceUnavailable
from tokenward.identity import Identity
from tokenward.middleware.asgi import POLICY_VIOLATION, TRY_AGAIN_LATER, authorization_values
from tokenward.middleware.door import Door, verifier_for
from tokenward.policy import Policy
from tokenward.token.authorization import bearer_token
from tokenward.token.claims import lacks_scopes
from tokenward.token.header import read_header
from tokenward.verifier import AsyncVerifier

try:
    from fastapi import HTTPException, WebSocketException
    from fastapi.exception_handlers import http_exception_handler
    from fastapi.openapi.models import HTTPBearer
    from fastapi.security import SecurityScopes
    from fastapi.security.base import SecurityBase
    from starlette.exceptions import HTTPException as StarletteHTTPException
except ModuleNotFoundError as exc:
    raise ImportError("tokenward.middleware.fastapi needs FastAPI: pip install 'tokenward[fastapi]'") from exc


class Refused(HTTPException):
    """A refusal on its way through FastAPI. `answer` is what the middlewares would send, and what is sent.

    An app that has its own handler for HTTPException, or for this class, decides the body itself; the headers that a client
    needs (`WWW-Authenticate`, `Retry-After`) are in `headers`, and what was wrong is in `error`, for the operator only.
    """

    def __init__(self, error: AuthenticationError, answer: Answer) -> None:
        headers = {name: value for name, value in answer.headers if not name.startswith("Content-")}
        super().__init__(answer.status, error.public_description, headers)
        self.error = error
        self.answer = answer


class BearerAuth(SecurityBase):
    """Guards FastAPI routes, http and websocket.

        auth = BearerAuth(policy)

        @app.get("/jobs")
        async def jobs(user: Annotated[Identity, Security(auth, scopes=["jobs.read"])]): ...

    Every scope must be granted, or the answer is 403 and names them. Give `policy`, or a `verifier` of your own (to share its
    keys and remembered tokens with another front door). With neither it takes the identity that a BearerMiddleware in front of
    the app has proved, and adds the scopes; it never takes that one in place of its own policy. `realm` and `diagnostics` are
    Door's; `scheme_name` is the name in the OpenAPI document.

    It guards only routes that use it, and nothing of what FastAPI reads before: `BearerMiddleware` guards the whole app.

    Raises PolicyError.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        verifier: AsyncVerifier | None = None,
        realm: str | None = None,
        diagnostics: Diagnostics | None = None,
        scheme_name: str = "Bearer",
    ) -> None:
        relies_on_middleware = policy is None and verifier is None
        self._verifier = None if relies_on_middleware else verifier_for(AsyncVerifier, policy, verifier)
        self._door = Door(realm=realm, diagnostics=diagnostics)
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = scheme_name

    @property
    def verifier(self) -> AsyncVerifier:
        """For the lifespan: `async with auth.verifier.running(): yield`. Raises PolicyError if the middleware verifies."""
        if self._verifier is None:
            fix = "Use the middleware's verifier, or write BearerAuth(policy)."
            raise PolicyError("policy", "BearerAuth() has none, because the middleware verifies", fix)
        return self._verifier

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Identity:
        try:
            identity = await self._identify(connection)
            _require_scopes(identity, security_scopes.scopes, connection)
        except AuthenticationError as error:
            raise self._refusal(error, connection) from None
        return identity

    async def _identify(self, connection: HTTPConnection) -> Identity:
        if self._verifier is not None:
            return await self._verifier.authenticate(authorization_values(connection.scope))
        return _proved_by_middleware(connection)

    def _refusal(self, error: AuthenticationError, connection: HTTPConnection) -> HTTPException | WebSocketException:
        scope = connection.scope
        answer = self._door.refuse(error, method=scope.get("method", "WEBSOCKET"), path=scope["path"])
        answered_by_us = _have_it_answered(connection)
        if scope["type"] == "http" or (answered_by_us and "websocket.http.response" in (scope.get("extensions") or {})):
            return Refused(error, answer)
        code = TRY_AGAIN_LATER if isinstance(error, ServiceUnavailable) else POLICY_VIOLATION
        return WebSocketException(code, error.public_description)


def _proved_by_middleware(connection: HTTPConnection) -> Identity:
    """What BearerMiddleware put on the request; None is a request that it let pass without a token."""
    state = connection.scope.get("state") or {}
    if "identity" not in state:
        fix = "Write BearerAuth(policy), or put BearerMiddleware in front of the app."
        raise PolicyError("policy", "BearerAuth() has none, and no BearerMiddleware has seen this request", fix)
    if not isinstance(state["identity"], Identity):
        raise MissingToken("the middleware let this request pass without a token, and the route needs one")
    return state["identity"]


def _require_scopes(identity: Identity, required: Sequence[str], connection: HTTPConnection) -> None:
    wanted = list(dict.fromkeys(required))
    if all(scope in identity.scopes for scope in wanted):
        return
    rejection = lacks_scopes(wanted, identity)
    if values := authorization_values(connection.scope):
        header = read_header(bearer_token(values).partition(b".")[0])  # of the token that was verified just now
        rejection.kid, rejection.algorithm = header.kid, header.algorithm.name
    raise rejection


def _have_it_answered(connection: HTTPConnection) -> bool:
    """Register our handler with the app that runs this route, unless the app handles HTTPException in its own way.

    FastAPI's default handler can only send {"detail": ...}, and a dependency has no other way out than an exception. The table
    is where Starlette looks for handlers (starlette._exception_handler); without it, the default handler answers.
    """
    handlers, _ = connection.scope.get("starlette.exception_handlers", ({}, {}))
    if handlers.get(StarletteHTTPException) is http_exception_handler:
        handlers.setdefault(Refused, _send)
    return handlers.get(Refused) is _send


async def _send(connection: HTTPConnection, refused: Refused) -> Response | None:
    answer = refused.answer
    body = b"" if connection.scope.get("method") == "HEAD" else answer.body
    response = Response(body, answer.status, dict(answer.headers))
    if not isinstance(connection, WebSocket):
        return response
    await connection.send_denial_response(response)  # older Starlettes do not send what a handler returns for these
    return None
