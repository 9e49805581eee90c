"""Where the app is mounted: exempt paths are those that the app's own router sees, by whichever server and framework."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from tokenward.middleware.asgi import BearerMiddleware


async def _name(request: Any) -> PlainTextResponse:
    return PlainTextResponse(request.url.path)


def _inner(doors: Any, *exempt: str) -> BearerMiddleware:
    """An app with its own router, guarded within."""
    paths = ("", "/", "/health", "/jobs", "/api", "/api/health")
    return BearerMiddleware(Starlette(routes=[Route(path or "/", _name) for path in paths]), policy=doors.policy(), exempt=exempt)


def _ask(doors: Any, app: Any, path: str, root: str = "") -> int:
    """`path` is as ASGI has it: the whole of it, with `root` at its front."""
    scope = doors.asgi_scope("GET", "", []) | {"path": path, "root_path": root}
    return int(doors.ask_asgi(app, scope).status)


@pytest.mark.parametrize("outer", ["starlette", "fastapi"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/api/health", 200, id="an exempt path below the mount"),
        pytest.param("/api/", 200, id="the mount's root, exempt"),
        pytest.param("/api/jobs", 401, id="a guarded path below the mount"),
        pytest.param("/api/api/health", 401, id="the mount's name once more"),
        pytest.param("/api//health", 401, id="two slashes"),
    ],
)
def test_below_a_mount_paths_begin_at_the_mount(doors: Any, outer: str, path: str, status: int) -> None:
    inner = _inner(doors, "/", "/health")
    app: Any = Starlette(routes=[Mount("/api", inner)]) if outer == "starlette" else FastAPI()
    if outer == "fastapi":
        app.mount("/api", inner)
    assert _ask(doors, app, path) == status


def test_below_two_mounts_paths_begin_at_the_inner_one(doors: Any) -> None:
    app = Starlette(routes=[Mount("/a", routes=[Mount("/b", _inner(doors, "/health"))])])
    assert _ask(doors, app, "/a/b/health") == 200
    assert _ask(doors, app, "/a/b/jobs") == 401


ROOTS = [
    pytest.param("/api", "/api/health", 200, id="an exempt path, with the root path at its front"),
    pytest.param("/api", "/api/", 200, id="the root, exempt"),
    pytest.param("/api", "/api/jobs", 401, id="a guarded path"),
    pytest.param("/api", "/api", 401, id="the mount point without a slash, which no rule names"),
    pytest.param("/health", "/health", 401, id="a mount point that is called like an exempt path"),
    pytest.param("/api", "/apihealth", 401, id="a longer name than the root path"),
    pytest.param("/api/", "/api//health", 200, id="a root path with a slash at its end"),
    pytest.param("", "/health", 200, id="no root path"),
    pytest.param("/api", "/health", 200, id="an older server, which does not put it in front"),
    pytest.param("/heal", "/health", 200, id="an older server, and a root path that is the beginning of a name"),
    pytest.param("/api", "/jobs", 401, id="an older server, a guarded path"),
]


@pytest.mark.parametrize(("root", "path", "status"), ROOTS)
def test_with_a_root_path_of_the_server_paths_begin_behind_it(doors: Any, root: str, path: str, status: int) -> None:
    assert _ask(doors, _inner(doors, "/", "/health"), path, root) == status


@pytest.mark.parametrize("kind", ["asgi on asyncio", "wsgi", "django under asgi"])
def test_the_mount_point_without_a_slash_is_guarded(doors: Any, kind: str) -> None:
    """Frameworks differ in what they make of it, so that no rule may speak of it."""
    guarded = doors.open(kind, exempt=["/"])
    assert guarded.ask(path="/", root="/api").status == 200
    assert guarded.ask(path="", root="/api").status == 401


def test_django_under_wsgi_makes_a_slash_of_it_for_everyone(doors: Any) -> None:
    guarded = doors.open("django under wsgi", exempt=["/"])
    assert guarded.ask(path="", root="/api").status == 200


def test_a_refusal_is_logged_with_the_whole_path(doors: Any, middleware: str) -> None:
    guarded = doors.open(middleware)
    guarded.ask(path="/jobs", root="/api")
    assert [event["path"] for event in guarded.events] == ["/api/jobs"]
