"""databricks-sdk for Python with the gateway as its host, and without a personal access token: it sends its caller's own JWT."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing.workspace import DEFAULT_USER, Fault

pytestmark = pytest.mark.servers

sdk: Any = pytest.importorskip("databricks.sdk")
provider: Any = pytest.importorskip("databricks.sdk.credentials_provider")
errors: Any = pytest.importorskip("databricks.sdk.errors")
serving: Any = pytest.importorskip("databricks.sdk.service.serving")

FILE = "/Volumes/main/default/data/a file.bin"
DATA = os.urandom(1 << 20) * 4
BOTH = pytest.mark.parametrize("kind", ["pass", "exchange"])


class OwnToken(provider.CredentialsStrategy):  # type: ignore[misc]  # the SDK is not typed
    """How the SDK is given a bearer token that is no personal access token: a strategy of one's own."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token

    def auth_type(self) -> str:
        return "own-token"

    def __call__(self, cfg: Any) -> Callable[[], dict[str, str]]:
        return lambda: {"Authorization": f"Bearer {self._token()}"}


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "ARM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def client(gate: Any, estate: Any) -> Callable[..., Any]:
    """A WorkspaceClient of a caller of this gateway: `client("exchange")`."""

    def make(kind: str, token: str | None = None, **options: Any) -> Any:
        strategy = OwnToken(lambda: token or estate.token(kind))
        return sdk.WorkspaceClient(host=gate.url(kind), credentials_strategy=strategy, **options)

    return make


@BOTH
def test_it_is_who_its_caller_is(client: Any, estate: Any, kind: str) -> None:
    assert client(kind).current_user.me().user_name == DEFAULT_USER
    assert estate.has_arrived(kind)


@BOTH
def test_it_learns_the_workspace_id_from_the_answer(client: Any, estate: Any, kind: str) -> None:
    assert client(kind).get_workspace_id() == int(estate.standin.workspace_id)


def test_it_is_not_led_around_the_gateway(client: Any, estate: Any) -> None:
    """It asks its host where to get tokens; the workspace's own address would lead past the gateway."""
    made = client("pass")
    made.current_user.me()
    assert made.config.discovery_url is None
    assert estate.workspace.url not in made.config.debug_string()
    assert all(request.path != "/.well-known/databricks-config" for request in estate.standin.requests)


def test_its_own_exchange_finds_no_token_endpoint(gate: Any, estate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway exchanges; a client that wants to do so itself must be told to send its token as it is."""
    monkeypatch.setenv("DATABRICKS_OIDC_TOKEN", estate.token("exchange"))
    with pytest.raises(ValueError, match="env-oidc"):
        sdk.WorkspaceClient(host=gate.url("exchange"), auth_type="env-oidc").current_user.me()
    assert not estate.tokens_seen()


@BOTH
def test_it_runs_statements(client: Any, estate: Any, kind: str) -> None:
    execution = client(kind).statement_execution
    at_once = execution.execute_statement("SELECT current_user() AS who, 1 + 1 AS two", warehouse_id="w")
    assert at_once.result.data_array == [[DEFAULT_USER, "2"]]
    later = execution.execute_statement("SELECT 3", warehouse_id="w", wait_timeout="0s")
    assert later.status.state.value == "PENDING"
    assert execution.get_statement(later.statement_id).result.data_array == [["3"]]
    assert execution.get_statement_result_chunk_n(later.statement_id, 0).data_array == [["3"]]
    assert estate.has_arrived(kind)


@BOTH
def test_it_moves_files(client: Any, estate: Any, kind: str) -> None:
    files = client(kind).files
    files.upload(FILE, io.BytesIO(DATA), overwrite=True)
    assert files.get_metadata(FILE).content_length == len(DATA)
    with files.download(FILE).contents as contents:
        assert contents.read() == DATA
    files.delete(FILE)
    with pytest.raises(errors.NotFound):
        files.get_metadata(FILE)
    assert estate.has_arrived(kind)


class Piped(io.BufferedIOBase):
    """What comes from a pipe: its length is not known, and it cannot be read twice."""

    def __init__(self, data: bytes) -> None:
        self._left = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        return self._left.read(size)


@BOTH
@pytest.mark.parametrize("plain", [True, False], ids=["in chunks", "read ahead"])
def test_it_moves_files_of_unknown_length(client: Any, estate: Any, kind: str, plain: bool) -> None:
    files = client(kind).files
    files._config.disable_experimental_files_api_client = plain
    files.upload(FILE, Piped(DATA), overwrite=True, use_parallel=False)
    with files.download(FILE).contents as contents:
        assert b"".join(iter(lambda: contents.read(50_000), b"")) == DATA
    sent = next(request for request in reversed(estate.standin.requests) if request.method == "PUT")
    assert ("transfer-encoding" in sent.headers, "content-length" in sent.headers) == (plain, not plain)
    assert estate.has_arrived(kind)


@BOTH
def test_it_queries_an_endpoint(client: Any, estate: Any, kind: str) -> None:
    made = client(kind)
    question = [serving.ChatMessage(role=serving.ChatMessageRole.USER, content="one two")]
    answer = made.serving_endpoints.query("echo", messages=question)
    assert (answer.choices[0].message.content, answer.served_model_name) == ("one two", "echo")
    assert made.serving_endpoints.query("echo", dataframe_records=[{"x": 1}]).predictions == [{"x": 1}]
    assert estate.has_arrived(kind)


@BOTH
def test_it_reads_the_events_of_an_endpoint(client: Any, estate: Any, kind: str) -> None:
    """The SDK's own `query` reads whole answers; a stream is had by the client beneath it."""
    body = {"messages": [{"role": "user", "content": "one two three"}], "stream": True}
    fields = {"Accept": "text/event-stream", "Content-Type": "application/json"}
    raw = client(kind).api_client.do("POST", "/serving-endpoints/echo/invocations", body=body, headers=fields, raw=True)
    with raw["contents"] as stream:
        text = b"".join(iter(lambda: stream.read(64), b"")).decode()
    events = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert events[-1] == "[DONE]"
    assert "".join(json.loads(event)["choices"][0]["delta"]["content"] for event in events[:-1]) == "one two three"
    assert estate.has_arrived(kind)


@BOTH
def test_it_runs_jobs(client: Any, estate: Any, kind: str) -> None:
    jobs = client(kind).jobs
    run = jobs.run_now(101, job_parameters={"day": "monday"})
    states = [jobs.get_run(run.run_id).state.life_cycle_state.value for _ in range(3)]
    assert states == ["PENDING", "RUNNING", "TERMINATED"]
    assert estate.has_arrived(kind)


def test_it_comes_back_after_a_rate_limit_of_the_workspace(client: Any, estate: Any) -> None:
    made = client("pass")
    estate.standin.fail(Fault("status", "/api/2.0/preview/scim", status=429, retry_after=0, times=1))
    assert made.current_user.me().user_name == DEFAULT_USER
    assert len(estate.tokens_seen()) == 1


def test_it_reads_the_gateways_refusals_as_errors(client: Any, estate: Any) -> None:
    with pytest.raises(errors.Unauthenticated):
        client("pass", "nonsense").current_user.me()
    with pytest.raises(errors.PermissionDenied):
        client("pass").api_client.do("GET", "/ajax-api/2.0/anything")
    assert not estate.tokens_seen()


def test_the_workspaces_own_errors_come_through(client: Any, estate: Any) -> None:
    with pytest.raises(errors.InvalidParameterValue, match="Job 9 does not exist"):
        client("exchange").jobs.run_now(9)
