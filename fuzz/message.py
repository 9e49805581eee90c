"""HTTP answers as a fuzzer writes them: a status, header lines, an empty line, the body. What is no such text is a body."""

from __future__ import annotations

import re

from tokenward.keys.body import BoundedBody
from tokenward.keys.port import MAX_BODY_BYTES, FetchResponse

HEAD = re.compile(rb"([0-9]{3})\n((?:[!-9;-~]+: ?[^\n]*\n){0,8})\n")
CHUNK = 4096
"""Bytes that are handed on at once, as a client would."""
BETWEEN = b"\n\x1e\n"
"""Between two answers."""


def answer_of(data: bytes) -> FetchResponse:
    """The answer, its body bounded and decoded as the fetches do it. Raises FetchFailed."""
    status, headers, body = _opened(data)
    bounded = BoundedBody(headers, MAX_BODY_BYTES)
    for begin in range(0, len(body), CHUNK):
        if not bounded.takes(body[begin : begin + CHUNK]):
            break
    return FetchResponse(status, headers, bounded.whole())


def with_body(data: bytes, body: bytes) -> bytes:
    """The same answer with another body."""
    return data[: len(data) - len(_opened(data)[2])] + body


def body_of(data: bytes) -> bytes:
    return _opened(data)[2]


def _opened(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head = HEAD.match(data)
    if head is None:
        return 200, {}, data
    lines = (line.partition(":") for line in head[2].decode("latin-1").splitlines() if ":" in line)
    return int(head[1]), {name.lower(): value.strip() for name, _, value in lines}, data[head.end() :]
