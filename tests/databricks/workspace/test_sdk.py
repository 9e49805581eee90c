"""databricks-sdk for Python against the stand-in: the real client gets what ours gets, and all that it asks works."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from tokenward.databricks import Exchange, TokenSource
from tokenward.databricks.workspace.workspace import Workspace
from tokenward.testing.workspace import (
    DEFAULT_SERVICE_PRINCIPAL,
    DEFAULT_USER,
    WORKLOAD,
    DatabricksWorkspace,
    Fault,
    WorkspaceServer,
)

sdk: Any = None
oidc: Any = None
serving: Any = None

Client = Callable[..., Any]


@pytest.fixture(scope="module", autouse=True)
def _imported() -> None:
    """Not while tests are collected: it takes more than a second, in each worker."""
    global sdk, oidc, serving
    sdk = pytest.importorskip("databricks.sdk")
    oidc = pytest.importorskip("databricks.sdk.oidc")
    serving = pytest.importorskip("databricks.sdk.service.serving")


@pytest.fixture(params=["http", "https"])
def running(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkspaceServer]:
    """A served stand-in, by the real clock: the SDK has no other."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with WorkspaceServer(tls=request.param == "https") as server:
        if server.ca_file:
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", server.ca_file)
        yield server


@pytest.fixture
def client(running: WorkspaceServer, monkeypatch: pytest.MonkeyPatch) -> Client:
    """A WorkspaceClient that exchanges this token by itself: `client(jwt)`, `client(jwt, client_id=...)`."""

    def make(jwt: str, **options: Any) -> Any:
        monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", jwt)
        return sdk.WorkspaceClient(host=running.url, auth_type="env-oidc", **options)

    return make


def _source(server: WorkspaceServer, **options: Any) -> TokenSource:
    import ssl

    from tokenward.keys.fetch import HttpxFetch

    tls = ssl.create_default_context(cafile=server.ca_file) if server.ca_file else None
    return TokenSource(Exchange(server.url, **options), fetch=HttpxFetch(tls=tls), observer=None)


@pytest.mark.parametrize(
    ("subject", "principal", "client_id"),
    [
        pytest.param(DEFAULT_USER, DEFAULT_USER, None, id="account-wide policy"),
        pytest.param(WORKLOAD, DEFAULT_SERVICE_PRINCIPAL, DEFAULT_SERVICE_PRINCIPAL, id="service principal's policy"),
    ],
)
def test_its_token_is_ours_but_for_the_id(
    running: WorkspaceServer, opened: Callable[..., Any], subject: str, principal: str, client_id: str | None
) -> None:
    """The SDK's own token source and ours, for the same JWT and policy: the same claims, and the same expiry."""
    jwt = running.workspace.federated_jwt(subject, lifetime=1800)

    class Given:
        def id_token(self) -> Any:
            return oidc.IdToken(jwt=jwt)

    source = oidc.DatabricksOidcTokenSource(
        host=running.url,
        token_endpoint=f"{running.url}/oidc/v1/token",
        id_token_source=Given(),
        client_id=client_id,
        scopes="all-apis",
    )
    theirs, ours = source.token(), _source(running, client_id=client_id).token_for(jwt)
    (their_header, their_claims), (our_header, our_claims) = opened(theirs.access_token), opened(ours.value)
    varying = {"jti", "iat"}
    assert their_header == our_header
    assert {name: value for name, value in their_claims.items() if name not in varying} == {
        name: value for name, value in our_claims.items() if name not in varying
    }
    assert our_claims["sub"] == principal
    assert theirs.token_type == "Bearer"
    assert abs(theirs.expiry - datetime.fromtimestamp(ours.expires_at)) < timedelta(seconds=2)  # noqa: DTZ006  # as the SDK has it
    asked = [(seen.subject, seen.client_id, seen.scope) for seen in running.workspace.exchanges]
    assert asked == [(principal, client_id, "all-apis")] * 2


def test_it_finds_the_token_endpoint_by_the_hosts_metadata(running: WorkspaceServer, client: Client) -> None:
    made = client(running.workspace.federated_jwt())
    assert made.config.account_id == running.workspace.account_id
    assert made.config.workspace_id == running.workspace.workspace_id
    assert made.config.databricks_oidc_endpoints.token_endpoint == f"{running.url}/oidc/v1/token"
    assert made.get_workspace_id() == int(running.workspace.workspace_id)


def test_me_is_the_same_by_the_sdk_and_by_us(running: WorkspaceServer, client: Client) -> None:
    jwt = running.workspace.federated_jwt()
    theirs = client(jwt).current_user.me()
    token = _source(running).token_for(jwt)
    ours = Workspace(running.url, fetch=_source(running)._sharing._fetch).me(token)
    assert (theirs.user_name, theirs.display_name, theirs.id, theirs.active) == (
        ours.user_name,
        ours.display_name,
        ours.id,
        ours.active,
    )


def test_one_exchange_serves_all_its_calls(running: WorkspaceServer, client: Client) -> None:
    made = client(running.workspace.federated_jwt())
    for _ in range(5):
        made.current_user.me()
    assert len(running.workspace.exchanges) == 1


def test_statements_files_serving_and_jobs_work(running: WorkspaceServer, client: Client) -> None:
    made = client(running.workspace.federated_jwt())
    statement = made.statement_execution.execute_statement("SELECT current_user() AS who", warehouse_id="w", wait_timeout="0s")
    assert made.statement_execution.get_statement(statement.statement_id).result.data_array == [[DEFAULT_USER]]
    data, path = os.urandom(300_000), "/Volumes/main/default/data/a file.bin"
    made.files.upload(path, io.BytesIO(data), overwrite=True)
    assert made.files.get_metadata(path).content_length == len(data)
    with made.files.download(path).contents as contents:
        assert contents.read() == data
    made.files.delete(path)
    question = [serving.ChatMessage(role=serving.ChatMessageRole.USER, content="one two")]
    answer = made.serving_endpoints.query("echo", messages=question)
    assert (answer.choices[0].message.content, answer.served_model_name) == ("one two", "echo")
    run = made.jobs.run_now(101)
    assert [made.jobs.get_run(run.run_id).state.life_cycle_state.value for _ in range(3)] == ["PENDING", "RUNNING", "TERMINATED"]


def test_a_refused_exchange_is_read_in_either_pair_of_names(running: WorkspaceServer, client: Client) -> None:
    for keys in ("error", "errorCode"):
        running.workspace.tokens.error_keys = keys
        made = client(running.workspace.federated_jwt(claims={"aud": "elsewhere"}))
        with pytest.raises(ValueError, match=r"^invalid_grant: .*TOKEN_AUDIENCE_INVALID"):
            made.current_user.me()


def test_its_errors_are_read_from_every_shape(running: WorkspaceServer, client: Client) -> None:
    errors: Any = pytest.importorskip("databricks.sdk.errors")
    made = client(running.workspace.federated_jwt())
    with pytest.raises(errors.NotFound):
        made.files.get_metadata("/Volumes/main/default/data/missing")
    with pytest.raises(errors.InvalidParameterValue):
        made.jobs.run_now(9)
    made.current_user.me()
    running.workspace.directory.add_user(DEFAULT_USER, in_workspace=False)
    with pytest.raises(errors.PermissionDenied, match="User not authorized"):
        made.current_user.me()


def test_it_comes_back_after_a_rate_limit(running: WorkspaceServer, client: Client) -> None:
    made = client(running.workspace.federated_jwt())
    made.current_user.me()
    running.workspace.fail(Fault("status", "/api/2.0/preview/scim", status=429, retry_after=0, times=1))
    assert made.current_user.me().user_name == DEFAULT_USER
    assert running.workspace.counts["GET /api/2.0/preview/scim/v2/Me"] == 3


def test_it_finds_the_tenant_of_the_workspace(running: WorkspaceServer) -> None:
    config = sdk.core.Config(host=running.url, token="x")
    config.load_azure_tenant_id()
    assert config.azure_tenant_id == running.workspace.tenant.tenant


def test_the_stand_in_knows_what_the_sdk_sent(running: WorkspaceServer, client: Client) -> None:
    client(running.workspace.federated_jwt()).current_user.me()
    seen = _last(running.workspace, "/api/2.0/preview/scim/v2/Me")
    assert seen.headers["x-databricks-workspace-id"] == running.workspace.workspace_id
    assert seen.headers["authorization"].startswith("Bearer eyJraWQ")


def _last(workspace: DatabricksWorkspace, path: str) -> Any:
    return next(request for request in reversed(workspace.requests) if request.path == path)
