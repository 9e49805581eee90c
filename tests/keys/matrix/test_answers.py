"""Whole answers that are not what they should be."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from tokenward.keys.decision import Unavailable, Use
from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.testing import faults
from tokenward.testing.faults import Fault

Rig = Any  # of this folder's conftest
OpenRig = Callable[..., Rig]
Keeps = Callable[..., Any]
Serves = Callable[..., tuple[Rig, Any]]
HOUR = 3600.0
MIB = 1024 * 1024


# -- statuses ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [500, 502, 503, 404])
def test_f08_an_error_of_the_issuer_is_a_failure(keeps: Keeps, code: int) -> None:
    assert keeps(faults.status(code), "status").detail == f"HTTP {code}"


def test_f08_attempts_obey_the_backoff_for_as_long_as_a_storm_lasts(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.server.always(faults.replicas(*(faults.status(code) for code in (500, 502, 503))))
    rig.pass_time(2 * HOUR)
    pauses = []
    for _ in range(600):
        assert isinstance(rig.find(rig.kid), Use)
        if rig.source.status().fetch == "in_flight":
            pauses.append(rig.failed().retry_in)
        rig.pass_time(1)
    assert rig.waits == 1, "the first of all"
    assert 600 / 61 <= len(pauses) <= 10 + 600 / 30, "60 s x 0.5 to 1, once it has grown"
    assert max(pauses[-5:]) <= 60.0
    assert min(pauses[-5:]) >= 30.0


def test_f08_without_keys_a_request_is_refused_at_once_during_backoff(open_rig: OpenRig) -> None:
    rig = open_rig()
    kid = rig.kid
    rig.server.always(faults.status(500))
    for _ in range(10):
        assert isinstance(rig.find(kid), Unavailable)
    assert (rig.waits, rig.fetches) == (1, 1)


@pytest.mark.parametrize(
    ("code", "value", "least", "most"),
    [
        pytest.param(429, 5, 5.0, 5.0, id="5 s"),
        pytest.param(503, 5, 5.0, 5.0, id="5 s with 503"),
        pytest.param(429, 10**9, 60.0, 60.0, id="30 years"),
        pytest.param(503, "9" * 400, 0.5, 1.0, id="400 digits"),
        pytest.param(503, "-1", 0.5, 1.0, id="negative"),
        pytest.param(503, "Fri, 31 Dec 2100 23:59:59 GMT", 0.5, 1.0, id="a date"),
        pytest.param(429, "soon, I hope", 0.5, 1.0, id="garbage"),
        pytest.param(429, "\u00b2", 0.5, 1.0, id="a digit that is none"),
    ],
)
def test_f09_retry_after_is_honoured_up_to_the_limits_of_the_backoff(
    keeps: Keeps, code: int, value: int | str, least: float, most: float
) -> None:
    failed = keeps(faults.status(code, retry_after=value), "status")
    assert least <= failed.retry_in <= most


def test_f09_without_keys_the_limit_is_lower(open_rig: OpenRig) -> None:
    rig = open_rig()
    kid = rig.kid
    rig.server.always(faults.status(429, retry_after=10**9))
    assert isinstance(rig.find(kid), Unavailable)
    assert rig.failed().retry_in == 30.0


def test_f10_an_unsolicited_304_renews_nothing(keeps: Keeps) -> None:
    assert keeps(faults.not_modified(), "status").detail == "HTTP 304"


@pytest.mark.parametrize(
    ("code", "location", "host"),
    [
        pytest.param(301, "http://idp.example/jwks", "idp.example", id="to http"),
        pytest.param(302, "https://evil.example/jwks?token=secret", "evil.example", id="to another host"),
        pytest.param(307, "/jwks", "the same", id="to itself"),
        pytest.param(303, "https://[", "unreadable", id="to no address"),
        pytest.param(308, "https://a<b>.example/", "a?b?.example", id="to no host"),
    ],
)
def test_f11_redirects_are_not_followed_and_their_host_is_named(
    open_rig: OpenRig, keeps: Keeps, code: int, location: str, host: str
) -> None:
    rig = open_rig()
    failed = keeps(faults.redirect(location, code), "redirect", rig=rig)
    assert host in failed.detail
    assert "secret" not in failed.detail
    assert failed.detail.isprintable()
    assert [asked.path for asked in rig.server.asked] == ["/jwks"] * 3


# -- bodies --------------------------------------------------------------------------------------------------------------


def test_f12_a_captive_portal_is_no_issuer(keeps: Keeps) -> None:
    assert "login page" in keeps(faults.html(), "not_json").detail


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        pytest.param({}, "no_keys", id="{}"),
        pytest.param({"keys": []}, "no_keys", id="no keys"),
        pytest.param({"keys": {}}, "no_keys", id="keys that are an object"),
        pytest.param({"keys": None}, "no_keys", id="keys that are null"),
        pytest.param({"keys": [None, 5, "key", []]}, "no_keys", id="keys that are no objects"),
        pytest.param([], "not_json", id="[]"),
        pytest.param(None, "not_json", id="null"),
        pytest.param("keys", "not_json", id="a text"),
    ],
)
def test_f13_a_document_without_keys_changes_nothing(keeps: Keeps, document: object, kind: str) -> None:
    keeps(faults.document(document), kind)


def peak_of(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("octets", "measured"),
    [
        pytest.param(50 * MIB, True, id="50 MiB, announced"),
        pytest.param(MAX_BODY_BYTES + 1, False, id="a byte too many"),
        pytest.param(MAX_BODY_BYTES + 1, True, id="a byte too many, announced"),
    ],
)
def test_f18_a_body_over_the_limit_is_too_large(keeps: Keeps, octets: int, measured: bool) -> None:
    keeps(faults.body(b" " * octets) if measured else faults.too_large(octets), "too_large")


def test_f18_a_body_over_the_limit_takes_no_more_memory_than_three_times_the_limit(open_rig: OpenRig) -> None:
    rig = open_rig()
    rig.warm()
    rig.pass_time(2 * HOUR)
    rig.server.always(faults.bomb())  # the server's own memory counts here, too: 16 MiB are 16 kB on its side

    def meet() -> None:
        assert isinstance(rig.find(rig.kid), Use)
        assert rig.failed().kind == "too_large"

    assert peak_of(meet) < 3 * MAX_BODY_BYTES


def test_f18_a_body_of_the_limit_is_read(serves: Serves, open_rig: OpenRig) -> None:
    rig = open_rig()
    room = MAX_BODY_BYTES - len(json.dumps(rig.issuer.jwks()).encode())
    rig.server.always(faults.too_large(room))
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.refreshed().keys == 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_f19_an_encoding_that_can_be_read_is_read(serves: Serves, encoding: str) -> None:
    assert serves(faults.compressed(encoding))[1].keys == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.bomb(), "too_large", id="bomb"),
        pytest.param(faults.mislabelled("br"), "encoding", id="brotli"),
        pytest.param(faults.mislabelled("gzip"), "encoding", id="no gzip"),
        pytest.param(faults.mislabelled("gzip, gzip"), "encoding", id="gzip twice"),
        pytest.param(faults.compressed(cut=9), "encoding", id="cut gzip"),
    ],
)
def test_f19_an_encoding_that_cannot_be_read_is_a_failure(keeps: Keeps, fault: Fault, kind: str) -> None:
    keeps(fault, kind)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param(faults.key_set(lambda keys: [{**keys[0], "kid": f"k{n}"} for n in range(1001)]), "no_keys", id="1001 keys"),
        pytest.param(faults.body(b'{"keys":' + b"[" * 100 + b"]" * 100 + b"}"), "not_json", id="nested 100 deep"),
        pytest.param(faults.body(b"[" * 100_000), "not_json", id="nested 100,000 deep"),
        pytest.param(faults.only({"kty": "RSA", "kid": "a", "e": "AQAB", "n": "A" * 1_000_000}), "no_keys", id="a megabyte of n"),
        pytest.param(faults.body(b'{"keys":[' + b"{}," * 300_000 + b"{}]}"), "not_json", id="300,000 empty keys"),
        pytest.param(faults.body(b'{"keys":[],"keys":[{"kty":"RSA"}]}'), "not_json", id="a member twice"),
        pytest.param(faults.body(b'{"keys":[NaN]}'), "not_json", id="NaN"),
        pytest.param(faults.body(b'{"keys":[' + b"9" * 5000 + b"]}"), "not_json", id="a number of 5,000 digits"),
    ],
)
def test_f20_a_document_that_costs_or_confuses_is_a_failure(keeps: Keeps, fault: Fault, kind: str) -> None:
    keeps(fault, kind)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(faults.text(before=b"\xef\xbb\xbf"), id="byte order mark"),
        pytest.param(faults.text(encoding="utf-16"), id="UTF-16"),
        pytest.param(faults.text(encoding="utf-32-be"), id="UTF-32"),
        pytest.param(faults.text(before=b'{"x":"\xff"}'), id="invalid UTF-8"),
        pytest.param(faults.text(after=b"{}"), id="two documents"),
    ],
)
def test_f21_a_document_in_another_encoding_is_a_failure(keeps: Keeps, fault: Fault) -> None:
    keeps(fault, "not_json")


@pytest.mark.parametrize(
    ("value", "due"),
    [
        pytest.param("max-age=0", 300, id="0"),
        pytest.param("public, max-age=15, stale-if-error=86400", 300, id="15 s"),
        pytest.param("max-age=1800", 1800, id="half an hour"),
        pytest.param("max-age=2592000", 3600, id="30 days"),
        pytest.param("max-age=-1", 3600, id="negative"),
        pytest.param("max-age=soon", 3600, id="garbage"),
        pytest.param("max-age=" + "9" * 400, 3600, id="400 digits"),
        pytest.param("no-store, no-cache", 3600, id="no-store"),
    ],
)
def test_f22_max_age_moves_the_refresh_between_the_floor_and_the_interval(serves: Serves, value: str, due: float) -> None:
    rig, _ = serves(faults.header("Cache-Control", value))
    rig.pass_time(due - 1)
    assert isinstance(rig.find(rig.kid), Use)
    assert rig.source.status().fetch == "idle"
    rig.pass_time(1)
    assert isinstance(rig.find(rig.kid), Use)
    rig.refreshed()
