"""Of an answer's fields those go on that are meant for the caller, and none that would end the answer early."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.databricks.gateway.fields import returned

Fields = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    "name",
    [
        *(b"content-type", b"content-encoding", b"content-length", b"content-range", b"etag", b"last-modified", b"location"),
        *(b"www-authenticate", b"retry-after", b"x-request-id", b"x-databricks-org-id", b"x-databricks-reason-phrase", b"vary"),
        *(
            b"x-databricks-apiproxy-response-code-details",
            b"mcp-session-id",
            b"cache-control",
            b"date",
            b"server",
            b"x-thriftserver-error",
        ),
    ],
)
def test_what_a_client_reads_goes_on(name: bytes) -> None:
    assert returned([(name, b"17")]) == [(name, b"17")]


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"set-cookie"),
        *(
            b"set-cookie2",
            b"tokenward-refused",
            b"x-tokenward-subject",
            b"alt-svc",
            b"strict-transport-security",
            b"clear-site-data",
        ),
        *(b"proxy-authenticate", b"proxy-authentication-info", b"nel", b"report-to", b"host", b"expect", b"http2-settings"),
    ],
)
def test_what_is_of_the_connection_or_of_the_upstreams_host_ends_here_in_any_case(name: bytes) -> None:
    for spelt in (name, name.upper(), name.title()):
        assert returned([(spelt, b"1"), (b"etag", b"2")]) == [(b"etag", b"2")]


@pytest.mark.parametrize(
    "name", [b"tokenward_refused", b"Tokenward_Refused", b"tokenward_anything", b"x_tokenward-subject", b"set_cookie"]
)
def test_what_ends_here_does_so_with_underscores_too(name: bytes) -> None:
    assert returned([(name, b"1"), (b"x_other", b"2")]) == [(b"x_other", b"2")]


def test_what_connection_names_ends_here_and_the_length_does_not() -> None:
    fields = [(b"connection", b"close, X-Hop, content-length"), (b"x-hop", b"1"), (b"etag", b"2"), (b"content-length", b"3")]
    assert returned(fields) == [(b"etag", b"2"), (b"content-length", b"3")]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"content-length", b"5"), (b"transfer-encoding", b"chunked")], id="overruled by a coding"),
        pytest.param([(b"content-length", b"5"), (b"content-length", b"6")], id="two of them"),
        pytest.param([(b"content-length", b"5"), (b"content-length", b"x")], id="one of two is no number"),
        pytest.param([(b"content-length", b"+5")], id="no number"),
        pytest.param([(b"content-length", b"5, 5")], id="a list"),
    ],
)
def test_a_length_that_may_be_wrong_is_left_out(fields: Fields) -> None:
    assert returned([*fields, (b"etag", b"1")]) == [(b"etag", b"1")]


def test_one_length_that_was_sent_twice_goes_on_once() -> None:
    assert returned([(b"content-length", b"5"), (b"content-length", b"5")]) == [(b"content-length", b"5")]


def test_an_offer_to_upgrade_does_not_cost_the_length() -> None:
    assert returned([(b"upgrade", b"h2,h2c"), (b"content-length", b"5")]) == [(b"content-length", b"5")]


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: x=y", b"a\nb", b"a\rb", b"a\x00b", b"a\x7fb", b"\r\n\r\n<html>"])
def test_a_value_that_would_split_the_answer_is_left_out(value: bytes) -> None:
    assert returned([(b"location", value), (b"etag", b"1")]) == [(b"etag", b"1")]


@pytest.mark.parametrize("name", [b"", b"x y", b"x\r\ny", b"x:y", "é".encode(), b"location "])
def test_what_is_no_name_is_left_out(name: bytes) -> None:
    assert returned([(name, b"1"), (b"etag", b"1")]) == [(b"etag", b"1")]


def test_repeated_fields_stay_repeated_and_in_order() -> None:
    fields = [(b"www-authenticate", b"Bearer"), (b"link", b"1"), (b"www-authenticate", b"Basic"), (b"link", b"2")]
    assert returned(fields) == fields


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=8))
def test_whatever_the_upstream_sends_no_answer_is_split_and_none_is_marked(fields: Fields) -> None:
    for name, value in returned([*fields, (b"Tokenward-Refused", b"path_not_allowed")]):
        assert not set(name) & set(b"\r\n\x00 :")
        assert not set(value) & set(b"\r\n\x00")
        assert name.lower() not in (b"tokenward-refused", b"set-cookie", b"transfer-encoding", b"connection")
