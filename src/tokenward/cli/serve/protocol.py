"""uvicorn's HTTP/1.1 protocol with bounds: how long a request's head may be, how long it may take, and what may follow an answer.

httptools keeps a field until it is whole, and uvicorn waits for it without end: one client could fill the memory, and many
slow ones would take all connections. After an answer uvicorn takes the rest of the request for as long as it trickles in, and
forgets the end of an idle connection with the first byte that comes. None of this has a limit of its own (seen in uvicorn 0.54
with httptools 0.9). What is answered here is marked as the gateway's own.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tokenward.challenge import Answer, refusal_answer
from tokenward.databricks.admission.refusals import RequestMalformed, answer_of, marked

MAX_HEAD_BYTES = 128 * 1024
"""Of a head, of trailers, and between two parts of a body; twice what the gateway takes, so that it can say 431 itself."""
HEAD_SECONDS = 30.0
"""From a connection, or the first byte of a request, to the end of its head; nginx's client_header_timeout is 60."""
LINGER_SECONDS = 30.0
"""For what is left of a request whose answer is complete; nginx's lingering_time, after which it closes whatever still comes."""
LINGER_BYTES = 1024 * 1024
"""Of what is left. nginx's lingering_time has no such bound; a client that reads while it sends has its answer by then."""


class _Refused(Exception):
    """Raised in a callback of httptools, which then reports a request that cannot be parsed; that is answered 400."""


class _Expecting(Enum):
    """What of a request comes next."""

    START = 0
    HEAD = 1
    BODY = 2


class BoundedProtocol(HttpToolsProtocol):
    """Closes what sends too much or too slowly before there is a request to answer, or after it was answered."""

    _fields = 0
    _unheard = 0
    _heard = False
    _expecting = _Expecting.START
    _lingering = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = False
        super().data_received(data)
        self._unheard = 0 if self._heard else self._unheard + len(data)
        if self.transport.is_closing():
            return
        if self._unheard > MAX_HEAD_BYTES:
            self.send_400_response("The request's head is too large.")
        else:
            self._bound_the_rest(len(data))

    # -- what httptools tells of a request -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._heard, self._fields, self._expecting = True, 0, _Expecting.HEAD
        self._start_timer(HEAD_SECONDS)
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        self._expecting, self._lingering = _Expecting.BODY, 0
        self._require_origin_form()
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.send_500_response = partial(_send_500, self.cycle)  # type: ignore[method-assign]

    def on_body(self, body: bytes) -> None:
        self._heard = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._heard, self._expecting = True, _Expecting.START
        self._stop_timer()
        super().on_message_complete()

    # -- answers ---------------------------------------------------------------------------------------------------

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._expecting is _Expecting.BODY and self._is_answered() and not self.transport.is_closing():
            self._start_timer(LINGER_SECONDS)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's words, which are not marked
        """In the middle of an answer, and before one to an earlier request, there is nothing left to say."""
        cycle = self.cycle
        if self.pipeline or not (self._is_answered() or (cycle.more_body and not cycle.response_started)):
            self.transport.abort()
            return
        if cycle is not None:
            cycle.disconnected = True  # or the app's answer could follow this one
        self.transport.write(_written(_MALFORMED, self.server_state.default_headers))
        self.transport.close()

    def _is_answered(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    # -- bounds ----------------------------------------------------------------------------------------------------

    def _count(self, part: bytes) -> None:
        self._heard = True
        self._fields += len(part)
        if self._fields > MAX_HEAD_BYTES:
            raise _Refused

    def _require_origin_form(self) -> None:
        """Of `http://another.example/path` and `/path#fragment` uvicorn would show the app `/path`, and nothing of the rest."""
        if not self.url.startswith(b"/") or b"#" in self.url:
            raise _Refused

    def _bound_the_rest(self, size: int) -> None:
        """Of a request that was answered; or of an idle connection, whose end uvicorn has just called off."""
        if not self._is_answered() or self.pipeline:
            return
        if self._expecting is _Expecting.BODY:
            self._lingering += size
            if self._lingering > LINGER_BYTES:
                self.transport.close()
        elif self._expecting is _Expecting.START and self._timer is None:
            self._start_timer(self.timeout_keep_alive)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self._is_answered():
            self.transport.close()
        else:
            self.transport.abort()


# -- answers of our own ------------------------------------------------------------------------------------------------

INTERNAL_ERROR = "internal_error"
"""The mark where the app failed; uvicorn logs why."""


_MALFORMED = marked(answer_of(RequestMalformed()), RequestMalformed.code)
_FAILED = marked(refusal_answer(500, INTERNAL_ERROR, "The request could not be answered"), INTERNAL_ERROR)


def _written(answer: Answer, default: list[tuple[bytes, bytes]]) -> bytes:
    """A whole 400, after which the connection ends."""
    fields = [*default, *_encoded(answer), (b"connection", b"close")]
    return b"".join([b"HTTP/1.1 400 Bad Request\r\n", *(b"%s: %s\r\n" % field for field in fields), b"\r\n", answer.body])


def _encoded(answer: Answer) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in answer.headers]


async def _send_500(cycle: RequestResponseCycle) -> None:
    """In the place of uvicorn's own."""
    headers = [*_encoded(_FAILED), (b"connection", b"close")]
    await cycle.send({"type": "http.response.start", "status": _FAILED.status, "headers": headers})
    await cycle.send({"type": "http.response.body", "body": _FAILED.body, "more_body": False})
