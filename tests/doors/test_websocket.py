"""WebSockets: refused before they are accepted, with a close code, or with an HTTP answer where the server can send one."""

from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Security, WebSocket

from tokenward.middleware.asgi import BearerMiddleware
from tokenward.middleware.fastapi import BearerAuth

CONNECT = {"type": "websocket.connect"}
DENIAL: dict[str, Any] = {"websocket.http.response": {}}


async def chat(scope: Any, receive: Any, send: Any) -> None:
    socket = WebSocket(scope, receive, send)
    await socket.accept()
    await socket.send_json({"user": socket.state.identity.subject, "tid": socket.state.claims["tid"]})
    await socket.close()


def fastapi_chat(auth: BearerAuth) -> FastAPI:
    app = FastAPI()

    @app.websocket("/live")
    async def live(socket: WebSocket, user: Annotated[Any, Security(auth, scopes=["jobs.read"])]) -> None:
        await socket.accept()
        await socket.send_json({"user": user.subject, "tid": user.claims["tid"]})
        await socket.close()

    return app


@pytest.fixture(params=["asgi on asyncio", "asgi on trio", "fastapi"])
def connect(request: pytest.FixtureRequest, doors: Any) -> Any:
    """A function that opens a websocket with these Authorization values; it gives what the server sent."""
    if request.param == "fastapi":
        app: Any = fastapi_chat(BearerAuth(doors.policy()))
    else:
        app = BearerMiddleware(chat, policy=doors.policy(required_scopes=["jobs.read"]))
    backend = "trio" if request.param.endswith("trio") else "asyncio"

    def ask(*authorizations: bytes, extensions: Any = None) -> Any:
        scope = doors.asgi_scope("", "/live", [("Authorization", value) for value in authorizations])
        del scope["method"]
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": [], "extensions": extensions}
        return doors.ask_asgi(app, scope, backend=backend, incoming=(CONNECT, {"type": "websocket.disconnect", "code": 1000}))

    return ask


REFUSED = [
    pytest.param(lambda doors: [], 401, "Bearer", id="no token"),
    pytest.param(lambda doors: [b"Bearer garbage"], 401, 'Bearer error="invalid_token"', id="garbage"),
    pytest.param(lambda doors: [doors.bearer()] * 2, 400, 'Bearer error="invalid_request"', id="two headers"),
    pytest.param(lambda doors: [doors.bearer(scopes=["x"])], 403, 'Bearer error="insufficient_scope"', id="a scope too few"),
]


def test_a_good_token_opens_the_socket_with_its_identity(doors: Any, connect: Any) -> None:
    types = [message["type"] for message in connect(doors.bearer()).messages]
    assert types == ["websocket.accept", "websocket.send", "websocket.close"]
    assert doors.issuer.tenant in connect(doors.bearer()).messages[1]["text"]


@pytest.mark.parametrize(("header", "status", "challenge"), REFUSED)
def test_without_the_denial_extension_it_is_closed_with_1008(
    doors: Any, connect: Any, header: Any, status: int, challenge: str
) -> None:
    [message] = connect(*header(doors)).messages
    assert (message["type"], message["code"]) == ("websocket.close", 1008)
    assert len(message["reason"].encode()) <= 123  # RFC 6455 section 5.5


@pytest.mark.parametrize(("header", "status", "challenge"), REFUSED)
def test_with_the_denial_extension_it_is_answered_as_http(
    doors: Any, connect: Any, header: Any, status: int, challenge: str
) -> None:
    reply = connect(*header(doors), extensions=DENIAL)
    assert [message["type"] for message in reply.messages] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert reply.status == status
    assert len(reply.values("www-authenticate")) == 1
    assert reply.values("www-authenticate")[0].startswith(challenge)
    assert reply.values("content-length") == [str(len(reply.body))]


def test_without_keys_it_is_told_to_come_back(doors: Any, connect: Any) -> None:
    doors.issuer.fail("reset")
    [message] = connect(doors.bearer()).messages
    assert (message["type"], message["code"]) == ("websocket.close", 1013)
    reply = connect(doors.bearer(), extensions=DENIAL)
    assert (reply.status, reply.values("www-authenticate")) == (503, [])
    assert int(reply.values("retry-after")[0]) >= 1
