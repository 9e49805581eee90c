"""What only WSGI has: one environ, threads, and a verifier that may be shared."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tokenward import Verifier
from tokenward.middleware.wsgi import BearerMiddleware


def test_the_apps_answer_passes_untouched(doors: Any) -> None:
    """Status, headers and the iterable itself are the app's, so that a stream stays a stream."""
    chunks = iter([b"one", b"two"])
    started: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start_response("418 I'm a teapot", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return chunks

    guarded = BearerMiddleware(app, policy=doors.policy(), exempt=["/tea"])
    answer = guarded({"REQUEST_METHOD": "GET", "PATH_INFO": "/tea"}, lambda *args: started.append(args))  # type: ignore[arg-type]
    assert answer is chunks
    assert started == [("418 I'm a teapot", [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])]


def test_an_identity_in_the_environ_from_outside_is_replaced(doors: Any) -> None:
    """Nothing that a server or an outer app left under our names reaches the app."""
    found: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        found.append((environ["tokenward.identity"], environ["tokenward.claims"]))
        return []

    guarded = BearerMiddleware(app, policy=doors.policy(), optional=True)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "tokenward.identity": "root", "tokenward.claims": {"sub": "root"}}
    guarded(environ, lambda *args: None)  # type: ignore[arg-type]
    assert found == [(None, None)]


def test_a_missing_path_counts_as_guarded(doors: Any) -> None:
    """PEP 3333 allows PATH_INFO to be absent or empty."""
    statuses: list[str] = []
    guarded = BearerMiddleware(doors.wsgi_echo, policy=doors.policy(), exempt=["/", "/public/*"])
    guarded({"REQUEST_METHOD": "GET"}, lambda status, *args: statuses.append(status))  # type: ignore[arg-type]
    assert statuses == ["401 Unauthorized"]


def test_threads_do_not_see_each_others_callers(doors: Any) -> None:
    meet = threading.Barrier(4, timeout=5)

    def app(environ: Any, start_response: Any) -> Any:
        meet.wait()
        environ["found"] = (environ["tokenward.identity"].subject, environ["tokenward.claims"]["sub"])
        environ["tokenward.claims"]["sub"] = "changed by another request"
        return []

    guarded = BearerMiddleware(app, policy=doors.policy())
    tokens = [(f"caller-{n}", doors.bearer(claims={"sub": f"caller-{n}"}).decode()) for n in range(4)]

    def ask(name: str, token: str) -> Any:
        environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "HTTP_AUTHORIZATION": token}
        guarded(environ, lambda *args: None)  # type: ignore[arg-type]
        return environ["found"]

    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert list(pool.map(ask, *zip(*tokens, strict=True))) == [(name, name) for name, _ in tokens]


def test_a_token_that_expires_between_two_requests_is_refused(doors: Any, wall: Any, mono: Any) -> None:
    """The clock moves on by hand; the token was remembered."""
    verifier = Verifier(doors.policy(), clock=wall, monotonic=mono, fetch=doors.issuer.fetch)
    app = BearerMiddleware(doors.wsgi_echo, verifier=verifier)
    header = [("Authorization", doors.bearer(lifetime=60))]
    assert doors.ask_wsgi(app, "GET", "/", header).status == 200
    wall.advance(59)
    assert doors.ask_wsgi(app, "GET", "/", header).status == 200
    wall.advance(1)
    assert "expired" in doors.ask_wsgi(app, "GET", "/", header).values("www-authenticate")[0]


def test_keys_can_be_fetched_ahead(doors: Any) -> None:
    guarded = BearerMiddleware(doors.wsgi_echo, policy=doors.policy())
    assert doors.issuer.requests == []
    assert guarded.verifier.warm_up(5)
    assert doors.issuer.requests
    guarded.verifier.close()


def test_a_policy_and_a_verifier_together_are_refused(doors: Any) -> None:
    with pytest.raises(ValueError, match="both"):
        BearerMiddleware(doors.wsgi_echo, policy=doors.policy(), verifier=Verifier(doors.policy()))
