"""The page's own files, read once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)


@cache
def page_files() -> Mapping[str, tuple[bytes, str]]:
    """Each file's bytes and media type, by its name."""
    found = [file for file in files("tokenward.web").joinpath("page").iterdir() if file.is_file()]
    return MappingProxyType({file.name: (file.read_bytes(), _media_type(file.name)) for file in sorted(found, key=str)})


def _media_type(name: str) -> str:
    return MEDIA_TYPES[f".{name.rpartition('.')[2]}"]
