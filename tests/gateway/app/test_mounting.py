"""A gateway by itself, within another app, in several loops; its metadata (RFC 9728); and the websockets that it refuses."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tokenward import PolicyError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # newer versions would rather have httpx2 than httpx
    from starlette.testclient import TestClient

PATH = "/api/2.0/anything"
SERVER = "/api/2.0/mcp/functions/main/tools"
DOCUMENT = "/.well-known/oauth-protected-resource"
PUBLIC = "https://gateway.example"


# -- within another app ------------------------------------------------------------------------------------------------


def _in_starlette(gateway: Any) -> Starlette:
    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    async def hello(request: Any) -> PlainTextResponse:
        return PlainTextResponse("hello")

    at_root = Route(DOCUMENT + "/databricks{rest:path}", gateway)
    return Starlette(routes=[Route("/hello", hello), at_root, Mount("/databricks", gateway)], lifespan=lifespan)


def _in_fastapi(gateway: Any) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with gateway.running():
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/hello")
    def hello() -> str:
        return "hello"

    app.router.routes.append(Route(DOCUMENT + "/databricks{rest:path}", gateway))
    app.mount("/databricks", gateway)
    return app


APPS = pytest.mark.parametrize("app", [_in_starlette, _in_fastapi], ids=["starlette", "fastapi"])


@APPS
def test_a_mounted_gateway_sends_on_what_is_below_its_place(serve: Any, upstream: Any, app: Any) -> None:
    gateway = serve(app=app)
    assert gateway.ask("GET", f"/databricks{PATH}?x=/databricks").status == 200
    assert upstream.only.target == f"{PATH}?x=/databricks"
    assert "hello" in gateway.ask("GET", "/hello").body.decode()


@APPS
def test_a_mounted_gateway_judges_the_path_as_it_was_sent(serve: Any, upstream: Any, app: Any) -> None:
    gateway = serve(app=app)
    for path in ("/databricks/../api/2.0/x", "/databricks//api/2.0/x", "/databricks/api%2f2.0/x", "/databricks/api/%2e%2e/x"):
        assert gateway.ask("GET", path).status in (400, 404)
    assert upstream.requests == []


@APPS
def test_a_place_that_is_spelled_another_way_leads_nowhere(serve: Any, upstream: Any, app: Any) -> None:
    assert serve(app=app).ask("GET", f"/%64atabricks{PATH}").status in (403, 404)
    assert upstream.requests == []


@APPS
def test_a_mounted_gateway_has_keys_and_ends_with_the_app_around_it(serve: Any, upstream: Any, app: Any) -> None:
    gateway = serve(app=app)
    assert gateway.ask("GET", "/databricks/-/ready").json == {"status": "ready"}
    assert gateway.ask("GET", f"/databricks{PATH}").status == 200
    gateway.stop()
    assert upstream.connections[0].ended(), "the connection to the upstream is still open"


@APPS
def test_the_metadata_of_a_mounted_gateway_stands_at_the_root(serve: Any, upstream: Any, app: Any) -> None:
    gateway = serve(app=app, public_url=f"{PUBLIC}/databricks", authorization_servers=["https://idp.example"])
    challenge = str(gateway.ask("GET", f"/databricks{SERVER}", bearer="Basic x").value("www-authenticate"))
    address = f"{DOCUMENT}/databricks{SERVER}"
    assert f'resource_metadata="{PUBLIC}{address}"' in challenge
    assert gateway.ask("GET", address, bearer="Basic x").json["resource"] == f"{PUBLIC}/databricks{SERVER}"
    below = gateway.ask("GET", f"/databricks{DOCUMENT}", bearer="Basic x")
    assert below.json["resource"] == f"{PUBLIC}/databricks"


# -- metadata ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", SERVER])
def test_metadata_names_the_gateway_and_its_authorization_servers(serve: Any, upstream: Any, path: str) -> None:
    gateway = serve(public_url=PUBLIC, authorization_servers=["https://idp.example/tenant"])
    answer = gateway.ask("GET", DOCUMENT + path, ("X-Forwarded-Host", "evil.example"), bearer="Basic x")
    assert (answer.status, answer.value("content-type")) == (200, "application/json")
    assert answer.json == {
        "resource": PUBLIC + path,
        "authorization_servers": ["https://idp.example/tenant"],
        "bearer_methods_supported": ["header"],
    }
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("path", "document"),
    [
        pytest.param(SERVER, DOCUMENT + SERVER, id="an MCP server"),
        pytest.param(PATH, DOCUMENT, id="anything else"),
        pytest.param("/nowhere", DOCUMENT, id="a path that no rule names"),
    ],
)
@pytest.mark.parametrize("value", ["Basic x", "Bearer a.b.c"])
def test_a_challenge_says_where_the_metadata_is(serve: Any, path: str, document: str, value: str) -> None:
    answer = serve(public_url=PUBLIC, authorization_servers=["https://idp.example"]).ask("GET", path, bearer=value)
    assert answer.status == 401
    assert str(answer.value("www-authenticate")).endswith(f'resource_metadata="{PUBLIC}{document}"')


def test_the_policys_issuers_are_the_authorization_servers_by_default(serve: Any, federated: Any, workspace: Any) -> None:
    gateway = serve(**federated, public_url=PUBLIC)
    assert gateway.ask("GET", DOCUMENT).json["authorization_servers"] == [workspace.workspace.idp.issuer]


def test_authorization_servers_must_be_named_where_the_policy_names_none(parts: Any) -> None:
    with pytest.raises(PolicyError) as refused:
        parts.gateway(public_url=PUBLIC)
    assert refused.value.field == "authorization_servers"


@pytest.mark.parametrize("path", [DOCUMENT, DOCUMENT + SERVER])
def test_without_a_public_address_there_is_no_metadata(serve: Any, upstream: Any, path: str) -> None:
    answer = serve().ask("GET", path, bearer="Basic x")
    assert (answer.status, answer.refused) == (401, "missing_token")
    assert "resource_metadata" not in str(answer.value("www-authenticate"))


@pytest.mark.parametrize("path", [f"{DOCUMENT}/", f"{DOCUMENT}x", f"{DOCUMENT}/elsewhere", f"{DOCUMENT}/api/2.0/mcp/"])
def test_there_is_no_metadata_of_what_is_no_resource(serve: Any, path: str) -> None:
    gateway = serve(public_url=PUBLIC, authorization_servers=["https://idp.example"])
    assert gateway.ask("GET", path, bearer="Basic x").status == 401


# -- loops -------------------------------------------------------------------------------------------------------------


def test_a_gateway_works_in_one_loop_after_another(parts: Any, upstream: Any, bearer: Any) -> None:
    client = TestClient(parts.gateway())
    for number in range(3):
        assert client.get(f"{PATH}/{number}", headers={"authorization": bearer()}).status_code == 200
    assert [request.target for request in upstream.requests] == [f"{PATH}/{number}" for number in range(3)]


def test_a_gateway_may_be_started_again(parts: Any, upstream: Any, bearer: Any) -> None:
    gateway = parts.gateway()
    for _ in range(2):
        with TestClient(gateway) as client:
            assert client.get("/-/ready").json() == {"status": "ready"}
            assert client.get(PATH, headers={"authorization": bearer()}).status_code == 200
    assert len(upstream.requests) == 2


# -- websockets --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [True, False])
def test_a_websocket_is_refused_under_a_real_server(serve: Any, upstream: Any, said: Any, eventually: Any, token: bool) -> None:
    gateway = serve(config={"ws": "websockets-sansio"})
    headers = {"authorization": gateway.bearer} if token else {}
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{gateway.port}{PATH}", additional_headers=headers):
        pass
    response = refused.value.response
    assert (response.status_code, response.headers["tokenward-refused"]) == (501, "upgrade_not_allowed")
    assert json.loads(response.body or b"")["error"] == "upgrade_not_allowed"
    assert upstream.requests == []
    eventually(gateway.is_quiet, "quiet gateway")
    said.forgive("ASGI callable returned without completing handshake.")  # so it says of every denial, which it has sent


def test_a_websocket_is_closed_where_no_answer_can_be_given(parts: Any, upstream: Any) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": PATH, "raw_path": PATH.encode(), "query_string": b"", "headers": [], "asgi": {}}
    asyncio.run(parts.gateway()(scope, receive, send))
    [message] = sent
    assert (message["type"], message["code"]) == ("websocket.close", 1008)
    assert "websocket" in message["reason"]


def test_a_request_to_change_the_protocol_never_reaches_the_upstream(serve: Any, upstream: Any, said: Any) -> None:
    fields = (("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "eA=="))
    answer = serve().ask("GET", PATH, *fields)
    assert (answer.status, answer.refused) == (501, "upgrade_not_allowed")
    assert upstream.requests == []
    said.forgive("Unsupported upgrade request.")
    said.forgive("No supported WebSocket library detected.")


def test_a_scope_of_another_kind_is_not_served(parts: Any) -> None:
    with pytest.raises(NotImplementedError):
        asyncio.run(parts.gateway()({"type": "webtransport"}, None, None))
