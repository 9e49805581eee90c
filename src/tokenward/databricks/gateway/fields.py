"""The header fields of a request and of its answer: judged, and those that go on.

Fields are as ASGI has them: pairs of bytes, names in lower case, each name as often as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NoReturn

from tokenward.databricks.gateway.field_names import OF_ANSWER, OF_REQUEST, Fate
from tokenward.databricks.gateway.port import Fields
from tokenward.databricks.gateway.refusals import FieldsTooLarge, RequestMalformed, UpgradeNotAllowed

MAX_FIELDS = 100
"""As many as Apache takes by default (LimitRequestFields); clients of Databricks send about a dozen."""
MAX_FIELD_BYTES = 64 * 1024
"""Names and values together; as much as h11 takes of an incomplete head, four times. The token alone may have 16 KiB."""

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})  # RFC 9110 section 5.5: of control characters, the tab alone
_LENGTH = re.compile(rb"[0-9]{1,18}")
"""Digits and nothing else; 18 of them are an exabyte, and fit in 64 bits wherever they are read."""
_IGNORABLE_UPGRADE = re.compile(rb"h2c|tls/[0-9.]+")
"""Offers that clients make on any plain connection (curl, Apache HttpClient), and that a server may pass over."""
_USUAL = (b"keep-alive", b"close")
"""Values of Connection that name no field."""

_KEPT, _REMOVED, _CONNECTION, _LENGTH_FATE = Fate.KEPT, Fate.REMOVED, Fate.CONNECTION, Fate.LENGTH


def judge_request(fields: Fields, http_version: str = "1.1") -> None:
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
    if len(values.translate(None, _CONTROLS)) != len(values):
        _malformed("a header field holds a control character", "printable characters, and tabs")
    if framing:
        _judge_framing(framing, http_version)


def forwarded(fields: Fields, authorization: bytes, host: bytes, extra: Fields = ()) -> list[tuple[bytes, bytes]]:
    """The fields of a judged request as they go on: with this Host, this Authorization, and `extra` as it is.

    What is of the connection, and what Connection names, is removed before, and so is what says who calls and from where.
    Content-Length goes on whatever Connection says, since the body keeps its length.
    """
    kept: list[tuple[bytes, bytes]] = [(b"host", host), (b"authorization", authorization), *extra]
    named: list[bytes] = []
    ours, of_request = len(kept), OF_REQUEST
    for each in fields:
        fate = of_request[each[0]]
        if fate is _KEPT or fate is _LENGTH_FATE:
            kept.append(each)
        elif fate is _CONNECTION and each[1] not in _USUAL:
            named.append(each[1])
    return kept if not named else kept[:ours] + _without_named(kept[ours:], named)


def returned(fields: Fields) -> list[tuple[bytes, bytes]]:
    """The fields of an answer as they go on to the caller, without those of the connection, the upstream's cookies, and ours.

    Content-Length goes on only where it says one thing, and is not overruled (RFC 9112 section 6.3). A field with a control
    character is left out: it would end the header, or the answer, in the middle.
    """
    kept: list[tuple[bytes, bytes]] = []
    named: list[bytes] = []
    lengths: set[bytes] = set()
    coded, of_answer = False, OF_ANSWER
    for each in fields:
        fate = of_answer[each[0]]
        if fate is _KEPT:
            kept.append(each)
        elif fate is _LENGTH_FATE:
            lengths.add(each[1] if _LENGTH.fullmatch(each[1]) else b"")
        elif fate is _CONNECTION:
            if each[1] not in _USUAL:
                named.append(each[1])
        elif fate is Fate.FRAMING:
            coded = True
    if named:
        kept = _without_named(kept, named)
    if len(lengths) == 1 and b"" not in lengths and not coded:
        kept.append((b"content-length", lengths.pop()))
    return _without_controls(kept)


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
    if not _LENGTH.fullmatch(found[b"content-length"]):
        _malformed("the content-length is no number", "digits", found[b"content-length"])


def _judge_coding(value: bytes, http_version: str) -> None:
    """There is none in HTTP/1.0 (RFC 9112 section 6.1), nor in HTTP/2 and 3 (RFC 9113 section 8.2.2, RFC 9114 section 4.2)."""
    if http_version != "1.1":
        _malformed("there is a transfer-encoding, and the request is not of HTTP/1.1", "a content-length", http_version)
    if value.lower() != b"chunked":
        _malformed("the transfer-encoding is not chunked", "chunked, and nothing else", value)


def _judge_upgrade(value: bytes) -> None:
    for protocol in _listed(value):
        if not _IGNORABLE_UPGRADE.fullmatch(protocol):
            raise UpgradeNotAllowed("an upgrade to another protocol", seen=protocol)


def _without_named(fields: Fields, connection: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """RFC 9110 section 7.6.1: the sender says that these are of this connection alone."""
    names = {name for value in connection for name in _listed(value)} - {b"content-length"}
    return [each for each in fields if each[0].lower() not in names]


def _without_controls(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    values = b"".join([value for _, value in fields])
    if len(values.translate(None, _CONTROLS)) == len(values):
        return fields
    return [each for each in fields if len(each[1].translate(None, _CONTROLS)) == len(each[1])]


def _listed(value: bytes) -> list[bytes]:
    """The items of a list (RFC 9110 section 5.6.1), in lower case."""
    return [item.strip(b" \t").lower() for item in value.split(b",") if item.strip(b" \t")]


def _malformed(reason: str, expected: str, seen: object = None) -> NoReturn:
    raise RequestMalformed(reason, expected=expected, seen=seen)
