"""Files in volumes: PUT, GET, HEAD and DELETE of `/api/2.0/fs/files/Volumes/...`. Bytes go to disk and come from it in pieces.

Shapes: docs.databricks.com/api/workspace/files. Presigned addresses, by which the SDK moves large files, are not offered.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from tokenward.testing.workspace.messages import Refused, Reply, Request
from tokenward.testing.workspace.shapes import api_error

PREFIX = "/api/2.0/fs/files"
PIECE = 64 * 1024
"""Bytes that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class File:
    """A stored file; `place` holds its bytes, under a name of our own choosing."""

    place: Path
    size: int
    modified: str


class Volumes:
    """The files of the workspace, in a folder of this machine that ends with it."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._remove_folder: Callable[[], object] = int  # nothing to do yet
        self._files: dict[str, File] = {}
        self._count = 0
        self._lock = threading.Lock()

    def close(self) -> None:
        """Remove all files."""
        with self._lock:
            self._folder = None
            self._files.clear()
        self._remove_folder()

    def handle(self, request: Request, now: float) -> Reply:
        """Any method on one file."""
        name = _name(request.path)
        match request.method:
            case "PUT":
                return self._put(request, name, now)
            case "GET" | "HEAD":
                return self._get(request, name)
            case "DELETE":
                self._found(name)
                self._remove(name)
                return Reply(204)
            case _:
                return api_error(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.path}'")

    def _put(self, request: Request, name: str, now: float) -> Reply:
        if name in self._files and request.query.get("overwrite", "").lower() != "true":
            return api_error(409, "ALREADY_EXISTS", "The file being created already exists.")
        place = self._place()
        try:
            size = _store(request, place)
        except BaseException:
            place.unlink(missing_ok=True)
            raise
        self._remove(name)
        self._files[name] = File(place, size, formatdate(now, usegmt=True))
        return Reply(204)

    def _get(self, request: Request, name: str) -> Reply:
        file = self._found(name)
        first, last = _range(request.headers.get("range", ""), file.size)
        part = {} if (first, last) == (0, file.size) else {"content-range": f"bytes {first}-{last - 1}/{file.size}"}
        fields = {"content-type": "application/octet-stream", "last-modified": file.modified, "accept-ranges": "bytes", **part}
        return Reply(206 if part else 200, fields, lambda: _pieces(file.place, first, last), last - first)

    def _found(self, name: str) -> File:
        if name not in self._files:
            raise Refused(api_error(404, "NOT_FOUND", "The file being accessed is not found."))
        return self._files[name]

    def _remove(self, name: str) -> None:
        old = self._files.pop(name, None)
        if old is not None:
            old.place.unlink(missing_ok=True)  # a reader that has it open keeps it

    def _place(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="tokenward-volumes-"))
                self._remove_folder = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            self._count += 1
            return self._folder / str(self._count)


def _name(path: str) -> str:
    name = unquote(path.removeprefix(PREFIX))
    parts = PurePosixPath(name).parts
    if parts[:2] != ("/", "Volumes") or len(parts) < 6 or ".." in parts or name.endswith("/"):
        raise Refused(api_error(400, "INVALID_PARAMETER_VALUE", "Give a path /Volumes/<catalog>/<schema>/<volume>/<file>."))
    return name


def _store(request: Request, place: Path) -> int:
    size = 0
    with place.open("wb") as file:
        for piece in request.body.pieces():
            size += file.write(piece)
    return size


def _pieces(place: Path, first: int, last: int) -> Iterator[bytes]:
    with place.open("rb") as file:
        file.seek(first)
        while first < last and (piece := file.read(min(PIECE, last - first))):
            first += len(piece)
            yield piece


def _range(wish: str, size: int) -> tuple[int, int]:
    """`bytes=a-` and `bytes=a-b` (RFC 9110 section 14.1.2); any other wish is for the whole. Raises Refused (416)."""
    start, dash, end = wish.removeprefix("bytes=").partition("-")
    if not (wish.startswith("bytes=") and dash and start.isdecimal() and (end.isdecimal() or not end)):
        return 0, size
    first, last = int(start), min(int(end) + 1, size) if end else size
    if first >= last:
        raise Refused(
            api_error(416, "INVALID_PARAMETER_VALUE", "The range is not in the file.").having(
                {"content-range": f"bytes */{size}"}
            )
        )
    return first, last
