"""HTTP/2 in front, HTTP/1.1 behind: what a frame can carry must not become another request behind (RFC 9113 section 10.3)."""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest

pytestmark = pytest.mark.servers

Fields = list[tuple[bytes, bytes]]
SMUGGLED = b"GET /api/2.0/smuggled HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer y\r\n\r\n"


@pytest.fixture(scope="module")
def hyper(serving: Any) -> Any:
    return serving("hypercorn")


class Attacker:
    """Speaks HTTP/2, and holds to nothing of it that could be left out."""

    def __init__(self, gate: Any) -> None:
        loose: dict[str, Any] = {
            "validate_outbound_headers": False,
            "normalize_outbound_headers": False,
            "validate_inbound_headers": False,
        }
        self._http2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None, **loose))
        self._wire = gate.connected()
        self._http2.initiate_connection()
        self._token = gate.token.encode()

    def ask(
        self, fields: Fields, body: bytes | None = None, *, method: bytes = b"POST", path: bytes = b"/api/2.0/outer"
    ) -> str | None:
        """The status of the answer; None if there is none, because the stream or the connection was ended."""
        stream, given = self._http2.get_next_available_stream_id(), dict(fields)
        usual = {b":method": method, b":path": path, b":scheme": b"http", b":authority": b"gateway.example"}
        pseudo = [(name, given.get(name, value)) for name, value in usual.items()]
        token = [] if b"authorization" in given else [(b"authorization", b"Bearer " + self._token)]
        plain = [each for each in fields if each[0] not in usual]
        self._http2.send_headers(stream, [*pseudo, *token, *plain], end_stream=body is None)
        if body is not None:
            self._http2.send_data(stream, body, end_stream=True)
        return self._status(stream)

    def _status(self, stream: int) -> str | None:
        status = None
        with contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            self._wire.sendall(self._http2.data_to_send())
            while data := self._wire.recv(65536):
                for event in self._http2.receive_data(data):
                    if isinstance(event, h2.events.ResponseReceived) and event.stream_id == stream:
                        status = dict(event.headers)[b":status"].decode()
                    if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                        return status
                    if isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                        return status
                self._wire.sendall(self._http2.data_to_send())
        return status

    def close(self) -> None:
        self._wire.close()


@pytest.fixture
def attacker(hyper: Any, upstream: Any) -> Iterator[Attacker]:
    attacker = Attacker(hyper)
    yield attacker
    attacker.close()


REFUSED: dict[str, Fields] = {
    "a coding": [(b"transfer-encoding", b"chunked")],
    "a coding and a length": [(b"transfer-encoding", b"chunked"), (b"content-length", b"%d" % len(SMUGGLED))],
    "a length that is too small": [(b"content-length", b"0")],
    "a length that is too large": [(b"content-length", b"%d" % (len(SMUGGLED) + 40))],
    "two lengths": [(b"content-length", b"0"), (b"content-length", b"%d" % len(SMUGGLED))],
    "a line end in a value": [(b"x-odd", b"a\r\nTransfer-Encoding: chunked")],
    "a bare line feed in a value": [(b"x-odd", b"a\nTransfer-Encoding: chunked")],
    "a NUL in a value": [(b"x-odd", b"a\x00b")],
    "a line end in a name": [(b"x-odd\r\ntransfer-encoding", b"chunked")],
    "a colon in a name": [(b"transfer-encoding: chunked\r\nx", b"y")],
    "a space in a name": [(b"transfer-encoding ", b"chunked")],
    "two authorizations": [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")],
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_cannot_be_said_in_http1_is_refused(attacker: Attacker, upstream: Any, how: str) -> None:
    assert attacker.ask(REFUSED[how], SMUGGLED) in ("400", "401", None)
    assert b"/api/2.0/smuggled" not in upstream.targets
    assert [request.body for request in upstream.requests] in ([], [b""])


PSEUDO: dict[str, Fields] = {
    "a path with a line end": [(b":path", b"/api/2.0/outer HTTP/1.1\r\nX-Evil: y\r\nX: ")],
    "a path with a space": [(b":path", b"/api/2.0/outer /login.html")],
    "a path that is an address": [(b":path", b"http://elsewhere.example/api/2.0/outer")],
    "a path without a slash": [(b":path", b"api/2.0/outer")],
    "an empty path": [(b":path", b"")],
    "dots": [(b":path", b"/api/2.0/../../login.html")],
    "a method with a line end": [(b":method", b"GET / HTTP/1.1\r\nX: y\r\n\r\nGET")],
    "a method with a space": [(b":method", b"GET /api/2.0/smuggled")],
}


@pytest.mark.parametrize("how", PSEUDO)
def test_what_is_no_path_and_no_method_reaches_nobody(attacker: Attacker, upstream: Any, how: str) -> None:
    assert attacker.ask(PSEUDO[how]) in ("400", "403", "405", None)
    assert upstream.raw == b""


def test_the_host_of_http2_has_no_part_in_where_it_goes(attacker: Attacker, upstream: Any) -> None:
    assert attacker.ask([(b":authority", b"elsewhere.example"), (b"x-forwarded-host", b"elsewhere.example")], method=b"GET") in (
        "200",
        "400",
        None,
    )
    assert b"elsewhere" not in upstream.raw


def test_a_body_in_frames_arrives_as_one_body(attacker: Attacker, upstream: Any) -> None:
    assert attacker.ask([(b"content-length", b"%d" % len(SMUGGLED))], SMUGGLED) == "200"
    assert attacker.ask([], SMUGGLED) == "200"
    assert upstream.targets == [b"/api/2.0/outer"] * 2
    assert [request.body for request in upstream.requests] == [SMUGGLED] * 2


def test_fields_of_a_connection_do_not_pass(attacker: Attacker, upstream: Any) -> None:
    """HTTP/2 has none (RFC 9113 section 8.2.2); a server may refuse them or leave them out."""
    fields = [(b"connection", b"authorization, x-kept"), (b"te", b"trailers"), (b"keep-alive", b"1"), (b"x-kept", b"yes")]
    status = attacker.ask(fields, method=b"GET")
    assert status in ("200", "400", None)
    for request in upstream.requests:
        assert request.names.isdisjoint({b"connection", b"te", b"keep-alive"})
