"""Workspace.me on threads, asyncio and trio: whom the workspace names, and what each of its refusals means."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tokenward.databricks import AccessToken
from tokenward.databricks.workspace.workspace import Workspace
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing import HandClock, LocalIssuer
from tokenward.testing.workspace import DEFAULT_SERVICE_PRINCIPAL, DEFAULT_USER, DatabricksWorkspace, Fault, WorkspaceServer

PATH = "/api/2.0/preview/scim/v2/Me"
HOST = "adb-1.2.azuredatabricks.net"
AskerOf = Callable[..., Any]


def _asked(standin: DatabricksWorkspace) -> int:
    return standin.counts[f"GET {PATH}"]


def test_it_is_the_user_whom_the_workspace_names(asker: Any, standin: DatabricksWorkspace) -> None:
    user = asker.me(standin.access_token())
    assert (user.user_name, user.display_name, user.active, user.org_id) == (
        DEFAULT_USER,
        "Ada Example",
        True,
        standin.workspace_id,
    )
    assert user.id == "1001"
    assert DEFAULT_USER not in repr(user)


def test_an_exchanged_token_and_an_entra_token_may_be_asked_about(
    asker: Any, standin: DatabricksWorkspace, issuer: LocalIssuer
) -> None:
    token = AccessToken(standin.access_token(DEFAULT_SERVICE_PRINCIPAL), standin.clock() + 3600, "all-apis", "exchange")
    assert asker.me(token).user_name == DEFAULT_SERVICE_PRINCIPAL
    assert asker.me(issuer.databricks_token()).user_name == DEFAULT_USER


def test_entitlements_are_not_asked_for(asker: Any, standin: DatabricksWorkspace) -> None:
    asker.me(standin.access_token())
    assert dict(standin.requests[-1].query) == {"excludedAttributes": "entitlements"}


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_an_answer_serves_for_a_minute_and_no_longer(
    asker: Any, standin: DatabricksWorkspace, wall: HandClock, mono: HandClock
) -> None:
    token = standin.access_token()
    for _ in range(2):
        asker.me(token)
    wall.advance(59)
    mono.advance(59)
    asker.me(token)
    assert _asked(standin) == 1
    mono.advance(1)
    asker.me(token)
    assert _asked(standin) == 2


@pytest.mark.parametrize("opaque", [False, True], ids=["a JWT", "an AccessToken"])
def test_an_answer_never_serves_beyond_the_tokens_end(
    asker_of: AskerOf, standin: DatabricksWorkspace, wall: HandClock, mono: HandClock, opaque: bool
) -> None:
    asker = asker_of(standin.home, fetch=standin.fetch, keep=3600)
    token: Any = standin.access_token(lifetime=100)
    if opaque:
        token = AccessToken(token, wall() + 100, "all-apis", "exchange")
    asker.me(token)
    wall.advance(101)
    mono.advance(101)
    with pytest.raises(AuthenticationError):
        asker.me(token)


def test_each_token_and_each_host_has_an_answer_of_its_own(asker_of: AskerOf, standin: DatabricksWorkspace) -> None:
    hosts: list[str] = []

    def fetch(request: FetchRequest) -> FetchResponse:
        hosts.append(request.url.split("/")[2])
        return _response(200, {"userName": f"{hosts[-1]} {request.fields['Authorization']}"})

    one, other = asker_of("one.example", fetch=fetch), asker_of("other.example", fetch=fetch)
    assert [one.me("a").user_name, one.me("b").user_name, one.me("a").user_name] == [
        "one.example Bearer a",
        "one.example Bearer b",
        "one.example Bearer a",
    ]
    assert other.me("a").user_name == "other.example Bearer a"
    assert hosts == ["one.example", "one.example", "other.example"]


def test_nothing_is_kept_where_keep_is_none_or_it_was_closed(asker_of: AskerOf, standin: DatabricksWorkspace) -> None:
    asker = asker_of(standin.home, fetch=standin.fetch, keep=0)
    for _ in range(2):
        asker.me(standin.access_token())
    assert _asked(standin) == 2
    kept = asker_of(standin.home, fetch=standin.fetch)
    token = standin.access_token()
    kept.me(token)
    kept.close()
    kept.me(token)
    assert _asked(standin) == 4


def test_a_refusal_is_repeated_for_moments_only(asker: Any, standin: DatabricksWorkspace, mono: HandClock) -> None:
    token = standin.access_token()
    standin.directory.remove(DEFAULT_USER)
    for _ in range(2):
        with pytest.raises(AuthenticationError):
            asker.me(token)
    assert _asked(standin) == 1
    standin.directory.add_user(DEFAULT_USER)
    mono.advance(10)
    assert asker.me(token).user_name == DEFAULT_USER


def test_a_hundred_callers_at_once_ask_once(server: WorkspaceServer, standin: DatabricksWorkspace, wall: HandClock) -> None:
    workspace = Workspace(server.url, clock=wall)
    token = standin.access_token()
    with ThreadPoolExecutor(100) as executor:
        users = list(executor.map(lambda _: workspace.me(token).user_name, range(100)))
    assert (set(users), _asked(standin)) == ({DEFAULT_USER}, 1)


# -- refusals, from the stand-in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(lambda on, issuer: "abc", "exchange_refused", id="garbage"),
        pytest.param(
            lambda on, issuer: "dapi0123456789abcdef", "exchange_refused", id="a personal access token that is not valid"
        ),
        pytest.param(lambda on, issuer: on.access_token(lifetime=30), "token_expired", id="about to expire"),
        pytest.param(lambda on, issuer: issuer.databricks_token(lifetime=-1), "token_expired", id="expired"),
        pytest.param(lambda on, issuer: issuer.databricks_token(claims={"aud": "x"}), "exchange_refused", id="another audience"),
        pytest.param(
            lambda on, issuer: issuer.app_token("1.0", audience=_RESOURCE), "user_not_in_workspace", id="not in the workspace"
        ),
    ],
)
def test_each_recorded_refusal_has_its_code(
    asker: Any, standin: DatabricksWorkspace, issuer: LocalIssuer, make: Callable[..., str], code: str
) -> None:
    with pytest.raises(AuthenticationError) as refused:
        asker.me(make(standin, issuer))
    assert refused.value.code == code


_RESOURCE = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"


def test_the_log_is_told_what_the_workspace_said_and_no_name(asker_of: AskerOf) -> None:
    answer = _response(403, {"error_code": "PERMISSION_DENIED", "message": "ada@contoso.example is not here"})
    with pytest.raises(AuthenticationError) as refused:
        asker_of(HOST, fetch=lambda _: answer).me("secret-token")
    assert refused.value.actual == ["HTTP 403", "<name> is not here"]
    assert "secret-token" not in repr(vars(refused.value))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("status", status=500), id="500"),
        pytest.param(Fault("status", status=404), id="404"),
        pytest.param(Fault("status", status=429, retry_after=120), id="429"),
        pytest.param(Fault("html"), id="a gateway's page"),
        pytest.param(Fault("empty"), id="empty"),
        pytest.param(Fault("garbage"), id="half of an object"),
        pytest.param(Fault("reset"), id="broken connection"),
        pytest.param(Fault("truncated"), id="broken off"),
        pytest.param(Fault("lie", members={"userName": ""}), id="no name"),
        pytest.param(Fault("lie", members={"userName": 7}), id="a name that is a number"),
        pytest.param(Fault("lie", members={"active": "false"}), id="active is a word"),
    ],
)
def test_what_decides_nothing_is_unavailable(asker: Any, standin: DatabricksWorkspace, fault: Fault) -> None:
    standin.fail(fault)
    with pytest.raises(AuthenticationError) as refused:
        asker.me(standin.access_token())
    assert (refused.value.code, refused.value.status) == ("exchange_unavailable", 503)
    assert (refused.value.retry_after or 0) >= (120 if fault.retry_after else 1)


def test_a_short_wish_to_wait_is_granted_and_asked_again(asker: Any, standin: DatabricksWorkspace) -> None:
    standin.fail(Fault("status", status=429, retry_after=0, times=1))
    assert asker.me(standin.access_token()).user_name == DEFAULT_USER
    assert _asked(standin) == 2


def test_no_name_is_unavailable_when_the_workspace_is_gone(asker_of: AskerOf) -> None:
    with WorkspaceServer() as gone:
        url = gone.url
    with pytest.raises(AuthenticationError) as refused:
        asker_of(url, timeout=3.0).me("abc")
    assert refused.value.code == "exchange_unavailable"


# -- refusals, as recorded ---------------------------------------------------------------------------------------------


def _response(status: int, body: object, **headers: str) -> FetchResponse:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return FetchResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


_PAGE = (
    "<html><head><title>Error 403 {0}</title></head><body><h2>HTTP ERROR 403</h2><p>Reason:\n<pre>    {0}</pre></p></body></html>"
)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (
            401,
            {"error_code": 401, "message": "Credential was not sent or was of an unsupported type for this API."},
            "exchange_refused",
        ),
        (401, "Invalid Token", "exchange_refused"),
        (401, {"error_code": 401, "message": "Token is expired"}, "token_expired"),
        (403, {"error_code": 403, "message": "Invalid access token."}, "exchange_refused"),
        (403, {"error_code": "403", "message": "Invalid Token"}, "exchange_refused"),
        (403, _PAGE.format("User not authorized."), "user_not_in_workspace"),
        (403, _PAGE.format("Token is expiring within 30 seconds. (token expired)"), "token_expired"),
        (403, {"error_code": "PERMISSION_DENIED", "message": "no access"}, "user_not_in_workspace"),
        (403, {"detail": "no access", "status": "403", "scimType": None}, "user_not_in_workspace"),
        (403, _PAGE.format("Blocked by the company's proxy"), "exchange_unavailable"),
        (403, "", "exchange_unavailable"),
        (
            400,
            "<pre>io.jsonwebtoken.IncorrectClaimException: Expected aud claim to be: 2ff8, but was: x.</pre>",
            "exchange_refused",
        ),
        (400, "<title>io.jsonwebtoken.ExpiredJwtException: JWT expired at 2026</title>", "token_expired"),
        (400, {"error_code": "BAD_REQUEST", "message": "what?"}, "exchange_unavailable"),
        (302, "", "exchange_unavailable"),
        (200, "<html>Sign in</html>", "exchange_unavailable"),
        (204, "", "exchange_unavailable"),
        (503, {"message": "Token is expired"}, "exchange_unavailable"),
    ],
)
def test_every_recorded_answer_means_what_it_meant(asker_of: AskerOf, status: int, body: object, code: str) -> None:
    with pytest.raises(AuthenticationError) as refused:
        asker_of(HOST, fetch=lambda _: _response(status, body), timeout=0.5).me("abc")
    assert refused.value.code == code


def test_a_private_link_is_told_apart_for_the_operator(asker_of: AskerOf) -> None:
    answer = _response(302, "", location="/login.html?error=private-link-validation-error:123")
    with pytest.raises(AuthenticationError) as refused:
        asker_of(HOST, fetch=lambda _: answer).me("abc")
    assert "private link" in refused.value.reason


@pytest.mark.parametrize("seed", range(28))
def test_no_answer_at_all_makes_anything_else_escape(asker_of: AskerOf, seed: int) -> None:
    """Bytes at random, under every status that means something."""
    status = (200, 302, 400, 401, 403, 429, 500)[seed % 7]
    body = (b"", os.urandom(50), b'{"userName":' + os.urandom(9), b'{"message":' + b"[" * seed)[seed % 4]
    with pytest.raises(AuthenticationError):
        asker_of(HOST, fetch=lambda _: FetchResponse(status, {}, body), timeout=0.01).me("abc")


# -- arguments ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "ä", "Bearer abc", None, b"abc"])
def test_what_is_no_token_is_never_sent(asker_of: AskerOf, token: Any) -> None:
    def fetch(_: FetchRequest) -> FetchResponse:
        raise FetchFailed("other", "it was sent")

    with pytest.raises(AuthenticationError) as refused:
        asker_of(HOST, fetch=fetch).me(token)
    assert refused.value.code == "malformed_token"


@pytest.mark.parametrize(
    ("host", "options"),
    [
        ("http://adb-1.2.azuredatabricks.net", {}),
        ("https://adb-1.2.azuredatabricks.net/api", {}),
        ("https://adb-1.2.azuredatabricks.net/?a=b", {}),
        ("", {}),
        (None, {}),
        (HOST, {"keep": -1}),
        (HOST, {"keep": 4000}),
        (HOST, {"timeout": 0}),
        (HOST, {"remember": -1}),
    ],
)
def test_impossible_arguments_are_refused_at_once(asker_of: AskerOf, host: Any, options: dict[str, Any]) -> None:
    with pytest.raises(PolicyError):
        asker_of(host, **options)


def test_a_fetch_of_the_other_kind_is_refused() -> None:
    from tokenward.databricks.workspace.workspace import AsyncWorkspace

    async def fetch(_: FetchRequest) -> FetchResponse:
        raise NotImplementedError

    with pytest.raises(PolicyError):
        Workspace(HOST, fetch=fetch)  # type: ignore[arg-type]
    with pytest.raises(PolicyError):
        AsyncWorkspace(HOST, fetch=lambda _: _response(200, {}))  # type: ignore[arg-type,return-value]
