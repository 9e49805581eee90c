"""Answers that take their time. A client whose timeouts are for each read waits for them without end."""

from __future__ import annotations

from tokenward import validation
from tokenward.testing.faults.answer import JSON, Answer
from tokenward.testing.faults.fault import Fault, Reply
from tokenward.testing.faults.wire import Wire, head_of

SLOW = 30.0
"""Seconds that a slow answer takes, unless said otherwise: longer than any fetch may."""
A_BYTE_EACH = 0.02
"""Seconds; often enough to reset every timeout that is for one read."""


_ENDLESS = 50_000
"""Bytes, one by one: a quarter of an hour, and less than clients allow a header section to be long."""


def slow(seconds: float = SLOW) -> Fault:
    """Nothing for `seconds`, then the answer, as it is by then."""
    validation.seconds("seconds", seconds, most=3600)

    def _send(wire: Wire, reply: Reply) -> None:
        wire.wait(seconds)
        wire.answer(reply())

    return Fault("slow", send=_send, fails="timeout", seconds=seconds)


def held() -> Fault:
    """Nothing until `end()` is called, then the answer as it was when it was asked for."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.wait()
        wire.answer(answer)

    return Fault("held", send=_send, fails="timeout")


def slow_headers(every: float = A_BYTE_EACH) -> Fault:
    """A header section that comes byte by byte, and never comes to an end."""

    def _send(wire: Wire, _reply: Reply) -> None:
        wire.drip(b"HTTP/1.1 200 OK\r\nx-slow: " + b"x" * _ENDLESS, every)

    return Fault("slow headers", send=_send, fails="timeout")


def slow_body(every: float = A_BYTE_EACH) -> Fault:
    """The header section at once, the body byte by byte."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(answer))
        wire.drip(answer.body, every)

    return Fault("slow body", send=_send, fails="timeout")


def slow_chunks(every: float = A_BYTE_EACH) -> Fault:
    """A chunked body of one byte to a chunk, and these byte by byte."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(_chunked(answer)))
        wire.drip(b"".join(b"1\r\n%c\r\n" % octet for octet in answer.body), every)

    return Fault("slow chunks", send=_send, fails="timeout")


def endless() -> Fault:
    """The whole body, without a length and without an end."""

    def _send(wire: Wire, reply: Reply) -> None:
        answer = reply()
        wire.send(head_of(Answer(answer.status, answer.headers, b"", measured=False)) + answer.body)
        wire.wait()

    return Fault("endless", send=_send, fails="timeout")


def _chunked(answer: Answer) -> Answer:
    return Answer(answer.status, {**JSON, "transfer-encoding": "chunked"}, b"", measured=False)
