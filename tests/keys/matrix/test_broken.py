"""Connections, TLS and answers that break."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.decision import Unavailable, Use
from tokenward.testing import faults
from tokenward.testing.fault_server import CONNECT
from tokenward.testing.faults import Fault
from tokenward.testing.loopback import free_port

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
Keeps = Callable[..., Any]
HOUR = 3600.0


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.expired_certificate, id="expired"),
        pytest.param(faults.self_signed_certificate, id="self-signed"),
        pytest.param(faults.wrong_host_certificate, id="another host's"),
        pytest.param(faults.no_tls, id="no TLS"),
    ],
)
def test_f05_a_server_that_is_not_proved_is_asked_nothing(open_rig: OpenRig, keeps: Keeps, fault: Callable[[], Fault]) -> None:
    rig = open_rig(tls=True)
    assert keeps(fault(), "tls", rig=rig).detail == "the server's certificate or TLS was not accepted"
    assert len(rig.server.asked) == 2, "before the fault and after it"
    assert rig.server.connections >= 3


@pytest.mark.parametrize("tls", [pytest.param(False, id="http"), pytest.param(True, id="https")])
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.reset(), id="reset before the body"),
        pytest.param(faults.reset_after(0), id="reset after the headers"),
        pytest.param(faults.reset_after(100), id="reset within the body"),
        pytest.param(faults.closed(), id="closed"),
    ],
)
def test_f06_a_connection_that_breaks_is_a_failure_to_read(keeps: Keeps, fault: Fault, tls: bool) -> None:
    assert keeps(fault, "read", tls=tls).retry_in <= 1.0


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.wrong_length(), "read", id="more announced than sent"),
        pytest.param(faults.wrong_length(-20), "not_json", id="less announced than sent"),
        pytest.param(faults.two_lengths(), "read", id="two lengths"),
        pytest.param(faults.bad_chunks(), "read", id="bad chunks"),
        pytest.param(faults.unfinished_chunks(), "read", id="unfinished chunks"),
        pytest.param(faults.endless_headers(), "read", id="endless headers"),
        pytest.param(faults.another_protocol(), "read", id="another protocol"),
        pytest.param(faults.garbage(), "not_json", id="half a document"),
        pytest.param(faults.body(b""), "not_json", id="nothing"),
    ],
)
def test_f07_of_half_a_document_nothing_is_used(keeps: Keeps, fault: Fault, kind: str) -> None:
    keeps(fault, kind)


# -- a proxy of the environment ------------------------------------------------------------------------------------------


@pytest.fixture
def proxied(far_away: Callable[..., Rig]) -> Rig:
    return far_away("https://idp.example/jwks")


@pytest.mark.parametrize(
    ("code", "kind"), [pytest.param(407, "connect", id="wants a password"), pytest.param(502, "connect", id="finds nobody")]
)
def test_f51_a_proxy_that_refuses_is_a_failure_to_connect(proxied: Rig, code: int, kind: str) -> None:
    proxied.warm()
    assert proxied.server.asked[0].path == "idp.example:443"
    proxied.pass_time(2 * HOUR)
    proxied.server.always(faults.status(code), path=CONNECT)
    assert isinstance(proxied.find(proxied.kid), Use)
    assert proxied.failed().kind == kind
    assert isinstance(proxied.find(proxied.kid), Use)
    proxied.server.recover()
    proxied.pass_time(61)
    assert isinstance(proxied.find(proxied.kid), Use)
    proxied.refreshed()


def test_f51_a_proxy_that_is_not_there_is_a_failure_to_connect(proxied: Rig, proxy_at: Callable[[int], None]) -> None:
    proxied.warm()
    proxied.pass_time(2 * HOUR)
    proxy_at(free_port())
    assert isinstance(proxied.find(proxied.kid), Use)
    assert proxied.failed().kind == "connect"
    assert isinstance(proxied.find(proxied.kid), Use)


def test_f51_a_fetch_for_an_unknown_kid_is_not_answered_by_a_cache(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.server.always(faults.cached(), path="/jwks")
    rig.warm()
    new = rig.issuer.rotate()
    rig.pass_time(2 * HOUR)
    assert isinstance(rig.find(rig.issuer.keys[0].kid), Use)
    assert rig.refreshed().added == 0, "an ordinary refresh may be answered by a cache"
    rig.pass_time(60)
    assert isinstance(rig.find(new.kid), Use)
    assert "no-cache" in rig.server.asked[-1].fields["cache-control"]


def test_f51_a_first_fetch_for_a_kid_is_not_answered_by_a_cache_either(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.server.always(faults.cached(), path="/jwks")
    rig.warm()
    new = rig.issuer.rotate()
    rig.pass_time(48 * HOUR)
    assert isinstance(rig.find(new.kid), Use)
    assert rig.fetches == 2


# -- an issuer that is down ----------------------------------------------------------------------------------------------


def test_f43_an_issuer_that_is_down_at_the_start_is_missed_until_it_is_back(open_rig: OpenRig) -> None:
    rig = open_rig()
    kid = rig.kid
    rig.server.always(faults.down())
    for _ in range(180):
        assert isinstance(rig.find(kid), Unavailable)
        rig.pass_time(1)
    assert rig.fetches < 40
    rig.server.recover()
    back = rig.mono()
    while not isinstance(rig.find(kid), Use):
        rig.pass_time(1)
        assert rig.mono() - back <= 41


@pytest.mark.parametrize(
    ("seconds", "word"), [pytest.param(24 * HOUR - 60, "stale", id="23 h 59"), pytest.param(24 * HOUR + 60, "dead", id="24 h 01")]
)
def test_f44_keys_serve_for_a_day_without_their_issuer_and_no_longer(open_rig: OpenRig, seconds: float, word: str) -> None:
    rig = open_rig()
    rig.warm()
    rig.server.always(faults.status(503))
    start = rig.mono()
    for _ in range(22):
        rig.pass_time(HOUR)
        assert isinstance(rig.find(rig.kid), Use)
        if rig.source.status().fetch == "in_flight":
            rig.failed()
    rig.pass_time(start + seconds - rig.mono())
    assert isinstance(rig.find(rig.kid), Use if word == "stale" else Unavailable)
    assert rig.source.status().keys == word
    rig.server.recover()
    rig.pass_time(61 if word == "dead" else 30)
    before = rig.fetches
    assert isinstance(rig.find(rig.kid), Use)
    if word == "dead":
        assert rig.fetches == before + 1
        assert rig.source.status().keys == "fresh"
