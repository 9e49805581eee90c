"""The running totals of Diagnostics: every rejection once, whether it was logged, held back or summed up."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from tokenward.diagnostics import Diagnostics
from tokenward.errors import KeysUnavailable, TokenExpired
from tokenward.testing import HandClock


def reject(diagnostics: Diagnostics, times: int) -> None:
    for _ in range(times):
        diagnostics.rejected(TokenExpired(), method="GET", path="/")


@pytest.mark.parametrize("first", [pytest.param(0, id="none"), pytest.param(2, id="two"), pytest.param(None, id="all")])
def test_the_totals_do_not_depend_on_how_many_are_logged(first: int | None, mono: HandClock) -> None:
    diagnostics = Diagnostics(first=first, monotonic=mono)
    with capture_logs():
        reject(diagnostics, 5)
        diagnostics.flush()
        mono.advance(120)
        reject(diagnostics, 4)
        diagnostics.rejected(KeysUnavailable(), method="GET", path="/")
        diagnostics.refused("draining", {"status": 503}, method="GET", path="/")
        diagnostics.refused("of_ones_own", {}, method="GET", path="/")
        told = diagnostics.totals()
        diagnostics.flush()
    assert told == {
        ("token_expired", 401): 9,
        ("keys_unavailable", 503): 1,
        ("draining", 503): 1,
        ("of_ones_own", 0): 1,
    }
    assert diagnostics.totals() == told


def test_a_class_of_ones_own_that_answers_otherwise_is_told_apart() -> None:
    class Hidden(TokenExpired):
        status = 404

    diagnostics = Diagnostics()
    with capture_logs():
        reject(diagnostics, 1)
        diagnostics.rejected(Hidden(), method="GET", path="/")
    assert diagnostics.totals() == {("token_expired", 401): 1, ("token_expired", 404): 1}


def test_a_logger_that_raises_loses_no_count() -> None:
    class Broken:
        def info(self, event: str, **fields: Any) -> None:
            raise OSError("disk full")

        warning = error = info

    diagnostics = Diagnostics(logger=Broken())
    reject(diagnostics, 3)
    assert diagnostics.totals() == {("token_expired", 401): 3}


def test_threads_lose_no_count() -> None:
    diagnostics = Diagnostics(first=0)
    threads = [threading.Thread(target=reject, args=(diagnostics, 2000)) for _ in range(4)]
    with capture_logs():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        diagnostics.flush()
    assert diagnostics.totals() == {("token_expired", 401): 8000}


def test_a_child_process_begins_with_totals_of_its_own() -> None:
    diagnostics = Diagnostics(first=0)
    reject(diagnostics, 3)
    with vars(diagnostics)["_lock"]:
        diagnostics.forked()
        reject(diagnostics, 2)
    with capture_logs():
        diagnostics.flush()
    assert diagnostics.totals() == {("token_expired", 401): 2}


def test_what_was_told_does_not_change_afterwards() -> None:
    diagnostics = Diagnostics(first=0)
    reject(diagnostics, 1)
    told = diagnostics.totals()
    reject(diagnostics, 1)
    assert told == {("token_expired", 401): 1}
    with capture_logs():
        diagnostics.flush()
