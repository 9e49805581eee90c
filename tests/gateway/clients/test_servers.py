"""The same behaviours under each server that can hold the gateway: uvicorn with either parser, hypercorn and granian."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tokenward.testing.workspace import DEFAULT_USER

pytestmark = pytest.mark.servers

ME = "/api/2.0/preview/scim/v2/Me"
FILE = "/api/2.0/fs/files/Volumes/main/default/data/some.bin"
ODD = "/api/2.0/odd"
DATA = os.urandom(1 << 20) * 3
BOTH = pytest.mark.parametrize("kind", ["pass", "exchange"])
HTTP1 = ("uvicorn with h11", "uvicorn with httptools", "hypercorn", "granian")
HTTP2 = ("hypercorn", "granian")
SPOKEN = [pytest.param((name, False), id=name) for name in HTTP1] + [
    pytest.param((name, True), id=f"{name} by HTTP/2") for name in HTTP2
]

# Hypercorn does not reset a stream whose app returned in the middle (h2.py, stream_send): the client waits until the whole
# connection ends, which is after its keep-alive time, if nothing else is under way on it.
SPOKEN_AND_CUT = [*SPOKEN[:4], SPOKEN[5], pytest.param(("hypercorn, impatient", True), id="hypercorn by HTTP/2, in the end")]

# Hypercorn 0.18 drops a connection of HTTP/2 whose client ends a body by a frame of its own, as httpx does, when the answer was
# there before (h2.py, _handle_events: KeyError); where a body has a length, the workspace may answer before.
UPLOADS = [
    pytest.param(spoken.values[0], measured, id=f"{spoken.id}, {'with a length' if measured else 'in chunks'}")
    for spoken in SPOKEN
    for measured in (True, False)
    if (spoken.values[0], measured) != (("hypercorn", True), True)
]


@pytest.fixture(params=SPOKEN)
def spoken(request: pytest.FixtureRequest) -> tuple[str, bool]:
    """A server, and whether it is spoken to by HTTP/2."""
    known: tuple[str, bool] = request.param
    return known


@pytest.fixture
def client(gates: Any, http: Any, spoken: tuple[str, bool]) -> Any:
    server, http2 = spoken
    return lambda *arguments, **options: http(gates(server), *arguments, http2=http2, **options)


@pytest.fixture
def moody(client: Any) -> Any:
    return client(name="moody.example")


@BOTH
def test_a_caller_is_known_upstream_by_the_right_token(client: Any, estate: Any, kind: str, spoken: tuple[str, bool]) -> None:
    answer = client(kind).get(ME)
    assert (answer.status_code, answer.json()["userName"]) == (200, DEFAULT_USER)
    assert answer.http_version == ("HTTP/2" if spoken[1] else "HTTP/1.1")
    assert "tokenward-refused" not in answer.headers
    assert estate.has_arrived(kind)


def test_a_refusal_is_marked_and_reaches_nobody(client: Any, estate: Any) -> None:
    answer = client().get(ME, headers={"authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.headers["tokenward-refused"]) == (401, "invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert client().get("/login.html").headers["tokenward-refused"] == "path_not_allowed"
    assert not estate.standin.requests


@BOTH
@pytest.mark.parametrize(("spoken", "measured"), UPLOADS, indirect=["spoken"])
def test_a_file_goes_up_and_comes_down_whole(client: Any, estate: Any, kind: str, measured: bool) -> None:
    caller = client(kind)
    content = DATA if measured else iter([DATA[:1], DATA[1:100_000], DATA[100_000:]])
    assert caller.put(FILE, params={"overwrite": "true"}, content=content).status_code == 204
    with caller.stream("GET", FILE) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(len(DATA))
        assert _digest(answer.iter_raw()) == hashlib.sha256(DATA).hexdigest()
    assert estate.has_arrived(kind)


def test_events_come_one_by_one(moody: httpx.Client, estate: Any) -> None:
    def mood(handler: Any) -> None:
        handler.body()
        handler.begin(("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        for number in range(3):
            handler.chunk(b"data: %d\n\n" % number)
            assert estate.moody.next.acquire(timeout=20), "the event before did not arrive"
        handler.wfile.write(b"0\r\n\r\n")

    estate.moody.moods[ODD] = mood
    came = []
    with moody.stream("POST", ODD, json={"stream": True}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for part in answer.iter_raw():
            came.append(part)
            estate.moody.next.release()
    assert came == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]


def test_a_client_that_leaves_ends_its_request_upstream(moody: httpx.Client, estate: Any) -> None:
    def mood(handler: Any) -> None:
        handler.begin(("content-type", "text/event-stream"), ("transfer-encoding", "chunked"))
        handler.chunk(b"data: 0\n\n")
        handler.await_end()

    estate.moody.moods[ODD] = mood
    with moody.stream("GET", ODD) as answer:
        assert next(answer.iter_raw()) == b"data: 0\n\n"
    moody.close()
    assert estate.moody.left.wait(20), "the upstream still has the request of a client that has gone"


def test_a_client_that_leaves_before_the_answer_ends_its_request_upstream(any_gate: Any, estate: Any, eventually: Any) -> None:
    estate.moody.moods[ODD] = lambda handler: handler.await_end()
    with any_gate.connected() as wire:
        wire.sendall(_request(estate, "GET"))
        eventually(lambda: estate.moody.seen, "request at the upstream")
    assert estate.moody.left.wait(20), "the upstream still has the request of a client that has gone"


CUTS = {
    "with a length": (("content-length", "1000"), b"x" * 10),
    "in chunks": (("transfer-encoding", "chunked"), b"a\r\nxxxxxxxxxx\r\n"),
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("spoken", SPOKEN_AND_CUT, indirect=True)
def test_an_answer_that_was_cut_short_never_looks_whole(moody: httpx.Client, estate: Any, how: str) -> None:
    field, part = CUTS[how]

    def mood(handler: Any) -> None:
        handler.begin(field)
        handler.wfile.write(part)
        handler.close_connection = True

    estate.moody.moods[ODD] = mood
    with pytest.raises(httpx.RemoteProtocolError):
        moody.get(ODD)


def test_an_upload_that_was_cut_short_never_looks_whole(any_gate: Any, estate: Any, eventually: Any) -> None:
    got: list[bytes] = []

    def mood(handler: Any) -> None:
        got.append(handler.rfile.readline() + handler.rfile.readline())
        got.append(handler.rfile.read())
        estate.moody.left.set()
        handler.close_connection = True

    estate.moody.moods[ODD] = mood
    with any_gate.connected() as wire:
        wire.sendall(_request(estate, "PUT", b"transfer-encoding: chunked\r\n") + b"5\r\nhello\r\n")
        eventually(lambda: got, "part of the upload at the upstream")
        wire.shutdown(socket.SHUT_WR)
    assert estate.moody.left.wait(20), "the upstream still waits for an upload whose client has gone"
    assert got == [b"5\r\nhello\r\n", b""], "the upload was ended as if it were whole"


def _request(estate: Any, method: str, fields: bytes = b"") -> bytes:
    token = estate.token("pass").encode()
    return b"%b %b HTTP/1.1\r\nhost: moody.example\r\nauthorization: Bearer %b\r\n%b\r\n" % (
        method.encode(),
        ODD.encode(),
        token,
        fields,
    )


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
