"""uvicorn's HTTP/1.1 protocol with bounds: how long a request's head may be, and how long it may take.

httptools keeps a field until it is whole, and uvicorn waits for it without end: one client could fill the memory, and many
slow ones would take all connections. Neither has a limit of its own (seen in uvicorn 0.54 with httptools 0.9).
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 128 * 1024
"""Of a head, of trailers, and between two parts of a body; twice what the gateway takes, so that it can say 431 itself."""
HEAD_SECONDS = 30.0
"""From a connection, or the first byte of a request, to the end of its head; nginx's client_header_timeout is 60."""


class _TooMuch(Exception):
    """A head or trailers beyond the bound; httptools reports it as a request that cannot be parsed, which is answered 400."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes what sends too much before, or too slowly until, there is a request to answer."""

    _fields = 0
    _unheard = 0
    _heard = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard = False
        super().data_received(data)
        self._unheard = 0 if self._heard else self._unheard + len(data)
        if self._unheard > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse()

    # -- what httptools tells of a request -------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._heard, self._fields = True, 0
        self._start_timer()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._heard = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._heard = True
        super().on_message_complete()

    # -- bounds ----------------------------------------------------------------------------------------------------

    def _count(self, part: bytes) -> None:
        self._heard = True
        self._fields += len(part)
        if self._fields > MAX_HEAD_BYTES:
            raise _TooMuch

    def _refuse(self) -> None:
        """In the middle of an answer there is nothing left to say."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.transport.abort()
        else:
            self.send_400_response("The request's head is too large.")

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.transport.abort()
