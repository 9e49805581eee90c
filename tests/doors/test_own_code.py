"""What code of the user's own raises comes through as it is, and lets nobody in."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

from tokenward import Policy, errors
from tokenward.middleware import asgi, fastapi, wsgi


class Boom(Exception):
    """A bug in the user's code."""


def _raise(*_: object) -> Any:
    raise Boom("a bug of the user's")


def _policy(doors: Any, where: str) -> Policy:
    if where == "a check of the policy":
        policy: Policy = doors.policy(checks=[_raise])
    elif where == "kind_of":
        policy = Policy([dataclasses.replace(issuer, kind_of=_raise) for issuer in doors.policy().issuers])
    else:
        policy = doors.policy()
    return policy


PLACES = ["a function in exempt", "a check of the policy", "kind_of"]


class Entered:
    """Apps that note that they were called."""

    def __init__(self) -> None:
        self.times = 0

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        self.times += 1

    def wsgi(self, environ: Any, start_response: Any) -> list[bytes]:
        self.times += 1
        return []


@pytest.fixture
def entered() -> Entered:
    return Entered()


@pytest.mark.parametrize("optional", [False, True], ids=["", "optional"])
@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_it_comes_through_and_the_app_is_not_called(doors: Any, entered: Entered, kind: str, where: str, optional: bool) -> None:
    options: Any = {"policy": _policy(doors, where), "optional": optional, "exempt": [_raise] if "exempt" in where else []}
    header = [("Authorization", doors.bearer())]
    ask = {
        "asgi": lambda: doors.ask_asgi(asgi.BearerMiddleware(entered.asgi, **options), doors.asgi_scope("GET", "/", header)),
        "wsgi": lambda: doors.ask_wsgi(wsgi.BearerMiddleware(entered.wsgi, **options), "GET", "/", header),
    }
    with pytest.raises(Boom):
        ask[kind]()
    assert entered.times == 0


@pytest.mark.parametrize("where", PLACES[1:])
def test_in_a_fastapi_dependency_it_comes_through(doors: Any, where: str) -> None:
    app = doors.fastapi_echo(fastapi.BearerAuth(_policy(doors, where), optional=True))
    with pytest.raises(Boom):
        doors.ask_asgi(app, doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]))


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("handler", [pytest.param(WSGIHandler, id="wsgi"), pytest.param(ASGIHandler, id="asgi")])
def test_django_answers_500(doors: Any, handler: Any, where: str, caplog: Any) -> None:
    setting = {"POLICY": _policy(doors, where), "EXEMPT": [_raise] if "exempt" in where else [], "OPTIONAL": True}
    header = [("Authorization", doors.bearer())]
    with override_settings(TOKENWARD=setting, MIDDLEWARE=["tokenward.middleware.django.BearerMiddleware"]):
        app = handler()
        if handler is WSGIHandler:
            reply = doors.ask_wsgi(app, "GET", "/", header)
        else:
            reply = doors.ask_asgi(app, doors.asgi_scope("GET", "/", header))
    assert reply.status == 500
    assert b'"identity"' not in reply.body


def test_a_verdict_of_a_function_in_exempt_is_a_refusal_even_in_optional_mode(doors: Any, middleware: str) -> None:
    """Only a token that nobody sent is tolerated, and that is for `authenticate` to say."""

    def strict(_: object) -> bool:
        raise errors.MissingToken("says the function")

    guarded = doors.open(middleware, exempt=[strict], optional=True)
    assert guarded.ask(doors.bearer()).status == 401
    assert guarded.codes == ["missing_token"]
