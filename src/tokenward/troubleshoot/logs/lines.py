"""A log's bytes, cut into lines: whatever comes in, no more than one line of bounded length is held."""

from __future__ import annotations

from collections.abc import Iterator

MAX_LINE = 64 * 1024
"""Bytes of a line that is read. An event of ours has less than 8 KiB, and container runtimes cut lines at 16 KiB
(moby, daemon/logger/copier.go)."""


class Lines:
    """Takes bytes as they come, and gives whole lines; of a line that is too long nothing is given, and it is counted."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_skipping = False
        self.too_long = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that are complete now, without their ends."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        self._rest = b""
        for line in whole:
            if not self._is_skipping and self._fits(line):
                yield line
            self._is_skipping = False
        if not self._is_skipping and not self._fits(rest):
            self._is_skipping = True
        self._rest = b"" if self._is_skipping else rest

    def finish(self) -> Iterator[bytes]:
        """What is left at the end of a file that does not end with a line's end."""
        rest, self._rest, self._is_skipping = self._rest, b"", False
        if rest:
            yield rest

    def _fits(self, line: bytes) -> bool:
        fits = len(line) <= MAX_LINE
        self.too_long += not fits
        return fits
