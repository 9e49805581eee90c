"""Of a request's fields only those go on that say nothing of who calls; Host and Authorization are always ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenward.databricks.admission.field_names import HOP_BY_HOP, IDENTITY_FIELDS, IDENTITY_PREFIXES
from tokenward.databricks.gateway.fields import forwarded

Fields = list[tuple[bytes, bytes]]
OURS = [(b"host", b"ws.example"), (b"authorization", b"Bearer ours")]

STRIPPED = [
    *("Authorization", "Proxy-Authorization", "Cookie", "Host", "X-Databricks-Azure-SP-Management-Token", "X-Databricks-Org-Id"),
    *("X-Databricks-Azure-Workspace-Resource-Id", "X-Databricks-GCP-SA-Access-Token", "X-Databricks-Workspace-Id", "X-Real-Ip"),
    *(
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-User",
        "X-Forwarded-Email",
        "X-Forwarded-Preferred-Username",
        "Forwarded",
    ),
    *("X-Forwarded-Access-Token", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Forwarded", "X-Forwarded-Client-Cert", "Via"),
    *("X-MS-TOKEN-AAD-ACCESS-TOKEN", "X-MS-TOKEN-AAD-ID-TOKEN", "X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-NAME", "Expect"),
    *("X-Tokenward-Subject", "Tokenward-Refused", "X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Rewrite-Url"),
    *("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Envoy-Original-Path", "X-Envoy-Internal", "Proxy-Foo"),
    *("Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "TE", "Trailer", "Transfer-Encoding", "Upgrade"),
    *("HTTP2-Settings", "X-Auth-Request-User", "X-Amzn-Oidc-Data", "X-Goog-IAP-JWT-Assertion", "True-Client-IP", "Client-Cert"),
]

KEPT = [
    *("Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "Content-Encoding", "Content-Length", "Range", "If-Match"),
    *("If-None-Match", "If-Modified-Since", "If-Range", "User-Agent", "X-Request-Id", "Traceparent", "Tracestate", "Origin"),
    *("Mcp-Session-Id", "Mcp-Protocol-Version", "Last-Event-Id", "Idempotency-Key", "Cache-Control", "Content-Disposition"),
]


@pytest.mark.parametrize("name", STRIPPED)
@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(str.lower, id="lower case"),
        pytest.param(str.upper, id="upper case"),
        pytest.param(str, id="mixed case"),
        pytest.param(lambda name: name.lower().replace("-", "_"), id="underscores"),
        pytest.param(lambda name: name.lower().replace("-", "_", 1), id="one underscore"),
        pytest.param(lambda name: name.lower().replace("-", "."), id="dots"),
    ],
)
def test_a_stripped_field_does_not_survive_in_any_spelling(name: str, spelling: type[str]) -> None:
    spelt = str(spelling(name)).encode()
    assert forwarded([(spelt, b"evil"), (b"accept", b"*/*")], b"Bearer ours", b"ws.example") == [*OURS, (b"accept", b"*/*")]


@pytest.mark.parametrize("name", KEPT)
def test_what_a_client_needs_goes_on_as_it_came(name: str) -> None:
    field = (name.lower().encode(), b"Some, Value; q=1")
    assert forwarded([field, field], b"Bearer ours", b"ws.example") == [*OURS, field, field]


@pytest.mark.parametrize(
    "value",
    [
        b"authorization",
        b"Authorization, Host",
        b"close, authorization",
        b"authorization,host,content-length",
        b" \tauthorization\t ",
    ],
)
def test_connection_cannot_drop_what_is_ours(value: bytes) -> None:
    fields = [(b"connection", value), (b"authorization", b"Bearer theirs"), (b"content-length", b"5"), (b"host", b"evil.example")]
    extra = [(b"x-extra", b"1")]
    assert forwarded([*fields, (b"connection", b"x-extra")], b"Bearer ours", b"ws.example", extra) == [
        *OURS,
        *extra,
        (b"content-length", b"5"),
    ]


@pytest.mark.parametrize(
    "connections",
    [
        pytest.param([b"x-mine"], id="one"),
        pytest.param([b"keep-alive, X-Mine"], id="in a list, in another case"),
        pytest.param([b"close", b" ,, x-mine ,"], id="in a second field, among empty items"),
    ],
)
def test_what_connection_names_ends_here(connections: list[bytes]) -> None:
    fields = [*((b"connection", value) for value in connections), (b"x-mine", b"1"), (b"X-Mine", b"2"), (b"x-mine-too", b"3")]
    assert forwarded(fields, b"Bearer ours", b"ws.example") == [*OURS, (b"x-mine-too", b"3")]


def test_the_order_of_what_goes_on_is_kept() -> None:
    fields = [(b"accept", b"1"), (b"cookie", b"x"), (b"x-a", b"2"), (b"accept", b"3")]
    assert forwarded(fields, b"Bearer ours", b"ws.example")[2:] == [(b"accept", b"1"), (b"x-a", b"2"), (b"accept", b"3")]


def test_the_fields_of_the_request_are_not_changed() -> None:
    fields = [(b"cookie", b"x"), (b"connection", b"accept"), (b"accept", b"1")]
    before = list(fields)
    forwarded(fields, b"Bearer ours", b"ws.example")
    assert fields == before


NAMES = st.one_of(
    st.sampled_from([name.encode() for name in (*STRIPPED, *KEPT)]),
    st.sampled_from(sorted(IDENTITY_FIELDS | HOP_BY_HOP)),
    st.sampled_from(IDENTITY_PREFIXES).flatmap(lambda prefix: st.binary(max_size=4).map(lambda rest: prefix + rest)),
    st.binary(max_size=8),
)


@st.composite
def spelt(draw: st.DrawFn) -> bytes:
    """A name with its letters in any case, and its hyphens as they are or not."""
    name = draw(NAMES)
    cased = bytes(byte ^ 0x20 if chr(byte).isalpha() and byte < 128 and draw(st.booleans()) else byte for byte in name)
    return cased.replace(b"-", draw(st.sampled_from([b"-", b"_", b".", b"--"])))


@given(
    st.lists(st.tuples(spelt(), st.sampled_from([b"1", b"evil", b"authorization", b"host, x-databricks-a"])), max_size=8),
    st.lists(st.sampled_from([b"authorization", b"host", b"content-length", b"accept", b"cookie"]), max_size=3),
)
def test_whatever_is_sent_there_is_one_authorization_and_one_host_and_they_are_ours(fields: Fields, named: list[bytes]) -> None:
    sent = [*fields, (b"connection", b", ".join(named))]
    result = forwarded(sent, b"Bearer ours", b"ws.example")
    assert result[:2] == OURS
    for name, _ in result[2:]:
        told = name.lower().replace(b"_", b"-").replace(b".", b"-")
        assert told not in IDENTITY_FIELDS
        assert told not in HOP_BY_HOP
        assert told not in (b"host", b"connection", b"transfer-encoding", b"upgrade", b"expect")
        assert not told.startswith(IDENTITY_PREFIXES)
        assert b"_" not in name
    assert set(result[2:]) <= set(sent)
