"""The stand-in workspace, in process and served; clients of it; and Workspace on threads, asyncio and trio."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Protocol

import httpx
import pytest
import trio

from tokenward.databricks.workspace.host_facts import HostMetadata, WorkspaceTenant
from tokenward.databricks.workspace.scim_me import User
from tokenward.databricks.workspace.workspace import AsyncWorkspace, Workspace
from tokenward.identity import Identity
from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.testing import HandClock, LocalIssuer, SigningKey
from tokenward.testing.workspace import DatabricksWorkspace, WorkspaceServer

Form = dict[str, str]
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture
def standin(
    issuer: LocalIssuer, wall: HandClock, mono: HandClock, new_key: Callable[[], SigningKey]
) -> Iterator[DatabricksWorkspace]:
    """A workspace that accepts the tokens of `issuer`, too."""
    workspace = DatabricksWorkspace(entra=issuer, clock=wall, monotonic=mono, new_key=new_key)
    yield workspace
    workspace.close()


@pytest.fixture
def server(standin: DatabricksWorkspace) -> Iterator[WorkspaceServer]:
    """The same over HTTP on loopback."""
    with WorkspaceServer(standin) as running:
        yield running


@pytest.fixture
def http(server: WorkspaceServer) -> Iterator[httpx.Client]:
    """A client of the server."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def exchange(http: httpx.Client) -> Callable[..., httpx.Response]:
    """The exchange of Databricks' document: `exchange(jwt)`, `exchange(jwt, client_id=...)`; None leaves a parameter out."""

    def ask(jwt: str, path: str = "/oidc/v1/token", **fields: str | None) -> httpx.Response:
        form = {"subject_token": jwt, "subject_token_type": JWT, "grant_type": GRANT, "scope": "all-apis", **fields}
        return http.post(path, data={name: value for name, value in form.items() if value is not None})

    return ask


@pytest.fixture
def bearer(standin: DatabricksWorkspace) -> Callable[..., dict[str, str]]:
    """The Authorization of a user, as an exchange gives it."""
    return lambda *who, **options: {"authorization": f"Bearer {standin.access_token(*who, **options)}"}


@pytest.fixture(scope="session")
def opened() -> Callable[[str], tuple[dict[str, Any], dict[str, Any]]]:
    """Header and claims of a token, unverified."""

    def decode(segment: str) -> dict[str, Any]:
        decoded: dict[str, Any] = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
        return decoded

    def open_(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        header, claims, _ = token.split(".")
        return decode(header), decode(claims)

    return open_


# -- Workspace, three times --------------------------------------------------------------------------------------------


class Asker(Protocol):
    """Workspace or its twin, as plain functions."""

    def me(self, token: Any) -> User: ...

    def require_user(self, identity: Identity, token: Any, *, contributor: bool = False) -> User | None: ...

    def tenant(self) -> WorkspaceTenant: ...

    def metadata(self) -> HostMetadata: ...

    def close(self) -> None: ...


class _Awaited:
    def __init__(self, workspace: AsyncWorkspace, run: Callable[..., Any]) -> None:
        self._workspace = workspace
        self._run = run

    def close(self) -> None:
        self._workspace.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *given, **named: self._run(partial(getattr(self._workspace, name), *given, **named))


def _in_asyncio(function: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await function()

    return asyncio.run(main())


@pytest.fixture(params=["threads", "asyncio", "trio"])
def asker_of(request: pytest.FixtureRequest, wall: HandClock, mono: HandClock) -> Callable[..., Asker]:
    """Makes a Workspace or an AsyncWorkspace; `fetch=` is a plain function, and by default the network."""

    def make(host: str, *, fetch: Callable[[FetchRequest], FetchResponse] | None = None, **options: Any) -> Asker:
        given = {"clock": wall, "monotonic": mono, **options}
        if request.param == "threads":
            return Workspace(host, fetch=fetch, **given)
        workspace = AsyncWorkspace(host, fetch=None if fetch is None else _async(fetch), **given)
        return _Awaited(workspace, _in_asyncio if request.param == "asyncio" else trio.run)

    return make


def _async(fetch: Callable[[FetchRequest], FetchResponse]) -> Callable[[FetchRequest], Any]:
    async def asked(request: FetchRequest) -> FetchResponse:
        return fetch(request)

    return asked


@pytest.fixture
def asker(asker_of: Callable[..., Asker], server: WorkspaceServer) -> Asker:
    """Over real HTTP."""
    return asker_of(server.url)
