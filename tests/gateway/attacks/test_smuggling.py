"""Two requests in one, or one in two: whatever a server before us could read differently, nothing of it arrives as a request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.servers

POST = b"POST /api/2.0/outer HTTP/1.1"
SMUGGLED = b"/api/2.0/smuggled"
ALLOWED = {b"/api/2.0/outer", b"/api/2.0/canary"}


def _smuggled(gate: Any) -> bytes:
    """A whole request of its own, which the gateway would let in if it came in the open."""
    return bytes(gate.request(b"X: y", first=b"GET " + SMUGGLED + b" HTTP/1.1"))


def _chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


END = b"0\r\n\r\n"


def _length(hidden: bytes, value: bytes) -> tuple[list[bytes], bytes]:
    return [b"Content-Length: " + value.replace(b"N", b"%d" % len(hidden))], hidden


def _coding(hidden: bytes, *lines: bytes) -> tuple[list[bytes], bytes]:
    """For whoever reads a chunked body, the hidden request is behind its end; for others, in the middle of it."""
    return [*lines, b"Content-Length: %d" % (len(END) + len(hidden))], END + hidden


def _alone(hidden: bytes, *lines: bytes) -> tuple[list[bytes], bytes]:
    """For whoever does not see a chunked body there is none, and the hidden request follows."""
    return [*lines], _chunk(hidden) + END


REFUSED: dict[str, Callable[[bytes], tuple[list[bytes], bytes]]] = {
    "length and chunks, the request behind the end": lambda hidden: _coding(hidden, b"Transfer-Encoding: chunked"),
    "length and chunks, the length first": lambda hidden: (
        [b"Content-Length: 4", b"Transfer-Encoding: chunked"],
        _chunk(hidden) + END,
    ),
    "length and chunks, the name in capitals": lambda hidden: _coding(hidden, b"TRANSFER-ENCODING: Chunked"),
    "length and a coding that is none": lambda hidden: _coding(hidden, b"Transfer-Encoding: xchunked"),
    "length and identity": lambda hidden: _coding(hidden, b"Transfer-Encoding: identity"),
    "length and chunked twice": lambda hidden: _coding(hidden, b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "length and chunked, then identity": lambda hidden: _coding(
        hidden, b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"
    ),
    "length and a list of codings": lambda hidden: _coding(hidden, b"Transfer-Encoding: identity, chunked"),
    "length and a coding with a vertical tab": lambda hidden: _coding(hidden, b"Transfer-Encoding: \x0bchunked"),
    "length and a coding before a NUL": lambda hidden: _coding(hidden, b"Transfer-Encoding: chunked\x00"),
    "length and a space before the colon": lambda hidden: _coding(hidden, b"Transfer-Encoding : chunked"),
    "length and a tab before the colon": lambda hidden: _coding(hidden, b"Transfer-Encoding\t: chunked"),
    "length and a folded coding": lambda hidden: _coding(hidden, b"Transfer-Encoding:", b" chunked"),
    "length and a coding behind a bare CR": lambda hidden: _coding(hidden, b"X: y\rTransfer-Encoding: chunked"),
    "gzip, then chunks": lambda hidden: _alone(hidden, b"Transfer-Encoding: gzip, chunked"),
    "chunks, then gzip": lambda hidden: _alone(hidden, b"Transfer-Encoding: chunked, gzip"),
    "a quoted coding": lambda hidden: _alone(hidden, b'Transfer-Encoding: "chunked"'),
    "two lengths": lambda hidden: ([b"Content-Length: 0", b"Content-Length: %d" % len(hidden)], hidden),
    "two lengths, the longer first": lambda hidden: ([b"Content-Length: %d" % len(hidden), b"Content-Length: 0"], hidden),
    "a list of lengths": lambda hidden: _length(hidden, b"0, N"),
    "a length with a plus": lambda hidden: _length(hidden, b"+N"),
    "a negative length": lambda hidden: _length(hidden, b"-1"),
    "a length in hexadecimal": lambda hidden: _length(hidden, b"0x0N"),
    "a length with a space in it": lambda hidden: _length(hidden, b"0 N"),
    "a length with an underscore": lambda hidden: _length(hidden, b"0_N"),
    "a length with a fraction": lambda hidden: _length(hidden, b"N.0"),
    "no length at all in the field": lambda hidden: _length(hidden, b""),
    "a length beyond 64 bits": lambda hidden: _length(hidden, b"18446744073709551616"),
    "a folded length": lambda hidden: ([b"Content-Length: 0", b" %d" % len(hidden)], hidden),
}
"""Lines and body for a hidden request."""


@pytest.mark.parametrize("how", REFUSED)
def test_what_has_two_readings_is_refused_and_ends_the_connection(gate: Any, upstream: Any, how: str) -> None:
    lines, body = REFUSED[how](_smuggled(gate))
    answers = gate.send(gate.request(*lines, first=POST, body=body))
    assert [answer.status for answer in answers] in ([400], [501]), "one answer, and then the end"
    assert upstream.raw == b""


CHUNKS = {
    "a size with a prefix": b"0x5\r\nhello\r\n",
    "a size with a plus": b"+5\r\nhello\r\n",
    "a negative size": b"-5\r\nhello\r\n",
    "a size with an underscore": b"0_5\r\nhello\r\n",
    "a size beyond 64 bits": b"10000000000000005\r\nhello\r\n",
    "a size that is none": b"five\r\nhello\r\n",
    "no size": b"\r\nhello\r\n",
    "a chunk that is longer than its size": b"3\r\nhello\r\n",
    "a chunk that ends with nothing": b"5\r\nhello0\r\n\r\n",
}


@pytest.mark.parametrize("how", CHUNKS)
def test_chunks_that_are_none_never_become_a_whole_request(gate: Any, upstream: Any, eventually: Any, how: str) -> None:
    data = gate.request(b"Transfer-Encoding: chunked", first=POST, body=CHUNKS[how] + END + _smuggled(gate))
    with gate.connected() as wire:
        wire.sendall(data)
        wire.settimeout(0.5)  # a server that takes a size at its word waits for the rest, and we do not
        with contextlib.suppress(OSError):
            while wire.recv(65536):
                pass
    eventually(lambda: gate.gateway.in_flight == 0, "quiet gateway")
    assert upstream.requests == []


SAME = {
    "chunks with an extension": ([b"Transfer-Encoding: chunked"], _chunk(b"hello", b";a=b") + END),
    "chunked in capitals": ([b"Transfer-Encoding: CHUNKED"], _chunk(b"hello") + END),
    "chunks with trailers": (
        [b"Transfer-Encoding: chunked", b"Trailer: authorization"],
        _chunk(b"hello") + b"0\r\nAuthorization: Bearer of-an-attacker\r\n\r\n",
    ),
    "a length": ([b"Content-Length: 5"], b"hello"),
    "a length with leading zeros": ([b"Content-Length: 0005"], b"hello"),
    "a length that Connection names": ([b"Connection: keep-alive, content-length", b"Content-Length: 5"], b"hello"),
    "chunks that Connection names": (
        [b"Connection: keep-alive, transfer-encoding", b"Transfer-Encoding: chunked"],
        _chunk(b"hello") + END,
    ),
    "another length with an underscore": ([b"Content_Length: 99", b"Content-Length: 5"], b"hello"),
    "another coding with an underscore": ([b"Transfer_Encoding: chunked", b"Content-Length: 5"], b"hello"),
}


@pytest.mark.parametrize("how", SAME)
def test_what_has_one_reading_arrives_framed_anew(gate: Any, upstream: Any, how: str) -> None:
    lines, body = SAME[how]
    answers = gate.send(gate.request(*lines, first=POST, body=body))
    if (
        answers[0].status == 400
    ):  # uvicorn with httptools adds trailers that come at once to the header: there are two credentials
        assert (how, gate.server, upstream.targets) == ("chunks with trailers", "httptools", [b"/api/2.0/canary"])
        return
    assert [answer.status for answer in answers] == [200, 200]
    outer, canary = upstream.requests
    assert (outer.target, outer.body, canary.target) == (b"/api/2.0/outer", b"hello", b"/api/2.0/canary")
    assert outer.names.isdisjoint({b"trailer", b"te", b"content_length", b"transfer_encoding"})
    assert b"attacker" not in upstream.raw


def test_a_body_that_looks_like_a_request_stays_a_body(gate: Any, upstream: Any) -> None:
    hidden = _smuggled(gate)
    for lines, body in (([b"Content-Length: %d" % len(hidden)], hidden), ([b"Transfer-Encoding: chunked"], _chunk(hidden) + END)):
        gate.send(gate.request(*lines, first=POST, body=body))
    assert upstream.targets == [b"/api/2.0/outer", b"/api/2.0/canary"] * 2
    assert [request.body for request in upstream.requests] == [hidden, b""] * 2


def test_requests_one_after_the_other_are_each_judged(gate: Any, upstream: Any) -> None:
    """Pipelined: the second has no token, and nothing of the first one's helps it."""
    first = gate.request(first=b"GET /api/2.0/outer HTTP/1.1")
    second = gate.request(first=b"GET " + SMUGGLED + b" HTTP/1.1", bearer=False)
    answers = gate.send(first + second)
    assert [(answer.status, answer.refused) for answer in answers] == [(200, None), (401, "missing_token"), (200, None)]
    assert upstream.targets == [b"/api/2.0/outer", b"/api/2.0/canary"]


def test_a_refused_request_with_a_body_does_not_put_the_connection_out_of_step(gate: Any, upstream: Any) -> None:
    """The body of a request that is refused before it was read must not be read as the next request."""
    hidden = _smuggled(gate)
    refused = gate.request(b"Content-Length: %d" % len(hidden), first=b"POST /login.html HTTP/1.1", body=hidden)
    answers = gate.send(refused)
    assert answers[0].refused == "path_not_allowed"
    assert set(upstream.targets) <= {b"/api/2.0/canary"}


def test_an_old_version_of_http_has_no_chunks(gate: Any, upstream: Any) -> None:
    hidden = _smuggled(gate)
    first = b"POST /api/2.0/outer HTTP/1.0"
    answers = gate.send(gate.request(b"Transfer-Encoding: chunked", b"Connection: keep-alive", first=first, body=END + hidden))
    assert len(answers) <= 1
    assert set(upstream.targets) <= ALLOWED
    assert SMUGGLED not in upstream.raw
