"""Certificates of real servers, as a real client sees them: until when they last, and what is wrong with them, in words."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.testing import IssuerServer, LocalIssuer
from tokenward.troubleshoot.surroundings.probe import NotSeen, Seen, probe
from tokenward.troubleshoot.surroundings.tls import ERRORS, reachable, tls


@pytest.mark.parametrize(
    ("days", "held"), [pytest.param(90.5, True, id="lasts"), pytest.param(7.5, False, id="ends within two weeks")]
)
def test_the_end_of_a_trusted_certificate_is_told(serve: Any, trusting: Any, days: float, held: bool) -> None:
    found = probe(serve(days=days), context=trusting())
    assert isinstance(found, Seen)
    (finding,) = tls(found, time.time())
    assert (finding.held, finding.seen) == (held, f"ends in {days - 0.5:.0f} days")


@pytest.mark.parametrize(
    ("options", "trusted", "words"),
    [
        pytest.param({"days": -1}, True, "has expired", id="expired"),
        pytest.param({"begins": 1}, True, "not valid yet", id="not valid yet"),
        pytest.param({"name": "other.example"}, True, "another host name", id="of another host"),
        pytest.param({}, False, "signed by itself", id="of nobody that is trusted"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told_in_words(
    serve: Any, trusting: Any, options: dict[str, Any], trusted: bool, words: str
) -> None:
    url = serve(**options)
    found = probe(url, context=trusting() if trusted else ssl.create_default_context())
    (finding,) = tls(found, time.time())
    assert finding.held is False
    assert words in str(finding.seen)
    assert finding.fix
    assert reachable(found, "localhost").held is True, "it answers, and is not well"


def test_a_number_of_openssl_without_words_is_told_as_a_number() -> None:
    (finding,) = tls(NotSeen("certificate", 23), 0.0)
    assert "OpenSSL's error 23" in str(finding.seen)
    assert 23 not in ERRORS


def test_a_server_without_tls_is_told(serve: Any) -> None:
    with IssuerServer(LocalIssuer()) as server:
        found = probe(server.url.replace("http://", "https://"))
    (finding,) = tls(found, time.time())
    assert (finding.held, finding.seen) == (False, "TLS handshake failed")


def test_plain_http_has_no_certificate_and_a_date() -> None:
    with IssuerServer(LocalIssuer()) as server:
        found = probe(f"{server.url}/nothing")
    assert isinstance(found, Seen)
    assert tls(found, time.time()) == []
    assert found.moment.skew == 0.0


def test_a_closed_port_is_no_connection(free: Callable[[], int]) -> None:
    found = probe(f"http://127.0.0.1:{free()}")
    assert found == NotSeen("no connection")
    assert reachable(found, "x").held is None, "it could not be asked"


def test_a_name_that_cannot_be_resolved_is_told() -> None:
    found = probe("https://nowhere.invalid")
    assert isinstance(found, NotSeen)
    assert found.kind in ("the name cannot be resolved", "no connection"), "behind a proxy the proxy resolves it"
    assert reachable(found, "x").held is None, "it could not be asked"


def test_a_server_that_says_nothing_is_given_up_and_not_blamed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = probe(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
    assert found == NotSeen("no answer in time")
    assert reachable(found, "x").held is None


def test_a_server_that_hangs_up_is_not_blamed_either() -> None:
    issuer = LocalIssuer()
    with IssuerServer(issuer) as server:
        issuer.fail("reset")
        found = probe(server.url)
    assert reachable(found, "x").held is None
