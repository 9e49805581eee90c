"""The address that says whether there are keys: what it answers, that asking makes keys come, and starts that require them.

The servers are real, and what they run is what docs/operating.md shows.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.test import override_settings
from django.urls import path as django_path
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from tokenward import AsyncVerifier, AuthenticationError, KeysUnavailable, PolicyError, Verifier
from tokenward.databricks import Gateway, PassThrough
from tokenward.keys.status import KeyStatus
from tokenward.middleware import asgi
from tokenward.middleware.readiness.asgi import Readiness as AsgiReadiness
from tokenward.middleware.readiness.django import readiness as django_readiness
from tokenward.middleware.readiness.wsgi import Readiness as WsgiReadiness
from tokenward.readiness import readiness, require_keys
from tokenward.testing import HandClock
from tokenward.testing.loopback import free_port

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
DAY = 86400.0
SOON = 30.0
"""Seconds within which what must happen happens."""


# -- the answer --------------------------------------------------------------------------------------------------------


def status(usable: int = 1, next_attempt: float | None = 60.0, **words: Any) -> KeyStatus:
    keys = words.pop("keys", "fresh" if usable else "empty")
    return KeyStatus(
        **{"source": "https://idp.example/", "fetch": "idle"} | words, keys=keys, usable=usable, next_attempt=next_attempt
    )


GOOD, BARE = status(), status(0)
ANSWERS = [
    pytest.param([GOOD], {}, 200, None, None, id="one with keys"),
    pytest.param([GOOD, GOOD], {}, 200, None, None, id="two with keys"),
    pytest.param([status(keys="stale")], {}, 200, None, None, id="stale keys serve"),
    pytest.param([status(keys="static", fetch="none", next_attempt=None)], {}, 200, None, None, id="keys of the configuration"),
    pytest.param([BARE], {}, 503, 1, "60", id="one without"),
    pytest.param([status(0, keys="dead")], {}, 503, 1, "60", id="dead keys"),
    pytest.param([GOOD, BARE], {}, 503, 1, "60", id="one of two without"),
    pytest.param([GOOD, BARE], {"of": "any"}, 200, None, None, id="one of two is enough"),
    pytest.param([BARE, status(0, 7.2)], {"of": "any"}, 503, 2, "8", id="the first that may come"),
    pytest.param([BARE, status(0, 7.2)], {}, 503, 2, "60", id="the last that must come"),
    pytest.param([status(0, None)], {}, 503, 1, "1", id="a fetch under way"),
    pytest.param([status(0, 0.0)], {}, 503, 1, "1", id="a fetch that is due"),
    pytest.param([status(0, 1e9)], {}, 503, 1, "300", id="a pause without end"),
]


@pytest.mark.parametrize(("sources", "options", "code", "lacking", "retry"), ANSWERS)
def test_the_answer_says_whether_there_are_keys_and_when_to_ask_again(
    sources: list[KeyStatus], options: Any, code: int, lacking: int | None, retry: str | None
) -> None:
    answer = readiness(sources, **options)
    headers = dict(answer.headers)
    expected = {"status": "ready"} if lacking is None else {"status": "no_keys", "issuers_without_keys": lacking}
    assert (answer.status, json.loads(answer.body), headers.get("Retry-After")) == (code, expected, retry)
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Length"] == str(len(answer.body))


@pytest.mark.parametrize("source", [status(0, 7.25, fetch="backoff", failures=2, last_failure="dns"), status(age=1.23456)])
def test_details_are_told_only_if_asked_for(source: KeyStatus) -> None:
    plain, told = (json.loads(readiness([source], details=details).body) for details in (False, True))
    [details] = told.pop("sources")
    assert plain == told
    assert set(details) == {
        *("source", "keys", "fetch", "usable", "failures", "last_failure"),
        *("age", "serves_for", "cooling_down", "next_attempt"),
    }
    assert (details["source"], details["last_failure"]) == (source.source, source.last_failure)
    assert details["age"] in (None, 1.2)


def test_keys_are_required_of_every_source() -> None:
    require_keys([GOOD, GOOD])
    for sources in ([BARE], [GOOD, BARE]):
        with pytest.raises(AuthenticationError, match=f"1 of {len(sources)} sources"):
            require_keys(sources)


@pytest.mark.parametrize("make", [AsgiReadiness, WsgiReadiness, django_readiness])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"of": "some"}, "of"),
        ({"of": None}, "of"),
        ({"details": "yes"}, "details"),
        ({"details": 1}, "details"),
        ({"verifier": "auth.verifier"}, "verifier"),
        ({"verifier": None}, "verifier"),
    ],
)
def test_impossible_arguments_are_refused_where_they_are_written(doors: Any, make: Any, arguments: Any, named: str) -> None:
    given = {"verifier": Verifier(doors.policy())} | arguments
    with pytest.raises(PolicyError) as refused:
        make(**given)
    assert refused.value.field == named


def test_under_wsgi_there_is_no_loop_for_an_async_verifier(doors: Any) -> None:
    with pytest.raises(PolicyError, match="not a Verifier"):
        WsgiReadiness(AsyncVerifier(doors.policy()))  # type: ignore[arg-type]


# -- the doors ---------------------------------------------------------------------------------------------------------


class Site:
    """An app with a readiness address, asked in one event loop that goes on between requests, as a server's does."""

    def __init__(self, doors: Any, portal: BlockingPortal, ask: Callable[[str, str], Any], clocks: tuple[HandClock, ...]) -> None:
        self.doors, self.portal, self._ask, self._clocks = doors, portal, ask, clocks

    def ask(self, method: str = "GET", path: str = "/readyz") -> Any:
        return self._ask(method, path)

    def until(self, code: int, path: str = "/readyz") -> Any:
        end = time.monotonic() + SOON
        while (reply := self.ask(path=path)).status != code:
            assert time.monotonic() < end, reply
            time.sleep(0.01)
        return reply

    def pass_time(self, seconds: float) -> None:
        for clock in self._clocks:
            clock.advance(seconds)


def asking_asgi(doors: Any, portal: BlockingPortal, app: Any) -> Callable[[str, str], Any]:
    async def exchange(method: str, path: str) -> Any:
        messages: list[Any] = []

        waiting = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Any:
            return waiting.pop() if waiting else await anyio.sleep_forever()

        async def send(message: Any) -> None:
            messages.append(message)

        await app(doors.asgi_scope(method, path, []) | {"raw_path": path.encode()}, receive, send)
        headers = {name.decode().lower(): value.decode() for name, value in messages[0]["headers"]}
        return types.SimpleNamespace(
            status=messages[0]["status"], fields=headers, body=b"".join(m.get("body", b"") for m in messages)
        )

    return lambda method, path: portal.call(exchange, method, path)


def asking_wsgi(doors: Any, app: Any) -> Callable[[str, str], Any]:
    def exchange(method: str, path: str) -> Any:
        reply = doors.ask_wsgi(app, method, path, [])
        return types.SimpleNamespace(status=reply.status, fields=dict(reply.headers), body=reply.body)

    return exchange


def starlette_site(doors: Any, verifier: Any) -> Any:
    guard = Middleware(asgi.BearerMiddleware, verifier=verifier, exempt=["/readyz", "/mounted/*"])
    ready = AsgiReadiness(verifier)
    return Starlette(routes=[Route("/readyz", ready), Mount("/mounted", ready), Mount("/", doors.asgi_echo)], middleware=[guard])


def fastapi_site(doors: Any, verifier: Any) -> Any:
    return FastAPI(routes=[Route("/readyz", AsgiReadiness(verifier))])


def django_site(handler: Any, verifier: Any) -> Any:
    urls = type("Urls", (), {"urlpatterns": [django_path("readyz", django_readiness(verifier))]})
    guard = {"TOKENWARD": {"VERIFIER": verifier, "EXEMPT": ["/readyz"]}, "ROOT_URLCONF": urls}
    settings = override_settings(MIDDLEWARE=["tokenward.middleware.django.BearerMiddleware"], **guard)
    settings.enable()
    return handler(), settings.disable


SITES = (
    "asgi alone",
    "starlette",
    "asgi with a verifier of threads",
    "fastapi",
    "wsgi",
    "django under wsgi",
    "django under asgi",
)


@pytest.fixture(params=SITES)
def site(request: pytest.FixtureRequest, doors: Any, wall: HandClock, mono: HandClock) -> Iterator[Site]:
    kind: str = request.param
    made = Verifier if "wsgi" in kind or "threads" in kind else AsyncVerifier
    verifier: Any = made(doors.policy(), clock=wall, monotonic=mono, observer=None)
    with contextlib.ExitStack() as stack:
        portal = stack.enter_context(start_blocking_portal("asyncio"))
        if made is Verifier:
            stack.callback(verifier.close)
        if kind.startswith("django"):
            app, disable = django_site(WSGIHandler if "wsgi" in kind else ASGIHandler, verifier)
            stack.callback(disable)
        else:
            makers: dict[str, Callable[[], Any]] = {"wsgi": lambda: WsgiReadiness(verifier)}
            makers |= {"fastapi": lambda: fastapi_site(doors, verifier), "starlette": lambda: starlette_site(doors, verifier)}
            app = makers.get(kind, lambda: AsgiReadiness(verifier))()
        ask = asking_wsgi(doors, app) if "wsgi" in kind else asking_asgi(doors, portal, app)
        yield Site(doors, portal, ask, (wall, mono))


def test_a_probe_makes_keys_come_is_200_while_they_serve_and_503_when_they_are_dead(site: Site) -> None:
    """Nobody else asks for keys: there is no token, no lifespan and no ticker here."""
    assert site.doors.issuer.requests == []
    first = site.ask()
    assert (first.status, first.fields["retry-after"], first.fields["cache-control"]) == (503, "1", "no-store")
    assert json.loads(first.body)["status"] == "no_keys"
    ready = site.until(200)
    assert (json.loads(ready.body), "retry-after" in ready.fields) == ({"status": "ready"}, False)
    site.doors.issuer.fail("status", status=503)
    site.pass_time(DAY - 60)
    assert site.ask().status == 200, "stale keys serve"
    site.pass_time(60)
    assert site.ask().status == 503
    site.doors.issuer.recover()
    site.pass_time(60)
    assert site.until(200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_anything_but_get_and_head_is_405_and_fetches_nothing(site: Site, method: str) -> None:
    reply = site.ask(method)
    assert (reply.status, {name.strip() for name in reply.fields["allow"].split(",")}) == (405, {"GET", "HEAD"})
    assert site.doors.issuer.requests == []


def test_head_is_get_without_a_body(site: Site) -> None:
    site.doors.issuer.fail("status", status=503)
    for code in (503, 200):
        got, head = site.until(code), site.ask("HEAD")
        site.doors.issuer.recover()
        site.pass_time(60)
        assert (head.status, head.body, head.fields["content-length"]) == (got.status, b"", str(len(got.body)))


def test_a_flood_of_probes_costs_the_issuer_one_fetch(site: Site) -> None:
    """The clocks stand still, so there is no pause after which another one might start."""
    site.doors.issuer.fail("status", status=503)
    for _ in range(50):
        assert site.ask().status == 503
    end = time.monotonic() + SOON
    while len(site.doors.issuer.requests) < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(site.doors.issuer.requests) == 2, "the two sources of an Entra policy, each once"


def test_it_is_open_only_where_it_is_put(doors: Any, wall: HandClock) -> None:
    verifier = AsyncVerifier(doors.policy(), clock=wall, fetch=doors.issuer.async_fetch, observer=None)
    app = starlette_site(doors, verifier)
    codes = [
        doors.ask_asgi(app, doors.asgi_scope("GET", path, [])).status
        for path in ("/readyz", "/mounted/", "/mounted/x", "/", "/jobs")
    ]
    assert codes == [503, 503, 503, 401, 401] or codes[3:] == [401, 401]
    assert set(codes[:3]) <= {200, 503}


def test_a_websocket_is_denied_and_what_it_cannot_be_is_refused_by_name(doors: Any) -> None:
    app = AsgiReadiness(AsyncVerifier(doors.policy()))
    scope = doors.asgi_scope("GET", "/readyz", []) | {"type": "websocket"}
    reply = doors.ask_asgi(app, scope, incoming=({"type": "websocket.connect"},))
    assert [message["type"] for message in reply.messages] == ["websocket.close"]
    with pytest.raises(NotImplementedError, match="lifespan"):
        doors.ask_asgi(app, scope | {"type": "lifespan"})


def test_django_does_not_log_each_503_as_an_error_of_the_site(doors: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It would mail each to ADMINS, every few seconds."""
    with contextlib.closing(Verifier(doors.policy(), observer=None)) as verifier:
        app, disable = django_site(WSGIHandler, verifier)
        try:
            assert asking_wsgi(doors, app)("GET", "/readyz").status == 503
        finally:
            disable()
    assert [record for record in caplog.records if record.name.startswith("django")] == []


def test_the_gateway_answers_in_the_same_words_and_its_probes_make_keys_come(doors: Any) -> None:
    """Mounted in another app, it has no lifespan of its own, and nobody else may ask for keys before it is ready."""
    pytest.importorskip("aiohttp", reason="the gateway's extra is not installed")
    verifier = AsyncVerifier(doors.policy(), observer=None)
    app = Gateway(verifier=verifier, upstream="http://127.0.0.1:9", credentials=PassThrough())
    with start_blocking_portal("asyncio") as portal:
        site = Site(doors, portal, asking_asgi(doors, portal, app), ())
        first = site.ask(path="/-/ready")
        assert (first.status, json.loads(first.body)) == (503, {"status": "no_keys", "issuers_without_keys": 2})
        assert first.fields["retry-after"] == "1"
        assert json.loads(site.until(200, path="/-/ready").body) == {"status": "ready"}


# -- a lifespan that requires keys --------------------------------------------------------------------------------------


class Told:
    """A server's half of a lifespan: it says what a server says, and keeps what it is answered."""

    def __init__(self) -> None:
        self.says = ["lifespan.startup", "lifespan.shutdown"]
        self.answers: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return {"type": self.says.pop(0)}

    async def send(self, message: Any) -> None:
        self.answers.append(message)


@pytest.mark.parametrize("require", [False, True])
@pytest.mark.parametrize("down", [False, True])
def test_a_start_fails_only_if_keys_are_required_and_missing(doors: Any, run: Any, require: bool, down: bool) -> None:
    """It says so, and raises nothing: servers take an app that raises for one without a lifespan, and carry on."""
    if down:
        doors.issuer.fail("status", status=503)
    started = []

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        started.append(app)
        yield

    patience = 0.1 if down else SOON
    guard = Middleware(asgi.BearerMiddleware, policy=doors.policy(), warm_up=patience, require_keys=require)
    app, told = Starlette(middleware=[guard], lifespan=lifespan), Told()
    run(app, {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, told.receive, told.send)
    answers = [message["type"].removeprefix("lifespan.") for message in told.answers]
    if require and down:
        assert answers == ["startup.failed"]
        assert "2 of 2 sources have none" in told.answers[0]["message"]
    else:
        assert answers == ["startup.complete", "shutdown.complete"]
    assert len(started) == (not (require and down))


def test_an_error_of_the_apps_own_lifespan_is_the_apps(doors: Any, run: Any) -> None:
    """Such as one about keys: it is not taken for ours, which would be answered twice."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeysUnavailable("the app's own")

    told = Told()
    guarded = asgi.BearerMiddleware(app, policy=doors.policy(), require_keys=True)
    with pytest.raises(KeysUnavailable, match="the app's own"):
        run(guarded, {"type": "lifespan"}, told.receive, told.send)
    assert told.answers == []


# -- what the page shows ------------------------------------------------------------------------------------------------

BLOCKS = {
    found["name"]: found["code"]
    for found in re.finditer(
        r"^```python\n(?P<code># (?P<name>\w+\.py)\n.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
}
AUTH = """
import os, time
from dataclasses import replace
from pathlib import Path
from tokenward import {kind}, entra

cloud = replace(entra.PUBLIC, authority=os.environ["AUTHORITY"])
policy = entra.api(os.environ["CLIENT_ID"], [os.environ["TENANT"]], cloud=cloud)


def later(clock):
    return lambda: clock() + float(Path("offset").read_text() or 0)


verifier = {kind}(policy, clock=later(time.time), monotonic=later(time.monotonic))
"""
"""auth.py for real servers, whose clocks can be put forward from outside."""


@pytest.fixture
def of_the_page(doors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., dict[str, Any]]]:
    """Run a file of the page beside an auth.py that is the test's, and give its names."""
    monkeypatch.chdir(tmp_path)

    def load(name: str, **names: Any) -> dict[str, Any]:
        auth = types.ModuleType("auth")
        auth.__dict__.update(names)
        monkeypatch.setitem(sys.modules, "auth", auth)
        (tmp_path / name).write_text(BLOCKS[name], "utf-8")
        return runpy.run_path(str(tmp_path / name))

    return load  # type: ignore[return-value]


def test_the_serverless_example_serves_without_a_request(doors: Any, of_the_page: Any) -> None:
    """The job fetches and writes; the function begins with that, while the issuer is down, and asks nobody."""
    policy, now = doors.policy(), time.time
    doors.issuer.clock = now
    of_the_page("export_keys.py", policy=policy)["verifier"].close()
    assert sorted(path.name for path in Path().iterdir()) == ["export_keys.py", "keys.json"]
    asked = len(doors.issuer.requests)
    assert asked == 4
    doors.issuer.fail("reset")
    handler = of_the_page("handler.py", policy=policy)["handler"]
    answer = handler({"headers": {"Authorization": doors.bearer().decode(), "host": "x"}}, None)
    assert (answer["statusCode"], answer["body"].startswith("hello ")) == (200, True)
    for headers, code in (({}, 401), ({"authorization": "Bearer garbage"}, 401), ({"authorization": "Bearer \xff"}, 400)):
        refused = handler({"headers": headers}, None)
        assert (refused["statusCode"], refused["headers"]["Cache-Control"]) == (code, "no-store")
        assert json.loads(refused["body"])
    assert len(doors.issuer.requests) == asked


def test_a_function_without_a_seed_fetches_its_keys(doors: Any, of_the_page: Any) -> None:
    doors.issuer.clock = time.time
    loaded = of_the_page("handler.py", policy=doors.policy())
    assert loaded["handler"]({"headers": {"authorization": doors.bearer().decode()}}, None)["statusCode"] == 200
    loaded["verifier"].close()


def test_the_export_of_a_job_whose_issuer_is_down_replaces_nothing(doors: Any, of_the_page: Any, monkeypatch: Any) -> None:
    Path("keys.json").write_text("as it was")
    doors.issuer.fail("reset")
    monkeypatch.setitem(BLOCKS, "export_keys.py", BLOCKS["export_keys.py"].replace("timeout=30", "timeout=0.1"))
    with pytest.raises(AuthenticationError, match="2 of 2 sources"):
        of_the_page("export_keys.py", policy=doors.policy())
    assert sorted((path.name, path.read_text()) for path in Path().glob("keys*")) == [("keys.json", "as it was")]


def test_the_refresh_of_the_page_is_for_operators_and_fetches(doors: Any, of_the_page: Any) -> None:
    verifier = AsyncVerifier(doors.policy(), fetch=doors.issuer.async_fetch, observer=None)
    app = of_the_page("management.py", verifier=verifier)["app"]

    def post(*headers: tuple[str, bytes]) -> Any:
        return doors.ask_asgi(app, doors.asgi_scope("POST", "/management/keys/refresh", list(headers)))

    assert post().status == 401
    assert post(("Authorization", doors.bearer())).status == 403
    generation = verifier.status()[0].generation
    done = post(("Authorization", doors.bearer(claims={"roles": ["Keys.Operate"]})))
    assert (done.status, done.seen["refreshed"], set(done.seen["keys"])) == (200, True, {"fresh"})
    assert verifier.status()[0].generation == generation + 1


# -- real servers ------------------------------------------------------------------------------------------------------

servers = pytest.mark.servers
UVICORN = [sys.executable, "-m", "uvicorn", "--log-level", "info", "--host", "127.0.0.1", "--port", "{port}", "asgi_service:app"]
HYPERCORN = [sys.executable, "-m", "hypercorn", "--bind", "127.0.0.1:{port}", "asgi_service:app"]
GRANIAN = [sys.executable, "-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", "asgi_service:app"]
GUNICORN = [sys.executable, "-m", "gunicorn", "--threads", "2", "--bind", "127.0.0.1:{port}", "wsgi_service:application"]


_WORKER = re.compile(rb"(?:Booting worker with pid: |Started server process \D*)(\d+)")


class Served:
    """A service of the page under a real server; its clocks can be put forward, and its issuer spoilt."""

    def __init__(self, doors: Any, folder: Path, command: list[str], change: Callable[[str], str]) -> None:
        kind = "Verifier" if "wsgi_service:application" in command else "AsyncVerifier"
        module = command[-1].partition(":")[0] + ".py"
        (folder / "auth.py").write_text(AUTH.format(kind=kind), "utf-8")
        (folder / module).write_text(change(BLOCKS[module]), "utf-8")
        self.offset = folder / "offset"
        self.offset.write_text("0")
        self.doors, self.port = doors, free_port()
        environment = {
            "AUTHORITY": doors.issuer.cloud.authority,
            "TENANT": doors.issuer.tenant,
            "CLIENT_ID": doors.issuer.client_id,
        }
        self.process = subprocess.Popen(
            [part.format(port=self.port) for part in command],
            cwd=folder,
            env=os.environ | environment | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def probe(self) -> httpx.Response | None:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False, timeout=SOON)
        return None

    def until(self, code: int) -> httpx.Response:
        end = time.monotonic() + SOON
        while (answer := self.probe()) is None or answer.status_code != code:
            assert self.process.poll() is None, "the server has ended"
            assert time.monotonic() < end, answer
            time.sleep(0.05)
        return answer

    def workers(self, count: int, fetches: int = 0) -> list[int]:
        """So many workers that have begun since the last question, as the server's log names them, with so many fetches."""
        found: dict[int, None] = {}
        assert self.process.stdout is not None
        too_late = threading.Timer(2 * SOON, os.killpg, (self.process.pid, signal.SIGKILL))
        too_late.start()
        while len(found) < count or fetches > 0:
            line = self.process.stdout.readline()
            assert line, f"the server has ended, with workers {list(found)} and {fetches} fetches to go"
            fetches -= line.count(b"keys_refreshed")  # two processes may write into one line
            found |= dict.fromkeys(map(int, _WORKER.findall(line)))
        too_late.cancel()
        return list(found)

    def put_forward(self, seconds: float) -> None:
        new = self.offset.with_name("offset.new")
        new.write_text(str(seconds))
        new.replace(self.offset)

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()


@pytest.fixture
def serve(doors: Any, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    with contextlib.ExitStack() as stack:

        def make(command: list[str], change: Callable[[str], str] = str) -> Served:
            served = Served(doors, tmp_path, command, change)
            stack.callback(served.end)
            return served

        yield make


@servers
@pytest.mark.parametrize("command", [pytest.param(UVICORN, id="uvicorn"), pytest.param(GUNICORN, id="gunicorn")])
def test_under_a_real_server_it_follows_the_keys(doors: Any, serve: Callable[..., Served], command: list[str]) -> None:
    """503 without keys, 200 with them, 503 once they are a day old, and 200 again."""
    doors.issuer.fail("status", status=503)
    served = serve(command)
    assert int(served.until(503).headers["retry-after"]) >= 1
    doors.issuer.recover()
    assert served.until(200).json() == {"status": "ready"}
    doors.issuer.fail("status", status=503)
    served.put_forward(DAY - 3600)
    assert served.until(200)
    served.put_forward(DAY + 3600)
    assert served.until(503).json() == {"status": "no_keys", "issuers_without_keys": 2}
    doors.issuer.recover()
    assert served.until(200)


def requiring(text: str, patience: str = "5") -> str:
    assert "warm_up=0)" in text
    return text.replace("warm_up=0)", f"warm_up={patience}, require_keys=True)")


def requiring_in_the_module(text: str, patience: str = "5") -> str:
    return text + f"\nverifier.warm_up({patience}, required=True)\n"


STARTS = [
    pytest.param(UVICORN, requiring, 3, id="uvicorn"),
    pytest.param(GUNICORN, requiring_in_the_module, 3, id="gunicorn"),
    pytest.param(GRANIAN, requiring, 1, id="granian"),
    pytest.param(HYPERCORN, requiring, 0, id="hypercorn"),
]
"""With the exit status of a start that failed; hypercorn's says nothing."""


@servers
@pytest.mark.parametrize(("command", "change", "exit_status"), STARTS)
def test_a_start_that_requires_keys_ends_the_server_and_says_why(
    doors: Any, serve: Callable[..., Served], command: list[str], change: Callable[[str], str], exit_status: int
) -> None:
    doors.issuer.fail("status", status=503)
    served = serve(command, change)
    printed, _ = served.process.communicate(timeout=SOON)
    assert served.process.returncode == exit_status
    assert b"2 of 2 sources have none" in printed
    assert b"(status)" in printed


@servers
@pytest.mark.parametrize(("command", "change", "exit_status"), STARTS[:2])
def test_a_start_that_requires_keys_goes_on_with_them(
    doors: Any, serve: Callable[..., Served], command: list[str], change: Callable[..., str], exit_status: int
) -> None:
    served = serve(command, partial(change, patience=str(SOON)))
    answer = None
    end = time.monotonic() + SOON
    while answer is None:
        assert time.monotonic() < end
        assert served.process.poll() is None
        answer = served.probe()
        time.sleep(0.05)
    assert answer.status_code == 200, "with its very first answer"


def of_two(command: list[str], *more: str) -> list[str]:
    return [*command[:-1], "--workers", "2", *more, command[-1]]


ASGI_GUNICORN = [*GUNICORN[:-1], "-k", "uvicorn_worker.UvicornWorker", "asgi_service:app"]
REPLACED = [
    pytest.param(of_two(GUNICORN), requiring_in_the_module, "Worker failed to boot", True, id="gunicorn"),
    pytest.param(of_two(ASGI_GUNICORN), requiring, "Worker failed to boot", True, id="gunicorn with UvicornWorker"),
    pytest.param(of_two(UVICORN), requiring, "failed to start, stopping the parent process", False, id="uvicorn"),
]
"""With what the server says then, and whether its exit status says so, too."""
PATIENCE = f'0.5 if __import__("os").path.exists("impatient") else {SOON}'
"""The first workers have all the time that a busy machine needs; their successors wait in vain, and not for long."""


@servers
@pytest.mark.parametrize(("command", "change", "said", "exit_says_so"), REPLACED)
def test_servers_end_as_the_page_says_if_each_worker_requires_keys_and_one_is_replaced_in_an_outage(
    doors: Any,
    serve: Callable[..., Served],
    tmp_path: Path,
    command: list[str],
    change: Callable[..., str],
    said: str,
    exit_says_so: bool,
) -> None:
    served = serve(command, partial(change, patience=PATIENCE))
    [worker, _] = served.workers(2, fetches=4)
    served.until(200)
    doors.issuer.fail("status", status=503)
    (tmp_path / "impatient").touch()
    os.kill(worker, signal.SIGKILL)
    printed, _ = served.process.communicate(timeout=2 * SOON)
    assert said in printed.decode()
    assert (served.process.returncode != 0) is exit_says_so
    assert said in PAGE.read_text("utf-8")


@servers
def test_workers_that_are_replaced_in_an_outage_begin_with_the_keys_of_a_master_that_required_them(
    doors: Any, serve: Callable[..., Served]
) -> None:
    served = serve(of_two(GUNICORN, "--preload"), partial(requiring_in_the_module, patience=str(SOON)))
    first = served.workers(2)
    doors.issuer.fail("status", status=503)
    for worker in first:
        os.kill(worker, signal.SIGKILL)
    served.workers(2)
    asked = len(doors.issuer.requests)
    for _ in range(10):
        assert served.until(200)
    assert len(doors.issuer.requests) == asked


def test_djangos_view_of_an_async_verifier_says_under_wsgi_what_to_give_instead(doors: Any) -> None:
    """Each question would have an event loop of its own, in which no fetch could end: 503 for ever."""
    request = WSGIRequest({"REQUEST_METHOD": "GET", "wsgi.input": io.BytesIO()})
    view = django_readiness(AsyncVerifier(doors.policy()))
    with pytest.raises(PolicyError, match="Give a Verifier"):
        asyncio.run(view(request))  # type: ignore[arg-type]
