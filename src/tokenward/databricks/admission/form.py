"""The form of a request's header fields: what two servers could read differently, or is none, is refused."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from tokenward.databricks.admission.field_names import OF_REQUEST, Fate
from tokenward.databricks.admission.field_values import Fields, has_control, listed
from tokenward.databricks.admission.refusals import FieldsTooLarge, RequestMalformed, UpgradeNotAllowed

MAX_FIELDS = 100
"""As many as Apache takes by default (LimitRequestFields); clients of Databricks send about a dozen."""
MAX_FIELD_BYTES = 64 * 1024
"""Names and values together; as much as h11 takes of an incomplete head, four times. The token alone may have 16 KiB."""

LENGTH = re.compile(rb"[0-9]{1,18}")
"""A Content-Length: digits and nothing else; 18 of them are an exabyte, and fit in 64 bits wherever they are read."""
_IGNORABLE_UPGRADE = re.compile(rb"h2c|tls/[0-9.]+")
"""Offers that clients make on any plain connection (curl, Apache HttpClient), and that a server may pass over."""

_REMOVED = Fate.REMOVED


def judge_request(fields: Fields, http_version: str) -> None:
    """Refuse a request that two servers could take for two different ones, or that is none.

    http_version  as ASGI has it ("1.0", "1.1", "2")

    It says nothing of Authorization but that it holds no control characters. Raises RequestMalformed, FieldsTooLarge,
    UpgradeNotAllowed.
    """
    if len(fields) > MAX_FIELDS:
        raise FieldsTooLarge("too many header fields", expected=MAX_FIELDS, seen=len(fields))
    size, of_request = 0, OF_REQUEST
    framing: list[tuple[bytes, bytes]] = []
    for name, value in fields:
        size += len(name)
        if of_request[name] > _REMOVED:
            framing.append((name.lower(), value))
    values = b"".join([value for _, value in fields])
    size += len(values)
    if size > MAX_FIELD_BYTES:
        raise FieldsTooLarge("the header fields are too long", expected=MAX_FIELD_BYTES, seen=size)
    if has_control(values):
        _malformed("a header field holds a control character", "printable characters, and tabs")
    if framing:
        _judge_framing(framing, http_version)


def _judge_framing(framing: Iterable[tuple[bytes, bytes]], http_version: str) -> None:
    """What decides where the request ends, and for whom it is. Everything else of HTTP/1.1 is the server's to judge."""
    found: dict[bytes, bytes] = {}
    for name, value in framing:
        if OF_REQUEST[name] is Fate.INVALID:
            _malformed("a header field's name is none", "letters, digits and hyphens", name)
        if name == b"connection":
            continue
        if name == b"upgrade":
            _judge_upgrade(value)
        elif name in found:
            _malformed(f"there is more than one {name.decode('ascii')}", "one at most")
        found[name] = value
    if b"content-length" in found:
        _judge_length(found)
    if b"transfer-encoding" in found:
        _judge_coding(found[b"transfer-encoding"], http_version)
    if b"expect" in found and found[b"expect"].lower() != b"100-continue":
        _malformed("the expectation is unknown", "100-continue", found[b"expect"])


def _judge_length(found: dict[bytes, bytes]) -> None:
    if b"transfer-encoding" in found:
        _malformed("there is both a content-length and a transfer-encoding", "one of them")
    if not LENGTH.fullmatch(found[b"content-length"]):
        _malformed("the content-length is no number", "digits", found[b"content-length"])


def _judge_coding(value: bytes, http_version: str) -> None:
    """There is none in HTTP/1.0 (RFC 9112 section 6.1), nor in HTTP/2 and 3 (RFC 9113 section 8.2.2, RFC 9114 section 4.2)."""
    if http_version != "1.1":
        _malformed("there is a transfer-encoding, and the request is not of HTTP/1.1", "a content-length", http_version)
    if value.lower() != b"chunked":
        _malformed("the transfer-encoding is not chunked", "chunked, and nothing else", value)


def _judge_upgrade(value: bytes) -> None:
    for protocol in listed(value):
        if not _IGNORABLE_UPGRADE.fullmatch(protocol):
            raise UpgradeNotAllowed("an upgrade to another protocol", seen=protocol)


def _malformed(reason: str, expected: str, seen: object = None) -> NoReturn:
    raise RequestMalformed(reason, expected=expected, seen=seen)
