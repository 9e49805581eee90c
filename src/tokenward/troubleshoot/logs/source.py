"""Where a log comes from: a file, a compressed one, a file that grows and is rotated, or a stream such as stdin."""

from __future__ import annotations

import gzip
import os
import queue
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

CHUNK = 64 * 1024
"""Bytes that are read at once."""
AHEAD = 16
"""Chunks of a stream that are read before they are asked for."""


class Source(Protocol):
    """Gives a log's bytes."""

    def take(self, seconds: float) -> bytes | None:
        """What is there; b"" if nothing comes within about so many seconds, None at the end. Raises OSError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FileSource:
    """A file from its beginning to its end; one whose name ends with .gz is decompressed. Raises OSError."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb", buffering=0)  # type: ignore[assignment]  # noqa: SIM115

    def take(self, seconds: float) -> bytes | None:  # noqa: ARG002  # a file never keeps anybody waiting
        try:
            return self._file.read(CHUNK) or None
        except (EOFError, ValueError, zlib.error) as exc:  # a compressed file that was cut off or damaged, or is none
            raise OSError("it is not whole") from exc

    def close(self) -> None:
        self._file.close()


class FollowedFile:
    """A file that is written to: after its end what is appended, or what takes its place when it is rotated or cut.

    A copy that is cut and has already grown beyond where reading stopped looks as if it had only grown, as for `tail -F`.
    `sleep` waits for so many seconds. Raises OSError if the file is not there at the beginning.
    """

    def __init__(self, path: Path, *, sleep: Callable[[float], None]) -> None:
        self._path, self._sleep = path, sleep
        self._file = path.open("rb", buffering=0)
        self._is_new = False

    def take(self, seconds: float) -> bytes | None:
        """Never None. At a change of files a line's end comes, so that what was cut off is not joined to what is new."""
        chunk = self._file.read(CHUNK)
        if chunk:
            return chunk
        if self._is_replaced() or self._is_cut():
            return b"\n"
        self._sleep(seconds)
        return b""

    def close(self) -> None:
        self._file.close()

    def _is_replaced(self) -> bool:
        """Another file has the name now, and the old one was read to its end a moment after that."""
        try:
            if os.path.samestat(self._path.stat(), os.fstat(self._file.fileno())):
                self._is_new = False
                return False
            if not self._is_new:  # the writer may have written to the old one until just now
                self._is_new = True
                return False
            opened = self._path.open("rb", buffering=0)
        except OSError:  # between two files there is none, or none that may be read yet
            return False
        self._file.close()
        self._file, self._is_new = opened, False
        return True

    def _is_cut(self) -> bool:
        if os.fstat(self._file.fileno()).st_size >= self._file.tell():
            return False
        self._file.seek(0)
        return True


class StreamSource:
    """A stream, which is read by a thread of its own, so that a table can be drawn while nothing comes."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = getattr(stream, "raw", stream)  # the buffered one has a lock, which would be held at the process's end
        self._chunks: queue.Queue[bytes | OSError | None] = queue.Queue(AHEAD)
        threading.Thread(target=self._read, daemon=True).start()

    def take(self, seconds: float) -> bytes | None:
        try:
            chunk = self._chunks.get(timeout=seconds)
        except queue.Empty:
            return b""
        if isinstance(chunk, OSError):
            raise chunk
        return chunk

    def close(self) -> None:
        """Nothing: the stream is somebody else's."""

    def _read(self) -> None:
        try:
            while chunk := self._stream.read(CHUNK):
                self._chunks.put(chunk)
        except OSError as exc:
            self._chunks.put(exc)
        except ValueError:  # it was closed
            pass
        self._chunks.put(None)
