"""Answers with status 200 whose body is not what it should be."""

from __future__ import annotations

import json
from dataclasses import replace

from tokenward.keys.port import MAX_BODY_BYTES
from tokenward.testing.faults.answer import JSON, Answer
from tokenward.testing.faults.fault import Fault

_PORTAL = b"<!doctype html><title>Sign in to the network</title><h1>Accept the terms of use</h1>"


def html() -> Fault:
    """The page of a captive portal, or of a proxy that wants a login."""
    return Fault("html", spoil=lambda _: Answer(200, {"content-type": "text/html; charset=utf-8"}, _PORTAL))


def empty() -> Fault:
    """A set without keys: {"keys":[]}."""
    return replace(body(b'{"keys":[]}'), name="empty")


def garbage() -> Fault:
    """The beginning of a set, and then no JSON."""
    return replace(body(b'{"keys":[{"kty":"RSA","kid":\xff\xfe'), name="garbage")


def document(value: object) -> Fault:
    """Any JSON document."""
    return body(json.dumps(value).encode())


def body(octets: bytes) -> Fault:
    """Any bytes, said to be JSON."""
    return Fault("body", spoil=lambda _: Answer(200, JSON, octets))


def text(before: bytes = b"", encoding: str = "utf-8", after: bytes = b"") -> Fault:
    """The right document in another encoding, with bytes before and after it: a byte order mark, UTF-16, broken UTF-8 ..."""

    def _spoil(answer: Answer) -> Answer:
        return replace(answer, body=before + answer.body.decode().encode(encoding) + after)

    return Fault("text", spoil=_spoil)


def too_large(octets: int = MAX_BODY_BYTES + 1, *, measured: bool = False) -> Fault:
    """The right document and then white space, so many bytes of it; `measured` says whether a Content-Length announces it."""

    def _spoil(answer: Answer) -> Answer:
        return replace(answer, body=answer.body + b" " * octets, measured=measured)

    return Fault("too_large", spoil=_spoil)
