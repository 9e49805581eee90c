"""What the default observer logs of exchanges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from tokenward.acquisition import entries
from tokenward.databricks import Exchange, TokenSource
from tokenward.errors import AuthenticationError
from tokenward.testing import HandClock

Jwt = Callable[..., str]
Endpoint = Any  # this folder's TokenEndpoint


@pytest.fixture
def log() -> Iterator[list[Any]]:
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[capture])
    yield capture.entries
    structlog.configure(**before)


@pytest.fixture
def source(exchange: Exchange, wall: HandClock, mono: HandClock) -> TokenSource:
    return TokenSource(exchange, clock=wall, monotonic=mono, timeout=10.0)


def test_an_exchange_is_logged_with_its_grant_and_life(
    source: TokenSource, endpoint: Endpoint, jwt: Jwt, log: list[Any], eventually: Callable[..., None]
) -> None:
    source.token_for(jwt(lifetime=600))
    eventually(lambda: len(log) == 1)
    name = f"exchange at 127.0.0.1:{endpoint.port}"
    expected = {"event": "token_exchanged", "log_level": "info", "grant": name, "scope": "all-apis", "seconds": 0.0}
    assert log == [expected | {"expires_in": 600}]


@pytest.mark.parametrize(
    ("status", "level", "code"),
    [
        pytest.param(400, "warning", "exchange_refused", id="a refusal"),
        pytest.param(500, "error", "exchange_unavailable", id="an outage"),
    ],
)
def test_a_failure_is_logged_with_its_code_reason_and_hint_and_no_token(
    source: TokenSource,
    endpoint: Endpoint,
    jwt: Jwt,
    log: list[Any],
    answer: Callable[..., Any],
    eventually: Callable[..., None],
    status: int,
    level: str,
    code: str,
) -> None:
    token = jwt("ada@example.com")
    endpoint.always = answer({"error": "invalid_grant", "error_description": f"TOKEN_INVALID {token} of ada@example.com"}, status)
    with pytest.raises(AuthenticationError):
        source.token_for(token)
    eventually(lambda: len(log) == 1)
    (event,) = log
    assert (event["event"], event["log_level"], event["code"]) == ("token_exchange_failed", level, code)
    assert event["hint"]
    assert event["reason"]
    assert "ada@example.com" not in repr(event)
    assert not any(part in repr(event) for part in token.split("."))


REQUEST = "0a1b2c3d-1111-4222-8333-444455556666"
NO_POLICY = {"error": "invalid_grant", "error_description": "Failed to process token: TOKEN_INVALID (Ensure a valid ...)"}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        pytest.param(400, NO_POLICY, ("databricks_token_invalid", "operator", "after_fix"), id="no policy"),
        pytest.param(401, None, ("databricks_unexplained_401", "tenant admin", "after_fix"), id="a 401 without a word"),
        pytest.param(400, {"error": "new", "error_description": "AADSTS65001"}, (None, None, None), id="a text nobody knows"),
        pytest.param(500, NO_POLICY, (None, None, None), id="an outage"),
    ],
)
def test_what_databricks_answered_is_explained_from_the_catalogue(
    source: TokenSource,
    endpoint: Endpoint,
    jwt: Jwt,
    log: list[Any],
    answer: Callable[..., Any],
    eventually: Callable[..., None],
    status: int,
    body: object,
    told: tuple[str | None, ...],
) -> None:
    _, headers, content = answer(body, status, X_Request_Id=REQUEST)
    endpoint.always = (status, headers, content if body else b"")
    with pytest.raises(AuthenticationError):
        source.token_for(jwt())
    eventually(lambda: len(log) == 1)
    (event,) = log
    assert tuple(event.get(name) for name in ("upstream_error", "who_must_act", "retry")) == told
    if told[0] is not None:
        entry = entries()[told[0]]
        assert (event["upstream_meaning"], event["first_step"]) == (entry.meaning, entry.causes[0].steps[0])
        assert (event["reason"], event["hint"]) == (entry.name, entry.hint)
        assert event["upstream_trace_id"] == REQUEST
    assert (f"request_id={REQUEST}" in event["seen"]) == (status != 500)
