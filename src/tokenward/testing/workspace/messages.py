"""A request to the stand-in and its reply, the same over HTTP and in process. Bodies of any size pass in pieces, either way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias
from urllib.parse import parse_qsl, urlsplit

MAX_JSON_BYTES = 16 * 1024 * 1024
"""What a serving endpoint takes at most; everything else that is read whole is far smaller."""
JSON_TYPE = "application/json; charset=utf-8"

Object: TypeAlias = dict[str, object]
"""A JSON object."""


class Refused(Exception):
    """A request that ends here, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"HTTP {reply.status}")
        self.reply = reply


class Reset(Exception):
    """There is no reply: the connection breaks."""


class Body(Protocol):
    """What came with a request; it can be read once."""

    def pieces(self) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """A body that is here already."""

    content: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        if self.content:
            yield self.content


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is as it was sent, still percent-encoded; header names are lower case, values of one name joined by commas."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = field(default_factory=Bytes, repr=False)

    @classmethod
    def to(cls, method: str, target: str, headers: Mapping[str, str], body: Body) -> Request:
        """Split a request target into path and query."""
        parts = urlsplit(target)
        return cls(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)

    def content(self, limit: int = MAX_JSON_BYTES) -> bytes:
        """The whole body. Raises Refused (413) if it is longer than `limit` bytes."""
        held = bytearray()
        for piece in self.body.pieces():
            held += piece
            if len(held) > limit:
                raise Refused(
                    json_reply(413, {"error_code": "MAX_REQUEST_SIZE_EXCEEDED", "message": "The request is too large."})
                )
        return bytes(held)

    def json(self) -> Object:
        """The body as a JSON object; nothing is an empty one. Raises Refused (400)."""
        try:
            held = json.loads(self.content() or b"{}")
        except ValueError:
            held = None
        if not isinstance(held, dict):
            raise Refused(
                json_reply(400, {"error_code": "MALFORMED_REQUEST", "message": "Invalid JSON given in the body of the request"})
            )
        return held


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the whole, or a maker of its pieces: then `length` is how many bytes they are, or None for chunks of any number.

    `cut` breaks the connection after that many bytes of the body.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Callable[[], Iterable[bytes]] = b""
    length: int | None = None
    cut: int | None = None

    def having(self, headers: Mapping[str, str]) -> Reply:
        """The same with more header fields; its own win."""
        return replace(self, headers={**headers, **self.headers})

    def pieces(self) -> Iterable[bytes]:
        if isinstance(self.body, bytes):
            return (self.body,) if self.body else ()
        return self.body()


def json_reply(status: int, body: object, **headers: str) -> Reply:
    """JSON; keyword arguments are header fields with underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"content-type": JSON_TYPE, **named}, json.dumps(body).encode())
