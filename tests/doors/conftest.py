"""What the tests of the front doors share: a local issuer over HTTP, the same small app behind every door, and drivers that
speak ASGI and WSGI to it byte by byte, because clients and test clients tidy up what a stranger would not."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import anyio
import django
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import re_path
from fastapi import FastAPI, Security
from starlette.requests import Request
from starlette.responses import JSONResponse

from tokenward import AuthenticationError, Identity, Policy, entra, errors
from tokenward.diagnostics import Diagnostics
from tokenward.middleware import asgi, fastapi, wsgi
from tokenward.testing import IssuerServer, LocalIssuer

Headers = list[tuple[str, bytes]]
SCOPE = "jobs.read"
MIDDLEWARES = ("asgi on asyncio", "asgi on trio", "wsgi", "django under wsgi", "django under asgi")
DOORS = (*MIDDLEWARES, "fastapi")


@dataclass
class Reply:
    """An answer; header names are lower case. `messages` are ASGI's, as they were sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    messages: list[dict[str, Any]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    @property
    def seen(self) -> Any:
        """What the app saw, or the document of a refusal."""
        return json.loads(self.body)


class Events:
    """A structlog logger that keeps what it is given."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []

    def info(self, event: str, **fields: Any) -> None:
        self.kept.append({"event": event, **fields})

    warning = error = info


# -- the app behind the doors ------------------------------------------------------------------------------------------


def seen(identity: Identity | None, claims: dict[str, Any] | None) -> dict[str, Any]:
    who = None if identity is None else {"subject": identity.subject, "kind": identity.kind, "scopes": sorted(identity.scopes)}
    return {"identity": who, "claims": claims}


REFUSALS: dict[str, Callable[[], AuthenticationError]] = {
    "/role": lambda: errors.InsufficientRole("operators only", claim="roles", expected=["Jobs.Operate"]),
    "/later": lambda: errors.ExchangeUnavailable("the token endpoint is down", retry_after=7.0),
}
"""Paths for which the guarded app itself refuses the caller."""


def refuse_if_asked(path: str) -> None:
    refusal = REFUSALS.get(path)
    if refusal is not None:
        raise refusal()


async def asgi_echo(scope: Any, receive: Any, send: Any) -> None:
    request = Request(scope, receive)
    refuse_if_asked(scope["path"])
    await JSONResponse(seen(request.state.identity, request.state.claims))(scope, receive, send)


def wsgi_echo(environ: Any, start_response: Any) -> list[bytes]:
    refuse_if_asked(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "application/json")])
    body = json.dumps(seen(environ["tokenward.identity"], environ["tokenward.claims"])).encode()
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def django_echo(request: HttpRequest) -> JsonResponse:
    refuse_if_asked(request.path)
    return JsonResponse(seen(request.identity, request.claims))


class Urls:
    urlpatterns: ClassVar = [re_path("", django_echo)]


settings.configure(SECRET_KEY="tests-only", ALLOWED_HOSTS=["*"], ROOT_URLCONF=Urls, MIDDLEWARE=[])
django.setup()


def fastapi_echo(auth: fastapi.BearerAuth) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(AuthenticationError, auth.answer)

    @app.api_route("/{path:path}", methods=["GET", "HEAD", "OPTIONS"])
    def echo(path: str, user: Any = Security(auth, scopes=[SCOPE])) -> Any:  # noqa: B008
        refuse_if_asked(f"/{path}")
        return seen(user, user.claims)

    return app


# -- speaking to it ----------------------------------------------------------------------------------------------------


def asgi_scope(method: str, path: str, headers: Headers, root: str = "") -> dict[str, Any]:
    raw = [(name.lower().encode(), value) for name, value in headers]
    common = {"path": root + path, "raw_path": b"/", "query_string": b"", "root_path": root, "headers": raw, "scheme": "http"}
    return {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, **common}


def ask_asgi(app: Any, scope: dict[str, Any], *, backend: str = "asyncio", incoming: tuple[Any, ...] = ()) -> Reply:
    """One exchange in a loop of its own; a client that then stays connected and says nothing more."""
    messages: list[dict[str, Any]] = []
    waiting = list(incoming) or [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not waiting:
            await anyio.sleep_forever()
        return waiting.pop(0)

    async def send(message: Any) -> None:
        messages.append(message)

    anyio.run(app, scope, receive, send, backend=backend)
    silent: dict[str, Any] = {"status": 0, "headers": []}
    start = next((message for message in messages if message["type"].endswith(".response.start")), silent)
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
    return Reply(start["status"], pairs, b"".join(message.get("body", b"") for message in messages), messages)


def ask_wsgi(app: Any, method: str, path: str, headers: Headers, root: str = "") -> Reply:
    """One exchange under the validator of PEP 3333; headers of the same name are joined as gunicorn joins them."""
    environ: dict[str, Any] = {}
    for name, value in headers:
        key, text = "HTTP_" + name.upper().replace("-", "_"), value.decode("latin-1")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    environ |= {"REQUEST_METHOD": method, "SCRIPT_NAME": root, "QUERY_STRING": ""}
    environ["PATH_INFO"] = path.encode("utf-8", "surrogateescape").decode("latin-1")
    setup_testing_defaults(environ)
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, pairs: list[tuple[str, str]], exc_info: Any = None) -> Any:
        started.append((status, pairs))

    chunks: Any = validator(app)(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        chunks.close()
    [(status, pairs)] = started
    return Reply(int(status.split()[0]), [(name.lower(), value) for name, value in pairs], body)


# -- the doors ---------------------------------------------------------------------------------------------------------

Ask = Callable[..., Reply]


class Guarded:
    """The app behind one kind of door, with what the door logs."""

    def __init__(self, kind: str, policy: Policy, **options: Any) -> None:
        self._logger = Events()
        options |= {"diagnostics": Diagnostics(first=None, logger=self._logger)}
        self._ask = _OPENERS[kind](policy, options)

    def ask(self, *authorizations: bytes, method: str = "GET", path: str = "/jobs", root: str = "", headers: Any = ()) -> Reply:
        """One request with these Authorization values."""
        return self._ask(method, path, [*(("Authorization", value) for value in authorizations), *headers], root)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self._logger.kept

    @property
    def codes(self) -> list[str]:
        return [event["code"] for event in self.events]


def _open_asgi(backend: str, policy: Policy, options: dict[str, Any]) -> Ask:
    app = asgi.BearerMiddleware(asgi_echo, policy=policy, **options)
    return lambda *request: ask_asgi(app, asgi_scope(*request), backend=backend)


def _open_wsgi(policy: Policy, options: dict[str, Any]) -> Ask:
    return partial(ask_wsgi, wsgi.BearerMiddleware(validator(wsgi_echo), policy=policy, **options))


def _open_django(handler: Callable[[], Any], policy: Policy, options: dict[str, Any]) -> Ask:
    tokenward = {"POLICY": policy} | {name.upper(): value for name, value in options.items()}
    with override_settings(TOKENWARD=tokenward, MIDDLEWARE=["tokenward.middleware.django.BearerMiddleware"]):
        app = handler()
    return partial(ask_wsgi, app) if handler is WSGIHandler else lambda *request: ask_asgi(app, asgi_scope(*request))


def _open_fastapi(policy: Policy, options: dict[str, Any]) -> Ask:
    app = fastapi_echo(fastapi.BearerAuth(policy, **options))
    return lambda *request: ask_asgi(app, asgi_scope(*request))


_OPENERS: dict[str, Callable[[Policy, dict[str, Any]], Ask]] = {
    "asgi on asyncio": partial(_open_asgi, "asyncio"),
    "asgi on trio": partial(_open_asgi, "trio"),
    "wsgi": _open_wsgi,
    "django under wsgi": partial(_open_django, WSGIHandler),
    "django under asgi": partial(_open_django, ASGIHandler),
    "fastapi": _open_fastapi,
}


class Doors:
    """Opens doors before one issuer. `scope` is what the app's callers need."""

    scope = SCOPE
    events = Events
    ask_asgi = staticmethod(ask_asgi)
    ask_wsgi = staticmethod(ask_wsgi)
    asgi_scope = staticmethod(asgi_scope)
    asgi_echo = staticmethod(asgi_echo)
    wsgi_echo = staticmethod(wsgi_echo)
    fastapi_echo = staticmethod(fastapi_echo)

    def __init__(self, issuer: LocalIssuer) -> None:
        self.issuer = issuer

    def policy(self, **options: Any) -> Policy:
        return entra.api(self.issuer.client_id, [self.issuer.tenant], cloud=self.issuer.cloud, **options)

    def open(self, kind: str, **options: Any) -> Guarded:
        """FastAPI's scopes are asked for by the route, everyone else's by the policy."""
        return Guarded(kind, self.policy(required_scopes=[] if kind == "fastapi" else [SCOPE]), **options)

    def bearer(self, **options: Any) -> bytes:
        """The Authorization value of a user who may call."""
        return b"Bearer " + self.issuer.user_token(**{"scopes": [SCOPE], **options}).encode()


@pytest.fixture
def doors(served: IssuerServer, issuer: LocalIssuer) -> Doors:
    """Doors before an issuer that is asked over HTTP, as all of them do by default."""
    return Doors(issuer)


@pytest.fixture(params=DOORS)
def any_door(request: pytest.FixtureRequest) -> str:
    """Every door."""
    return str(request.param)


@pytest.fixture(params=MIDDLEWARES)
def middleware(request: pytest.FixtureRequest) -> str:
    """Every door that guards a whole app."""
    return str(request.param)
