"""A request's target: judged and normalised once, and from then on one text, which is matched, logged and forwarded.

Normalised is what RFC 3986 section 6.2.2 calls equivalent: escapes of unreserved characters are decoded, the others are in
upper case. Refused is what servers are known to read differently: empty and dotted segments, separators and parameters in
disguise, and whatever would become one of these if somebody behind us decodes a second time. The gateway itself never does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from tokenward.databricks.admission.refusals import PathMalformed

MAX_PATH_BYTES = 8 * 1024
"""What nginx takes by default as one line (large_client_header_buffers); paths of volumes are far shorter."""
MAX_QUERY_BYTES = 16 * 1024
"""Lists of names and presigned parameters; a token does not belong there."""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN = re.compile(rb"/[A-Za-z0-9\-._~!$&'()*+,=:@/]*")  # RFC 3986 section 3.3, less ";" and escapes
_ESCAPED = re.compile(rb"/(?:[A-Za-z0-9\-._~!$&'()*+,=:@/]|%[0-9A-Fa-f]{2})*")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_QUERY = re.compile(rb"[!\"$-~]*")  # printable, less "#" and space

_DOTTED = re.compile(rb"/\.\.?(?:/|$|%3B)")
"""Also before an escaped ";", behind which servlet containers look for parameters and not for a name."""
_SEPARATOR = re.compile(rb"%(?:2F|5C)")
_NOT_TWICE = b"|".join(b"%02X" % byte for byte in sorted(_UNRESERVED | frozenset(b"/\\#%;?")))
_TWICE = re.compile(rb"%25(?:" + _NOT_TWICE + rb"|u[0-9A-F]{4})", re.IGNORECASE)
"""What a second decoding would make into another path. Letters have no reason to be escaped at all; %uXXXX is IIS's own.

What is left are names that hold an escape themselves, such as Spark's partitions (`ts=10%3A00`).
"""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Target:
    """A path and a query that may be forwarded as they are; `str()` is both, as they stand in a request line."""

    path: str
    query: str

    def __str__(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


def checked_target(raw_path: bytes, query: bytes, root: str = "") -> Target:
    """The target of a request, judged and normalised; judging it again changes nothing.

    raw_path  as it was sent, still escaped (ASGI's raw_path)
    query     without the question mark; it goes on as it came
    root      where the app is mounted (ASGI's root_path). It is cut off if the path begins with exactly it, before anything
                is decoded; another spelling of it is not cut off, and then no rule fits

    Raises PathMalformed.
    """
    path = raw_path if len(raw_path) <= MAX_PATH_BYTES else _refuse("the path is too long", f"{MAX_PATH_BYTES} bytes at most")
    if root:
        path = _below(path, root.rstrip("/").encode("utf-8", "replace"))
    if b"//" in path:
        _refuse("a segment of the path is empty", "no // anywhere")
    if not _PLAIN.fullmatch(path) or b"/." in path:
        path = _normalised(path)
    if not _QUERY.fullmatch(query) or len(query) > MAX_QUERY_BYTES:
        _refuse_query(query)
    return Target(path.decode("ascii"), query.decode("ascii"))


def _below(path: bytes, root: bytes) -> bytes:
    """The path below the mount point, which is "/" where nothing follows."""
    if not path.startswith(root) or path[len(root) : len(root) + 1] not in (b"", b"/"):
        return path
    return path[len(root) :] or b"/"


def _normalised(path: bytes) -> bytes:
    """The rare path, with escapes or with a segment that begins with a dot."""
    if not _ESCAPED.fullmatch(path):
        _refuse_characters(path)
    normal = _ESCAPE.sub(_one_form, path)
    if _DOTTED.search(normal):
        _refuse("a segment of the path is . or ..", "the path that is meant")
    if _SEPARATOR.search(normal):
        _refuse("a segment of the path holds an escaped / or \\", "names without these")
    if b"%" in normal:
        _require_single_meaning(normal)
    return normal


def _one_form(escape: re.Match[bytes]) -> bytes:
    byte = int(escape[1], 16)
    return bytes((byte,)) if byte in _UNRESERVED else escape[0].upper()


def _require_single_meaning(normal: bytes) -> None:
    """Decoded once or twice, it must be UTF-8 in its shortest form (RFC 3629 section 3), and no control character in it."""
    if _TWICE.search(normal):
        _refuse("a segment of the path is escaped twice", "each name escaped once")
    once = unquote_to_bytes(normal)
    for decoded in (once, unquote_to_bytes(once)):
        try:
            text = decoded.decode("utf-8")
        except UnicodeDecodeError:
            _refuse("the path's escapes are not UTF-8", "UTF-8")
        if _CONTROL.search(text):
            _refuse("the path holds an escaped control character", "names without these")


def _refuse_characters(path: bytes) -> NoReturn:
    if not path.startswith(b"/"):
        _refuse("the path does not begin with /", "a path, and not an address or *")
    if re.search(rb"%(?![0-9A-Fa-f]{2})", path):
        _refuse("an escape in the path is cut short, or not hexadecimal", "% and two hexadecimal digits")
    _refuse("the path holds a character that must be escaped there", "characters of RFC 3986 section 3.3, and no ;")


def _refuse_query(query: bytes) -> NoReturn:
    if len(query) > MAX_QUERY_BYTES:
        _refuse("the query is too long", f"{MAX_QUERY_BYTES} bytes at most")
    _refuse("the query holds a character that must be escaped there", "printable ASCII, without # and spaces")


def _refuse(reason: str, expected: str) -> NoReturn:
    raise PathMalformed(reason, expected=expected)
