"""The connection that a fault answers on, as badly as it likes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Mapping
from http import HTTPStatus

from tokenward.testing.faults.answer import Answer


class Wire:
    """One connection on which a request has arrived.

    fields  the request's header fields, names in lower case
    over    set when the fault has ended: whoever waits or drips then stops
    """

    def __init__(self, connection: socket.socket, fields: Mapping[str, str], over: threading.Event) -> None:
        self.fields = fields
        self._connection = connection
        self._over = over

    def send(self, data: bytes) -> None:
        """These bytes and no others. Raises OSError once the client has left."""
        self._connection.sendall(data)

    def answer(self, answer: Answer) -> None:
        """A whole answer, as it should be."""
        self.send(head_of(answer) + answer.body)

    def drip(self, data: bytes, every: float) -> None:
        """Byte by byte, one `every` so many seconds."""
        for octet in data:
            if self.wait(every):
                return
            self.send(bytes([octet]))

    def wait(self, seconds: float | None = None) -> bool:
        """Send nothing for a while; True if the fault has ended."""
        return self._over.wait(seconds)

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        reset_connection(self._connection)


def head_of(answer: Answer, length: int | None = None) -> bytes:
    """Status line and header fields, with the length of the body or another one."""
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    if answer.measured:
        lines.append(f"content-length: {len(answer.body) if length is None else length}")
    return "\r\n".join([*lines, "connection: close", "", ""]).encode("latin-1")


def reset_connection(connection: socket.socket) -> None:
    """Close with RST in place of FIN: a linger of zero seconds does that (socket(7))."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        socket.close(connection.detach())


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
