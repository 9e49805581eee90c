"""The FastAPI front door: a security dependency, with scopes per route and a place in the OpenAPI document."""

# No `from __future__ import annotations`: FastAPI reads the annotations of `__call__`, and cannot resolve strings there.

import contextlib
import re
from collections.abc import Sequence
from typing import cast

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from tokenward.challenge import Answer, close_code
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, PolicyError, TokenRejected
from tokenward.identity import Identity
from tokenward.middleware.asgi import authorization_values, takes_http_answer
from tokenward.middleware.door import Door, verifier_for
from tokenward.policy import Policy
from tokenward.token.authorization import bearer_token
from tokenward.token.caller import lacks_scopes
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
    raise ImportError("tokenward.middleware.fastapi needs FastAPI: install tokenward with the extra fastapi") from exc


_SCHEME_NAME = re.compile(r"[A-Za-z0-9._-]+")  # OpenAPI 3.1, "Components Object"


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

    Every scope must be granted, or the answer is 403 and names them. FastAPI has no such list for roles: what all routes need is
    the policy's `required_roles`, and what one route needs is a dependency on top of this one (see `answer`):

        def operator(user: Annotated[Identity, Security(auth)]) -> Identity:
            if "Jobs.Operate" not in user.roles:
                raise InsufficientRole("operators only")
            return user

    Give `policy`, or a `verifier` of your own (to share its keys and remembered tokens with another front door). With neither it
    takes the identity that a BearerMiddleware in front of the app has proved, and adds the scopes; it never takes that one in
    place of its own policy. `optional` lets a request without a token pass with None, as `auto_error=False` does in FastAPI's own
    schemes; but a bad token, or one with a scope too few, is refused all the same. `realm` and `diagnostics` are Door's, and so
    is what happens when code of your own raises; `scheme_name` is the name in the OpenAPI document.

    It guards only routes that use it (so there is no `exempt`), and nothing of what FastAPI reads before: `BearerMiddleware`
    guards the whole app.

    Raises PolicyError.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        verifier: AsyncVerifier | None = None,
        optional: bool = False,
        realm: str | None = None,
        diagnostics: Diagnostics | None = None,
        scheme_name: str = "Bearer",
    ) -> None:
        relies_on_middleware = policy is None and verifier is None
        self._verifier = None if relies_on_middleware else verifier_for(AsyncVerifier, policy, verifier)
        self._door = Door(optional=optional, realm=realm, diagnostics=diagnostics)
        self.model = HTTPBearer(bearerFormat="JWT")
        self.scheme_name = _require_scheme_name(scheme_name)

    @property
    def verifier(self) -> AsyncVerifier:
        """For the lifespan: `async with auth.verifier.running(): yield`. Raises PolicyError if the middleware verifies."""
        if self._verifier is None:
            fix = "Use the middleware's verifier, or write BearerAuth(policy)."
            raise PolicyError("policy", "BearerAuth() has none, because the middleware verifies", fix)
        return self._verifier

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Identity | None:
        try:
            identity = await self._identify(connection)
            if identity is not None:
                _require_scopes(identity, security_scopes.scopes, connection)
        except AuthenticationError as error:
            raise self._refusal(error, connection) from None
        return identity

    async def _identify(self, connection: HTTPConnection) -> Identity | None:
        try:
            if self._verifier is not None:
                return await self._verifier.authenticate(authorization_values(connection.scope))
            return _proved_by_middleware(connection)
        except AuthenticationError as error:
            self._door.tolerate(error)
            return None

    async def answer(self, request: Request, error: Exception) -> Response:
        """Report and answer what a route raises, such as `errors.InsufficientRole()`; a websocket is closed.

        For `app.add_exception_handler(AuthenticationError, auth.answer)`; in front of the app, BearerMiddleware does so itself.
        It does not know who the caller was.
        """
        if not isinstance(error, AuthenticationError):
            raise error
        coded = self._door.of_app(error, None)
        connection = cast("HTTPConnection", request)  # handlers are declared for requests, and get websockets, too
        refusal = self._door.refuse(coded, method=connection.scope.get("method", "WEBSOCKET"), path=connection.scope["path"])
        if isinstance(connection, WebSocket):
            await connection.close(close_code(coded), coded.public_description)
        return _response(refusal, connection)

    def _refusal(self, error: AuthenticationError, connection: HTTPConnection) -> HTTPException | WebSocketException:
        scope = connection.scope
        answer = self._door.refuse(error, method=scope.get("method", "WEBSOCKET"), path=scope["path"])
        answered_by_us = _have_it_answered(connection)
        if scope["type"] == "http" or (answered_by_us and takes_http_answer(scope)):
            return Refused(error, answer)
        return WebSocketException(close_code(error), error.public_description)


def _require_scheme_name(value: object) -> str:
    if not isinstance(value, str) or not _SCHEME_NAME.fullmatch(value):
        problem = "it is not a name of letters, digits, dots, hyphens and underscores"
        raise PolicyError("scheme_name", problem, "Give a name such as 'Bearer'.")
    return value


def _proved_by_middleware(connection: HTTPConnection) -> Identity:
    """What BearerMiddleware put on the request; None is a request that it let pass without looking at a token."""
    state = connection.scope.get("state") or {}
    if "identity" not in state:
        fix = "Write BearerAuth(policy), or put BearerMiddleware in front of the app."
        raise PolicyError("policy", "BearerAuth() has none, and no BearerMiddleware has seen this request", fix)
    if isinstance(state["identity"], Identity):
        return state["identity"]
    bearer_token(authorization_values(connection.scope))  # raises MissingToken, as a rule
    fix = "Write BearerAuth(policy), or do not exempt this route in the middleware."
    raise PolicyError("exempt", "BearerAuth() needs the middleware to verify a token that it was told not to look at", fix)


def _require_scopes(identity: Identity, required: Sequence[str], connection: HTTPConnection) -> None:
    wanted = list(dict.fromkeys(required))
    if all(scope in identity.scopes for scope in wanted):
        return
    rejection = lacks_scopes(wanted, identity)
    with contextlib.suppress(TokenRejected):  # whoever put the identity there may have needed no token
        header = read_header(bearer_token(authorization_values(connection.scope)).partition(b".")[0])
        rejection.kid, rejection.algorithm = header.kid, header.alg
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
    response = _response(refused.answer, connection)
    if not isinstance(connection, WebSocket):
        return response
    await connection.send_denial_response(response)  # older Starlettes do not send what a handler returns for these
    return None


def _response(answer: Answer, connection: HTTPConnection) -> Response:
    return Response(answer.body_for(connection.scope.get("method")), answer.status, dict(answer.headers))
