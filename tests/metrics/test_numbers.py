"""The numbers move as things happen: a real issuer's fetches, an outage, the end of the keys, and their return."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from tokenward import AuthenticationError, Issuer, Policy, Verifier, entra
from tokenward.diagnostics import Diagnostics
from tokenward.metrics.prometheus import KeysCollector
from tokenward.testing import FaultServer, HandClock, LocalIssuer, faults

HOUR = 3600.0


@pytest.fixture
def server(issuer: LocalIssuer) -> Iterator[FaultServer]:
    with FaultServer(issuer) as running:
        yield running


@pytest.fixture
def verifier(issuer: LocalIssuer, server: FaultServer, wall: HandClock, mono: HandClock) -> Verifier:
    """One that fetches only when it is asked, as its ticker would at its own times."""
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud, versions=["2.0"])
    made = Verifier(policy, clock=wall, monotonic=mono)
    made.close()
    return made


def refused(verifier: Verifier, token: str) -> AuthenticationError:
    with pytest.raises(AuthenticationError) as caught:
        verifier.verify(token)
    return caught.value


def test_the_numbers_tell_a_start_an_outage_the_end_of_the_keys_and_their_return(
    issuer: LocalIssuer,
    server: FaultServer,
    verifier: Verifier,
    wall: HandClock,
    mono: HandClock,
    watch: Any,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    read, token = watch(verifier), issuer.user_token(lifetime=40 * 24 * 3600)

    def advance(seconds: float) -> None:
        wall.advance(seconds)
        mono.advance(seconds)

    before = read()
    assert (before("tokenward_keys_usable"), before("tokenward_key_lookups_total")) == (0, 0)
    assert (before("tokenward_key_age_seconds"), before("tokenward_key_fetches_total")) == (None, None)

    verifier.verify(token)
    verifier.verify(token)
    warm = read()
    assert warm("tokenward_key_fetches_total", why="cold", outcome="ok") == 1
    assert warm("tokenward_key_lookups_total", outcome="miss_waited") == 1
    assert warm("tokenward_key_lookups_total", outcome="hit") == 1
    assert warm("tokenward_key_set_changes_total") == 1
    assert warm("tokenward_keys_usable") == len(issuer.published())
    assert (warm("tokenward_key_age_seconds"), warm("tokenward_key_expiry_seconds")) == (0, 24 * HOUR)
    assert warm.label_values("source") == {verifier.status()[0].source}

    server.always(faults.status(503))
    advance(2 * HOUR)
    verifier.verify(token)
    eventually(lambda: read()("tokenward_key_fetch_failures") == 1)
    stale = read()
    assert stale("tokenward_key_fetches_total", why="refresh", outcome="status") == 1
    assert stale("tokenward_key_lookups_total", outcome="hit_stale") == 1
    assert (stale("tokenward_key_age_seconds"), stale("tokenward_key_expiry_seconds")) == (2 * HOUR, 22 * HOUR)

    issuer.rotate()
    assert refused(verifier, issuer.user_token()).status == 503
    assert read()("tokenward_key_lookups_total", outcome="unavailable") == 1

    advance(23 * HOUR)
    assert refused(verifier, token).status == 503
    dead = read()
    assert (dead("tokenward_keys_usable"), dead("tokenward_key_expiry_seconds")) == (0, 0)
    assert dead("tokenward_key_fetch_failures") == 2
    assert dead("tokenward_key_waiting") == 0

    server.recover()
    advance(60)
    verifier.verify(token)
    back = read()
    assert (back("tokenward_key_fetch_failures"), back("tokenward_key_age_seconds")) == (0, 0)
    assert back("tokenward_key_set_changes_total") == 2
    assert all(value >= dead.found.get(series, 0) for series, value in back.found.items() if series[0].endswith("_total"))


def test_a_private_key_in_the_set_is_told_from_0_on(
    issuer: LocalIssuer, server: FaultServer, verifier: Verifier, watch: Any
) -> None:
    read = watch(verifier)
    assert read()("tokenward_keys_skipped_total", reason="private_key_published") == 0
    server.always(faults.with_keys({**issuer.jwks()["keys"][0], "kid": "leaked", "d": "AQAB"}))
    verifier.verify(issuer.user_token())
    assert read()("tokenward_keys_skipped_total", reason="private_key_published") == 1
    assert "leaked" not in str(read().found)


def test_a_request_that_waits_is_told_while_it_waits(
    issuer: LocalIssuer,
    server: FaultServer,
    verifier: Verifier,
    watch: Any,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    read, held = watch(verifier), faults.held()
    server.next(held)
    caller = threading.Thread(target=verifier.verify, args=(issuer.user_token(),))
    caller.start()
    eventually(lambda: read()("tokenward_key_waiting") == 1)
    held.end()
    caller.join(30)
    assert read()("tokenward_key_waiting") == 0


def test_what_was_rejected_is_told_by_code_and_status(verifier: Verifier, issuer: LocalIssuer, watch: Any) -> None:
    diagnostics = Diagnostics(first=0)
    read = watch(verifier, diagnostics=diagnostics)
    assert read()("tokenward_rejections_total", code="token_expired", status="401") == 0
    for _ in range(3):
        diagnostics.rejected(refused(verifier, issuer.user_token(lifetime=-10)), method="GET", path="/")
    diagnostics.refused("draining", {"status": 503}, method="GET", path="/")
    diagnostics.flush()
    told = read()
    assert told("tokenward_rejections_total", code="token_expired", status="401") == 3
    assert told("tokenward_rejections_total", code="draining", status="503") == 1
    assert told("tokenward_rejections_total") == 4


def test_nothing_that_a_caller_sends_becomes_a_label(verifier: Verifier, issuer: LocalIssuer, watch: Any) -> None:
    diagnostics = Diagnostics(first=0)
    read = watch(verifier, diagnostics=diagnostics)
    verifier.verify(issuer.user_token())
    before = read()
    for number in range(50):
        for header in ({"kid": f"junk-{number}"}, {"alg": f"junk-{number}"}):
            error = refused(verifier, issuer.user_token(header=header, audience=f"api://junk-{number}"))
            diagnostics.rejected(error, method=f"JUNK-{number}", path=f"/junk-{number}")
    after = read()
    assert after.found.keys() == before.found.keys()
    assert "junk" not in str(after.found)
    diagnostics.flush()


def test_of_keys_that_are_given_it_is_told_how_many_there_are_and_nothing_else(issuer: LocalIssuer, watch: Any) -> None:
    rule = Issuer("https://idp.example/", audiences=["api"], jwks=issuer.jwks())
    told = watch(Verifier(Policy([rule])))()
    (series,) = told.found
    assert series == ("tokenward_keys_usable", frozenset({("source", "configuration")}))
    assert told.found[series] == len(issuer.published())


def test_prometheus_reads_the_numbers_over_http(verifier: Verifier, issuer: LocalIssuer, exposition: Any) -> None:
    registry = CollectorRegistry()
    registry.register(KeysCollector(verifier))
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.server_port}/metrics", trust_env=False)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert answer.text == generate_latest(registry).decode()
    assert exposition(answer.text)("tokenward_keys_usable") == 0
