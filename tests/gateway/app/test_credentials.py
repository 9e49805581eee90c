"""What goes on in place of the caller's token; where there is nothing to go on with, the caller's own never does."""

from __future__ import annotations

from typing import Any

import pytest

from tokenward.acquisition import entries
from tokenward.databricks import Exchange
from tokenward.databricks.admission.credentials import Fixed
from tokenward.databricks.tokens import AsyncTokenSource
from tokenward.redaction import shown
from tokenward.testing.loopback import free_port
from tokenward.testing.workspace import Fault

ME = "/api/2.0/preview/scim/v2/Me"
PATH = "/api/2.0/anything"


def _sent(upstream: Any) -> list[str]:
    """The one Authorization value of each request that arrived."""
    return [request.value("authorization") for request in upstream.requests]


def _came_through(upstream: Any, token: str) -> bool:
    return any(token.encode() in wire.seen for wire in upstream.connections)


def test_the_callers_own_token_goes_on_where_it_passes_through(serve: Any, upstream: Any, bearer: Any) -> None:
    gateway = serve()
    value = bearer("grace")
    assert gateway.ask("GET", PATH, bearer=value).status == 200
    assert _sent(upstream) == [value]


def test_the_scheme_goes_on_in_its_usual_spelling(serve: Any, upstream: Any, bearer: Any) -> None:
    value = bearer()
    assert serve().ask("GET", PATH, bearer=value.replace("Bearer ", "bEARER   ")).status == 200
    assert _sent(upstream) == [value]


def test_a_token_that_databricks_would_find_too_old_does_not_go_on(serve: Any, upstream: Any, bearer: Any, events: Any) -> None:
    gateway = serve()
    answer = gateway.ask("GET", PATH, bearer=bearer(lifetime=30))
    assert (answer.status, answer.refused) == (401, "token_expired")
    assert gateway.ask("GET", PATH, bearer=bearer(lifetime=31)).status == 200
    assert (events.codes, len(upstream.requests)) == (["token_expired"], 1)
    assert events.kept[0]["signature_held"] is True


def test_a_fixed_token_goes_on_for_every_caller(serve: Any, upstream: Any, bearer: Any) -> None:
    gateway = serve(credentials=Fixed("dapi0123456789abcdef"))
    mine = bearer("grace")
    assert [gateway.ask("GET", PATH, bearer=value).status for value in (mine, bearer("ada"))] == [200, 200]
    assert _sent(upstream) == ["Bearer dapi0123456789abcdef"] * 2
    assert not _came_through(upstream, mine.removeprefix("Bearer "))


def test_a_fixed_token_goes_on_for_nobody_who_does_not_pass_the_policy(serve: Any, upstream: Any, bearer: Any) -> None:
    gateway = serve(credentials=Fixed("dapi0123456789abcdef"))
    answer = gateway.ask("GET", PATH, bearer=bearer(tenant="00000000-0000-4000-8000-000000000000"))
    assert (answer.status, answer.refused) == (401, "invalid_token")
    assert upstream.requests == []


def test_callers_reach_the_workspace_with_the_tokens_that_it_gave_for_theirs(serve: Any, workspace: Any, federated: Any) -> None:
    gateway = serve(upstream=workspace.url, allow=["me"], **federated | {"credentials": Exchange(workspace.url)})
    jwt = workspace.workspace.federated_jwt()
    answers = [gateway.ask("GET", ME, bearer=f"Bearer {jwt}") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert answers[0].json["userName"] == "ada@contoso.example"
    assert len(workspace.workspace.exchanges) == 1


def test_an_exchanged_token_replaces_the_callers(serve: Any, upstream: Any, workspace: Any, federated: Any) -> None:
    gateway = serve(**federated)
    jwt = workspace.workspace.federated_jwt()
    assert gateway.ask("GET", PATH, bearer=f"Bearer {jwt}").status == 200
    [value] = _sent(upstream)
    assert value.startswith("Bearer ")
    assert not _came_through(upstream, jwt)
    assert federated["credentials"].status().held == 1


def test_two_callers_have_two_tokens(serve: Any, upstream: Any, workspace: Any, federated: Any) -> None:
    workspace.workspace.directory.add_user("grace@contoso.example", "Grace Example")
    gateway = serve(**federated)
    for name in ("ada@contoso.example", "grace@contoso.example", "ada@contoso.example"):
        jwt = workspace.workspace.federated_jwt(name, now=workspace.workspace.clock())
        assert gateway.ask("GET", PATH, bearer=f"Bearer {jwt}").status == 200
    first, second, third = _sent(upstream)
    assert len({first, second, third}) == 3


def test_a_refused_exchange_is_401_and_nothing_goes_on(
    serve: Any, upstream: Any, workspace: Any, federated: Any, events: Any
) -> None:
    gateway = serve(**federated)
    jwt = workspace.workspace.federated_jwt("stranger@contoso.example")
    answer = gateway.ask("GET", PATH, bearer=f"Bearer {jwt}")
    assert (answer.status, answer.refused) == (401, "exchange_refused")
    assert 'error="invalid_token"' in str(answer.value("www-authenticate"))
    assert (upstream.requests, events.codes) == ([], ["exchange_refused"])
    [event] = [event for event in events.kept if event["event"] == "token_rejected"]
    entry = entries()[event["upstream_error"]]  # the middleware's own event says what the catalogue does
    assert (event["upstream_meaning"], event["who_must_act"]) == (shown(entry.meaning), entry.causes[0].who)
    assert entry.meaning not in answer.body.decode()


@pytest.mark.parametrize(
    "fault", [Fault("status", "/oidc", status=503, retry_after=1), Fault("html", "/oidc"), Fault("garbage", "/oidc")]
)
def test_an_exchange_that_cannot_be_made_is_503_and_nothing_goes_on(
    serve: Any, upstream: Any, workspace: Any, federated: Any, events: Any, wall: Any, fault: Fault
) -> None:
    workspace.workspace.fail(fault)
    source = AsyncTokenSource(Exchange(workspace.url), clock=wall, observer=None, timeout=0.5)
    gateway = serve(**federated | {"credentials": source})
    answer = gateway.ask("GET", PATH, bearer=f"Bearer {workspace.workspace.federated_jwt()}")
    assert (answer.status, answer.refused, answer.values("www-authenticate")) == (503, "exchange_unavailable", [])
    assert int(str(answer.value("retry-after"))) >= 1
    assert (upstream.requests, events.codes) == ([], ["exchange_unavailable"])


def test_an_endpoint_that_is_not_there_is_503_and_nothing_goes_on(
    serve: Any, upstream: Any, workspace: Any, federated: Any, wall: Any
) -> None:
    source = AsyncTokenSource(Exchange(f"http://127.0.0.1:{free_port()}"), clock=wall, observer=None, timeout=0.5)
    gateway = serve(**federated | {"credentials": source})
    answer = gateway.ask("GET", PATH, bearer=f"Bearer {workspace.workspace.federated_jwt()}")
    assert (answer.status, answer.refused) == (503, "exchange_unavailable")
    assert upstream.requests == []


def test_no_token_is_exchanged_for_a_request_that_no_rule_lets_through(
    serve: Any, upstream: Any, workspace: Any, federated: Any, http: Any
) -> None:
    gateway = serve(**federated, allow=["me"])
    answer = gateway.ask("GET", PATH, bearer=f"Bearer {workspace.workspace.federated_jwt()}")
    assert (answer.status, answer.refused) == (403, "path_not_allowed")
    assert workspace.workspace.exchanges == []


def test_a_stranger_learns_nothing_of_the_rules(serve: Any, upstream: Any) -> None:
    gateway = serve(allow=["me"])
    answers = [gateway.ask(method, path, bearer="Bearer a.b.c") for method, path in (("GET", ME), ("GET", PATH), ("DELETE", ME))]
    assert len({(answer.status, answer.refused, answer.body) for answer in answers}) == 1
    assert (answers[0].status, answers[0].refused) == (401, "invalid_token")


@pytest.mark.parametrize(
    ("fields", "status", "mark"),
    [
        pytest.param([], 401, "missing_token", id="none"),
        pytest.param([("Authorization", "Basic YTpi")], 401, "missing_token", id="another scheme"),
        pytest.param([("Authorization", "Bearer a.b.c"), ("Authorization", "Bearer a.b.c")], 400, "invalid_request", id="two"),
        pytest.param([("Authorization", "Bearer a b")], 400, "invalid_request", id="no token"),
    ],
)
def test_a_request_without_one_token_is_refused_and_marked(
    serve: Any, upstream: Any, http: Any, fields: list[tuple[str, str]], status: int, mark: str
) -> None:
    gateway = serve()
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    client = gateway.connect()
    client.send(f"GET {PATH} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
    answer = http.Message.read(client).read_body(client)
    assert (answer.status, answer.refused) == (status, mark)
    assert str(answer.value("www-authenticate")).startswith("Bearer")
    assert upstream.requests == []


def test_fields_that_say_who_calls_do_not_go_on(serve: Any, upstream: Any, bearer: Any) -> None:
    fields = [
        ("X-Databricks-Azure-SP-Management-Token", "eyJ"),
        ("X-Databricks-Azure-Workspace-Resource-Id", "/subscriptions/x"),
        ("X-Forwarded-Access-Token", "x"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("Cookie", "session=1"),
        ("X-MS-TOKEN-AAD-ACCESS-TOKEN", "x"),
        ("Proxy-Authorization", "Basic x"),
        ("Connection", "authorization, x-private"),
        ("X-Private", "1"),
        ("X-Public", "2"),
    ]
    assert serve().ask("GET", PATH, *fields).status == 200
    gone = [name.lower() for name, _ in fields if name != "X-Public"]
    assert {name: upstream.only.values(name) for name in gone} == {name: [] for name in gone}
    assert upstream.only.value("x-public") == "2"
    assert str(upstream.only.value("authorization")).startswith("Bearer eyJ")
    assert upstream.only.value("host") == f"127.0.0.1:{upstream.port}"


def test_nothing_is_added_to_a_request_but_what_it_needs(serve: Any, upstream: Any) -> None:
    assert serve().ask("GET", PATH).status == 200
    assert sorted(name.lower() for name, _ in upstream.only.fields) == ["authorization", "host"]
