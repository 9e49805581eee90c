"""The upstream of streams: bytes down, bytes up, and server-sent events. `python -m benchmarks.gateway.upstream PORT`.

Threads and blocking sockets: so it moves several times the bytes that an event loop does, and is not what is measured.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time

from tokenward.testing.loopback import QuietHandler, QuietServer

PIECE = bytes(range(256)) * 1024
"""256 KiB; a stream is made of it."""
HASHED = 16 * 1024 * 1024
"""Bytes up to which what comes up is hashed; beyond, only counted: a hash would be what is measured."""
FIRST_EVENT = b'data: {"delta": "first"}\n\n'
LATER = 20.0
"""Seconds until the next event; whoever waits for the end of a stream has not seen the first one by then."""
STALL = "X-Stall"
"""A request header: seconds for which the upstream does not read."""


class Handler(QuietHandler):
    """GET .../bytes/N, PUT of anything, POST of anything (events); any other GET says which Authorization arrived."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:  # noqa: N802  # the base class's words
        path, _, size = self.path.rpartition("/")
        if path.endswith("/bytes"):
            self._give(int(size))
        else:
            self._say(self.headers.get("Authorization", "").encode())

    def do_PUT(self) -> None:  # noqa: N802  # as above
        """Says how many bytes came, and their SHA-256 if they are few."""
        size, digest, buffer = int(self.headers.get("Content-Length", 0)), hashlib.sha256(), memoryview(bytearray(4 * len(PIECE)))
        time.sleep(float(self.headers.get(STALL, 0)))
        count = 0
        while count < size and (part := self.rfile.readinto1(buffer[: size - count])):
            count += part
            if size <= HASHED:
                digest.update(buffer[:part])
        self._say(json.dumps({"bytes": count, "sha256": digest.hexdigest()}).encode())

    def do_POST(self) -> None:  # noqa: N802  # as above
        """One event at once, the next when LATER has passed; less if the client leaves."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._begin("text/event-stream", None)
        self.wfile.write(FIRST_EVENT)
        self.connection.settimeout(LATER)
        try:
            self.connection.recv(1)
        except TimeoutError:
            self.wfile.write(b"data: [DONE]\n\n")

    def _give(self, size: int) -> None:
        self._begin("application/octet-stream", size)
        for sent in range(0, size, len(PIECE)):
            self.wfile.write(memoryview(PIECE)[: size - sent])

    def _say(self, body: bytes) -> None:
        self._begin("text/plain", len(body))
        self.wfile.write(body)

    def _begin(self, kind: str, size: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if size is None:  # it ends with the connection
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()


if __name__ == "__main__":
    QuietServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever(0.05)
