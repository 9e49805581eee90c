"""From an address to a validated set: the requests made, and what each answer leads to. The answers are fed by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping

import pytest

from tokenward.keys.loading import METADATA_INTERVAL, Discovered, Loaded, advance, after_failure, load
from tokenward.keys.location import Discovery, JwksUri, Remote
from tokenward.keys.metadata import Metadata
from tokenward.keys.port import MAX_BODY_BYTES, FetchFailed, FetchRequest, FetchResponse

MakeJwk = Callable[..., dict[str, object]]

ISSUER = "https://idp.example/v2.0"
CONFIGURATION = ISSUER + "/.well-known/openid-configuration"
KEYS = "https://keys.example/jwks"
METADATA = {"issuer": ISSUER, "jwks_uri": KEYS, "cloud_instance_name": "one.example"}
DISCOVERY = Discovery(CONFIGURATION, frozenset({ISSUER}))
FIXED = JwksUri(KEYS)
DISCOVERED = Discovered(Metadata(ISSUER, KEYS, None), read_at=0.0)


def reply(document: object = None, *, status: int = 200, body: bytes | None = None, **headers: str) -> FetchResponse:
    text = json.dumps(document).encode() if body is None else body
    named: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
    return FetchResponse(status, named, text)


def run(
    replies: list[FetchResponse],
    location: Remote = FIXED,
    known: Discovered | None = None,
    mono: float = 0.0,
    *,
    no_cache: bool = False,
) -> tuple[list[str], Loaded]:
    """The URLs asked for, and the result; every reply is used."""
    loading = load(location, known, mono=mono, timeout=10.0, no_cache=no_cache)
    urls, answers = [next(loading).url], iter(replies)
    while True:
        try:
            urls.append(loading.send(next(answers)).url)
        except StopIteration as done:
            assert next(answers, None) is None
            loaded: Loaded = done.value
            return urls, loaded


def failure(response: FetchResponse, location: Remote = FIXED) -> FetchFailed:
    with pytest.raises(FetchFailed) as caught:
        run([response], location)
    return caught.value


@pytest.fixture
def jwks(okp_jwk: MakeJwk) -> dict[str, object]:
    return {"keys": [okp_jwk("a"), okp_jwk("b")]}


# -- discovery ---------------------------------------------------------------------------------------------------------


def test_a_jwks_uri_is_one_request(jwks: dict[str, object]) -> None:
    urls, loaded = run([reply(jwks)])
    assert urls == [KEYS]
    assert set(loaded.keyset.keys) == {"a", "b"}
    assert loaded.discovered is None
    assert loaded.cloud_instance_name is None


def test_discovery_is_asked_first_and_names_the_keys(jwks: dict[str, object]) -> None:
    urls, loaded = run([reply(METADATA), reply(jwks)], DISCOVERY, mono=7.0)
    assert urls == [CONFIGURATION, KEYS]
    assert loaded.discovered == Discovered(Metadata(ISSUER, KEYS, "one.example"), 7.0)
    assert loaded.cloud_instance_name == "one.example"


def test_discovery_is_remembered_for_a_day(jwks: dict[str, object]) -> None:
    urls, loaded = run([reply(jwks)], DISCOVERY, DISCOVERED, mono=86399.0)
    assert urls == [KEYS]
    assert loaded.discovered == DISCOVERED
    urls, _ = run([reply(METADATA), reply(jwks)], DISCOVERY, DISCOVERED, mono=86400.0)
    assert urls == [CONFIGURATION, KEYS]


def test_where_keys_may_have_moved_discovery_is_remembered_for_five_minutes(jwks: dict[str, object]) -> None:
    """An unknown key, or an operator, asks: the old address may still answer, with the old keys."""
    urls, _ = run([reply(jwks)], DISCOVERY, DISCOVERED, mono=299.0, no_cache=True)
    assert urls == [KEYS]
    urls, _ = run([reply(METADATA), reply(jwks)], DISCOVERY, DISCOVERED, mono=300.0, no_cache=True)
    assert urls == [CONFIGURATION, KEYS]


def test_a_document_of_very_many_small_parts_is_refused_before_it_is_parsed() -> None:
    assert failure(reply(body=b'{"keys":[' + b"{}," * 300_000 + b"{}]}")).kind == "not_json"


@pytest.mark.parametrize("trouble", [reply(status=503), FetchFailed("dns")], ids=["an error answer", "no answer"])
def test_a_discovery_document_that_cannot_be_had_again_leaves_the_known_one_in_force(
    jwks: dict[str, object], trouble: FetchResponse | FetchFailed
) -> None:
    loading = load(DISCOVERY, DISCOVERED, mono=METADATA_INTERVAL, timeout=10.0, no_cache=False)
    first = advance(loading, None)
    second = advance(loading, trouble)
    assert isinstance(first, FetchRequest)
    assert isinstance(second, FetchRequest)
    assert [first.url, second.url] == [CONFIGURATION, KEYS]
    loaded = advance(loading, reply(jwks))
    assert isinstance(loaded, Loaded)
    assert loaded.discovered == DISCOVERED


def test_a_discovery_document_that_cannot_be_had_at_first_is_a_failed_fetch() -> None:
    loading = load(DISCOVERY, None, mono=0.0, timeout=10.0, no_cache=False)
    advance(loading, None)
    with pytest.raises(FetchFailed) as caught:
        advance(loading, FetchFailed("dns"))
    assert caught.value.kind == "dns"


def test_a_discovery_document_of_another_issuer_is_a_failed_fetch_even_where_one_was_known() -> None:
    loading = load(DISCOVERY, DISCOVERED, mono=METADATA_INTERVAL, timeout=10.0, no_cache=False)
    advance(loading, None)
    with pytest.raises(FetchFailed) as caught:
        advance(loading, reply(METADATA | {"issuer": "https://other.example"}))
    assert caught.value.kind == "metadata"


@pytest.mark.parametrize("status", [404, 410])
def test_a_jwks_uri_that_is_gone_is_discovered_again_at_once(status: int) -> None:
    assert after_failure(DISCOVERED, FetchFailed("status", status=status)) is None


def test_a_jwks_uri_that_fails_three_times_is_discovered_again() -> None:
    known: Discovered | None = DISCOVERED
    remembered = []
    for _ in range(3):
        known = after_failure(known, FetchFailed("timeout"))
        remembered.append(known is not None)
    assert remembered == [True, True, False]


def test_there_is_nothing_to_forget_without_discovery() -> None:
    assert after_failure(None, FetchFailed("timeout")) is None


def test_a_good_fetch_forgives_earlier_failures(jwks: dict[str, object]) -> None:
    shaky = Discovered(DISCOVERED.metadata, 0.0, jwks_failures=2)
    _, loaded = run([reply(jwks)], DISCOVERY, shaky)
    assert after_failure(loaded.discovered, FetchFailed("timeout")) is not None


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        pytest.param({"issuer": "https://evil.example"}, "the issuer is not the one", id="another issuer"),
        pytest.param({"issuer": None}, "the issuer is not the one", id="no issuer"),
        pytest.param({"jwks_uri": None}, "jwks_uri is missing", id="no jwks_uri"),
        pytest.param({"jwks_uri": "http://keys.example/"}, "not https", id="plain http"),
        pytest.param({"jwks_uri": "http://127.0.0.1/"}, "an address of this machine", id="this machine"),
        pytest.param({"jwks_uri": "https://localhost/"}, "an address of this machine", id="this machine over https"),
    ],
)
def test_a_discovery_document_that_misleads_is_a_failed_fetch(change: dict[str, object], detail: str) -> None:
    failed = failure(reply(METADATA | change), DISCOVERY)
    assert failed.kind == "metadata"
    assert failed.detail.startswith(detail)


def test_a_document_of_this_machine_may_name_keys_on_this_machine(jwks: dict[str, object]) -> None:
    here = Discovery("http://127.0.0.1:9/.well-known/openid-configuration", frozenset({ISSUER}))
    urls, _ = run([reply(METADATA | {"jwks_uri": "http://127.0.0.1:9/keys"}), reply(jwks)], here)
    assert urls[1] == "http://127.0.0.1:9/keys"


# -- requests ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("no_cache", "asked"), [(True, "no-cache"), (False, None)], ids=["forced", "steady"])
def test_caches_on_the_way_are_asked_to_step_aside_only_where_it_matters(no_cache: bool, asked: str | None) -> None:
    request = next(load(DISCOVERY, None, mono=0.0, timeout=4.0, no_cache=no_cache))
    assert request == FetchRequest(CONFIGURATION, 4.0, no_cache, MAX_BODY_BYTES)
    assert request.headers.get("Cache-Control") == asked
    assert request.headers["Accept-Encoding"] == "identity"


# -- answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "host"),
    [
        pytest.param("https://login.example/path?secret=1", "login.example", id="another host"),
        pytest.param("http://idp.example/", "idp.example", id="plain http"),
        pytest.param("/elsewhere", "the same", id="the same host"),
        pytest.param("https://ev<il>\x1b.example/", "ev?il??.example", id="a host with control characters"),
        pytest.param("https://" + "x" * 500 + ".example/", "x" * 100, id="a host without end"),
        pytest.param("https://[::1/", "unreadable", id="an open bracket"),
        pytest.param(None, "the same", id="no Location"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_named_by_host_and_not_followed(status: int, location: str | None, host: str) -> None:
    response = reply(status=status) if location is None else reply(status=status, location=location)
    failed = failure(response)
    assert (failed.kind, failed.status) == ("redirect", status)
    assert failed.detail.startswith(f"redirects are not followed (to host {host}")
    assert "secret" not in failed.detail
    assert failed.detail.isprintable()
    assert len(failed.detail) < 200


@pytest.mark.parametrize("status", [100, 201, 204, 206, 304, 400, 401, 404, 410, 429, 500, 502, 503])
def test_every_status_but_200_is_a_failure_even_with_keys(jwks: dict[str, object], status: int) -> None:
    failed = failure(reply(jwks, status=status))
    assert (failed.kind, failed.status, failed.detail) == ("status", status, f"HTTP {status}")


@pytest.mark.parametrize("content_type", ["text/html", "text/html; charset=utf-8", "TEXT/HTML"])
def test_an_html_page_is_named_as_one_even_if_it_parses(jwks: dict[str, object], content_type: str) -> None:
    failed = failure(reply(jwks, content_type=content_type))
    assert failed.kind == "not_json"
    assert "HTML" in failed.detail


@pytest.mark.parametrize("content_type", ["application/json", "application/jwk-set+json", "text/plain", ""])
def test_no_other_content_type_matters(jwks: dict[str, object], content_type: str) -> None:
    assert len(run([reply(jwks, content_type=content_type)])[1].keyset) == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"null", id="null"),
        pytest.param(b'{"keys": [', id="truncated"),
        pytest.param(b'\xef\xbb\xbf{"keys": []}', id="a byte order mark"),
        pytest.param('{"keys": []}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"keys": ["\xff"]}', id="invalid UTF-8"),
        pytest.param(b'{"keys": NaN}', id="NaN"),
        pytest.param(b'{"keys": [], "keys": []}', id="a member named twice"),
        pytest.param(b'{"keys": [{"kid": "a", "kid": "b"}]}', id="a member named twice, deeper"),
        pytest.param(b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested without end"),
        pytest.param(b'{"a": ' * 2000 + b"1" + b"}" * 2000, id="2000 objects deep"),
        pytest.param(gzip.compress(b"{}"), id="compressed bytes"),
    ],
)
def test_a_body_that_is_not_one_strict_json_object_is_a_failure(body: bytes) -> None:
    failed = failure(reply(body=body))
    assert failed.kind == "not_json"
    assert failed.detail.startswith("the body is ")


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="no keys"),
        pytest.param({"keys": []}, id="an empty set"),
        pytest.param({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}, id="a symmetric key only"),
        pytest.param({"keys": [[[[[[[[[[1]]]]]]]]]]}, id="lists in lists"),
        pytest.param({"keys": [{"kty": "RSA", "n": "A" * 1_000_000, "e": "AQAB"}]}, id="a member of a megabyte"),
        pytest.param({"keys": [None] * 1001}, id="1001 keys"),
    ],
)
def test_a_document_without_usable_keys_is_a_failure(document: dict[str, object]) -> None:
    failed = failure(reply(document))
    assert failed.kind == "no_keys"
    assert "c2VjcmV0" not in str(failed)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("max-age=900", 900, id="plain"),
        pytest.param("public, max-age=15, stale-while-revalidate=15, stale-if-error=86400", 15, id="as Auth0 sends it"),
        pytest.param("Max-Age = 60", 60, id="in capitals, with spaces"),
        pytest.param('private,max-age="60"', 60, id="quoted"),
        pytest.param("max-age=0", 0, id="0"),
        pytest.param("max-age=2592000", 2592000, id="30 days"),
        pytest.param("max-age=-1", None, id="negative"),
        pytest.param("max-age=soon", None, id="a word"),
        pytest.param("max-age=", None, id="empty"),
        pytest.param("max-age=" + "9" * 400, None, id="absurd"),
        pytest.param("s-maxage=5", None, id="for shared caches"),
        pytest.param("x-max-age=5", None, id="another directive"),
        pytest.param("no-store", None, id="no-store"),
        pytest.param("", None, id="empty header"),
    ],
)
def test_max_age_is_read_where_it_is_a_plain_number(jwks: dict[str, object], header: str, seconds: float | None) -> None:
    assert run([reply(jwks, cache_control=header)])[1].max_age == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        pytest.param("5", 5, id="5"),
        pytest.param(" 120 ", 120, id="with spaces"),
        pytest.param("0", 0, id="0"),
        pytest.param("1000000000", 86400, id="thirty years"),
        pytest.param("9" * 400, None, id="absurd"),
        pytest.param("-5", None, id="negative"),
        pytest.param("5.5", None, id="a fraction"),
        pytest.param("\u00b2", None, id="a digit outside ASCII"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", None, id="a date"),
        pytest.param("garbage", None, id="garbage"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_where_it_is_seconds(status: int, header: str, seconds: float | None) -> None:
    assert failure(reply(status=status, retry_after=header)).retry_after == seconds


def test_a_failure_says_its_kind_and_detail_and_no_more() -> None:
    assert str(FetchFailed("timeout")) == "timeout"
    assert str(FetchFailed("status", "HTTP 500", status=500)) == "status: HTTP 500"
