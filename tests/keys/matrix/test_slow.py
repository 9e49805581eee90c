"""Answers and connections that take their time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tokenward.keys import fetch
from tokenward.keys.decision import Use
from tokenward.keys.location import JwksUri
from tokenward.keys.rhythm import Rhythm
from tokenward.testing import faults
from tokenward.testing.faults import Fault

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
Keeps = Callable[..., Any]
HOUR = 3600.0
LONG_ENOUGH = 0.05
"""Seconds for each byte of a set of one key, so that the whole of it comes later than a test waits for anything."""


@pytest.mark.parametrize(
    ("fault", "tls"),
    [
        pytest.param(faults.slow_headers, False, id="byte by byte"),
        pytest.param(faults.slow_headers, True, id="byte by byte over TLS"),
    ],
)
def test_f01_headers_that_come_byte_by_byte_end_at_the_total_deadline(
    keeps: Keeps, fault: Callable[[], Fault], tls: bool
) -> None:
    assert keeps(fault(), "timeout", slow=True, tls=tls).detail == "the total deadline"


def test_f01_no_answer_at_all_is_a_timeout(keeps: Keeps) -> None:
    keeps(faults.slow(), "timeout", slow=True)


@pytest.mark.parametrize(
    ("fault", "tls"),
    [
        pytest.param(lambda: faults.slow_body(LONG_ENOUGH), False, id="byte by byte"),
        pytest.param(lambda: faults.slow_body(LONG_ENOUGH), True, id="byte by byte over TLS"),
        pytest.param(faults.slow_chunks, False, id="chunks of a byte"),
    ],
)
def test_f02_a_body_that_trickles_in_ends_at_the_total_deadline(keeps: Keeps, fault: Callable[[], Fault], tls: bool) -> None:
    assert keeps(fault(), "timeout", slow=True, tls=tls).detail == "the total deadline"


def test_f02_a_body_that_does_not_end_is_a_timeout(keeps: Keeps) -> None:
    keeps(faults.endless(), "timeout", slow=True)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.black_hole, "timeout", id="black hole"),
        pytest.param(faults.down, "connect", id="refused"),
    ],
)
def test_f03_a_connection_that_does_not_come_about_ends_before_the_total(
    keeps: Keeps, monkeypatch: pytest.MonkeyPatch, fault: Callable[[], Fault], kind: str
) -> None:
    assert (fetch.CONNECT_TIMEOUT, Rhythm().fetch_timeout) == (2.0, 10.0)
    monkeypatch.setattr(fetch, "CONNECT_TIMEOUT", 0.2)
    assert keeps(fault(), kind).detail in ("ConnectTimeout", "ConnectError")


def test_f03_half_a_handshake_ends_before_the_total(keeps: Keeps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "CONNECT_TIMEOUT", 0.2)
    assert keeps(faults.half_a_handshake(), "timeout", tls=True).detail == "ConnectTimeout"


def test_f04_a_name_that_does_not_resolve_is_a_dns_failure(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    rig.source.location = JwksUri("https://keys.invalid/jwks")
    assert isinstance(rig.find(rig.kid), Use)
    failed = rig.failed()
    assert (failed.kind, failed.usable) == ("dns", True)
    assert "keys.invalid" not in failed.detail
    assert isinstance(rig.find(rig.kid), Use)


@pytest.fixture
def resolver_hangs(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Name resolution that hangs for the issuer's address, until the event is set."""
    over, real = threading.Event(), socket.getaddrinfo

    def hang(host: Any, *arguments: Any, **options: Any) -> Any:
        if not (len(arguments) > 4 and arguments[4] & socket.AI_NUMERICHOST):  # trio asks for addresses first, on the loop
            over.wait(60)
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()


def test_f04_name_resolution_that_hangs_is_over_with_the_lease_at_the_latest(
    open_rig: OpenRig, resolver_hangs: threading.Event
) -> None:
    rig = open_rig()
    rig.server.issuer.served_at = rig.server.url.replace("127.0.0.1", "localhost")
    rig.source.location = JwksUri(rig.issuer.jwks_uri)
    resolver_hangs.set()
    rig.warm()
    resolver_hangs.clear()
    rig.pass_time(2 * HOUR)
    rig.hurry()
    by_thread = rig.next_asker.kind == "threads"
    assert isinstance(rig.find(rig.kid), Use)
    if by_thread:  # nobody can interrupt a thread there: the lease is what ends
        rig.pass_time(rig.source.rhythm.lease + 10)
        assert isinstance(rig.find(rig.kid), Use)
    failed = rig.failed()
    assert (failed.kind, failed.usable) == ("timeout", True)
    resolver_hangs.set()
    rig.be_patient()
    rig.pass_time(61)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
