"""One connection: HTTP/1.1 requests in, replies out, bodies in pieces either way."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, cast

from tokenward.testing.loopback import QuietHandler
from tokenward.testing.workspace.control import control
from tokenward.testing.workspace.messages import Refused, Reply, Request, Reset
from tokenward.testing.workspace.shapes import api_error
from tokenward.testing.workspace.workspace import DatabricksWorkspace

PIECE = 64 * 1024
MAX_LINE = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
MAX_LEFT_UNREAD = 1024 * 1024
"""What is still read of a request that was refused, so that the client gets to see why."""


class Serving(Protocol):
    """What a handler needs of its server."""

    workspace: DatabricksWorkspace
    has_control: bool


class Handler(QuietHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        try:
            self._send(self._answered())
        except Reset:
            self.close_connection = True
            self.reset()

    def _answered(self) -> Reply:
        """The reply, when all of the request was read; where that cannot be, the connection ends with it. Raises Reset."""
        served = cast("Serving", self.server)
        body = _Incoming(self)
        try:
            body.require_one_length()
            request = Request.to(self.command, self.path, _joined(self.headers.items()), body)
            is_control = served.has_control and request.path.startswith("/control/")
            reply = control(served.workspace, request) if is_control else served.workspace.answer(request)
        except Refused as refusal:
            reply = refusal.reply
        self.close_connection = self.close_connection or not body.drain()
        return reply

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _handle  # noqa: N815  # the base class's words

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        self.send_header("date", self.date_time_string(cast("Serving", self.server).workspace.clock()))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection or reply.cut is not None:
            self.send_header("connection", "close")
        write = self._framing(reply)
        self.end_headers()
        if self.command != "HEAD":
            self._write(reply, write)

    def _framing(self, reply: Reply) -> Callable[[bytes], object]:
        """Declare how the body ends, and say how a piece of it is written."""
        if reply.status == 204:
            return self.wfile.write
        length = len(reply.body) if isinstance(reply.body, bytes) else reply.length
        if length is not None:
            self.send_header("content-length", str(length))
            return self.wfile.write
        self.send_header("transfer-encoding", "chunked")
        return self._write_chunk

    def _write(self, reply: Reply, write: Callable[[bytes], object]) -> None:
        if reply.cut is not None:
            for piece in _first(reply.pieces(), reply.cut):
                write(piece)
            self.close_connection = True
            return
        for piece in reply.pieces():
            write(piece)
        if write == self._write_chunk:
            self.wfile.write(b"0\r\n\r\n")

    def _write_chunk(self, piece: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))


class _Incoming:
    """The body of the request that is being read: counted, chunked (RFC 9112 section 7.1), or none."""

    def __init__(self, handler: Handler) -> None:
        self._file = handler.rfile
        self._lengths = handler.headers.get_all("content-length", [])
        self._codings = handler.headers.get_all("transfer-encoding", [])
        self._is_broken = False
        self._pieces = self._read()

    def require_one_length(self) -> None:
        """Raises Refused where two readers could see two different ends (RFC 9112 section 6.3)."""
        length = self._lengths[0] if self._lengths else "0"
        is_number = length.isascii() and length.isdecimal() and len(length) < 20
        is_chunked = [coding.lower() for coding in self._codings] in ([], ["chunked"])
        if len(self._lengths) + len(self._codings) > 1 or not (is_number and is_chunked):
            raise self._bad_framing()

    def pieces(self) -> Iterator[bytes]:
        return self._pieces

    def drain(self) -> bool:
        """Read what nobody wanted; False if it is too much, or is no body of this form, so that the connection cannot go on."""
        left = 0 if self._is_broken else MAX_LEFT_UNREAD
        with contextlib.suppress(Refused):
            for piece in self._pieces if left else ():
                left -= len(piece)
                if left < 0:
                    return False
        return not self._is_broken

    def _read(self) -> Iterator[bytes]:
        if self._codings:
            yield from self._chunks()
        elif self._lengths:
            yield from self._exactly(int(self._lengths[0]))

    def _chunks(self) -> Iterator[bytes]:
        while size := self._size():
            yield from self._exactly(size)
            if self._file.readline(MAX_LINE) != b"\r\n":
                raise self._bad_framing()
        while (line := self._file.readline(MAX_LINE)) not in (b"\r\n", b""):
            del line  # a trailer

    def _size(self) -> int:
        size = _SIZE.fullmatch(self._file.readline(MAX_LINE))
        if size is None:
            raise self._bad_framing()
        return int(size[1], 16)

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self._file.read(min(PIECE, size))
            if not piece:
                raise ConnectionAbortedError("the client left in the middle of a body")
            size -= len(piece)
            yield piece

    def _bad_framing(self) -> Refused:
        self._is_broken = True
        return Refused(api_error(400, "MALFORMED_REQUEST", "The length of the body is not clear."))


def _first(pieces: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The first `count` bytes."""
    for piece in pieces:
        yield piece[:count]
        count -= len(piece[:count])
        if not count:
            return


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        known = headers.get(name.lower())
        headers[name.lower()] = value if known is None else f"{known}, {value}"
    return headers
