"""httpx: async and sync, many callers at a time, on HTTP/1.1 and on one connection of HTTP/2 over TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tokenward.testing.workspace import DEFAULT_USER

pytestmark = pytest.mark.servers

ME = "/api/2.0/preview/scim/v2/Me"
ECHO = "/serving-endpoints/echo/invocations"
BOTH = pytest.mark.parametrize("kind", ["pass", "exchange"])
CALLERS = 12


@pytest.fixture(scope="module")
def secure_gate(start: Any) -> Iterator[Any]:
    """Hypercorn over TLS, where HTTP/2 is agreed on by ALPN."""
    with start("hypercorn", secure=True) as gate:
        yield gate


def _client(gate: Any, estate: Any, kind: str = "pass", **options: Any) -> httpx.AsyncClient:
    trusted = ssl.create_default_context(cafile=estate.ca_file)
    token = {"authorization": f"Bearer {estate.token(kind)}"}
    return httpx.AsyncClient(base_url=gate.url(kind), headers=token, verify=trusted, trust_env=False, timeout=30, **options)


def _people(estate: Any, kind: str) -> dict[str, str]:
    """Names and tokens of callers, all of whom the workspace knows."""
    names = [f"caller{number}@contoso.example" for number in range(CALLERS)]
    for name in names:
        estate.standin.directory.add_user(name)
    if kind == "exchange":
        return {name: estate.standin.federated_jwt(name) for name in names}
    return {name: estate.standin.tenant.databricks_token(claims={"unique_name": name, "sub": name}) for name in names}


async def _who(client: httpx.AsyncClient, token: str) -> str:
    answer = await client.get(ME, headers={"authorization": f"Bearer {token}"})
    return str(answer.json()["userName"]) if answer.status_code == 200 else f"{answer.status_code} {answer.text}"


@BOTH
@pytest.mark.parametrize("secure", [False, True], ids=["HTTP/1.1", "HTTP/2 over TLS"])
def test_callers_at_one_time_are_never_mixed(gate: Any, secure_gate: Any, estate: Any, kind: str, secure: bool) -> None:
    """On HTTP/2 they share one connection, and every request is judged by itself."""
    people = _people(estate, kind)
    asked = list(people) * 4

    async def ask() -> list[str]:
        async with _client(secure_gate if secure else gate, estate, kind, http2=secure) as client:
            return await asyncio.gather(*(_who(client, people[name]) for name in asked))

    before = len(estate.standin.exchanges)
    assert asyncio.run(ask()) == asked
    assert len(estate.standin.exchanges) - before == (CALLERS if kind == "exchange" else 0)


def test_http2_is_agreed_on_over_tls(secure_gate: Any, estate: Any) -> None:
    async def ask() -> tuple[str, str]:
        async with _client(secure_gate, estate, http2=True) as client:
            answer = await client.get(ME)
            return answer.http_version, answer.json()["userName"]

    assert asyncio.run(ask()) == ("HTTP/2", DEFAULT_USER)


@BOTH
def test_events_are_read_as_they_come(gate: Any, estate: Any, kind: str) -> None:
    body = {"messages": [{"role": "user", "content": "one two three"}], "stream": True}

    async def ask() -> list[str]:
        async with _client(gate, estate, kind) as client, client.stream("POST", ECHO, json=body) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            return [line.removeprefix("data: ") async for line in answer.aiter_lines() if line]

    *events, last = asyncio.run(ask())
    assert last == "[DONE]"
    assert [json.loads(event)["choices"][0]["delta"]["content"] for event in events] == ["one", " two", " three"]
    assert estate.has_arrived(kind)


def test_a_kept_connection_is_not_a_login(gate: Any, estate: Any) -> None:
    """The second request of a connection has no token, and nothing of the first one's is left."""
    with httpx.Client(base_url=gate.url(), trust_env=False, timeout=30) as client:
        assert client.get(ME, headers={"authorization": f"Bearer {estate.token('pass')}"}).status_code == 200
        refused = client.get(ME)
    assert (refused.status_code, refused.headers["tokenward-refused"]) == (401, "missing_token")
    assert len([request for request in estate.standin.requests if request.path == ME]) == 1
