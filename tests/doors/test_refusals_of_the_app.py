"""What the guarded app itself refuses is reported and answered as the door's own refusals are."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tokenward import errors
from tokenward.diagnostics import Diagnostics
from tokenward.middleware import asgi


def test_a_verdict_of_the_app_is_answered_and_reported_with_the_caller(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware)
    reply = guarded.ask(doors.bearer(), path="/role")
    assert reply.status == 403
    assert reply.values("www-authenticate") == [
        'Bearer error="insufficient_scope", error_description="The caller lacks a required role"'
    ]
    (event,) = guarded.events
    assert (event["code"], event["path"], event["signature_held"]) == ("insufficient_role", "/role", True)
    assert event["issuer"]
    assert event["client"]


def test_what_the_app_cannot_do_now_is_a_503_that_says_when_to_come_back(doors: Any, any_door: str) -> None:
    guarded = doors.open(any_door)
    reply = guarded.ask(doors.bearer(), path="/later")
    assert (reply.status, reply.values("retry-after"), reply.values("www-authenticate")) == (503, ["7"], [])
    assert guarded.codes == ["exchange_unavailable"]


def test_fastapis_routes_are_answered_by_the_handler(doors: Any) -> None:
    guarded = doors.open("fastapi")
    reply = guarded.ask(doors.bearer(), path="/role")
    assert (reply.status, guarded.codes) == (403, ["insufficient_role"])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_answer_that_has_begun_is_not_begun_again_unseen(doors: Any, kind: str) -> None:
    """A second answer would be one too many; and a websocket's errors come through."""

    async def begun(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"} if kind == "websocket" else {"type": "http.response.start", "status": 200})
        raise errors.InsufficientRole("too late")

    scope = doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]) | {"type": kind}
    guarded = asgi.BearerMiddleware(begun, policy=doors.policy())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(errors.InsufficientRole):
        anyio.run(guarded, scope, receive, send)
    assert len(sent) == 1


def test_one_error_raised_for_two_callers_is_reported_with_each(doors: Any) -> None:
    """An app may keep its errors as constants."""
    error = errors.InsufficientRole("the same object")

    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise error

    logger = doors.events()
    guarded = asgi.BearerMiddleware(
        refusing, policy=doors.policy(), exempt=["/open"], diagnostics=Diagnostics(first=None, logger=logger)
    )
    for path, headers in (("/", [("Authorization", doors.bearer())]), ("/open", [])):
        assert doors.ask_asgi(guarded, doors.asgi_scope("GET", path, headers)).status == 403
    known, stranger = logger.kept
    assert (known["signature_held"], stranger["signature_held"]) == (True, False)
    assert known["client"]
    assert "client" not in stranger


@pytest.mark.parametrize(
    ("base", "code"),
    [(errors.TokenRejected, "client_not_allowed"), (errors.ServiceUnavailable, "exchange_unavailable")],
    ids=["a refusal", "an inability"],
)
def test_a_base_of_the_tree_has_a_code_too_once_it_is_raised(doors: Any, base: Any, code: str) -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        raise base("says the app")

    logger = doors.events()
    guarded = asgi.BearerMiddleware(refusing, policy=doors.policy(), diagnostics=Diagnostics(first=None, logger=logger))
    doors.ask_asgi(guarded, doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]))
    assert [event["code"] for event in logger.kept] == [code]
    assert repr(base("x"))


def test_an_app_of_starlettes_own_that_is_wrapped_answers_for_itself(doors: Any) -> None:
    """Its ServerErrorMiddleware answers 500 before anybody outside can; nothing is answered or reported twice."""

    async def refusing(request: Any) -> Any:
        raise errors.InsufficientRole("operators only")

    logger = doors.events()
    app = Starlette(routes=[Route("/", refusing)])
    guarded = asgi.BearerMiddleware(app, policy=doors.policy(), diagnostics=Diagnostics(first=None, logger=logger))
    with pytest.raises(errors.InsufficientRole):
        doors.ask_asgi(guarded, doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]))
    assert logger.kept == []
