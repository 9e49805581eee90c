"""The load test sees what it is there to see: with a defect in the workers, it counts more than none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

OPTIONS = ("--workers", "2", "--worker-class", "gthread", "--threads", "4")


@pytest.mark.parametrize("mutant", ["fetch_in_request", "wait_for_refresh"])
def test_known_callers_who_wait_for_a_fetch_are_seen_whatever_the_verifier_counts(
    endure: Callable[..., list[Any]], mutant: str
) -> None:
    (phase,) = endure("gunicorn", "guarded:wsgi()", *OPTIONS, parts=["slow answers"], mutant=mutant)
    assert phase.deltas["waits"] == 0
    assert phase.flaws() == [f"{phase.deltas['waits seen']} waits seen"]


def test_known_callers_who_wait_beside_those_with_a_new_key_are_seen(endure: Callable[..., list[Any]]) -> None:
    (phase,) = endure("uvicorn", "guarded:asgi", "--workers", "2", parts=["new key"], mutant="wait_for_any_fetch")
    assert phase.flaws() == [f"{phase.deltas['waits seen']} waits seen"]


def test_a_token_that_outlives_its_key_is_a_wrong_verdict(endure: Callable[..., list[Any]]) -> None:
    rotation, withdrawal = endure(
        "gunicorn", "guarded:wsgi()", *OPTIONS, parts=["rotation 1", "withdrawal"], mutant="remember_for_ever"
    )
    assert rotation.wrong == []
    assert set(withdrawal.wrong) == {"good, v1.0, withdrawn: 200", "good, v2.0, withdrawn: 200"}


def test_a_worker_that_never_looks_for_a_new_key_is_a_wrong_verdict(endure: Callable[..., list[Any]]) -> None:
    (phase,) = endure("gunicorn", "guarded:wsgi()", *OPTIONS, parts=["new key"], mutant="never_look_for_a_key")
    assert set(phase.wrong) == {"good, v1.0: 401", "good, v2.0: 401"}
