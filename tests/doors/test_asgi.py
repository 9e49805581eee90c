"""What only ASGI has: the lifespan, and a state that servers share between requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware

from tokenward import AsyncVerifier
from tokenward.middleware.asgi import BearerMiddleware
from tokenward.middleware.fastapi import BearerAuth


class Server:
    """The lifespan half of an ASGI server: starts an app, lets something happen, stops it."""

    def __init__(self, app: Any) -> None:
        self.app = app

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        to_app: Any
        send_to_app, to_app = anyio.create_memory_object_stream[dict[str, str]](2)
        from_app, heard = anyio.create_memory_object_stream[dict[str, str]](2)
        async with send_to_app, to_app, from_app, heard, anyio.create_task_group() as group:
            scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
            group.start_soon(self.app, scope, to_app.receive, from_app.send)
            with anyio.fail_after(5):
                await send_to_app.send({"type": "lifespan.startup"})
                assert (await heard.receive())["type"] == "lifespan.startup.complete"
                yield
                await send_to_app.send({"type": "lifespan.shutdown"})
                assert (await heard.receive())["type"] == "lifespan.shutdown.complete"


def starlette_app(doors: Any, **options: Any) -> Any:
    return Starlette(middleware=[Middleware(BearerMiddleware, policy=doors.policy(), **options)])


def fastapi_app(doors: Any, **options: Any) -> Any:
    auth = BearerAuth(doors.policy())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with auth.verifier.running(**options):
            yield

    return FastAPI(lifespan=lifespan)


@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
def test_the_lifespan_fetches_keys_before_the_first_request(doors: Any, run: Any, make: Any) -> None:
    async def start_and_stop() -> list[str]:
        async with Server(make(doors)).running():
            return list(doors.issuer.requests)

    asked = run(start_and_stop)
    assert any("discovery" in url for url in asked)
    assert any(url.endswith(".well-known/openid-configuration") for url in asked)


@pytest.mark.parametrize("make", [starlette_app, fastapi_app])
def test_an_app_starts_while_the_issuer_is_down(doors: Any, run: Any, make: Any) -> None:
    doors.issuer.fail("reset")

    async def start_and_stop() -> None:
        async with Server(make(doors, warm_up=0.05)).running():
            with anyio.fail_after(10):
                while not doors.issuer.requests:  # noqa: ASYNC110  # a server in another thread
                    await anyio.sleep(0.01)

    run(start_and_stop)


def test_the_servers_state_is_not_changed_by_a_request(doors: Any) -> None:
    app = BearerMiddleware(doors.asgi_echo, policy=doors.policy())
    shared = {"pool": "of the server"}
    scope = doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]) | {"state": shared}
    reply = doors.ask_asgi(app, scope)
    assert reply.status == 200
    assert shared == {"pool": "of the server"}
    assert scope["state"] is shared


def test_concurrent_requests_do_not_see_each_other(doors: Any, run: Any) -> None:
    """Both are inside the app at once, with one state dict from the server, and each sees its own caller."""
    entered: list[str] = []
    found: dict[str, tuple[str, str]] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        entered.append(scope["path"])
        with anyio.fail_after(5):
            while len(entered) < 2:
                await anyio.lowlevel.checkpoint()
        found[scope["path"]] = (scope["state"]["identity"].subject, scope["state"]["claims"]["sub"])
        scope["state"]["claims"]["sub"] = "changed by another request"

    guarded: Any = BearerMiddleware(app, policy=doors.policy())
    shared: dict[str, Any] = {}
    token = {name: doors.bearer(claims={"sub": name}) for name in ("/ada", "/gil")}

    async def both() -> None:
        async with anyio.create_task_group() as group:
            for path, value in token.items():
                scope = doors.asgi_scope("GET", path, [("Authorization", value)]) | {"state": shared}
                group.start_soon(guarded, scope, None, None)

    run(both)
    assert found == {"/ada": ("/ada", "/ada"), "/gil": ("/gil", "/gil")}
    entered.clear()
    run(both)
    assert found == {"/ada": ("/ada", "/ada"), "/gil": ("/gil", "/gil")}


def test_a_token_that_expires_between_two_requests_is_refused(doors: Any, wall: Any, mono: Any) -> None:
    """The clock moves on by hand; the token was remembered."""
    verifier = AsyncVerifier(doors.policy(), clock=wall, monotonic=mono, fetch=doors.issuer.async_fetch)
    app = BearerMiddleware(doors.asgi_echo, verifier=verifier)
    scope = doors.asgi_scope("GET", "/", [("Authorization", doors.bearer(lifetime=60))])
    assert doors.ask_asgi(app, scope).status == 200
    wall.advance(59)
    assert doors.ask_asgi(app, scope).status == 200
    wall.advance(1)
    assert "expired" in doors.ask_asgi(app, scope).values("www-authenticate")[0]


@pytest.mark.parametrize("kind", ["webtransport", "http2", "HTTP", "", None])
@pytest.mark.parametrize("options", [{}, {"optional": True, "exempt": [lambda scope: True]}], ids=["", "with every door open"])
def test_a_connection_of_an_unknown_kind_is_refused_by_name(doors: Any, kind: Any, options: Any) -> None:
    """Nobody knows where such a scope would carry a token, so that the app is not asked."""
    called: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        called.append(scope)

    guarded = BearerMiddleware(app, policy=doors.policy(), **options)
    scope = doors.asgi_scope("GET", "/", [("Authorization", doors.bearer())]) | {"type": kind}
    with pytest.raises(NotImplementedError, match=f"http and websocket, and cannot judge {kind!r}"):
        doors.ask_asgi(guarded, scope)
    assert called == []


NAMES = [
    pytest.param([b"authorization"], 200, id="as ASGI says"),
    pytest.param([b"Authorization"], 200, id="as HTTP writes it"),
    pytest.param([b"AUTHORIZATION"], 200, id="in capitals"),
    pytest.param([b"authorization", b"Authorization"], 400, id="two of different case"),
    pytest.param([b"x-authorization"], 401, id="another header"),
    pytest.param([b"authorizatiom"], 401, id="another header of that length"),
]


@pytest.mark.parametrize(("names", "status"), NAMES)
def test_the_header_is_found_whatever_the_case_of_its_name(doors: Any, names: list[bytes], status: int) -> None:
    app = BearerMiddleware(doors.asgi_echo, policy=doors.policy())
    scope = doors.asgi_scope("GET", "/", []) | {"headers": [(name, doors.bearer()) for name in names]}
    assert doors.ask_asgi(app, scope).status == status


@pytest.mark.parametrize("name", [b"Authorization", b"AUTHORIZATION"])
def test_a_bad_token_in_a_header_of_another_case_is_no_missing_one(doors: Any, name: bytes) -> None:
    """In optional mode it would let the request pass."""
    app = BearerMiddleware(doors.asgi_echo, policy=doors.policy(), optional=True)
    scope = doors.asgi_scope("GET", "/", []) | {"headers": [(name, b"Bearer garbage")]}
    assert doors.ask_asgi(app, scope).status == 401


def test_a_policy_and_a_verifier_together_are_refused(doors: Any) -> None:
    """One of them would be ignored, and the other might be laxer."""
    verifier = AsyncVerifier(doors.policy())
    with pytest.raises(ValueError, match="both"):
        BearerMiddleware(doors.asgi_echo, policy=doors.policy(), verifier=verifier)
