"""Where each proxy says what its caller wants; whatever is missing, doubtful or another proxy's is no yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tokenward.databricks.admission.refusals import RequestMalformed
from tokenward.databricks.forward_auth.dialects import DIALECTS, Asked, asked, status_for

PREFIX = b"/verdict"
METHOD = {"nginx": b"x-original-method", "traefik": b"x-forwarded-method", "caddy": b"x-forwarded-method"}
TARGET = {"nginx": b"x-original-uri", "traefik": b"x-forwarded-uri", "caddy": b"x-forwarded-uri"}


@pytest.mark.parametrize("name", sorted(METHOD))
def test_the_configured_fields_say_what_the_caller_wants(name: str) -> None:
    fields = [(METHOD[name].title(), b"POST"), (TARGET[name].upper(), b"/api/2.0/x?a=b?c")]
    assert asked(DIALECTS[name], "GET", PREFIX, b"ignored", fields, PREFIX) == Asked("POST", b"/api/2.0/x", b"a=b?c")


def test_envoys_own_request_says_what_the_caller_wants() -> None:
    fields = [(b"x-original-method", b"GET"), (b"x-forwarded-uri", b"/other")]
    wanted = asked(DIALECTS["envoy"], "POST", b"/verdict/api/2.0/x", b"a=b", fields, PREFIX)
    assert wanted == Asked("POST", b"/api/2.0/x", b"a=b")


MALFORMED = [
    pytest.param(lambda m, t: [(m, b"GET")], id="no target"),
    pytest.param(lambda m, t: [(t, b"/x")], id="no method"),
    pytest.param(lambda m, t: [], id="neither"),
    pytest.param(lambda m, t: [(m, b"GET"), (t, b"/x"), (t, b"/x")], id="the target twice"),
    pytest.param(lambda m, t: [(m, b"GET"), (m, b"GET"), (t, b"/x")], id="the method twice"),
    pytest.param(lambda m, t: [(m, b""), (t, b"/x")], id="an empty method"),
    pytest.param(lambda m, t: [(m, b"GET, POST"), (t, b"/x")], id="two methods in one field"),
    pytest.param(lambda m, t: [(m, b"G" * 33), (t, b"/x")], id="an endless method"),
    pytest.param(lambda m, t: [(m.replace(b"-", b"_"), b"GET"), (t.replace(b"-", b"_"), b"/x")], id="underscores"),
    pytest.param(lambda m, t: [(b"x-original-url", b"/x"), (b"x-http-method", b"GET")], id="fields of no dialect"),
]


@pytest.mark.parametrize("name", sorted(METHOD))
@pytest.mark.parametrize("fields", MALFORMED)
def test_a_field_that_is_missing_repeated_or_no_method_is_malformed(name: str, fields: Any) -> None:
    with pytest.raises(RequestMalformed):
        asked(DIALECTS[name], "GET", PREFIX, b"", fields(METHOD[name], TARGET[name]), PREFIX)


@pytest.mark.parametrize(("name", "others"), [("nginx", "traefik"), ("traefik", "nginx"), ("caddy", "nginx")])
def test_the_fields_of_another_proxy_do_not_count(name: str, others: str) -> None:
    fields = [(METHOD[others], b"GET"), (TARGET[others], b"/x")]
    with pytest.raises(RequestMalformed):
        asked(DIALECTS[name], "GET", PREFIX, b"", fields, PREFIX)


@pytest.mark.parametrize("name", sorted(METHOD))
def test_through_the_app_a_missing_field_is_a_marked_no(
    asker: Callable[..., Any], bearer: Callable[..., bytes], name: str
) -> None:
    asking = asker(name)
    reply = asking.ask(bearer(), fields=[])
    assert reply.status == (403 if name == "nginx" else 400)
    assert (reply.value("tokenward-refused"), reply.value("cache-control")) == ("request_malformed", "no-store")
    assert asking.codes == ["request_malformed"]
    assert "The proxy's configuration is wrong" in asking.events.kept[0]["hint"]


def test_whoever_asks_elsewhere_is_told_of_the_prefix(
    asker: Callable[..., Any], bearer: Callable[..., bytes], source: str
) -> None:
    asking = asker(source)
    asking.ask(bearer(), prefix=b"/other")
    assert "[forward_auth] prefix" in asking.events.kept[0]["hint"]


@pytest.mark.parametrize("path", [b"/", b"/Verdict", b"/verdict/", b"/verdict/api/2.0/x", b"/%76erdict"])
def test_only_the_prefix_itself_is_an_address_where_fields_say_the_rest(path: bytes) -> None:
    fields = [(METHOD["nginx"], b"GET"), (TARGET["nginx"], b"/x")]
    with pytest.raises(RequestMalformed):
        asked(DIALECTS["nginx"], "GET", path, b"", fields, PREFIX)


@pytest.mark.parametrize("path", [b"/", b"/api/2.0/x", b"/%76erdict/api/2.0/x", b"verdict/x"])
def test_only_paths_below_the_prefix_are_envoys(path: bytes) -> None:
    with pytest.raises(RequestMalformed):
        asked(DIALECTS["envoy"], "GET", path, b"", [], PREFIX)


def test_what_follows_envoys_prefix_is_not_made_into_a_path() -> None:
    assert asked(DIALECTS["envoy"], "GET", b"/verdictapi", b"", [], PREFIX).path == b"api"  # which no checked target is


RELAYED = [
    *[pytest.param("nginx", status, relayed) for status, relayed in ((400, 403), (401, 401), (403, 403), (405, 403), (429, 503))],
    *[pytest.param("nginx", status, relayed) for status, relayed in ((431, 403), (501, 503), (502, 503), (503, 503), (504, 503))],
    *[pytest.param(name, status, status) for name in ("envoy", "traefik", "caddy") for status in (400, 401, 403, 405, 503)],
]


@pytest.mark.parametrize(("name", "status", "relayed"), RELAYED)
def test_a_no_has_a_status_that_the_proxy_can_hand_on(name: str, status: int, relayed: int) -> None:
    assert status_for(DIALECTS[name], status) == relayed
