"""Changes of what stands around a document: the status and headers of its answer, how its body is packed, and single bytes."""

from __future__ import annotations

import gzip
import zlib
from random import Random

from fuzz.message import body_of, with_body

STATUSES = (200, 200, 200, 200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 404, 410, 429, 500, 503, 999, 100)
HEADERS = (
    *(b"cache-control: max-age=60", b"cache-control: public, max-age=99999999999, MAX-AGE=1", b'Cache-Control: max-age="15"'),
    *(b"cache-control: max-age=-1", b"cache-control: s-max-age=5,max-age = 007", b"retry-after: 5", b"Retry-After: 99999999999"),
    *(b"retry-after: Fri, 31 Dec 1999 23:59:59 GMT", b"retry-after: \xb2", b"retry-after: 1e9", b"retry-after: -1"),
    *(b"content-type: text/html", b"content-type: application/json; charset=utf-16", b"content-type: TEXT/HTML;x"),
    *(b"content-length: 1", b"content-length: 99999999", b"content-length: \xb2", b"content-length: 99999999999999"),
    *(b"content-encoding: gzip", b"content-encoding: deflate", b"content-encoding: br", b"content-encoding: gzip, gzip"),
    *(b"location: https://idp.example/x", b"location: //[::1", b"location: http://a\x7fb/", b"location: https://user:secret@h/"),
)
BOMB = gzip.compress(b" " * 2_000_000, mtime=0)


def head_changed(data: bytes, rng: Random) -> bytes:
    """Another status, other headers; a body that says that it is packed mostly is."""
    headers = rng.sample(HEADERS, rng.randrange(4))
    body = body_of(data)
    if any(header.startswith(b"content-encoding") for header in headers) and rng.random() < 0.7:
        body = rng.choice([gzip.compress(body, mtime=0), zlib.compress(body), BOMB, gzip.compress(body, mtime=0)[:-4]])
    return b"%d\n" % rng.choice(STATUSES) + b"".join(header + b"\n" for header in headers) + b"\n" + body


def bytes_changed(data: bytes, rng: Random) -> bytes:
    """One place of the body."""
    body = body_of(data)
    begin, end = sorted(rng.randrange(len(body) + 1) for _ in range(2))
    piece = rng.choice(
        [b"", bytes([rng.randrange(256)]), body[begin:end] * 2, b"[" * 70, b"\xff", b'"', b",", b"\\u0000", b"\xef\xbb\xbf"]
    )
    return with_body(data, body[:begin] + piece + body[min(end, begin + rng.randrange(4)) :])
