"""What only Django has: the setting TOKENWARD, and a stack that is sync, async or a mixture."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, JsonResponse
from django.test import override_settings
from django.urls import path

from tokenward import AsyncVerifier, PolicyError, Verifier
from tokenward.middleware.django import BearerMiddleware

OURS = "tokenward.middleware.django.BearerMiddleware"
HANDLERS = [pytest.param(WSGIHandler, id="wsgi"), pytest.param(ASGIHandler, id="asgi")]


class SyncOnly:
    """Middleware of the kind that most third-party packages still have."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)


async def async_view(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"user": request.identity.subject, "thread": threading.get_ident()})


class AsyncUrls:
    urlpatterns: ClassVar = [path("jobs", async_view)]


BAD_SETTINGS = [
    pytest.param(None, "TOKENWARD: it is not set", id="no setting"),
    pytest.param("strict", "TOKENWARD: it is not a dict", id="not a dict"),
    pytest.param({}, r"TOKENWARD\['POLICY'\]: it is missing", id="empty"),
    pytest.param({"EXEMPT": []}, r"TOKENWARD\['POLICY'\]: it is missing", id="no policy"),
    pytest.param({"POLICY": None}, r"TOKENWARD\['POLICY'\]: it is missing", id="policy None"),
    pytest.param({"POLICY": 7}, r"TOKENWARD\['POLICY'\]: it is not a Policy", id="policy of another type"),
    pytest.param({"POLICY": "os.path"}, r"TOKENWARD\['POLICY'\]: it is not a Policy", id="a path to something else"),
    pytest.param({"POLICY": "nowhere.policy"}, r"TOKENWARD\['POLICY'\]: 'nowhere.policy' cannot be imported", id="no module"),
    pytest.param({"POLICY": "os.policy"}, r"TOKENWARD\['POLICY'\]: 'os.policy' cannot be imported", id="no attribute"),
    pytest.param({"POLICY": "policy"}, r"TOKENWARD\['POLICY'\]: 'policy' cannot be imported", id="no dotted path"),
    pytest.param(
        {"EXEMTP": []}, r"TOKENWARD\['EXEMTP'\]: there is no such key. The keys are POLICY, VERIFIER, EXEMPT", id="a misspelt key"
    ),
    pytest.param({"exempt": []}, r"TOKENWARD\['exempt'\]: there is no such key", id="a key in lower case"),
    pytest.param({"EXEMPT": "/health"}, r"TOKENWARD\['EXEMPT'\]: it is not a list. Write", id="exempt not a list"),
    pytest.param({"OPTIONAL": "False"}, r"TOKENWARD\['OPTIONAL'\]: it is not True or False", id="a word for a boolean"),
    pytest.param({"ALLOW_PREFLIGHT": None}, r"TOKENWARD\['ALLOW_PREFLIGHT'\]: it is not True or False", id="None for a boolean"),
    pytest.param({"POLICY": None, "VERIFIER": "nowhere.v"}, r"\['VERIFIER'\]: 'nowhere.v' cannot be imported", id="no verifier"),
    pytest.param(
        {"POLICY": None, "VERIFIER": "os.path"}, r"TOKENWARD\['VERIFIER'\]: it is not of the kind", id="no such verifier"
    ),
    pytest.param({"POLICY": None, "VERIFIER": 7}, r"TOKENWARD\['VERIFIER'\]: it is not of the kind", id="a number as verifier"),
    pytest.param({"DIAGNOSTICS": "nowhere.d"}, r"\['DIAGNOSTICS'\]: 'nowhere.d' cannot be imported", id="no diagnostics"),
    pytest.param({"DIAGNOSTICS": "os.path"}, r"TOKENWARD\['DIAGNOSTICS'\]: it is not a Diag", id="a path to no diagnostics"),
    pytest.param({"DIAGNOSTICS": float("nan")}, r"TOKENWARD\['DIAGNOSTICS'\]: it is not a Diag", id="NaN as diagnostics"),
    pytest.param({"REALM": float("inf")}, r"TOKENWARD\['REALM'\]: it ", id="a number as realm"),
    pytest.param({"REALM": '"'}, r"TOKENWARD\['REALM'\]: it holds quotes", id="a quote in the realm"),
]


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize(("setting", "message"), BAD_SETTINGS)
def test_a_bad_setting_stops_django_and_says_which_why_and_how(doors: Any, handler: Any, setting: Any, message: str) -> None:
    if isinstance(setting, dict) and setting and "POLICY" not in setting and "missing" not in message:
        setting = {"POLICY": doors.policy()} | setting
    with override_settings(TOKENWARD=setting, MIDDLEWARE=[OURS]), pytest.raises(ImproperlyConfigured, match=message):
        handler()


@pytest.mark.parametrize(("handler", "kind"), [(WSGIHandler, Verifier), (ASGIHandler, AsyncVerifier)], ids=["wsgi", "asgi"])
def test_a_verifier_may_be_given_instead_of_a_policy(doors: Any, handler: Any, kind: Any, wall: Any, mono: Any) -> None:
    """It verifies with its own clock and its own fetch: nothing is asked over HTTP."""
    fetch = doors.issuer.fetch if kind is Verifier else doors.issuer.async_fetch
    verifier = kind(doors.policy(), clock=wall, monotonic=mono, fetch=fetch)
    header = [("Authorization", doors.bearer(lifetime=60))]
    with override_settings(TOKENWARD={"VERIFIER": verifier, "POLICY": None}, MIDDLEWARE=[OURS]):
        app = handler()
        assert [_ask(doors, app, "/jobs", headers).status for headers in ([], header)] == [401, 200]
        wall.advance(60)
        assert _ask(doors, app, "/jobs", header).status == 401


@pytest.mark.parametrize(("handler", "kind"), [(WSGIHandler, AsyncVerifier), (ASGIHandler, Verifier)], ids=["wsgi", "asgi"])
def test_a_verifier_of_the_other_kind_stops_django(doors: Any, handler: Any, kind: Any) -> None:
    setting = {"VERIFIER": kind(doors.policy())}
    with override_settings(TOKENWARD=setting, MIDDLEWARE=[OURS]), pytest.raises(ImproperlyConfigured, match=r"\['VERIFIER'\]"):
        handler()


def test_a_verifier_beside_a_policy_stops_django(doors: Any) -> None:
    setting = {"VERIFIER": Verifier(doors.policy()), "POLICY": doors.policy()}
    with override_settings(TOKENWARD=setting, MIDDLEWARE=[OURS]), pytest.raises(ImproperlyConfigured, match="both"):
        WSGIHandler()


def test_objects_may_be_given_by_their_dotted_paths(doors: Any, tmp_path: Any, monkeypatch: Any) -> None:
    """Settings files that import nothing of the project need this."""
    text = """
from tokenward import Verifier, entra
from tokenward.diagnostics import Diagnostics
verifier = Verifier(entra.databricks({tenant!r}))
logged = []
class Logger:
    def info(self, event, **fields):
        logged.append(fields["code"])
    warning = error = info
diagnostics = Diagnostics(logger=Logger())
"""
    (tmp_path / "project_objects.py").write_text(text.replace("{tenant!r}", repr(doors.issuer.tenant)))
    monkeypatch.syspath_prepend(tmp_path)
    setting = {"VERIFIER": "project_objects.verifier", "DIAGNOSTICS": "project_objects.diagnostics"}
    with override_settings(TOKENWARD=setting, MIDDLEWARE=[OURS]):
        assert doors.ask_wsgi(WSGIHandler(), "GET", "/", []).status == 401
    assert importlib.import_module("project_objects").logged == ["missing_token"]


def test_the_policy_may_be_given_by_its_dotted_path(doors: Any, tmp_path: Any, monkeypatch: Any) -> None:
    text = f"from tokenward import entra\npolicy = entra.databricks('{doors.issuer.tenant}')\n"
    (tmp_path / "project_auth.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with override_settings(TOKENWARD={"POLICY": "project_auth.policy"}, MIDDLEWARE=[OURS]):
        assert doors.ask_wsgi(WSGIHandler(), "GET", "/", []).status == 401


def test_an_unsafe_policy_behind_a_dotted_path_names_its_own_field(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "project_bad_auth.py").write_text("from tokenward import entra\npolicy = entra.databricks('common')\n")
    monkeypatch.syspath_prepend(tmp_path)
    setting = {"POLICY": "project_bad_auth.policy"}
    with override_settings(TOKENWARD=setting, MIDDLEWARE=[OURS]), pytest.raises(PolicyError) as caught:
        WSGIHandler()
    assert caught.value.field == "tenant"


@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize(
    "around",
    [
        pytest.param([OURS, f"{__name__}.SyncOnly"], id="above sync-only middleware"),
        pytest.param([f"{__name__}.SyncOnly", OURS], id="below sync-only middleware"),
        pytest.param(
            ["django.middleware.security.SecurityMiddleware", OURS, "django.middleware.common.CommonMiddleware"],
            id="among Django's",
        ),
    ],
)
def test_it_stands_among_other_middleware(doors: Any, handler: Any, around: list[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("django.core.handlers.base.import_string", _importer())
    with override_settings(TOKENWARD={"POLICY": doors.policy()}, MIDDLEWARE=around):
        app = handler()
        answers = [_ask(doors, app, "/jobs", headers) for headers in ([], [("Authorization", doors.bearer())])]
    assert [answer.status for answer in answers] == [401, 200]
    assert answers[0].values("www-authenticate") == ["Bearer"]


def test_under_asgi_it_verifies_in_the_loop_and_not_in_a_thread(doors: Any) -> None:
    """The view runs in the loop's own thread, so nothing above it was handed to another."""
    with override_settings(TOKENWARD={"POLICY": doors.policy()}, MIDDLEWARE=[OURS], ROOT_URLCONF=AsyncUrls):
        reply = _ask(doors, ASGIHandler(), "/jobs", [("Authorization", doors.bearer())])
    assert reply.status == 200
    assert reply.seen["thread"] == threading.get_ident()


def test_while_keys_are_fetched_other_requests_go_on(doors: Any) -> None:
    """The issuer is slow until the exempt request, which came second, has been answered."""
    doors.issuer.fail("slow", seconds=4)

    async def both() -> list[int]:
        slow = asyncio.create_task(_status(app, doors, "/jobs", [("Authorization", doors.bearer())]))
        while not doors.issuer.requests:  # noqa: ASYNC110  # a server thread fills it
            await asyncio.sleep(0)
        first = await _status(app, doors, "/health", [])
        assert not slow.done()
        doors.issuer.recover()
        return [first, await slow]

    with override_settings(TOKENWARD={"POLICY": doors.policy(), "EXEMPT": ["/health"]}, MIDDLEWARE=[OURS]):
        app = ASGIHandler()
        assert asyncio.run(both()) == [200, 200]


@pytest.mark.parametrize("handler", HANDLERS)
def test_django_does_not_report_a_refusal_once_more(doors: Any, handler: Any, caplog: Any) -> None:
    """Its own report of a 503 holds the request's headers, and goes to ADMINS by mail."""
    doors.issuer.fail("reset")
    with override_settings(TOKENWARD={"POLICY": doors.policy()}, MIDDLEWARE=[OURS]):
        app = handler()
        statuses = [_ask(doors, app, "/jobs", headers).status for headers in ([], [("Authorization", doors.bearer())])]
    assert statuses == [401, 503]
    assert [record for record in caplog.records if record.name.startswith("django")] == []


def test_it_tells_django_that_it_can_do_both() -> None:
    assert BearerMiddleware.sync_capable
    assert BearerMiddleware.async_capable


def _ask(doors: Any, app: Any, where: str, headers: Any) -> Any:
    if isinstance(app, WSGIHandler):
        return doors.ask_wsgi(app, "GET", where, headers)
    return doors.ask_asgi(app, doors.asgi_scope("GET", where, headers))


async def _status(app: Any, doors: Any, where: str, headers: Any) -> int:
    sent: list[Any] = []
    pending = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not pending:
            await asyncio.Event().wait()
        return pending.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    await app(doors.asgi_scope("GET", where, headers), receive, send)
    return int(sent[0]["status"])


def _importer() -> Callable[[str], Any]:
    """Django finds middleware by dotted path, and this module has none that Python could import."""
    from django.utils.module_loading import import_string

    return lambda name: SyncOnly if name.endswith(".SyncOnly") else import_string(name)
