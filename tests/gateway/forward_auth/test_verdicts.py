"""What a proxy is told, for each of the four: yes under which token, or no with which status."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tokenward import AsyncVerifier, PolicyError, entra
from tokenward.databricks.admission.credentials import Fixed, PassThrough
from tokenward.databricks.forward_auth.forward_auth import ForwardAuth
from tokenward.testing import HandClock, LocalIssuer

Make = Callable[..., Any]
Bearer = Callable[..., bytes]


def test_a_yes_is_an_empty_200_with_the_token_for_upstream_and_who_calls(
    asker: Make, bearer: Bearer, source: str, issuer: LocalIssuer
) -> None:
    reply = asker(source).ask(bearer())
    assert (reply.status, reply.body) == (200, b"")
    subject = reply.value("x-tokenward-subject")
    assert reply.value("authorization") == f"Bearer for-{subject}"
    assert reply.value("x-tokenward-issuer") == f"https://login.microsoftonline.com/{issuer.tenant}/v2.0"
    assert reply.value("x-tokenward-tenant") == issuer.tenant
    assert reply.value("x-tokenward-client") != ""
    assert reply.value("x-tokenward-kind") == "user"
    assert reply.value("content-length") == "0"
    assert reply.value("cache-control") == "max-age=30"
    assert reply.value("vary") == "Authorization"
    assert reply.values("tokenward-refused") == []


def twice(token: bytes) -> list[bytes]:
    return [token, token]


REFUSED = [
    pytest.param(lambda b, i: [], "GET", b"/api/2.0/x", 401, "missing_token", id="no token"),
    pytest.param(lambda b, i: [b(lifetime=-60)], "GET", b"/api/2.0/x", 401, "invalid_token", id="an expired token"),
    pytest.param(lambda b, i: [b(key=i.stranger_key())], "GET", b"/api/2.0/x", 401, "invalid_token", id="a forged signature"),
    pytest.param(lambda b, i: [b"Bearer rubbish"], "GET", b"/api/2.0/x", 401, "invalid_token", id="no JWT"),
    pytest.param(lambda b, i: twice(b()), "GET", b"/api/2.0/x", 400, "invalid_request", id="two Authorization fields"),
    pytest.param(lambda b, i: [b()], "GET", b"/login.html", 403, "path_not_allowed", id="a path that no rule has"),
    pytest.param(lambda b, i: [b()], "BREW", b"/api/2.0/x", 405, "method_not_allowed", id="a method that no rule has"),
    pytest.param(lambda b, i: [b()], "GET", b"/api/2.0/%2e%2e/x", 400, "path_malformed", id="an escaped dot segment"),
    pytest.param(lambda b, i: [b()], "GET", b"//api/2.0/x", 400, "path_malformed", id="an empty segment"),
    pytest.param(lambda b, i: [b()], "GET", b"/api/2.0/a%2fb", 400, "path_malformed", id="an escaped slash"),
    pytest.param(lambda b, i: [b()], "GET", b"/api/2.0/x;a=b", 400, "path_malformed", id="a semicolon"),
    pytest.param(lambda b, i: [b()], "GET", b"/api/2.0/%252e%252e/x", 400, "path_malformed", id="escaped twice"),
]


@pytest.mark.parametrize(("tokens", "method", "target", "status", "mark"), REFUSED)
def test_a_no_is_the_gateways_own_answer_with_a_status_that_the_proxy_hands_on(
    asker: Make, bearer: Bearer, issuer: LocalIssuer, source: str, tokens: Any, method: str, target: bytes, status: int, mark: str
) -> None:
    reply = asker(source).ask(*tokens(bearer, issuer), method=method, target=target)
    nginx = 403 if status in (400, 405) else status
    assert reply.status == (nginx if source == "nginx" else status)
    assert reply.value("tokenward-refused") == mark
    assert reply.value("cache-control") == "no-store"
    assert len(reply.values("www-authenticate")) == (1 if mark in CHALLENGED else 0)
    assert reply.values("authorization") == []
    assert set(reply.document) == {"error", "error_description"}


CHALLENGED = {"missing_token", "invalid_token", "invalid_request"}


@pytest.mark.parametrize(
    "target", [b"http://evil.example/api/2.0/x", b"*", b"", b"api/2.0/x", b"?a=b", b"/api/2.0/\x00", b"/api/ x"]
)
def test_a_target_that_is_no_plain_path_gets_no_token(asker: Make, bearer: Bearer, source: str, target: bytes) -> None:
    reply = asker(source).ask(bearer(), target=target)
    assert reply.status in (400, 403)
    assert reply.value("tokenward-refused") in ("path_malformed", "request_malformed")
    assert reply.values("authorization") == []


AMBIGUOUS: list[Any] = [
    pytest.param([(b"content-length", b"0"), (b"transfer-encoding", b"chunked")], "request_malformed", 400, id="two framings"),
    pytest.param([(b"content-length", b"1"), (b"content-length", b"1")], "request_malformed", 400, id="two lengths"),
    pytest.param([(b"transfer-encoding", b"gzip")], "request_malformed", 400, id="another coding"),
    pytest.param([(b"x-a", b"a\x00b")], "request_malformed", 400, id="a NUL"),
    pytest.param([(b"expect", b"200-ok")], "request_malformed", 400, id="another expectation"),
    pytest.param([(b"upgrade", b"websocket")], "upgrade_not_allowed", 501, id="an upgrade"),
    pytest.param([(b"x-a", b"a")] * 101, "fields_too_large", 431, id="too many fields"),
]


@pytest.mark.parametrize(("more", "code", "status"), AMBIGUOUS)
def test_fields_that_the_gateway_would_refuse_are_no_yes(
    asker: Make, bearer: Bearer, source: str, more: Any, code: str, status: int
) -> None:
    asking = asker(source)
    scope = asking.scope("GET", b"/api/2.0/x", (bearer(),))
    reply = asking.send(scope | {"headers": [*scope["headers"], *more]})
    assert (reply.value("tokenward-refused"), reply.values("authorization")) == (code, [])
    assert reply.status == ((503 if status >= 500 else 403) if source == "nginx" else status)
    assert [(event["code"], event["path"]) for event in asking.events.kept] == [(code, "/api/2.0/x")]


def test_what_proxies_send_along_with_a_verdict_is_no_hindrance(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source)
    usual = [(b"host", b"tokenward"), (b"content-length", b"0"), (b"connection", b"close"), (b"accept-encoding", b"gzip")]
    scope = asking.scope("POST", b"/api/2.0/sql/statements", (bearer(),))
    assert asking.send(scope | {"headers": [*usual, *scope["headers"]]}).status == 200


def test_without_keys_the_answer_is_503_and_when_to_come_back(
    asker: Make, bearer: Bearer, source: str, issuer: LocalIssuer
) -> None:
    issuer.fail("status", status=500)
    asking = asker(source)
    reply = asking.ask(bearer())
    assert reply.status == 503
    assert reply.value("tokenward-refused") == "keys_unavailable"
    assert int(reply.value("retry-after")) >= 1
    assert (reply.values("www-authenticate"), reply.value("cache-control")) == ([], "no-store")
    assert asking.codes == ["keys_unavailable"]


def test_a_stranger_learns_nothing_of_the_rules(asker: Make, source: str) -> None:
    asking = asker(source, allow=["sql"])
    replies = [asking.ask(target=target) for target in (b"/api/2.0/sql/statements", b"/api/2.0/secrets/get", b"/nowhere")]
    assert {(reply.status, reply.value("tokenward-refused")) for reply in replies} == {(401, "missing_token")}


def test_no_token_is_exchanged_for_a_request_that_may_not_go_on(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source, allow=["sql"])
    asking.ask(bearer(), target=b"/api/2.0/secrets/get")
    asking.ask(bearer(lifetime=-1))
    asking.ask(bearer(), target=b"/api/2.0/sql/../secrets/get")
    assert asking.grant.made == []


def test_one_token_is_exchanged_once_however_many_verdicts_it_needs(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source)
    token = bearer()
    values = {asking.ask(token, target=f"/api/2.0/x/{number}".encode()).value("authorization") for number in range(5)}
    assert (len(values), len(asking.grant.made)) == (1, 1)


def test_what_is_logged_of_a_no_is_the_callers_own_method_and_path_without_its_query(
    asker: Make, bearer: Bearer, source: str
) -> None:
    asking = asker(source)
    asking.ask(method="PUT", target=b"/api/2.0/x?secret=1")
    asking.ask(bearer(), method="DELETE", target=b"/nowhere?secret=1")
    assert [(event["code"], event["method"], event["path"]) for event in asking.events.kept] == [
        ("missing_token", "PUT", "/api/2.0/x"),
        ("path_not_allowed", "DELETE", "/nowhere"),
    ]


def test_a_token_that_passes_through_is_the_callers_own(asker: Make, bearer: Bearer, source: str) -> None:
    token = bearer()
    assert asker(source, credentials=PassThrough()).ask(token).value("authorization") == token.decode()


def test_a_token_that_databricks_would_refuse_is_not_passed_through(asker: Make, bearer: Bearer, source: str) -> None:
    reply = asker(source, credentials=PassThrough()).ask(bearer(lifetime=30))
    assert (reply.status, reply.value("tokenward-refused")) == (401, "token_expired")


def test_one_token_for_all_is_kept_no_longer_than_the_callers_own_lives(asker: Make, bearer: Bearer, source: str) -> None:
    reply = asker(source, credentials=Fixed("service-token")).ask(bearer(lifetime=50))
    assert reply.value("authorization") == "Bearer service-token"
    assert reply.value("cache-control") == "max-age=10"


def test_a_head_of_an_envoy_caller_is_judged_as_a_head(asker: Make, bearer: Bearer) -> None:
    asking = asker("envoy")
    assert asking.ask(bearer(), method="HEAD").status == 200
    reply = asking.ask(method="HEAD")
    assert (reply.status, reply.body) == (401, b"")
    assert int(reply.value("content-length")) > 0


# -- where it stands ---------------------------------------------------------------------------------------------------


def test_it_can_be_mounted_below_a_path_of_another_app(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source)
    assert asking.ask(bearer(), root="/auth").status == 200
    assert asking.ask(bearer(), root="/auth", target=b"/nowhere").value("tokenward-refused") == "path_not_allowed"


def test_verdicts_have_the_address_that_was_configured(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source, prefix="/ask/here")
    assert asking.ask(bearer(), prefix=b"/ask/here").status == 200
    assert asking.ask(bearer(), prefix=b"/verdict").value("tokenward-refused") == "request_malformed"
    assert asking.ask(bearer(), prefix=b"/ask").value("tokenward-refused") == "request_malformed"


def test_a_server_that_hides_the_path_as_it_was_sent_gets_no_yes(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source)
    scope = asking.scope("GET", b"/api/2.0/clusters/list", (bearer(),))
    assert asking.send(scope).status == 200
    del scope["raw_path"]
    assert asking.send(scope).value("tokenward-refused") == "request_malformed"


def test_health_and_readiness_need_no_token(asker: Make, source: str, issuer: LocalIssuer) -> None:
    asking = asker(source)
    assert asking.get("/-/health").document == {"status": "ok"}
    assert (asking.get("/-/ready").status, asking.get("/-/ready", "HEAD").body) == (503, b"")
    asyncio.run(asking.app.verifier.warm_up())
    assert asking.get("/-/ready").document == {"status": "ready"}
    assert asking.get("/-/ready", "POST").status in (400, 403)


def test_while_it_stops_it_is_not_ready_and_gives_verdicts_to_the_end(asker: Make, bearer: Bearer, source: str) -> None:
    asking = asker(source)
    assert asking.ask(bearer()).status == 200
    asking.app.drain()
    assert asking.get("/-/ready").document == {"status": "draining"}
    assert asking.ask(bearer()).status == 200


def test_the_lifespan_fetches_keys_before_the_first_verdict(asker: Make, issuer: LocalIssuer) -> None:
    asking = asker()
    seen: list[dict[str, Any]] = []
    ready: list[bool] = []
    waiting = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> dict[str, Any]:
        return {"type": waiting.pop(0)}

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)
        ready.append(all(source.usable for source in asking.app.verifier.status()))

    asyncio.run(asking.app({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in seen] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert ready[0]


@pytest.mark.parametrize("extension", [True, False], ids=["with denial responses", "without"])
def test_a_websocket_is_refused(asker: Make, bearer: Bearer, extension: bool) -> None:
    asking = asker()
    sent: list[dict[str, Any]] = []
    scope: dict[str, Any] = {"type": "websocket", "path": "/verdict", "headers": [(b"authorization", bearer())]}
    scope["extensions"] = {"websocket.http.response": {}} if extension else {}

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(asking.app(scope, receive, send))
    if extension:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 501)
    else:
        assert (sent[0]["type"], sent[0]["code"]) == ("websocket.close", 1008)
    assert asking.codes == ["upgrade_not_allowed"]


def test_a_connection_of_an_unknown_kind_is_no_connection(asker: Make) -> None:
    with pytest.raises(NotImplementedError):
        asker().send({"type": "webtransport"})


WRONG: list[Any] = [
    pytest.param({"source": "apache"}, "source", id="a proxy that is not known"),
    pytest.param({"source": ["nginx"]}, "source", id="a list of proxies"),
    pytest.param({"max_age": -1}, "max_age", id="a negative age"),
    pytest.param({"max_age": 301}, "max_age", id="more than five minutes"),
    pytest.param({"max_age": 1.5}, "max_age", id="half seconds"),
    pytest.param({"prefix": "verdict"}, "prefix", id="a prefix without a slash"),
    pytest.param({"prefix": "/"}, "prefix", id="no prefix"),
    pytest.param({"prefix": "/verdict/"}, "prefix", id="a prefix with a slash at its end"),
    pytest.param({"prefix": "/a/../b"}, "prefix", id="a prefix with dots"),
    pytest.param({"prefix": "/-"}, "prefix", id="the prefix of health"),
    pytest.param({"credentials": "token"}, "credentials", id="a bare token"),
    pytest.param({"realm": 'a"b'}, "realm", id="a realm with quotes"),
    pytest.param({"warm_up": -1}, "warm_up", id="a negative warm-up"),
]


@pytest.mark.parametrize(("options", "field"), WRONG)
def test_impossible_options_are_refused_at_construction(issuer: LocalIssuer, options: dict[str, Any], field: str) -> None:
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    given: dict[str, Any] = {"credentials": PassThrough()} | options
    with pytest.raises(PolicyError) as refused:
        ForwardAuth(policy, **given)
    assert refused.value.field == field


def test_a_policy_or_a_verifier_and_not_both(issuer: LocalIssuer, wall: HandClock) -> None:
    policy = entra.api(issuer.client_id, [issuer.tenant], cloud=issuer.cloud)
    with pytest.raises(PolicyError):
        ForwardAuth(credentials=PassThrough())
    with pytest.raises(PolicyError):
        ForwardAuth(policy, credentials=PassThrough(), verifier=AsyncVerifier(policy))
