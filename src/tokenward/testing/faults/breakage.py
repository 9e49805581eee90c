"""Answers that break off, or are no HTTP."""

from __future__ import annotations

from collections.abc import Callable

from tokenward import validation
from tokenward.testing.faults.answer import JSON, Answer
from tokenward.testing.faults.fault import Fault, Reply
from tokenward.testing.faults.wire import Wire, head_of

_TO_ARRIVE = 0.02
"""Seconds for what was sent to arrive, or the reset would overtake it."""
_CHUNKED = head_of(Answer(200, {**JSON, "transfer-encoding": "chunked"}, b"", measured=False))


def reset() -> Fault:
    """A reset in place of an answer."""
    return _broken("reset", lambda wire, _: wire.reset())


def reset_after(octets: int) -> Fault:
    """A reset in the middle of the body, after so many bytes of it."""
    validation.whole("octets", octets, least=0, most=2**31)

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(answer) + answer.body[:octets])
        wire.wait(_TO_ARRIVE)
        wire.reset()

    return _broken(f"reset after {octets} bytes", _send)


def closed() -> Fault:
    """The connection is closed, politely, in place of an answer."""
    return _broken("closed", lambda _wire, _reply: None)


def wrong_length(by: int = 100) -> Fault:
    """A Content-Length that is wrong by so many bytes: more than come, or (negative) fewer, which cuts the document off."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(answer, max(len(answer.body) + by, 0)) + answer.body)

    return Fault("wrong length", send=_send, fails="read" if by > 0 else "not_json")


def two_lengths() -> Fault:
    """Two Content-Length fields that differ (RFC 9112 section 6.3)."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(answer).replace(b"connection: close", b"content-length: 7") + answer.body)

    return _broken("two lengths", _send)


def bad_chunks() -> Fault:
    """A chunked body whose chunks have sizes that are no numbers."""
    return _broken("bad chunks", lambda wire, reply: wire.send(_CHUNKED + b"zz\r\n" + reply().body + b"\r\n0\r\n\r\n"))


def unfinished_chunks() -> Fault:
    """A chunked body that ends without the last chunk, and so may have been cut off (RFC 9112 section 8)."""

    def _send(wire: Wire, reply: Reply) -> None:
        body = reply().body
        wire.send(_CHUNKED + b"%x\r\n%b\r\n" % (len(body), body))

    return _broken("unfinished chunks", _send)


def endless_headers() -> Fault:
    """A header field of 300 kB that does not end."""
    return _broken("endless headers", lambda wire, _: wire.send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 300_000))


def another_protocol() -> Fault:
    """Something listens there, and it speaks SSH."""
    return _broken("another protocol", lambda wire, _: wire.send(b"SSH-2.0-OpenSSH_9.6\r\n"))


def _broken(name: str, send: Callable[[Wire, Reply], None]) -> Fault:
    return Fault(name, send=send, fails="read")
