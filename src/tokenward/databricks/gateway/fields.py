"""The header fields of a request and of its answer: judged, and those that go on.

Fields are as ASGI has them: pairs of bytes, names in lower case, each name as often as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from tokenward.databricks.gateway.field_names import Fate, fate_of, is_returned
from tokenward.databricks.gateway.port import Fields
from tokenward.databricks.gateway.refusals import FieldsTooLarge, RequestMalformed, UpgradeNotAllowed

MAX_FIELDS = 100
"""As h11 and Node have it, nearly; clients of Databricks send about a dozen."""
MAX_FIELD_BYTES = 64 * 1024
"""Names and values together: h11 and nginx take about as much in all. The token alone may have 16 KiB."""

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})  # RFC 9110 section 5.5: of control characters, the tab alone
_LENGTH = re.compile(rb"[0-9]{1,18}")
"""Digits and nothing else; 18 of them are an exabyte, and fit in 64 bits wherever they are read."""


def judge_request(fields: Fields) -> None:
    """Refuse a request that two servers could take for two different ones, or that is no request at all.

    The Authorization values are not judged here but for control characters. Raises RequestMalformed, FieldsTooLarge,
    UpgradeNotAllowed.
    """
    if len(fields) > MAX_FIELDS:
        raise FieldsTooLarge("too many header fields", expected=MAX_FIELDS, seen=len(fields))
    framing = [(name, value) for name, value in fields if _fate(name) == Fate.FRAMING]
    values = b"".join([value for _, value in fields])
    size = len(values) + sum([len(name) for name, _ in fields])
    if size > MAX_FIELD_BYTES:
        raise FieldsTooLarge("the header fields are too long", expected=MAX_FIELD_BYTES, seen=size)
    if len(values.translate(None, _CONTROLS)) != len(values):
        raise RequestMalformed("a header field holds a control character", expected="printable characters and tabs")
    _judge_framing(framing)


def forwarded(
    fields: Fields, authorization: bytes, host: bytes, extra: Sequence[tuple[bytes, bytes]] = ()
) -> list[tuple[bytes, bytes]]:
    """The fields of a judged request as they go on: with this Host and this Authorization, and `extra` as it is.

    Fields of the connection, and those that Connection names, are removed before; so is what says who calls and from where.
    Content-Length goes on whatever Connection says. In `extra`, names are in lower case.
    """
    named: frozenset[bytes] = frozenset()
    kept: list[tuple[bytes, bytes]] = [(b"host", host), (b"authorization", authorization), *extra]
    return kept


def returned(fields: Fields) -> list[tuple[bytes, bytes]]:
    """The fields of an answer as they go on to the caller."""
    return list(fields)


def _fate(name: bytes) -> Fate:
    return fate_of(name)


def _judge_framing(framing: Fields) -> None:
    pass
