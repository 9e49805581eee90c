"""Carrying out steps: one suite over threads, asyncio and trio; and when a request may be made again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import hypothesis
import hypothesis.strategies as st
import pytest

from tokenward.asking.driving import run, run_async
from tokenward.asking.steps import Answered, Pause, Retries, RetryBudget, Steps, retry_after_of, with_retries
from tokenward.databricks.grant import key_of
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

REQUEST = FetchRequest("https://idp.example/token", 60.0)
OK = FetchResponse(200, {}, b"{}")
AGAIN = FetchResponse(503, {}, b"")


@dataclass
class Driver:
    """Either driver, with a scripted fetch, and a sleep that only notes how long."""

    kind: str
    script: list[object] = field(default_factory=list)
    asked: list[FetchRequest] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def carry_out(self, steps: Steps[Any], seconds: float = 60.0) -> Any:
        until = time.monotonic() + seconds
        if self.kind == "threads":
            return run(steps, self._fetch, until, self.slept.append)
        return anyio.run(run_async, steps, self._fetch_async, until, self._sleep_async, backend=self.kind)

    def _fetch(self, request: FetchRequest) -> Any:
        self.asked.append(request)
        reply = self.script.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    async def _fetch_async(self, request: FetchRequest) -> Any:
        await anyio.lowlevel.checkpoint()
        return self._fetch(request)

    async def _sleep_async(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture(params=["threads", "asyncio", "trio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    return Driver(request.param)


def echo(*asked: FetchRequest | Pause) -> Steps[list[object]]:
    answers: list[object] = []
    for one in asked:
        answer = yield one
        answers += [answer]
    return answers


def test_answers_are_sent_in_and_the_value_comes_out(driver: Driver) -> None:
    failed = FetchFailed("connect", "refused")
    driver.script = [OK, failed]
    assert driver.carry_out(echo(REQUEST, Pause(0.5), REQUEST)) == [OK, None, failed]
    assert driver.slept == [0.5]


def test_steps_without_a_request_are_over_at_once(driver: Driver) -> None:
    assert driver.carry_out(echo()) == []


@pytest.mark.parametrize("nonsense", [None, "text", b"{}"], ids=["None", "text", "bytes"])
def test_what_is_no_answer_is_a_failed_fetch(driver: Driver, nonsense: object) -> None:
    driver.script = [nonsense]
    (answer,) = driver.carry_out(echo(REQUEST))
    assert answer.kind == "other"


def test_what_a_fetch_raises_is_a_failed_fetch_without_its_text(driver: Driver) -> None:
    driver.script = [OSError("a secret"), ExceptionGroup("several", [ValueError("a secret")])]
    answers = driver.carry_out(echo(REQUEST, REQUEST))
    assert [answer.kind for answer in answers] == ["other", "other"]
    assert "secret" not in str([str(answer) for answer in answers])


def test_what_the_steps_raise_comes_out(driver: Driver) -> None:
    def steps() -> Steps[None]:
        yield REQUEST
        raise LookupError

    driver.script = [OK]
    with pytest.raises(LookupError):
        driver.carry_out(steps())


def test_a_request_has_no_more_time_than_is_left(driver: Driver) -> None:
    driver.script = [OK, OK]
    driver.carry_out(echo(REQUEST, FetchRequest("https://idp.example/", 0.5)), seconds=5.0)
    assert 4 < driver.asked[0].timeout <= 5
    assert driver.asked[1].timeout == 0.5


def test_after_the_total_deadline_nothing_is_asked_and_nobody_sleeps(driver: Driver) -> None:
    answers = driver.carry_out(echo(REQUEST, Pause(1.0)), seconds=0.0)
    assert [answer.kind for answer in answers] == ["timeout", "timeout"]
    assert (driver.asked, driver.slept) == ([], [])


def test_a_pause_beyond_the_deadline_is_refused_at_once(driver: Driver) -> None:
    (answer,) = driver.carry_out(echo(Pause(61.0)))
    assert (answer.kind, driver.slept) == ("timeout", [])


def test_a_fetch_of_a_loop_is_cancelled_at_its_timeout(run: Callable[..., Any]) -> None:
    cancelled: list[bool] = []

    async def never(request: FetchRequest) -> FetchResponse:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(True)
        return OK

    (answer,) = run(run_async, echo(REQUEST), never, time.monotonic() + 0.05)
    assert (answer.kind, cancelled) == ("timeout", [True])


# -- asking again ------------------------------------------------------------------------------------------------------


def carried(steps: Steps[Answered], answers: list[Answered]) -> tuple[Answered, int, list[float]]:
    """The result, how many requests were made, and the pauses; there is always time."""
    asked, requests, pauses = steps.send(None), 0, []
    while True:
        answer: Answered | None = None
        if isinstance(asked, Pause):
            pauses.append(asked.seconds)
        else:
            requests, answer = requests + 1, answers.pop(0)
        try:
            asked = steps.send(answer)
        except StopIteration as done:
            return done.value, requests, pauses


@pytest.mark.parametrize(
    "answer",
    [
        *(
            pytest.param(FetchResponse(status, {}, b""), id=str(status))
            for status in (200, 302, 400, 401, 403, 404, 500, 502, 504)
        ),
        *(pytest.param(FetchFailed(kind), id=kind) for kind in ("tls", "read", "too_large", "encoding", "other")),
    ],
)
def test_what_may_have_decided_something_is_not_asked_again(answer: Answered) -> None:
    assert carried(with_retries(REQUEST), [answer]) == (answer, 1, [])


@pytest.mark.parametrize(
    "answer",
    [
        *(pytest.param(FetchResponse(status, {}, b""), id=str(status)) for status in (429, 503)),
        *(pytest.param(FetchFailed(kind), id=kind) for kind in ("connect", "dns", "timeout")),
        pytest.param(FetchFailed("status", status=429), id="a fetch that raises for 429"),
    ],
)
def test_what_decided_nothing_is_asked_again_and_no_more_than_twice(answer: Answered) -> None:
    assert carried(with_retries(REQUEST), [answer, OK])[:2] == (OK, 2)
    assert carried(with_retries(REQUEST), [answer] * 4)[:2] == (answer, 3)


def test_pauses_grow_with_jitter_and_come_on_top_of_the_servers_wish() -> None:
    wish = FetchResponse(503, {"retry-after": "2"}, b"")
    least = carried(with_retries(REQUEST, Retries(4, 1.0, 3.0), lambda: 0.0), [AGAIN, AGAIN, AGAIN, wish, OK])
    most = carried(with_retries(REQUEST, Retries(4, 1.0, 3.0), lambda: 1.0), [AGAIN, AGAIN, AGAIN, wish, OK])
    assert least[2] == [0.5, 1.0, 1.5, 3.5]
    assert most[2] == [1.0, 2.0, 3.0, 5.0]


def test_without_time_for_the_pause_the_last_answer_stands() -> None:
    steps = with_retries(REQUEST)
    steps.send(None)
    assert isinstance(steps.send(AGAIN), Pause)
    with pytest.raises(StopIteration) as done:
        steps.send(FetchFailed("timeout"))
    assert done.value.value is AGAIN


def test_a_driver_that_sends_in_no_answer_is_a_bug() -> None:
    steps = with_retries(REQUEST)
    steps.send(None)
    with pytest.raises(TypeError):
        steps.send(None)


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("5", 5.0),
        (" 5 ", 5.0),
        ("0", 0.0),
        ("99999", 3600.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 11, None),
        ("", None),
    ],
)
def test_the_servers_wish_is_a_number_of_seconds_and_bounded(wish: str, seconds: float | None) -> None:
    assert retry_after_of(FetchResponse(429, {"retry-after": wish}, b"")) == seconds


@hypothesis.settings(deadline=None)
@hypothesis.given(st.floats())
def test_the_wish_of_any_fetch_is_bounded(wish: float) -> None:
    assert 0.0 <= (retry_after_of(FetchFailed("status", retry_after=wish)) or 0.0) <= 3600.0


# -- keys --------------------------------------------------------------------------------------------------------------

PARTS = st.lists(st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["", "a", "ab", "b", "\x00", "\x01a"])), max_size=4)


@hypothesis.settings(deadline=None)
@hypothesis.given(PARTS, PARTS)
def test_two_lists_of_parts_have_one_key_only_if_they_are_one_list(one: list[str | None], other: list[str | None]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


def test_an_outage_is_not_made_worse_by_those_who_ask() -> None:
    """Of a thousand requests that fail, ten are repeated at once, and one for each ten requests after."""

    def down(request: FetchRequest) -> FetchResponse:
        asked.append(request.url)
        return FetchResponse(503, {}, b"")

    asked: list[str] = []
    budget = RetryBudget()
    for _ in range(1000):
        run(with_retries(FetchRequest("https://x.example", 1.0), budget=budget), down, time.monotonic() + 60, lambda _: None)
    assert 1100 <= len(asked) <= 1115
