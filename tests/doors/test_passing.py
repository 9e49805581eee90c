"""Who passes without a token: public paths, optional mode, CORS preflights; and who only looks like it."""

from __future__ import annotations

from typing import Any

import pytest

EXEMPT = ["/health", "/public/*", lambda request: path_of(request) == "/by-function"]
PREFLIGHT = [("Origin", b"https://app.example"), ("Access-Control-Request-Method", b"GET")]


def path_of(request: Any) -> str:
    """A predicate is given the ASGI scope, the WSGI environ or Django's request."""
    if not isinstance(request, dict):
        return str(request.path_info)
    return str(request["path"] if "path" in request else request["PATH_INFO"])


OPEN = [
    pytest.param("/health", id="an exact path"),
    pytest.param("/public/", id="the prefix itself"),
    pytest.param("/public/site.css", id="below the prefix"),
    pytest.param("/public/a/b/c", id="far below the prefix"),
    pytest.param("/public/.hidden", id="a leading dot"),
    pytest.param("/public/a..b", id="dots inside a name"),
    pytest.param("/public/łódź.html", id="other than ASCII"),
    pytest.param("/by-function", id="by a function of the request"),
]

GUARDED = [
    pytest.param("/", id="the root"),
    pytest.param("/jobs", id="another path"),
    pytest.param("/health/", id="an exact path and a slash"),
    pytest.param("/health/x", id="below an exact path"),
    pytest.param("/healthz", id="an exact path and more"),
    pytest.param("/Health", id="another case"),
    pytest.param("//health", id="two slashes before an exact path"),
    pytest.param("/x/../health", id="up again to an exact path"),
    pytest.param("/public", id="the prefix without its slash"),
    pytest.param("/publicity", id="a longer name"),
    pytest.param("/public/../jobs", id="up and out"),
    pytest.param("/public/a/../../jobs", id="up twice"),
    pytest.param("/public/..", id="up at the end"),
    pytest.param("/public/.", id="a dot at the end"),
    pytest.param("/public/./jobs", id="a dot"),
    pytest.param("/public//jobs", id="two slashes"),
    pytest.param("/public///", id="slashes only"),
    pytest.param("/public/%2e%2e/jobs", id="dots that were escaped twice"),
    pytest.param("/public/%2E%2E%2Fjobs", id="a slash that was escaped twice"),
    pytest.param("/public/..;/jobs", id="a path parameter after dots"),
    pytest.param("/public/;x=/../jobs", id="a path parameter"),
    pytest.param("/public/..\\jobs", id="a backslash"),
    pytest.param("/public/\x00", id="NUL"),
    pytest.param("/public/.\t./jobs", id="a tab that URL parsers drop"),
    pytest.param("/public/.\r\n./jobs", id="a line break that URL parsers drop"),
    pytest.param("/public\u2215..", id="something like a slash"),
]


@pytest.mark.parametrize("path", OPEN)
def test_an_exempt_path_needs_no_token_and_has_no_identity(doors: Any, middleware: str, path: str) -> None:
    reply = doors.open(middleware, exempt=EXEMPT).ask(path=path)
    assert reply.status == 200
    assert reply.seen == {"identity": None, "claims": None}


@pytest.mark.parametrize("path", GUARDED)
def test_no_trick_with_the_path_opens_the_door(doors: Any, middleware: str, path: str) -> None:
    guarded = doors.open(middleware, exempt=EXEMPT)
    assert guarded.ask(path=path).status == 401
    assert guarded.codes == ["missing_token"]


@pytest.mark.parametrize("kind", ["wsgi", "django under wsgi"])
def test_a_path_that_is_not_utf8_is_guarded(doors: Any, kind: str) -> None:
    guarded = doors.open(kind, exempt=EXEMPT)
    assert guarded.ask(path="/public/\udcff\udcfe").status == 401


def test_a_token_on_an_exempt_path_is_not_looked_at(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware, exempt=EXEMPT)
    assert guarded.ask(b"Bearer garbage", path="/health").seen["identity"] is None
    assert guarded.ask(doors.bearer(), path="/health").seen["identity"] is None


def test_exempt_paths_are_relative_to_where_the_app_is_mounted(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware, exempt=EXEMPT)
    assert guarded.ask(path="/health", root="/api").status == 200
    assert guarded.ask(path="/public/x", root="/api").status == 200
    assert guarded.ask(path="/jobs", root="/health").status == 401
    assert guarded.ask(path="/api/health", root="/api").status == 401


# -- optional mode -----------------------------------------------------------------------------------------------------

OPTIONAL = [
    pytest.param(lambda doors: [], 200, id="no header passes"),
    pytest.param(lambda doors: [b"Basic dXNlcjpwYXNz"], 200, id="another scheme passes"),
    pytest.param(lambda doors: [b"Bearer garbage"], 401, id="a bad token does not"),
    pytest.param(lambda doors: [doors.bearer(lifetime=-60)], 401, id="an expired token does not"),
    pytest.param(lambda doors: [doors.bearer(scopes=["other"])], 403, id="a scope too few does not"),
    pytest.param(lambda doors: [b"Bearer"], 400, id="a scheme without a token does not"),
    pytest.param(lambda doors: [b""], 400, id="an empty header does not"),
    pytest.param(lambda doors: [b"Basic eA==, " + doors.bearer()], 400, id="a token joined to another scheme does not"),
    pytest.param(lambda doors: [b"Basic eA==", doors.bearer()], 400, id="a token beside another scheme does not"),
]


@pytest.mark.parametrize(("header", "status"), OPTIONAL)
def test_optional_lets_pass_only_requests_without_a_token(doors: Any, middleware: str, header: Any, status: int) -> None:
    reply = doors.open(middleware, optional=True).ask(*header(doors))
    assert reply.status == status
    assert status != 200 or reply.seen == {"identity": None, "claims": None}


def test_optional_still_identifies_who_sends_a_token(doors: Any, middleware: str) -> None:
    assert doors.open(middleware, optional=True).ask(doors.bearer()).seen["identity"]["kind"] == "user"


def test_optional_does_not_open_the_door_when_the_issuer_is_down(doors: Any, middleware: str) -> None:
    doors.issuer.fail("reset")
    assert doors.open(middleware, optional=True).ask(doors.bearer()).status == 503


# -- preflights --------------------------------------------------------------------------------------------------------


def test_a_preflight_passes_and_carries_no_identity(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware, allow_preflight=True)
    reply = guarded.ask(method="OPTIONS", headers=PREFLIGHT)
    assert reply.status == 200
    assert reply.seen == {"identity": None, "claims": None}
    assert guarded.ask(b"Bearer garbage", method="OPTIONS", headers=PREFLIGHT).status == 401, "a bad token never passes"


def test_a_preflight_reaches_no_app_that_did_not_ask_for_it(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware)
    assert guarded.ask(method="OPTIONS", headers=PREFLIGHT).status == 401
    (event,) = guarded.events
    assert event["code"] == "missing_token"
    assert "CORS" in event["hint"]


@pytest.mark.parametrize(
    ("method", "headers", "options"),
    [
        pytest.param("OPTIONS", [], {"allow_preflight": True}, id="a plain OPTIONS"),
        pytest.param("OPTIONS", PREFLIGHT[:1], {"allow_preflight": True}, id="OPTIONS with an origin only"),
        pytest.param("OPTIONS", PREFLIGHT[1:], {"allow_preflight": True}, id="OPTIONS without an origin"),
        pytest.param("GET", PREFLIGHT, {"allow_preflight": True}, id="GET with a preflight's headers"),
        pytest.param("OPTIONS", PREFLIGHT, {"allow_preflight": False}, id="preflights not allowed"),
    ],
)
def test_only_a_preflight_passes_as_one(doors: Any, middleware: str, method: str, headers: Any, options: Any) -> None:
    guarded = doors.open(middleware, **options)
    assert guarded.ask(method=method, headers=headers).status == 401
    assert guarded.codes == ["missing_token"]
