"""What a failed fetch may say: it stands in logs and in `status()`."""

from __future__ import annotations

from typing import get_args

from fuzz.message import body_of
from fuzz.targets import require
from tokenward.keys.port import FailureKind, FetchFailed

MOST = 400
"""Characters of a failure's text: an issuer's name of 200, perhaps each written as an escape, is cut before."""
RUN = 24
"""Bytes that a text of ours could not share with a body by chance."""


def require_discretion(failure: FetchFailed, data: bytes) -> None:
    """A kind of the closed set, a short text of one line, and nothing of a body but the name of a foreign issuer."""
    text = str(failure)
    require(failure.kind in get_args(FailureKind), "a failure is of a known kind")
    require(failure.retry_after is None or 0 <= failure.retry_after <= 86400, "Retry-After is bounded")
    if failure.kind != "metadata":
        require(len(text) <= MOST and text.isprintable(), "a failure is a short text of one line")
        body = body_of(data)
        shown = text.encode("utf-8", "surrogatepass")
        require(
            not any(body[at : at + RUN] in shown for at in range(max(len(body) - RUN + 1, 0))),
            "a failure tells nothing of a body",
        )
