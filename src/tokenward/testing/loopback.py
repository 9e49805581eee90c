"""What servers on this machine share: listeners that take leaving clients for granted, handlers that can reset one, ports."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from tokenward.testing.faults import Answer, Fault
from tokenward.testing.faults.fault import Reply
from tokenward.testing.faults.wire import Wire, reset_connection

FREE_PORTS = range(20_000, 32_768)
"""Below those that Linux, macOS and Windows give away by themselves: ip(7), RFC 6335 section 6."""

POLL = 0.02
"""Seconds until a server notices that it is to end."""


def free_port(host: str = "127.0.0.1") -> int:
    """A port for a server that is about to start in another process. It is not reserved.

    One that the system itself gives (port 0) may be given to somebody else before that server has started; these are not
    given to anybody who did not ask for them. Raises OSError if none is free.
    """
    for port in random.sample(FREE_PORTS, 100):
        with contextlib.suppress(OSError), socket.create_server((host, port)):
            return port
    raise OSError("100 ports were tried, and none is free")


class QuietServer(ThreadingHTTPServer):
    """A thread for each connection, none of which keeps the process alive."""

    daemon_threads = True
    block_on_close = False  # an outage may be asked for by a request, which cannot wait for its own end
    request_queue_size = 128
    expected: ClassVar[tuple[type[Exception], ...]] = (ConnectionError,)
    """What clients that leave in the middle cause."""

    def begin(self, name: str) -> int:
        """Answer from a thread of its own; the port is returned."""
        threading.Thread(target=self.serve_forever, args=(POLL,), name=name, daemon=True).start()
        port: int = self.server_address[1]
        return port

    def end(self) -> None:
        """Stop answering, and give the port back."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that leave in the middle are a matter of course here; anything else is a bug and is shown."""
        if not isinstance(sys.exception(), self.expected):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class QuietHandler(BaseHTTPRequestHandler):
    """Writes answers as they are, and nothing to standard error."""

    def write(self, answer: Answer) -> None:
        """Send a whole answer, with the headers that it has and no others of its own."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.measured:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def reset(self) -> None:
        """Close with RST in place of FIN."""
        reset_connection(self.connection)

    def suffer(self, fault: Fault, reply: Reply) -> None:
        """Answer as the fault has it; `reply` makes the answer, spoiled already."""
        fields = {name.lower(): value for name, value in self.headers.items()}
        fault.send(Wire(self.connection, fields, fault.over), reply)

    def json_object(self, most: int) -> dict[str, object]:
        """The body of the request, of at most so many bytes. Raises ValueError, with a text that may be sent back."""
        length = self.headers.get("Content-Length", "" if "Transfer-Encoding" in self.headers else "0")
        if not (length.isascii() and length.isdigit() and int(length) <= most):
            raise ValueError(f"the body is longer than {most} bytes, or its length is not known")
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            raise ValueError("the body is not JSON") from None
        if not isinstance(body, dict):
            raise ValueError("the body is not a JSON object")
        return body

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Nothing: each stand-in keeps what it was asked."""
