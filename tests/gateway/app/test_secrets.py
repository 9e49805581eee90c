"""No token, and nothing of one, is in what a gateway logs, shows or answers by itself."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

from tokenward.databricks.access import AccessToken
from tokenward.databricks.admission.admission import Admitted
from tokenward.databricks.admission.credentials import Fixed
from tokenward.databricks.gateway.port import Outgoing
from tokenward.diagnostics import Diagnostics
from tokenward.identity import Identity
from tokenward.testing.loopback import free_port

PATH = "/api/2.0/anything"
ANYBODY = Identity("x", "https://idp.example/", None, None, "user", frozenset(), frozenset(), 1.0, {})


def _told_of(token: str, text: str) -> list[str]:
    """Those parts of a token that are in the text: its segments, and the middle of each."""
    return [part for segment in token.split(".") for part in (segment[8:40],) if part and part in text]


def test_no_refusal_tells_of_a_token(serve: Any, upstream: Any, http: Any, bearer: Any, caplog: Any, eventually: Any) -> None:
    caplog.set_level(logging.DEBUG)
    token = bearer().removeprefix("Bearer ")
    head, claims, signature = token.split(".")
    asked = [
        ("GET", "/nowhere", f"Bearer {token}"),
        ("GET", f"/api/2.0/{token}/../x", f"Bearer {token}"),
        ("GET", f"/nowhere/{token}", f"Bearer {token}"),
        ("GET", PATH, f"Bearer {head}.{claims}.{signature[::-1]}"),
        ("GET", PATH, f"Bearer {token} {token}"),
        ("GET", PATH, f"Basic {token}"),
        ("TRACE", f"/{token}", f"Bearer {token}"),
        ("GET", PATH, f"Bearer {bearer(lifetime=-10).removeprefix('Bearer ')}"),
    ]

    def script(wire: Any, request: Any) -> None:
        wire.send(b"HTTP/1.1 " + str(request.value("authorization")).encode() + b"\r\n\r\n")
        wire.close()

    upstream.script = script
    with structlog.testing.capture_logs() as logged:
        gateway = serve(diagnostics=Diagnostics(first=None))
        answers = [gateway.ask(method, path, bearer=value) for method, path, value in [*asked, ("GET", PATH, f"Bearer {token}")]]
    assert all(answer.refused for answer in answers)
    assert len([event for event in logged if "code" in event]) == len(answers)
    assert answers[-1].refused == "upstream_unavailable"
    told = str(logged) + caplog.text + "".join(f"{answer.fields}{answer.body!r}" for answer in answers)
    assert _told_of(token, told) == []


def test_no_request_that_goes_well_is_logged_with_its_token(
    serve: Any, upstream: Any, workspace: Any, federated: Any, caplog: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    jwt = workspace.workspace.federated_jwt()
    with structlog.testing.capture_logs() as logged:
        gateway = serve(**federated)
        assert gateway.ask("GET", PATH, bearer=f"Bearer {jwt}").status == 200
    exchanged = str(upstream.only.value("authorization")).removeprefix("Bearer ")
    assert exchanged != jwt
    assert [_told_of(token, str(logged) + caplog.text) for token in (jwt, exchanged)] == [[], []]


def test_the_query_of_a_request_is_not_logged(serve: Any, events: Any) -> None:
    serve().ask("GET", "/nowhere?sig=s3cr3t")
    assert "s3cr3t" not in str(events.kept)
    assert events.kept[0]["path"] == "/nowhere"


def test_the_address_of_the_upstream_is_not_told_to_callers(serve: Any) -> None:
    port = free_port()
    answer = serve(upstream=f"http://127.0.0.1:{port}").ask("GET", PATH)
    assert str(port) not in f"{answer.fields}{answer.body!r}"


@pytest.mark.parametrize(
    "thing",
    [
        pytest.param(lambda token: Fixed(token), id="a fixed token"),
        pytest.param(lambda token: Admitted(ANYBODY, AccessToken(token, 1.0, "", "fixed")), id="a verdict"),
        pytest.param(lambda token: Outgoing("GET", "/", [(b"authorization", token.encode())], None, 1.0), id="a request"),
    ],
)
def test_no_repr_shows_a_token(bearer: Any, thing: Any) -> None:
    token = bearer().removeprefix("Bearer ")
    shown = f"{thing(token)!r} {thing(token)!s}"
    assert _told_of(token, shown) == []


def test_an_error_of_ones_own_code_is_no_verdict_and_shows_no_token(
    serve: Any, upstream: Any, http: Any, bearer: Any, said: Any
) -> None:
    class Broken:
        """A mover that fails as none may."""

        def send(self, outgoing: Any) -> Any:
            raise RuntimeError(f"{outgoing}")

        async def close(self) -> None:
            pass

    gateway = serve(mover=Broken())
    answer = gateway.ask("GET", PATH)
    assert (answer.status, gateway.gateway.in_flight) == (500, 0)
    assert _told_of(bearer().removeprefix("Bearer "), "".join(said.kept)) == []
    said.forgive("Exception in ASGI application")
