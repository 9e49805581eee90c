"""Every argument of every door is judged where it is written: a wrong one is refused by name, before any request."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable
from typing import Any

import pytest
import structlog

from tokenward import AsyncVerifier, PolicyError, Verifier
from tokenward.diagnostics import Diagnostics
from tokenward.middleware import asgi, django, fastapi, wsgi
from tokenward.middleware.door import Door

NUMBERS = [math.nan, math.inf, -math.inf, 10**400]


async def _later(_: object = None) -> float:
    return 0.0


class Silent:
    """Half a logger."""

    def info(self, event: str, **fields: Any) -> None: ...


DOOR: dict[str, list[Any]] = {
    "exempt": [
        "/health",
        b"/health",
        1,
        None,
        {"/health": True},
        ["health"],
        [None],
        [b"/health"],
        ["/a/*/b"],
        ["/a*"],
        [_later],
    ],
    "optional": ["no", 1, None],
    "realm": ['"', "a\r\nX: y", 5, b"jobs"],
    "allow_preflight": ["yes", 0, None],
    "diagnostics": ["log", Silent(), Diagnostics, structlog.get_logger(), False],
}
GUARD: dict[str, list[Any]] = {"policy": [7, "project.policy", None, object()], "verifier": [7, "project.verifier", object()]}
DIAGNOSTICS: dict[str, list[Any]] = {
    "first": [-1, 1.5, True, "10", *NUMBERS],
    "interval": [-1, "60", None, True, 86401, *NUMBERS],
    "docs": ["", None, 5, b"docs/", " docs/", "docs/\n"],
    "logger": ["log", object(), Silent(), logging.getLogger(), logging.LoggerAdapter(logging.getLogger())],
    "monotonic": [5.0, None, _later],
}
ASGI = (
    DOOR
    | GUARD
    | {
        "app": [None, "app"],
        "warm_up": [-1, "10", None, True, 3601, *NUMBERS],
        "require_keys": ["yes", 1, None],
    }
)
WSGI = DOOR | GUARD | {"application": [None, "app"]}
FASTAPI = {name: DOOR[name] for name in ("optional", "realm", "diagnostics")} | {
    "policy": [7, "project.policy", object()],
    "verifier": [7, object()],
    "scheme_name": ["", "a b", 5, None, "a\n", "a/b"],
}
TABLES: dict[Callable[..., Any], dict[str, list[Any]]] = {
    Door: DOOR,
    Diagnostics: DIAGNOSTICS,
    asgi.BearerMiddleware: ASGI,
    wsgi.BearerMiddleware: WSGI,
    fastapi.BearerAuth: FASTAPI,
}
WRONG = [
    pytest.param(make, name, value, id=f"{make.__module__.rpartition('.')[2]} {name} {number} ({type(value).__name__})")
    for make, table in TABLES.items()
    for name, values in table.items()
    for number, value in enumerate(values, 1)
]


def _right(make: Callable[..., Any], doors: Any) -> dict[str, Any]:
    """Arguments that pass, of which one is then replaced."""
    right = {"app": doors.asgi_echo, "application": doors.wsgi_echo, "policy": doors.policy()}
    return {name: value for name, value in right.items() if name in inspect.signature(make).parameters}


@pytest.mark.parametrize("make", TABLES)
def test_every_argument_has_a_row_of_wrong_values(make: Callable[..., Any]) -> None:
    assert set(inspect.signature(make).parameters) == set(TABLES[make])


def test_djangos_setting_has_the_arguments_of_the_other_doors() -> None:
    assert {key.lower() for key in django.KEYS} == set(inspect.signature(Door).parameters) | {"policy", "verifier"}
    assert set(inspect.signature(django.BearerMiddleware).parameters) == {"get_response"}  # which Django gives


@pytest.mark.parametrize(("make", "name", "value"), WRONG)
def test_a_wrong_argument_is_refused_by_name(doors: Any, make: Callable[..., Any], name: str, value: Any) -> None:
    arguments = _right(make, doors)
    if name == "verifier":
        del arguments["policy"]
    with pytest.raises(PolicyError) as caught:
        make(**arguments | {name: value})
    assert caught.value.field == name
    assert caught.value.problem
    assert caught.value.fix


@pytest.mark.parametrize("make", TABLES)
def test_right_arguments_are_taken(doors: Any, make: Callable[..., Any]) -> None:
    """Or the refusals above would say nothing."""
    assert make(**_right(make, doors))


@pytest.mark.parametrize(
    ("make", "kind"),
    [(asgi.BearerMiddleware, Verifier), (fastapi.BearerAuth, Verifier), (wsgi.BearerMiddleware, AsyncVerifier)],
    ids=["asgi", "fastapi", "wsgi"],
)
def test_a_verifier_of_the_other_kind_is_refused(doors: Any, make: Callable[..., Any], kind: Any) -> None:
    """The answer of an AsyncVerifier would be a coroutine, and every coroutine is true."""
    arguments = _right(make, doors) | {"policy": None, "verifier": kind(doors.policy())}
    with pytest.raises(PolicyError) as caught:
        make(**arguments)
    assert caught.value.field == "verifier"


@pytest.mark.parametrize("warm_up", [0, 0.05, 3600])
def test_a_sensible_warm_up_is_taken(doors: Any, warm_up: float) -> None:
    assert asgi.BearerMiddleware(doors.asgi_echo, policy=doors.policy(), warm_up=warm_up)
