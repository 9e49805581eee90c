"""The port to the network: what a fetch is asked, what it answers, and how it fails.

`Fetch` and `AsyncFetch` are one function each, so that another client, or an instrumented one, fits without a change here.
An implementation must not follow redirects and must stop reading at `limit` bytes. A `Fetch` must itself give up after
`timeout` seconds, because nobody can stop a thread from outside; an `AsyncFetch` may leave that to its driver, which cancels it
then. Whatever else one raises than FetchFailed counts as a failed fetch, too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

MAX_BODY_BYTES = 1024 * 1024
"""1000 Entra keys are 1.5 MB with certificates, 100 are 155 KB; 50 KiB, as elsewhere, has failed real issuers."""

FailureKind: TypeAlias = Literal[
    "timeout", "dns", "tls", "connect", "read", "status", "redirect", "too_large", "encoding",
    "not_json", "metadata", "no_keys", "not_started", "cancelled", "other",
]  # fmt: skip


class FetchFailed(Exception):
    """A fetch that brought nothing. `detail` is short, and holds nothing of a body; `retry_after` is in seconds."""

    def __init__(
        self, kind: FailureKind, detail: str = "", *, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind: FailureKind = kind
        self.detail = detail
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One request, which is a GET where keys are fetched. `timeout` is what is left of the total, in seconds.

    no_cache  asks caches on the way to step aside
    limit     bytes of the answer's body that are read at most
    content   the body to send, and `fields` header fields that replace the usual ones. Both may hold secrets, so `repr` shows
              neither, and an implementation must not log them
    """

    url: str
    timeout: float
    no_cache: bool = False
    limit: int = MAX_BODY_BYTES
    method: str = "GET"
    content: bytes = field(default=b"", repr=False)
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def headers(self) -> dict[str, str]:
        asked = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        return asked | ({"Cache-Control": "no-cache"} if self.no_cache else {}) | dict(self.fields)


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """Any answer at all. Header names are lower case; the body is decoded, and at most `limit` bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def checked(response: object) -> FetchResponse:
    """What a fetch returned, if it is what the port asks for. Raises FetchFailed."""
    if not isinstance(response, FetchResponse):
        raise FetchFailed("other", "the fetch returned no FetchResponse")
    return response


def as_failure(exc: BaseException) -> FetchFailed:
    """What a fetch raised, as a failed fetch; the text of a foreign exception may quote anything, and stays out."""
    return exc if isinstance(exc, FetchFailed) else FetchFailed("other", type(exc).__name__)


def tried(fetch: Fetch, request: FetchRequest) -> FetchResponse | FetchFailed:
    """What a fetch brings; whatever it raises is a failed fetch."""
    try:
        return checked(fetch(request))
    except Exception as exc:  # noqa: BLE001  # another client may raise anything, and it must cost no more than one attempt
        return as_failure(exc)


Fetch: TypeAlias = Callable[[FetchRequest], FetchResponse]
AsyncFetch: TypeAlias = Callable[[FetchRequest], Awaitable[FetchResponse]]
