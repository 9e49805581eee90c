"""What the operator reads when a service starts without keys, and which loggers would lose events."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog

from tokenward import AsyncVerifier, PolicyError, Verifier, keys
from tokenward.keylog import HINTS, SEED_HINTS, log_key_event
from tokenward.keys.events import KeysAwaited
from tokenward.keys.port import FailureKind


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


def test_every_kind_of_failure_and_every_reason_of_a_seed_has_a_hint_of_its_own() -> None:
    assert set(HINTS) == set(get_args(FailureKind))
    source = Path(keys.__file__).parent
    told = "".join((source / name).read_text("utf-8") for name in ("seeding.py", "export.py", "source.py"))
    assert {reason for reason in SEED_HINTS if f'"{reason}"' not in told} == set()
