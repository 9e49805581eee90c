"""The whole way: real requests to the stand-in over loopback, from threads and from both event loops."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable

import pytest
import structlog
import trio

from tokenward.databricks.on_behalf_of.client_auth import ClientSecret
from tokenward.databricks.on_behalf_of.on_behalf_of import OnBehalfOf
from tokenward.databricks.tokens import AsyncTokenSource, TokenSource
from tokenward.errors import AuthenticationError, ClaimsChallenge, ExchangeRefused, ExchangeUnavailable
from tokenward.testing import HandClock, LocalIssuer
from tokenward.testing.entra_server import EntraServer
from tokenward.testing.entra_token_endpoint import DEFAULT_SECRET, EntraTokenEndpoint
from tokenward.testing.faults import Mode

Grants = Callable[..., OnBehalfOf]
Source = Callable[[OnBehalfOf], Callable[[str], object]]


@pytest.fixture(params=["threads", "asyncio", "trio"])
def token_for(request: pytest.FixtureRequest, wall: HandClock, mono: HandClock) -> Callable[..., Callable[[str], object]]:
    """`token_for(grant)(token)`, by threads or in an event loop of its own."""

    def _source(grant: OnBehalfOf, timeout: float = 10.0) -> Callable[[str], object]:
        if request.param == "threads":
            return TokenSource(grant, clock=wall, monotonic=mono, timeout=timeout).token_for
        source = AsyncTokenSource(grant, clock=wall, monotonic=mono, timeout=timeout)
        if request.param == "asyncio":
            return lambda token: asyncio.run(source.token_for(token))
        return lambda token: trio.run(source.token_for, token)

    return _source


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_a_users_token_becomes_a_databricks_token_and_is_asked_for_once(
    version: str,
    token_for: Source,
    grant: Grants,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    server: EntraServer,
    wall: HandClock,
) -> None:
    ask, token = token_for(grant(version=version)), issuer.user_token(lifetime=1800)
    first, again = ask(token), ask(token)
    assert first == again
    assert first.value != token  # type: ignore[attr-defined]
    assert first.source == "on_behalf_of"  # type: ignore[attr-defined]
    assert first.expires_at == wall() + 1800  # type: ignore[attr-defined]
    assert [asked.version for asked in endpoint.asked] == [version]
    ask(issuer.user_token(lifetime=1801))
    assert len(endpoint.asked) == 2


def test_a_refusal_is_repeated_without_asking_and_a_challenge_keeps_its_claims(
    token_for: Source, grant: Grants, issuer: LocalIssuer, endpoint: EntraTokenEndpoint, server: EntraServer
) -> None:
    endpoint.refuse(53003)
    ask = token_for(grant())
    plain, capable = issuer.user_token(), issuer.user_token(claims={"xms_cc": ["CP1"]})
    for _ in range(2):
        with pytest.raises(ExchangeRefused) as refused:
            ask(plain)
        assert "AADSTS53003" in refused.value.actual  # type: ignore[operator]
        assert "Conditional access" in refused.value.hint
        with pytest.raises(ClaimsChallenge) as challenged:
            ask(capable)
        assert challenged.value.claims
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "mode",
    ["status", "reset", "html", "empty", "garbage", "redirect", "too_large"],
)
def test_an_endpoint_in_trouble_is_unavailable_and_nothing_is_known_against_the_caller(
    mode: Mode,
    token_for: Source,
    grant: Grants,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    server: EntraServer,
    mono: HandClock,
) -> None:
    ask, token = token_for(grant()), issuer.user_token()
    endpoint.fail(mode, status=502, retry_after=5)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        ask(token)
    assert (unavailable.value.code, unavailable.value.status) == ("exchange_unavailable", 503)
    endpoint.recover()
    mono.advance(60)
    assert ask(token)


def test_a_slow_endpoint_is_given_up_at_the_total_deadline(
    token_for: Callable[..., Callable[[str], object]],
    grant: Grants,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    server: EntraServer,
) -> None:
    ask = token_for(grant(), timeout=0.3)
    endpoint.fail("slow", seconds=20)
    with pytest.raises(ExchangeUnavailable) as unavailable:
        ask(issuer.user_token())
    assert unavailable.value.code == "exchange_unavailable"


def test_an_endpoint_that_is_not_there_is_unavailable(
    token_for: Source, issuer: LocalIssuer, endpoint: EntraTokenEndpoint
) -> None:
    with EntraServer(endpoint) as server:
        authority = server.url
    grant = OnBehalfOf(issuer.tenant, issuer.client_id, ClientSecret(DEFAULT_SECRET), authority=authority)
    with pytest.raises(ExchangeUnavailable):
        token_for(grant)(issuer.user_token())


@pytest.mark.parametrize("code", [None, 50013, 7000215, 50076])
def test_no_secret_and_no_token_is_in_any_log_or_error(
    code: int | None,
    token_for: Source,
    grant: Grants,
    issuer: LocalIssuer,
    endpoint: EntraTokenEndpoint,
    server: EntraServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    token, told = issuer.user_token(), []
    if code is not None:
        endpoint.refuse(code)
    with structlog.testing.capture_logs() as events:
        try:
            told.append(repr(token_for(grant())(token)))
        except AuthenticationError as error:
            told.append(f"{error!r} {error} {error.__dict__} {error.args} {error.__cause__!r} {error.__context__!r} {error.hint}")
        until = time.monotonic() + 20.0
        while not events and time.monotonic() < until:  # a flight's own thread tells of it, once the caller has its answer
            time.sleep(0.01)
    written = json.dumps(events, default=repr) + caplog.text + "".join(told)
    assert events
    assert DEFAULT_SECRET not in written
    assert token not in written
    assert token.split(".")[2][:40] not in written
    assert token.split(".")[1][:40] not in written
