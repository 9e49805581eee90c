"""A whole answer, as it is before anything goes wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse

JSON: Mapping[str, str] = {"content-type": "application/json; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to a GET. `measured` says whether the server declares the length of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    measured: bool = True


def response_to(request: FetchRequest, answer: Answer) -> FetchResponse:
    """The answer as the key port has it. Raises FetchFailed if it is longer than the request allows."""
    if len(answer.body) > request.limit:
        raise FetchFailed("too_large", "the body is larger than the limit of the request")
    return FetchResponse(answer.status, dict(answer.headers), answer.body)
