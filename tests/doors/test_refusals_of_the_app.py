"""What the guarded app itself refuses is reported and answered as the door's own refusals are."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tokenward import errors
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
    """The server is left to say that a second answer is one too many; a websocket's errors come through."""

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
        if sent and message["type"] == "http.response.start":
            raise RuntimeError("the answer has begun")
        sent.append(message)

    expected: type[Exception] = RuntimeError if kind == "http" else errors.InsufficientRole
    with pytest.raises(expected):
        anyio.run(guarded, scope, receive, send)
    assert len(sent) == 1
