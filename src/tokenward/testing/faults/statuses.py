"""Answers whose status or header fields are the trouble."""

from __future__ import annotations

from dataclasses import replace

from tokenward import validation
from tokenward.testing.faults.answer import JSON, Answer
from tokenward.testing.faults.fault import Fault


def status(code: int = 503, *, retry_after: int | str | None = None) -> Fault:
    """An error of this status, with a Retry-After if one is given: seconds, a date, or anything else."""
    validation.whole("status", code, least=200, most=599)
    if isinstance(retry_after, int):
        validation.whole("retry_after", retry_after, least=0, most=10**9)
    asked = {} if retry_after is None else {"retry-after": str(retry_after)}
    return _answered("status", Answer(code, {**JSON, **asked}, b'{"error":"temporarily_unavailable"}'))


def not_modified() -> Fault:
    """304 to a request that set no condition, as of a broken cache on the way."""
    return _answered("not modified", Answer(304, {"etag": '"1"'}, b"", measured=False))


def redirect(location: str = "https://portal.example/login", code: int = 302) -> Fault:
    """A redirect to another place."""
    return _answered("redirect", Answer(code, {"location": location}, b""))


def header(name: str, value: str) -> Fault:
    """The right answer with this header field, in place of its own of that name."""
    return Fault("header", spoil=lambda answer: replace(answer, headers={**answer.headers, name.lower(): value}))


def _answered(name: str, answer: Answer) -> Fault:
    return Fault(name, spoil=lambda _: answer)
