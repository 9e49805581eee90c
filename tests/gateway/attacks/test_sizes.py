"""Too much of anything is refused, and costs the next caller nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

pytestmark = pytest.mark.servers

TOO_LARGE = (400, 413, 414, 431, 401)
LARGE = {
    "one field of a megabyte": [b"X-Large: " + b"x" * (1 << 20)],
    "one name of a megabyte": [b"X" * (1 << 20) + b": y"],
    "a thousand fields": [b"X-%d: y" % number for number in range(1000)],
    "two hundred fields": [b"X-%d: y" % number for number in range(200)],
    "a field again and again": [b"X-Again: y"] * 500,
    "fields of 80 KiB in all": [b"X-%d: %b" % (number, b"x" * 4096) for number in range(20)],
    "a token of 40 KiB": [b"Authorization: Bearer " + b"x" * 40_000],
}


@pytest.mark.parametrize("how", LARGE)
def test_too_large_a_header_is_refused(gate: Any, upstream: Any, how: str) -> None:
    with gate.connected() as wire:
        answers = _sent(wire, gate.request(*LARGE[how], b"Connection: close"), gate)
    assert [answer.status in TOO_LARGE for answer in answers] in ([True], []), answers
    assert upstream.raw == b""
    assert gate.ask().status == 200


def test_too_long_a_path_is_refused(gate: Any, upstream: Any) -> None:
    for path in (b"/api/2.0/" + b"x" * 9000, b"/api/2.0/x?q=" + b"x" * 20_000, b"/api/2.0/x?q=" + b"x" * (1 << 20)):
        with gate.connected() as wire:
            answers = _sent(wire, gate.request(b"Connection: close", first=b"GET %b HTTP/1.1" % path), gate)
        assert [answer.status in TOO_LARGE for answer in answers] in ([True], [])
    assert upstream.raw == b""


def test_as_much_as_is_promised_arrives(gate: Any, upstream: Any) -> None:
    """Ninety fields of 400 bytes each, which every one of the servers takes, too."""
    lines = [b"X-%d: %b" % (number, b"x" * 400) for number in range(90)]
    assert gate.ask(*lines).status == 200
    assert {b"x-%d" % number for number in range(90)} <= upstream.only.names


def _sent(wire: Any, data: bytes, gate: Any) -> Any:
    """What is answered, if the connection is not reset before that can be read."""
    came = b""
    with contextlib.suppress(OSError):
        wire.sendall(data)
    with contextlib.suppress(OSError):
        while part := wire.recv(65536):
            came += part
    return gate.answers_in(came)
