"""What both sources of tokens do, against a real token endpoint, on threads, asyncio and trio."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from tokenward.databricks import AccessToken, AsyncTokenSource, Exchange, Subject, TokenSource
from tokenward.databricks.events import TokenExchanged, TokenExchangeFailed
from tokenward.databricks.exchange import DatabricksRefused
from tokenward.errors import AuthenticationError, ExchangeRefused, ExchangeUnavailable, PolicyError
from tokenward.testing import HandClock

World = Any  # ThreadWorld or LoopWorld of this folder's conftest, which share one shape
Endpoint = Any  # its TokenEndpoint
Jwt = Callable[..., str]
Eventually = Callable[[Callable[[], bool]], None]
Answer = Callable[..., Any]
ClaimsOf = Callable[[str], dict[str, Any]]

CROWD = 1000
CLIENT = "7cb2f8a4-49a7-4147-83db-35cb69e5cede"
NO_POLICY = {
    "error": "invalid_grant",
    "error_description": "Failed to process token: TOKEN_INVALID (Ensure a valid federation policy has been configured).",
}


def belongs_to(access: AccessToken, token: str, claims_of: ClaimsOf) -> bool:
    return bool(claims_of(access.value)["for"] == hashlib.sha256(token.encode()).hexdigest())


# -- exchanging --------------------------------------------------------------------------------------------------------


def test_the_request_is_the_documented_one(world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt) -> None:
    token = jwt()
    world.token_for(world.source(exchange), token)
    assert endpoint.forms == [
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": token,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "scope": "all-apis",
        }
    ]
    assert endpoint.paths == ["/oidc/v1/token"]
    assert endpoint.headers[0]["content-type"] == "application/x-www-form-urlencoded"
    assert "authorization" not in endpoint.headers[0]


def test_the_token_is_the_callers_and_ends_with_the_callers(
    world: World, exchange: Exchange, jwt: Jwt, wall: HandClock, claims_of: ClaimsOf
) -> None:
    token = jwt(lifetime=600)
    access = world.token_for(world.source(exchange), token)
    assert belongs_to(access, token, claims_of)
    assert access.expires_at == claims_of(token)["exp"] == int(wall()) + 600
    assert (access.scope, access.source) == ("all-apis", "exchange")
    assert access.authorization == f"Bearer {access.value}"


def test_a_token_is_exchanged_once_and_served_until_forty_seconds_before_its_end(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock
) -> None:
    source, token = world.source(exchange), jwt(lifetime=3600)
    first = world.token_for(source, token)
    for clock in (wall, mono):
        clock.advance(3559)
    assert world.token_for(source, token.encode()) is first
    assert endpoint.exchanges == 1
    for clock in (wall, mono):
        clock.advance(1)
    assert world.token_for(source, token) is not first
    assert endpoint.exchanges == 2


def test_a_token_that_is_held_is_not_opened_again(world: World, exchange: Exchange, jwt: Jwt) -> None:
    class Counted:
        name, steps, asked = exchange.name, exchange.steps, 0

        def key(self, subject: Subject) -> bytes:
            self.asked += 1
            return exchange.key(subject)

    grant = Counted()
    source, tokens = world.source(grant), [jwt("ada"), jwt("bob")]
    first = [world.token_for(source, token) for token in tokens]
    assert [world.token_for(source, token) for token in tokens * 3] == first * 3
    assert grant.asked == 2


def test_a_token_near_its_end_is_handed_out_again_for_five_seconds(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock
) -> None:
    """Or one caller would cause an exchange for every request."""
    source, token = world.source(exchange), jwt(lifetime=40)
    first = world.token_for(source, token)
    for clock in (wall, mono):
        clock.advance(4)
    assert world.token_for(source, token) is first
    for clock in (wall, mono):
        clock.advance(1)
    assert world.token_for(source, token) is not first
    assert endpoint.exchanges == 2


def test_a_caller_whose_token_is_over_costs_the_endpoint_nothing(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock
) -> None:
    token = jwt(lifetime=60)
    for clock in (wall, mono):
        clock.advance(60)
    with pytest.raises(AuthenticationError) as refused:
        world.token_for(world.source(exchange), token)
    assert refused.value.code == "token_expired"
    assert endpoint.exchanges == 0


def test_another_client_scope_or_account_is_another_exchange(
    world: World, endpoint: Endpoint, jwt: Jwt, claims_of: ClaimsOf
) -> None:
    token = jwt()
    grants = [
        Exchange(endpoint.url),
        Exchange(endpoint.url, client_id=CLIENT),
        Exchange(endpoint.url, scope="sql"),
        Exchange(endpoint.url, account_id=CLIENT),
    ]
    seen = [claims_of(world.token_for(world.source(grant), token).value) for grant in grants]
    assert [(claims["client_id"], claims["scope"], claims["path"]) for claims in seen] == [
        (None, "all-apis", "/oidc/v1/token"),
        (CLIENT, "all-apis", "/oidc/v1/token"),
        (None, "sql", "/oidc/v1/token"),
        (None, "all-apis", f"/oidc/accounts/{CLIENT}/v1/token"),
    ]


# -- crowds ------------------------------------------------------------------------------------------------------------


def test_a_thousand_callers_with_one_token_cause_one_exchange(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, token = world.source(exchange, timeout=60.0), jwt()
    endpoint.gate.clear()
    crowd = [world.submit(source, token) for _ in range(CROWD)]
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == CROWD)
    endpoint.gate.set()
    tokens = {caller.result(30).value for caller in crowd}
    assert (len(tokens), endpoint.exchanges, source.status().exchanges) == (1, 1, 1)


def test_a_thousand_callers_with_a_thousand_tokens_cause_a_thousand_exchanges_and_each_gets_its_own(
    world: World, in_process: Any, jwt: Jwt, eventually: Eventually, claims_of: ClaimsOf
) -> None:
    source = world.source(Exchange("adb-1.2.azuredatabricks.net"), in_process, timeout=60.0)
    tokens = [jwt(f"caller-{number}@example.com") for number in range(CROWD)]
    crowd = [world.submit(source, token) for token in tokens]
    answers = [caller.result(60) for caller in crowd]
    assert all(belongs_to(access, token, claims_of) for access, token in zip(answers, tokens, strict=True))
    assert in_process.exchanges == source.status().held == CROWD
    again = [world.submit(source, token) for token in tokens]
    assert [caller.result(60) for caller in again] == answers
    assert in_process.exchanges == CROWD


def test_different_callers_exchange_at_the_same_time(world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt) -> None:
    source = world.source(exchange)
    endpoint.gate.clear()
    crowd = [world.submit(source, jwt(f"caller-{number}")) for number in range(20)]
    while endpoint.exchanges < 20:
        assert not any(caller.done() for caller in crowd)
    endpoint.gate.set()
    assert len({caller.result(30).value for caller in crowd}) == endpoint.most_at_once == 20


def test_a_crowd_shares_one_exchange_even_when_nothing_is_kept(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, token = world.source(exchange, remember=0), jwt()
    endpoint.gate.clear()
    crowd = [world.submit(source, token) for _ in range(50)]
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == 50)
    endpoint.gate.set()
    assert len({caller.result(30).value for caller in crowd}) == endpoint.exchanges == 1
    assert source.status().held == 0
    world.token_for(source, token)
    assert endpoint.exchanges == 2


def test_no_more_tokens_are_held_than_wished_and_the_oldest_give_way(
    world: World, in_process: Any, jwt: Jwt, claims_of: ClaimsOf
) -> None:
    source = world.source(Exchange("adb-1.2.azuredatabricks.net"), in_process, remember=3)
    tokens = [jwt(f"caller-{number}") for number in range(5)]
    for token in tokens:
        world.token_for(source, token)
    assert source.status().held == 3
    for token in tokens[2:]:
        world.token_for(source, token)
    assert in_process.exchanges == 5
    assert belongs_to(world.token_for(source, tokens[0]), tokens[0], claims_of)
    assert in_process.exchanges == 6


# -- refusals ----------------------------------------------------------------------------------------------------------


def test_a_refusal_reaches_every_caller_as_an_error_of_its_own(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually, answer: Answer
) -> None:
    source, token = world.source(exchange), jwt()
    endpoint.always = answer(NO_POLICY, 400)
    endpoint.gate.clear()
    crowd = [world.submit(source, token) for _ in range(20)]
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == 20)
    endpoint.gate.set()
    errors = [caller.exception(30) for caller in crowd]
    assert {type(error) for error in errors} == {DatabricksRefused}
    assert len({id(error) for error in errors}) == 20
    assert {error.reason for error in errors if isinstance(error, ExchangeRefused)} == {"no federation policy fits the token"}
    assert all(error is not None and error.__context__ is None and error.__cause__ is None for error in errors)
    assert endpoint.exchanges == 1


def test_what_is_held_of_a_failure_has_no_frames_which_would_hold_the_callers_token(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, answer: Answer
) -> None:
    events: list[Any] = []
    source = world.source(exchange, observer=events.append)
    endpoint.always = answer(NO_POLICY, 400)
    raised = world.submit(source, jwt()).exception(30)
    ((held, _),) = source._sharing._flights.refusals.values()
    assert held is not raised
    assert (held.__traceback__, held.__context__, held.__cause__) == (None, None, None)
    assert [event.error for event in events if event.error.__traceback__ is not None] == []


def test_a_refusal_is_repeated_for_ten_seconds_and_then_asked_again(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock, answer: Answer
) -> None:
    source, token = world.source(exchange), jwt()
    endpoint.script = [answer(NO_POLICY, 400)]
    for seconds, exchanges in ((0, 1), (9.9, 1)):
        wall.advance(seconds)
        mono.advance(seconds)
        with pytest.raises(ExchangeRefused):
            world.token_for(source, token)
        assert endpoint.exchanges == exchanges
    mono.advance(0.1)
    assert world.token_for(source, token)
    assert endpoint.exchanges == 2


def test_one_callers_refusal_is_nobody_elses(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, answer: Answer
) -> None:
    source = world.source(exchange)
    endpoint.script = [answer(NO_POLICY, 401)]
    with pytest.raises(ExchangeRefused):
        world.token_for(source, jwt("mallory"))
    assert world.token_for(source, jwt("ada"))


# -- outages -----------------------------------------------------------------------------------------------------------


def test_an_endpoint_that_is_down_is_unavailable_and_serves_what_is_held(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, mono: HandClock
) -> None:
    source, ada, bob = world.source(exchange, timeout=5.0), jwt("ada"), jwt("bob")
    held = world.token_for(source, ada)
    endpoint.stop()
    with pytest.raises(ExchangeUnavailable) as unavailable:
        world.token_for(source, bob)
    assert unavailable.value.status == 503
    assert unavailable.value.retry_after is not None
    assert world.token_for(source, ada) is held
    endpoint.start()
    mono.advance(1)
    assert world.token_for(source, bob)


def test_a_moment_of_503_is_ridden_out(world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, answer: Answer) -> None:
    endpoint.script = [answer({}, 503), answer({}, 429)]
    assert world.token_for(world.source(exchange), jwt())
    assert endpoint.exchanges == 3


def test_an_endpoint_that_is_slow_is_given_up_at_the_total_deadline(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock
) -> None:
    endpoint.gate.clear()
    with pytest.raises(ExchangeUnavailable) as unavailable:
        world.token_for(world.source(exchange, timeout=0.3), jwt())
    assert "timeout" in str(unavailable.value.actual)


def test_a_rate_limit_is_passed_on_and_kept_away_from_the_endpoint(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, mono: HandClock, answer: Answer
) -> None:
    source, token = world.source(exchange, timeout=10.0), jwt()
    endpoint.script = [answer({}, 429, Retry_After="20")]
    for passed, wait in ((0, 20), (15, 5)):
        mono.advance(passed)
        with pytest.raises(ExchangeUnavailable) as unavailable:
            world.token_for(source, token)
        assert unavailable.value.retry_after == wait
        assert endpoint.exchanges == 1
    mono.advance(5)
    assert world.token_for(source, token)


@pytest.mark.parametrize(
    "raised", [OSError("eyJ.secret"), ValueError("eyJ.secret"), MemoryError()], ids=lambda exc: type(exc).__name__
)
def test_whatever_a_fetch_raises_is_unavailable_and_not_told(world: World, jwt: Jwt, in_process: Any, raised: Exception) -> None:
    def fetch(request: object) -> Any:
        raise raised

    async def fetch_async(request: object) -> Any:
        raise raised

    source = world.source(Exchange("adb-1.2.azuredatabricks.net"), fetch=fetch if world.kind == "threads" else fetch_async)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        world.token_for(source, jwt())
    assert "secret" not in repr(vars(unavailable.value))


def test_a_grant_that_breaks_is_unavailable_and_leaves_nobody_waiting(world: World, jwt: Jwt) -> None:
    class Broken:
        name = "broken"

        def key(self, subject: object) -> bytes:
            return b"key"

        def steps(self, subject: object, now: float) -> Any:
            raise RuntimeError(f"a bug that quotes {subject}")

    source = world.source(Broken())
    with pytest.raises(ExchangeUnavailable) as unavailable:
        world.token_for(source, jwt())
    assert unavailable.value.actual == "RuntimeError"
    assert source.status().in_flight == 0


def test_beyond_the_bound_of_exchanges_at_once_a_caller_is_told_to_come_back(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source = world.source(exchange)
    source._sharing._flights.most = 1
    endpoint.gate.clear()
    first = world.submit(source, jwt("ada"))
    eventually(lambda: endpoint.exchanges == 1)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        world.token_for(source, jwt("bob"))
    assert (unavailable.value.reason, unavailable.value.retry_after) == ("too many requests are under way", 1.0)
    endpoint.gate.set()
    assert first.result(30)


def test_without_a_thread_to_be_had_the_exchange_is_unavailable(
    exchange: Exchange, jwt: Jwt, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: object) -> None:
        raise RuntimeError("can't start new thread")

    source, token = TokenSource(exchange, observer=None), jwt()
    monkeypatch.setattr("threading.Thread.start", start)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        source.token_for(token)
    assert unavailable.value.actual == "no thread could be started"
    assert source.status().in_flight == 0


def test_an_answer_after_the_deadline_is_dropped_and_told_as_a_failure(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, mono: HandClock, eventually: Eventually
) -> None:
    events: list[Any] = []
    source, token = world.source(exchange, timeout=5.0, observer=events.append), jwt()
    endpoint.gate.clear()
    caller = world.submit(source, token)
    eventually(lambda: endpoint.exchanges == 1)
    mono.advance(6.0)
    endpoint.gate.set()
    error = caller.exception(30)
    assert isinstance(error, ExchangeUnavailable)
    assert error.reason == "no answer in time"
    eventually(lambda: len(events) == 1)
    assert events[0].error.reason == "an answer came after its deadline"
    assert (source.status().held, source.status().failures) == (0, 1)


# -- cancelled callers, loops that end, forks --------------------------------------------------------------------------


def test_cancelling_the_caller_who_started_the_exchange_cancels_nothing_else(
    loops: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, token = loops.source(exchange), jwt()
    endpoint.gate.clear()
    first = loops.submit(source, token)
    eventually(lambda: endpoint.exchanges == 1)
    second = loops.submit(source, token)
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == 2)
    first.cancel()
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == 1)
    endpoint.gate.set()
    assert second.result(30)
    assert endpoint.exchanges == 1
    with pytest.raises(CancelledError):
        first.result(30)


def test_cancelling_every_caller_still_brings_the_token(
    loops: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, token = loops.source(exchange), jwt()
    endpoint.gate.clear()
    crowd = [loops.submit(source, token) for _ in range(20)]
    eventually(lambda: sum(map(len, source._sharing._waiting.values())) == 20)
    for caller in crowd:
        caller.cancel()
    eventually(lambda: not source._sharing._waiting)
    endpoint.gate.set()
    eventually(lambda: source.status().held == 1)
    assert loops.token_for(source, token)
    assert endpoint.exchanges == 1


@pytest.mark.parametrize("kind", ["asyncio", "trio"])
def test_a_loop_that_ends_during_an_exchange_gives_it_back_and_a_new_loop_exchanges(
    endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock, eventually: Eventually, kind: Any
) -> None:
    source, token = AsyncTokenSource(exchange, clock=wall, monotonic=mono, observer=None), jwt()
    endpoint.gate.clear()
    with start_blocking_portal(kind) as portal:
        portal.start_task_soon(source.token_for, token)
        eventually(lambda: endpoint.exchanges == 1)
        portal.call(portal.stop, True)
    assert (source.status().in_flight, source.status().failures) == (0, 1)
    endpoint.gate.set()
    mono.advance(1)
    with start_blocking_portal(kind) as portal:
        assert portal.call(source.token_for, token)


def test_an_exchange_that_never_ends_is_void_at_its_deadline(jwt: Jwt, wall: HandClock, mono: HandClock) -> None:
    """A flight whose thread or loop is gone: nobody lands it, and the next caller leads another."""
    source = TokenSource(Exchange("adb-1.2.azuredatabricks.net"), clock=wall, monotonic=mono, timeout=1.0, observer=None)
    source._sharing._start = lambda flight, question: mono.advance(2.0)  # type: ignore[method-assign]
    with pytest.raises(ExchangeUnavailable) as unavailable:
        source.token_for(jwt())
    assert unavailable.value.reason == "no answer in time"
    assert source._sharing._waiting == {}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_child_process_keeps_the_tokens_and_makes_exchanges_of_its_own(
    endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, held, under_way = TokenSource(exchange, observer=None), jwt("held"), jwt("under way")
    expected = source.token_for(held)
    endpoint.gate.clear()
    from threading import Thread

    waiting = Thread(target=source.token_for, args=(under_way,))
    waiting.start()
    eventually(lambda: endpoint.exchanges == 2)
    with source._sharing._lock:  # as another thread of the parent may, at the moment of the fork
        child = os.fork()
        if child == 0:
            same = source.token_for(held).value == expected.value
            alone = source.status().in_flight == 0
            endpoint.gate.set()  # the parent's is another one
            os._exit(0 if same and alone else 1)
    _, status = os.waitpid(child, 0)
    endpoint.gate.set()
    waiting.join(30)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_child_process_can_lead_an_exchange_that_its_parent_has_under_way(
    endpoint: Endpoint, exchange: Exchange, jwt: Jwt, eventually: Eventually
) -> None:
    source, token = TokenSource(exchange, observer=None), jwt()
    endpoint.gate.clear()
    from threading import Thread

    waiting = Thread(target=source.token_for, args=(token,))
    waiting.start()
    eventually(lambda: endpoint.exchanges == 1)
    child = os.fork()
    if child == 0:
        os._exit(0 if source.token_for(token).value else 1)
    eventually(lambda: endpoint.exchanges == 2)
    endpoint.gate.set()
    _, status = os.waitpid(child, 0)
    waiting.join(30)
    assert os.waitstatus_to_exitcode(status) == 0


# -- clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("jump", [-7200.0, -10.0], ids=["two hours", "ten seconds"])
def test_a_wall_clock_that_goes_back_does_not_lengthen_a_tokens_life(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, mono: HandClock, jump: float
) -> None:
    source, token = world.source(exchange), jwt(lifetime=600)
    world.token_for(source, token)
    wall.advance(jump)
    mono.advance(559)
    world.token_for(source, token)
    assert endpoint.exchanges == 1
    mono.advance(1)
    world.token_for(source, token)
    assert endpoint.exchanges == 2


def test_a_machine_that_was_suspended_does_not_serve_what_ended_meanwhile(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, answer: Answer
) -> None:
    source, token = world.source(exchange), jwt(lifetime=600)
    world.token_for(source, token)
    wall.advance(561)
    world.token_for(source, token)
    assert endpoint.exchanges == 2


def test_an_expires_in_that_is_shorter_counts_and_one_that_is_longer_does_not(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, wall: HandClock, answer: Answer
) -> None:
    for expires_in, life in ((300, 300), (86400, 600), (10**15, 600)):
        endpoint.script = [answer({"access_token": "opaque", "token_type": "Bearer", "expires_in": expires_in})]
        access = world.token_for(world.source(exchange), jwt(lifetime=600))
        assert access.expires_at == pytest.approx(wall() + life, abs=1)


# -- what is told ------------------------------------------------------------------------------------------------------


def test_each_exchange_is_told_once_and_holds_no_token(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt, answer: Answer, eventually: Eventually
) -> None:
    events: list[Any] = []
    source = world.source(exchange, observer=events.append)
    ada, bob = jwt("ada"), jwt("bob")
    access = world.token_for(source, ada)
    world.token_for(source, ada)
    endpoint.script = [answer(NO_POLICY | {"error_description": f"no policy for {bob} of bob"}, 400)]
    with pytest.raises(ExchangeRefused):
        world.token_for(source, bob)
    eventually(lambda: len(events) == 2)
    assert [type(event) for event in events] == [TokenExchanged, TokenExchangeFailed]
    told = repr(events) + repr(vars(events[1].error)) + repr([access, source, source.status(), source.grant])
    assert not any(part in told for token in (ada, bob, access.value) for part in token.split("."))


def test_an_observer_that_raises_harms_nothing(world: World, exchange: Exchange, jwt: Jwt) -> None:
    def observer(event: object) -> None:
        raise RuntimeError

    assert world.token_for(world.source(exchange, observer=observer), jwt())


def test_a_closed_source_holds_nothing_and_still_exchanges(
    world: World, endpoint: Endpoint, exchange: Exchange, jwt: Jwt
) -> None:
    source, token = world.source(exchange), jwt()
    world.token_for(source, token)
    source.close()
    assert source.status().held == 0
    world.token_for(source, token)
    world.token_for(source, token)
    assert endpoint.exchanges == 3


@pytest.mark.parametrize(
    ("options", "name"),
    [
        pytest.param({"timeout": 0}, "timeout", id="no time"),
        pytest.param({"timeout": float("nan")}, "timeout", id="not a time"),
        pytest.param({"remember": -1}, "remember", id="less than none"),
        pytest.param({"fetch": anyio.sleep}, "fetch", id="a fetch of the other kind"),
    ],
)
def test_impossible_arguments_are_refused_at_construction(options: dict[str, Any], name: str) -> None:
    with pytest.raises(PolicyError) as refused:
        TokenSource(Exchange("adb-1.2.azuredatabricks.net"), **options)
    assert refused.value.field == name


def test_a_grant_that_is_none_is_refused() -> None:
    for source in (TokenSource, AsyncTokenSource):
        with pytest.raises(PolicyError) as refused:
            source("adb-1.2.azuredatabricks.net")  # type: ignore[arg-type]
        assert refused.value.field == "grant"


def test_the_grant_of_a_source_cannot_be_exchanged_for_another(exchange: Exchange) -> None:
    with pytest.raises(AttributeError):
        TokenSource(exchange).grant = exchange  # type: ignore[misc]
