"""What the default observer logs of exchanges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

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
