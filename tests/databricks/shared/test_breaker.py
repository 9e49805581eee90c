"""A store that failed is left alone for five seconds, then one caller tries."""

from __future__ import annotations

from tokenward.databricks.shared.breaker import PAUSE, Breaker


def test_everybody_may_ask_a_store_that_works() -> None:
    breaker = Breaker()
    assert all(breaker.allows(mono) for mono in (0.0, 0.0, 1.0))
    assert breaker.worked(1.0) is None


def test_nobody_asks_in_the_pause_after_a_failure() -> None:
    breaker = Breaker()
    assert breaker.failed(10.0)
    assert not breaker.allows(10.0)
    assert not breaker.allows(10.0 + PAUSE - 0.001)


def test_after_the_pause_one_caller_tries_and_the_others_go_on_without() -> None:
    breaker = Breaker()
    breaker.failed(10.0)
    assert [breaker.allows(10.0 + PAUSE) for _ in range(3)] == [True, False, False]
    assert not breaker.allows(10.0 + 2 * PAUSE - 0.001)
    assert breaker.allows(10.0 + 2 * PAUSE)


def test_only_the_first_failure_and_the_first_success_after_it_are_news() -> None:
    breaker = Breaker()
    assert [breaker.failed(mono) for mono in (10.0, 10.1, 15.2)] == [True, False, False]
    assert breaker.worked(22.5) == 12.5
    assert breaker.worked(23.0) is None
    assert breaker.allows(23.0)
    assert breaker.failed(24.0)


def test_a_failed_trial_begins_a_new_pause() -> None:
    breaker = Breaker()
    breaker.failed(10.0)
    assert breaker.allows(15.0)
    breaker.failed(15.5)
    assert not breaker.allows(20.0)
    assert breaker.allows(20.5)
