"""No byte of either side ends a header, or an answer, where the other side did not mean it to end."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.servers

SPLIT = b"x\r\nX-Evil: yes\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
ECHOED = {
    "the path": b"GET /nowhere/%0d%0aX-Evil:%20yes HTTP/1.1",
    "the path, escaped twice": b"GET /nowhere/%250d%250aX-Evil:%20yes HTTP/1.1",
    "the path, in Unicode": b"GET /nowhere/%E5%98%8D%E5%98%8AX-Evil:%20yes HTTP/1.1",
    "the query": b"GET /nowhere?q=%0d%0aX-Evil:%20yes HTTP/1.1",
    "the metadata's path": b"GET /.well-known/oauth-protected-resource/api/2.0/mcp/%0d%0aX-Evil:%20yes HTTP/1.1",
    "the method": b"GET\rX-Evil:yes /nowhere HTTP/1.1",
    "the version": b"GET /nowhere HTTP/1.1\rX-Evil: yes",
}


@pytest.mark.parametrize("how", ECHOED)
@pytest.mark.parametrize("bearer", [True, False], ids=["a caller", "a stranger"])
def test_nothing_of_a_refused_request_is_in_the_answers_header(gate: Any, upstream: Any, how: str, bearer: bool) -> None:
    answer = gate.ask(first=ECHOED[how], bearer=bearer)
    assert answer.status >= 400
    assert answer.values("x-evil") == []
    assert b"evil" not in answer.body.lower()
    assert upstream.raw == b""


@pytest.mark.parametrize("name", [b"Host", b"Origin", b"X-Request-Id", b"User-Agent", b"Accept", b"Referer"])
def test_line_ends_in_a_value_do_not_reach_the_upstream(gate: Any, upstream: Any, name: bytes) -> None:
    for value in (b"x\rX-Evil: yes", b"x\nX-Evil: yes", b"x\x00X-Evil: yes", b"x\x0bX-Evil: yes", b"x\x85X-Evil: yes"):
        with gate.connected() as wire:
            host = [] if name == b"Host" else [b"Host: gateway.example"]
            lines = [
                b"GET /api/2.0/asked HTTP/1.1",
                *host,
                name + b": " + value,
                gate.authorization,
                b"Connection: close",
                b"",
                b"",
            ]
            wire.sendall(b"\r\n".join(lines))
            while wire.recv(65536):
                pass
    for request in upstream.requests:  # a bare line feed may end a line (RFC 9112 section 2.2); then it is a field in the open
        assert request.values(b"x-evil") in ([], [b"yes"])
    assert b"\x00" not in upstream.raw
    assert b"\x0b" not in upstream.raw


ODD_ANSWERS = {
    "a bare CR in a value": b"HTTP/1.1 200 OK\r\nX-Odd: a\rX-Evil: yes\r\nContent-Length: 2\r\n\r\n{}",
    "a NUL in a value": b"HTTP/1.1 200 OK\r\nX-Odd: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "a folded value": b"HTTP/1.1 200 OK\r\nX-Odd: a\r\n X-Evil: yes\r\nContent-Length: 2\r\n\r\n{}",
    "a reason with a CR": b"HTTP/1.1 200 O\rX-Evil: yes\r\nContent-Length: 2\r\n\r\n{}",
    "a name with a space": b"HTTP/1.1 200 OK\r\nX Evil: yes\r\nContent-Length: 2\r\n\r\n{}",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nX-Evil : yes\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 60\r\n\r\n{}",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "more than its length": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nX-Evil: y\r\n\r\nevil",
    "a length of another base": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "our own mark": b"HTTP/1.1 200 OK\r\nTokenward-Refused: path_not_allowed\r\nContent-Length: 2\r\n\r\n{}",
    "a cookie": b"HTTP/1.1 200 OK\r\nSet-Cookie: evil=yes; Domain=gateway.example\r\nContent-Length: 2\r\n\r\n{}",
    "a field that Connection names": b"HTTP/1.1 200 OK\r\nConnection: x-evil\r\nX-Evil: yes\r\nContent-Length: 2\r\n\r\n{}",
    "hints before the answer": b"HTTP/1.1 103 Early Hints\r\nX-Evil: yes\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
}


SOUND = {
    "a folded value",
    "more than its length",
    "our own mark",
    "a cookie",
    "a field that Connection names",
    "hints before the answer",
}
"""Those that have an end, and become an answer without what is odd about them; of the others nothing is passed on."""


@pytest.mark.parametrize("how", ODD_ANSWERS)
def test_an_odd_answer_becomes_one_sound_answer_or_a_refusal(gate: Any, upstream: Any, how: str) -> None:
    """Two requests on one connection: the second one's answer is its own, whatever came with the first."""
    answers = iter([ODD_ANSWERS[how]])
    upstream.answer = lambda request: next(answers, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary")
    first, canary = gate.send(gate.request(first=b"GET /api/2.0/asked HTTP/1.1"))
    if how in SOUND:
        assert (first.status, first.body, first.refused) == (200, b"{}", None)
    else:
        assert (first.status, first.refused) == (502, "upstream_unavailable")
    assert first.values("x-evil") == first.values("set-cookie") == []
    assert first.values("content-length") == [str(len(first.body))]
    assert (canary.status, canary.body) == (200, b"canary")


def test_a_refusal_shows_nothing_of_the_token(gate: Any, upstream: Any) -> None:
    answer = gate.ask(b"Authorization: Bearer evil.evil.evil", bearer=False)
    assert answer.status == 401
    assert b"evil" not in answer.body
    assert all("evil" not in value for _, value in answer.fields)
    assert all("evil" not in str(event) for event in gate.events)
