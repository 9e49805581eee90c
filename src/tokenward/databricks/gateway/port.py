"""The port to whoever moves the bytes: one request out, one answer in, both as streams.

aiohttp's client stands behind it (`aiohttp_mover`); anything with these two shapes can take its place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from tokenward.databricks.admission.field_values import Fields

FailedKind: TypeAlias = Literal["busy", "connect", "timeout", "tls", "closed", "protocol"]
"""`busy`: all connections are in use; nobody waits for one."""


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A request as it is to be sent. It has no repr that would show a token.

    target   path and query, already checked and escaped; a mover neither quotes nor decodes it
    fields   all of them, `host` and `authorization` among them; a mover adds none but those of framing
    body     its parts, or None where the request has no body. With a `content-length` among the fields they have that length
               in all; without one they are sent in chunks (RFC 9112 section 7.1)
    connect  seconds for name resolution, connection and TLS handshake; other limits are the caller's, who cancels
    """

    method: str
    target: str
    fields: Fields
    body: AsyncIterator[bytes] | None
    connect: float

    def __repr__(self) -> str:
        return f"<Outgoing {self.method}>"


class Incoming(Protocol):
    """An answer whose head has arrived."""

    @property
    def status(self) -> int: ...

    @property
    def fields(self) -> Fields:
        """As they came, repeated ones too."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes in, compressed if it was sent so; not read faster than it is taken. Raises MoveFailed."""
        ...


class Mover(Protocol):
    """Moves bytes to and from one upstream, which it was made for. It follows no redirect and keeps no cookie.

    It sends nothing twice, but for a GET or HEAD whose kept connection turned out to be closed before any answer.
    """

    def send(self, outgoing: Outgoing) -> AbstractAsyncContextManager[Incoming]:
        """Send, and give the answer when its head has come; leaving the block before its end drops the connection.

        Raises MoveFailed; what `outgoing.body` raises comes through as it is.
        """
        ...

    async def close(self) -> None:
        """Close all connections. It does not wait for requests under way; whoever calls it has seen to their end."""
        ...


class MoveFailed(Exception):
    """The upstream gave no answer, or no whole one. `kind` says how it ended; `detail` names no caller and no token."""

    def __init__(self, kind: FailedKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: FailedKind = kind
        self.detail = detail
