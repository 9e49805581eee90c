"""Requests that two servers could take for two different ones are refused before anything else is looked at."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.databricks.admission.form import MAX_FIELD_BYTES, MAX_FIELDS, judge_request
from tokenward.databricks.admission.refusals import FieldsTooLarge, GatewayRefusal, RequestMalformed, UpgradeNotAllowed
from tokenward.databricks.gateway.fields import forwarded, returned

Fields = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([], id="none"),
        pytest.param([(b"host", b"gw.example")], id="a host"),
        pytest.param([(b"content-length", b"0")], id="no body"),
        pytest.param([(b"content-length", b"5368709120")], id="five gigabytes"),
        pytest.param([(b"transfer-encoding", b"chunked")], id="chunked"),
        pytest.param([(b"transfer-encoding", b"Chunked")], id="chunked in another case"),
        pytest.param([(b"expect", b"100-Continue")], id="an expectation that servers meet"),
        pytest.param([(b"x-a", b"tab\there")], id="a tab"),
        pytest.param([(b"x-a", "é".encode())], id="text beyond ASCII"),
        pytest.param([(b"x-a", b"")], id="an empty value"),
        pytest.param([(b"accept", b"a"), (b"accept", b"b")], id="a repeated field"),
        pytest.param([(b"x!#$%&'*+.^_`|~", b"odd")], id="an odd name that is one"),
        pytest.param(
            [(b"connection", b"Upgrade, HTTP2-Settings"), (b"upgrade", b"h2c"), (b"http2-settings", b"AA")], id="curl's h2c"
        ),
        pytest.param([(b"upgrade", b"TLS/1.2")], id="Apache HttpClient's TLS"),
        pytest.param([(b"connection", b"keep-alive"), (b"connection", b"x")], id="two Connection fields"),
        pytest.param([(b"a", b"x")] * MAX_FIELDS, id="as many fields as there may be"),
        pytest.param([(b"a" * 10, b"x" * (MAX_FIELD_BYTES - 10))], id="as many bytes as there may be"),
    ],
)
def test_an_ordinary_request_passes(fields: Fields) -> None:
    judge_request(fields, "1.1")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"content-length", b"5"), (b"transfer-encoding", b"chunked")], id="length and coding"),
        pytest.param([(b"transfer-encoding", b"chunked"), (b"content-length", b"0")], id="coding and no length"),
        pytest.param([(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")], id="both, in another case"),
        pytest.param([(b"content-length", b"5"), (b"content-length", b"6")], id="two lengths"),
        pytest.param([(b"content-length", b"5"), (b"content-length", b"5")], id="one length twice"),
        pytest.param([(b"content-length", b"5"), (b"Content-Length", b"6")], id="two lengths in two cases"),
        pytest.param([(b"content-length", b"5, 5")], id="a list of lengths"),
        pytest.param([(b"content-length", b"+5")], id="a length with a sign"),
        pytest.param([(b"content-length", b"-1")], id="a negative length"),
        pytest.param([(b"content-length", b"0x5")], id="a hexadecimal length"),
        pytest.param([(b"content-length", b"5_0")], id="a length as Python would read it"),
        pytest.param([(b"content-length", b" 5")], id="a length with a space"),
        pytest.param([(b"content-length", b"5\xa0")], id="a length with another space"),
        pytest.param([(b"content-length", b"")], id="an empty length"),
        pytest.param([(b"content-length", b"\xd9\xa5")], id="a digit of another script"),
        pytest.param([(b"content-length", b"9" * 19)], id="a length that overflows"),
        pytest.param([(b"transfer-encoding", b"identity")], id="a coding that is none"),
        pytest.param([(b"transfer-encoding", b"gzip, chunked")], id="two codings"),
        pytest.param([(b"transfer-encoding", b"chunked, chunked")], id="chunked twice in one field"),
        pytest.param([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], id="chunked twice"),
        pytest.param([(b"transfer-encoding", b"xchunked")], id="nearly chunked"),
        pytest.param([(b"transfer-encoding", b"chunked;x=y")], id="chunked with a parameter"),
        pytest.param([(b"transfer-encoding", b"\tchunked")], id="chunked behind a tab"),
        pytest.param([(b"transfer-encoding", b"")], id="an empty coding"),
        pytest.param([(b"host", b"a"), (b"host", b"b")], id="two hosts"),
        pytest.param([(b"host", b"a"), (b"Host", b"a")], id="one host twice"),
        pytest.param([(b"expect", b"200-ok")], id="an unknown expectation"),
        pytest.param([(b"expect", b"100-continue"), (b"expect", b"100-continue")], id="two expectations"),
        pytest.param([(b"x-a", b"a\x00b")], id="NUL"),
        pytest.param([(b"x-a", b"a\r\nx-b: c")], id="a line break"),
        pytest.param([(b"x-a", b"a\nb")], id="a line feed"),
        pytest.param([(b"x-a", b"a\rb")], id="a carriage return"),
        pytest.param([(b"x-a", b"a\x0bb")], id="a vertical tab"),
        pytest.param([(b"x-a", b"a\x7fb")], id="DEL"),
        pytest.param([(b"authorization", b"Bearer a\x00b")], id="NUL in Authorization"),
        pytest.param([(b"", b"a")], id="an empty name"),
        pytest.param([(b"x a", b"a")], id="a space in a name"),
        pytest.param([(b"content-length ", b"5")], id="a space behind a name"),
        pytest.param([(b"x\ta", b"a")], id="a tab in a name"),
        pytest.param([(b"x:a", b"a")], id="a colon in a name"),
        pytest.param([(b":path", b"/a")], id="a pseudo-header"),
        pytest.param([(b"x\r\na", b"a")], id="a line break in a name"),
        pytest.param([(b"x\x00a", b"a")], id="NUL in a name"),
        pytest.param([("é".encode(), b"a")], id="a name beyond ASCII"),
        pytest.param([("é".encode("latin-1"), b"a")], id="a name in latin-1"),
        pytest.param([(b"x(a)", b"a")], id="brackets in a name"),
    ],
)
def test_an_ambiguous_request_is_refused(fields: Fields) -> None:
    for surrounded in (fields, [(b"accept", b"*/*"), *fields, (b"x-last", b"1")]):
        with pytest.raises(RequestMalformed) as refused:
            judge_request(surrounded, "1.1")
        assert refused.value.code == "request_malformed"


@pytest.mark.parametrize("version", ["1.0", "0.9", "2", "3"])
@pytest.mark.parametrize("value", [b"chunked", b"identity", b""])
def test_a_transfer_encoding_in_a_version_that_has_none_is_refused(version: str, value: bytes) -> None:
    with pytest.raises(RequestMalformed) as refused:
        judge_request([(b"accept", b"*/*"), (b"Transfer-Encoding", value)], version)
    assert refused.value.code == "request_malformed"


@pytest.mark.parametrize("version", ["1.0", "1.1", "2"])
def test_a_length_is_good_in_every_version(version: str) -> None:
    judge_request([(b"content-length", b"5"), (b"expect", b"100-continue")], http_version=version)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param([(b"a", b"x")] * (MAX_FIELDS + 1), id="too many"),
        pytest.param([(b"a" * 10, b"x" * (MAX_FIELD_BYTES - 9))], id="too long a value"),
        pytest.param([(b"a" * (MAX_FIELD_BYTES + 1), b"")], id="too long a name"),
        pytest.param([(b"a" * 1000, b"x" * 1000)] * 40, id="too much in all"),
    ],
)
def test_more_than_the_gateway_takes_is_refused(fields: Fields) -> None:
    with pytest.raises(FieldsTooLarge) as refused:
        judge_request(fields, "1.1")
    assert refused.value.code == "fields_too_large"


@pytest.mark.parametrize("value", [b"websocket", b"WebSocket", b"h2c, websocket", b"spdy/3.1", b"h2cx", b"tls"])
def test_an_upgrade_that_the_client_counts_on_is_refused(value: bytes) -> None:
    with pytest.raises(UpgradeNotAllowed) as refused:
        judge_request([(b"connection", b"upgrade"), (b"upgrade", value)], "1.1")
    assert refused.value.code == "upgrade_not_allowed"


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=8))
def test_whatever_is_sent_nothing_but_a_refusal_escapes(fields: Fields) -> None:
    forwarded(fields, b"Bearer x", b"ws.example")
    returned(fields)
    with contextlib.suppress(GatewayRefusal):
        judge_request(fields, "1.1")


def test_a_flood_of_names_does_not_fill_the_memory() -> None:
    from tokenward.databricks.admission.field_names import MAX_REMEMBERED, OF_REQUEST, Fate

    for number in range(3 * MAX_REMEMBERED):
        judge_request([(f"x-flood-{number}".encode(), b"")], "1.1")
    judge_request([(b"x" * 5000, b"")], "1.1")
    assert len(OF_REQUEST) <= MAX_REMEMBERED
    assert OF_REQUEST[b"X-Forwarded-For"] is Fate.REMOVED
    OF_REQUEST.clear()
