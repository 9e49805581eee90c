"""The stand-in fails as it is told, over HTTP and in process alike, and where it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tokenward.databricks import Exchange, TokenSource
from tokenward.errors import AuthenticationError
from tokenward.keys.port import FetchFailed, FetchRequest
from tokenward.testing import HandClock
from tokenward.testing.workspace import DatabricksWorkspace, Fault, WorkspaceServer

TOKEN = "/oidc/v1/token"
INVOKE = "/serving-endpoints/echo/invocations"
CONFIG = "/.well-known/databricks-config"


def test_a_status_is_answered_with_its_retry_after_so_many_times(
    standin: DatabricksWorkspace, exchange: Callable[..., httpx.Response]
) -> None:
    standin.fail(Fault("status", TOKEN, status=429, retry_after=7, times=2))
    answers = [exchange(standin.federated_jwt()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"
    assert len(standin.exchanges) == 1


def test_a_fault_is_of_its_path_only(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    standin.fail(Fault("status", TOKEN, status=500))
    assert http.get(CONFIG).status_code == 200
    assert http.post(TOKEN).status_code == 500


@pytest.mark.parametrize(
    ("mode", "status", "body"),
    [("html", 502, b"<html><head><title>502 Bad Gateway"), ("empty", 200, b""), ("garbage", 200, b'{"access_token":"eyJra')],
)
def test_answers_that_are_none(standin: DatabricksWorkspace, http: httpx.Client, mode: Any, status: int, body: bytes) -> None:
    standin.fail(Fault(mode))
    answer = http.get(CONFIG)
    assert answer.status_code == status
    assert answer.content.startswith(body)
    assert bool(body) == bool(answer.content)


def test_a_lie_is_laid_over_the_real_answer(standin: DatabricksWorkspace, exchange: Callable[..., httpx.Response]) -> None:
    standin.fail(Fault("lie", TOKEN, members={"expires_in": 999_999, "token_type": "mac"}, without=("scope",)))
    body = exchange(standin.federated_jwt(lifetime=60)).json()
    assert body.keys() == {"access_token", "token_type", "expires_in"}
    assert (body["expires_in"], body["token_type"]) == (999_999, "mac")


def test_a_reset_breaks_the_connection(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    standin.fail(Fault("reset", times=1))
    with pytest.raises(httpx.ReadError):
        http.get(CONFIG)
    assert http.get(CONFIG).status_code == 200


@pytest.mark.parametrize("kind", ["counted", "chunked"])
def test_a_truncated_answer_breaks_off_in_the_middle(
    standin: DatabricksWorkspace, http: httpx.Client, bearer: Callable[..., dict[str, str]], kind: str
) -> None:
    standin.fail(Fault("truncated", times=1))
    stream = {"messages": [{"content": "one two"}], "stream": True}
    asked: dict[str, Any] = {"method": "GET", "url": CONFIG}
    if kind == "chunked":
        asked = {"method": "POST", "url": INVOKE, "json": stream}
    with pytest.raises(httpx.RemoteProtocolError):
        http.request(**asked, headers=bearer())


def test_a_slow_answer_is_given_at_once_when_the_fault_is_over(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    standin.fail(Fault("slow", seconds=60))
    begun = time.monotonic()
    threading.Timer(0.2, standin.recover).start()
    assert http.get(CONFIG).status_code == 200
    assert 0.15 < time.monotonic() - begun < 30


def test_the_fault_that_was_set_last_counts(standin: DatabricksWorkspace, http: httpx.Client) -> None:
    standin.fail(Fault("status", status=500))
    standin.fail(Fault("status", CONFIG, status=503))
    assert http.get(CONFIG).status_code == 503
    assert http.get("/aad/auth").status_code == 500
    standin.recover()
    assert http.get(CONFIG).status_code == 200


def test_a_rate_limit_counts_in_its_window(standin: DatabricksWorkspace, http: httpx.Client, mono: HandClock) -> None:
    standin.limit(CONFIG, 2, 10.0)
    assert [http.get(CONFIG).status_code for _ in range(3)] == [200, 200, 429]
    mono.advance(4)
    refused = http.get(CONFIG)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "6")
    assert refused.json()["message"] == "RPC token bucket limit has been exceeded"
    mono.advance(6)
    assert http.get(CONFIG).status_code == 200


@pytest.mark.parametrize(
    "options",
    [{"mode": "melt"}, {"mode": "slow", "seconds": -1}, {"mode": "status", "status": 99}, {"mode": "status", "times": -1}],
)
def test_a_fault_that_means_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"no such fault|between|whole number"):
        Fault(**options)


# -- in process --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "kind"), [("slow", "timeout"), ("reset", "read"), ("truncated", "read")])
def test_in_process_it_fails_as_a_client_would(standin: DatabricksWorkspace, mode: Any, kind: str) -> None:
    standin.fail(Fault(mode))
    with pytest.raises(FetchFailed) as failure:
        standin.fetch(FetchRequest(f"{standin.home}{CONFIG}", 5.0))
    assert failure.value.kind == kind


def test_in_process_it_is_found_only_at_its_own_address(standin: DatabricksWorkspace) -> None:
    with pytest.raises(FetchFailed) as failure:
        standin.fetch(FetchRequest("https://other.example/oidc/v1/token", 5.0))
    assert failure.value.kind == "dns"
    with pytest.raises(FetchFailed) as failure:
        standin.fetch(FetchRequest(f"{standin.home}{CONFIG}", 5.0, limit=10))
    assert failure.value.kind == "too_large"


def test_in_process_the_library_exchanges_with_it(standin: DatabricksWorkspace, wall: HandClock, mono: HandClock) -> None:
    source = TokenSource(Exchange(standin.home), fetch=standin.fetch, clock=wall, monotonic=mono, observer=None)
    jwt = standin.federated_jwt(lifetime=600)
    token = source.token_for(jwt)
    assert (token.expires_at, token.scope) == (wall() + 600, "all-apis")
    assert source.token_for(jwt) is token
    assert standin.counts[f"POST {TOKEN}"] == len(standin.exchanges) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Fault("html", TOKEN), "exchange_unavailable", id="a gateway's page"),
        pytest.param(Fault("empty", TOKEN), "exchange_unavailable", id="empty"),
        pytest.param(Fault("garbage", TOKEN), "exchange_unavailable", id="half of an object"),
        pytest.param(Fault("status", TOKEN, status=500), "exchange_unavailable", id="500"),
        pytest.param(Fault("status", TOKEN, status=429, retry_after=100), "exchange_unavailable", id="429"),
        pytest.param(Fault("lie", TOKEN, without=("access_token",)), "exchange_unavailable", id="no token"),
        pytest.param(Fault("lie", TOKEN, members={"token_type": "mac"}), "exchange_unavailable", id="another type"),
        pytest.param(Fault("lie", TOKEN, members={"expires_in": "soon"}), "exchange_unavailable", id="expires_in is a word"),
        pytest.param(Fault("reset", TOKEN), "exchange_unavailable", id="broken connection"),
    ],
)
def test_the_library_says_of_every_fault_what_it_is(server: WorkspaceServer, wall: HandClock, fault: Fault, code: str) -> None:
    """Over real HTTP, with the library's own client."""
    server.workspace.fail(fault)
    source = TokenSource(Exchange(server.url), clock=wall, timeout=5.0, observer=None)
    with pytest.raises(AuthenticationError) as refused:
        source.token_for(server.workspace.federated_jwt())
    assert refused.value.code == code


def test_a_lying_expires_in_makes_no_token_live_longer(server: WorkspaceServer, wall: HandClock) -> None:
    server.workspace.fail(Fault("lie", TOKEN, members={"expires_in": 999_999}))
    source = TokenSource(Exchange(server.url), clock=wall, observer=None)
    assert source.token_for(server.workspace.federated_jwt(lifetime=300)).expires_at == wall() + 300
