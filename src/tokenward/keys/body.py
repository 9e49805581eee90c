"""A body as it comes in, bounded on the wire and decoded."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

from tokenward.keys.port import FetchFailed


class BoundedBody:
    """Takes a body piece by piece: never more than `limit` bytes, on the wire or decoded. `headers` are in lower case.

    We ask for no encoding; a server that sends gzip all the same is decoded here, because httpx would inflate a whole
    chunk (33 MB from 194 KB, when tried) before a limit could be looked at.
    """

    def __init__(self, headers: Mapping[str, str], limit: int) -> None:
        self.refused: FetchFailed | None = None
        self._wire_room = limit
        self._room = limit
        self._parts: list[bytes] = []
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip", "deflate", ""):
            raise FetchFailed("encoding", "a content encoding that was not asked for")
        self._inflate = zlib.decompressobj(wbits=47) if encoding in ("gzip", "deflate") else None  # 47: gzip or zlib
        declared = headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 12 or int(declared) > limit):
            raise _too_large()

    def takes(self, chunk: bytes) -> bool:
        """Add a piece; False if the body is refused, and nothing more need be read."""
        try:
            self._take(chunk)
        except FetchFailed as failure:
            self.refused = failure
        return self.refused is None

    def whole(self) -> bytes:
        """The body. Raises FetchFailed."""
        if self.refused is not None:
            raise self.refused
        if self._inflate is not None and not self._inflate.eof:
            raise FetchFailed("encoding", "the compressed body is truncated")
        return b"".join(self._parts)

    def _take(self, chunk: bytes) -> None:
        self._wire_room -= len(chunk)
        part = self._inflated(chunk)
        self._room -= len(part)
        if self._wire_room < 0 or self._room < 0:
            raise _too_large()
        self._parts.append(part)

    def _inflated(self, chunk: bytes) -> bytes:
        try:
            return self._inflate.decompress(chunk, self._room + 1) if self._inflate else chunk
        except zlib.error:
            raise FetchFailed("encoding", "the compressed body is damaged") from None


def _too_large() -> FetchFailed:
    return FetchFailed("too_large", "the body is larger than any set of keys should be")
