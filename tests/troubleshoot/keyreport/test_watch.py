"""Rotation is told as it happens, once, and a failed look changes no key."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.keys.port import FetchRequest, FetchResponse
from tokenward.troubleshoot.keyreport.report import KeyReport, keys_of
from tokenward.troubleshoot.keyreport.watch import MAX_EVENTS, Watch, summary


@pytest.fixture
def watched(publishing: Any) -> Any:
    """`watched(at)` looks at the issuer at that time, and gives what happened."""
    watch = Watch()

    def look(at: float) -> list[tuple[str, str | None]]:
        return [(event.what, event.kid) for event in watch.observe(_look(publishing, at))]

    look.watch = watch  # type: ignore[attr-defined]
    return look


def _look(publishing: Any, at: float) -> KeyReport:
    return keys_of(publishing.issuer, clock=lambda: at)


def test_the_first_look_says_what_is_there_and_a_quiet_one_nothing(publishing: Any, watched: Any) -> None:
    kid = publishing.signing_key.kid
    assert watched(100.0) == [("present", kid)]
    assert watched(200.0) == []
    assert watched.watch.since == {kid: 100.0}


def test_a_rotation_is_told_with_since_when(publishing: Any, watched: Any) -> None:
    old = publishing.signing_key.kid
    watched(100.0)
    new = publishing.rotate().kid
    assert watched(200.0) == [("added", new)]
    publishing.keys[:] = [publishing.signing_key]
    assert watched(300.0) == [("removed", old)]
    assert watched.watch.since == {new: 200.0}
    assert summary(watched.watch) == "3 looks, 0 failed; keys: 1 added, 1 removed, 0 changed."


def test_another_key_under_the_same_kid_is_a_change(publishing: Any, watched: Any, new_key: Any) -> None:
    kid = publishing.signing_key.kid
    watched(100.0)
    publishing.keys[:] = [new_key().renamed(kid)]
    assert watched(200.0) == [("changed", kid)]
    assert "another public key" in watched.watch.events[-1].detail


def test_a_key_that_stops_being_usable_is_a_change(publishing: Any, watched: Any) -> None:
    jwk = publishing.jwks()["keys"][0]
    other = publishing.rotate()
    watched(100.0)
    publishing.listed = [{**jwk, "use": "enc"}, {**other.jwk(), "alg": "RS256"}]
    assert watched(200.0) == [("changed", jwk["kid"])]


def test_a_failure_is_told_once_and_takes_no_key(publishing: Any, watched: Any) -> None:
    watched(100.0)
    before = watched.watch.rows
    publishing.fail("empty")
    assert [watched(200.0), watched(300.0)] == [[("failed", None)], []]
    assert (watched.watch.rows, watched.watch.failures, watched.watch.last_good) == (before, 2, 100.0)
    publishing.recover()
    assert watched(400.0) == [("recovered", None)]


def test_what_is_kept_of_a_long_watch_is_bounded(publishing: Any, watched: Any) -> None:
    report = _look(publishing, 0.0)
    without = keys_of(publishing.issuer, fetch=_broken)
    for _ in range(MAX_EVENTS):
        watched.watch.observe(report)
        watched.watch.observe(without)
    assert len(watched.watch.events) == MAX_EVENTS
    assert watched.watch.counts["failed"] == MAX_EVENTS


def _broken(request: FetchRequest) -> FetchResponse:
    raise RuntimeError(request.url)
