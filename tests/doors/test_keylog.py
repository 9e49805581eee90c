"""What the operator reads when a service starts without keys, and which loggers would lose events."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from tokenward import AsyncVerifier, PolicyError, Verifier
from tokenward.keylog import log_key_event
from tokenward.keys.events import KeysAwaited


def test_a_start_without_keys_is_an_error_with_something_to_do() -> None:
    with structlog.testing.capture_logs() as captured:
        log_key_event(KeysAwaited("https://idp.example/keys", 10.04))
    [event] = captured
    assert (event["event"], event["log_level"]) == ("keys_awaited", "error")
    assert (event["source"], event["seconds"]) == ("https://idp.example/keys", 10.0)
    assert "keys_refresh_failed" in event["hint"]


def test_a_start_without_its_issuer_is_logged_by_default(doors: Any, run: Any) -> None:
    doors.issuer.fail("reset")

    async def start_and_stop() -> None:
        async with AsyncVerifier(doors.policy()).running(warm_up=0.05):
            pass

    for start in (lambda: run(start_and_stop), lambda: Verifier(doors.policy()).warm_up(0.05)):
        with structlog.testing.capture_logs() as captured:
            start()
        assert "keys_awaited" in [event["event"] for event in captured]


@pytest.mark.parametrize("logger", [logging.getLogger(), object(), "log"], ids=["of the logging module", "none", "a text"])
def test_a_logger_that_would_lose_the_event_is_refused(logger: Any) -> None:
    with pytest.raises(PolicyError) as caught:
        log_key_event(KeysAwaited("https://idp.example/keys", 10.0), logger)
    assert caught.value.field == "logger"
