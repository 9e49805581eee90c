"""One admitted request, there and back: both bodies as streams, each no faster than the other side takes it.

Whoever waits has a limit: the client for the upstream (the rule's patience), the upstream for the client (`client_idle`). A
client that leaves ends its request at the upstream; an upstream that breaks off ends the answer without its proper end, so that
the client can tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tokenward.databricks.gateway.deadline import Awaited, Deadline
from tokenward.databricks.gateway.fields import returned
from tokenward.databricks.gateway.port import Fields, Incoming, MoveFailed, Mover, Outgoing
from tokenward.databricks.gateway.refusals import (
    ClientTimeout,
    GatewayRefusal,
    PrivateLinkRequired,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tokenward.databricks.gateway.rules import Patience

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

CLIENT_IDLE = 60.0
"""Seconds, by default, in which a client must send a part of its body, or take a part of the answer; as nginx has it
(client_body_timeout, send_timeout)."""
WATCH_AFTER = 0.05
"""Seconds after which somebody looks whether the client is still there: most answers have come by then, and need none of it."""
EVENT_STREAM = b"text/event-stream"
NO_CONTENT = (204, 304)
"""Their length, if they tell one, is of something else (RFC 9110 section 8.6), and uvicorn would expect it of their body."""
PRIVATE_LINK = b"/login.html?error=private-link-validation-error"
"""Where a workspace that is reached over the public network, and must not be, redirects every call to (databricks-sdk-py)."""


class ClientLeft(Exception):
    """Nobody is there to be answered."""


class Broken(Exception):
    """The answer had begun, and cannot be ended properly; `refusal` is for the log."""

    def __init__(self, refusal: GatewayRefusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Relay:
    """Carries one request, and its answer."""

    def __init__(self, mover: Mover, receive: Receive, send: Send, patience: Patience, client_idle: float) -> None:
        self._mover = mover
        self._receive = receive
        self._send = send
        self._patience = patience
        self._client_idle = client_idle
        self._deadline = Deadline()
        self._watch = _Watch(receive, self._deadline)
        self._begun = False

    async def carry(self, scope: Scope, target: str, fields: Fields) -> None:
        """Send the request on with these fields, and its answer back.

        Raises GatewayRefusal if nothing was answered yet, ClientLeft, or Broken.
        """
        try:
            async with self._deadline as deadline:
                deadline.wait_for(Awaited.UPSTREAM, self._patience.first_byte)
                outgoing = Outgoing(scope["method"], target, fields, await self._body(scope), self._patience.connect)
                async with self._mover.send(outgoing) as incoming:
                    await self._answer(incoming)
        except TimeoutError:
            raise self._late() from None
        except MoveFailed as failed:
            raise self._failed(failed) from None
        finally:
            self._watch.stop()

    # -- there -----------------------------------------------------------------------------------------------------

    async def _body(self, scope: Scope) -> AsyncIterator[bytes] | None:
        """The request's body, or None if it has none, which HTTP/2 shows only by its first part."""
        length, chunked = _framing(scope["headers"])
        if length or chunked:
            return self._parts(b"", more=True)
        if length is None and scope["http_version"] not in ("1.0", "1.1"):
            first = await self._part()
            self._deadline.wait_for(Awaited.UPSTREAM, self._patience.first_byte)
            if first[0] or first[1]:
                return self._parts(*first)
        self._watch.begin_soon()
        return None

    async def _parts(self, chunk: bytes, more: bool) -> AsyncIterator[bytes]:
        while True:
            if chunk:
                self._deadline.wait_for(Awaited.UPSTREAM, self._patience.first_byte)
                yield chunk
            if not more:
                self._deadline.wait_for(Awaited.UPSTREAM, self._patience.first_byte)
                self._watch.begin_soon()
                return
            chunk, more = await self._part()

    async def _part(self) -> tuple[bytes, bool]:
        self._deadline.wait_for(Awaited.CLIENT, self._client_idle)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._deadline.end(Awaited.NOBODY)
            raise ClientLeft  # so that a body which was cut off is never ended as if it were whole
        return message.get("body", b""), message.get("more_body", False)

    # -- and back --------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: Incoming) -> None:
        status = incoming.status
        if not 200 <= status < 600:
            raise UpstreamUnavailable("the upstream switched protocols, or gave a status that there is not", seen=status)
        fields = returned(incoming.fields)
        if status in NO_CONTENT:
            fields = [field for field in fields if field[0] != b"content-length"]
        length, idle = None, self._patience.idle
        for name, value in fields:
            if name == b"content-length":
                length = int(value)
            elif name == b"content-type" and value[:17].lower() == EVENT_STREAM:
                idle = None
            elif name == b"location" and PRIVATE_LINK in value:
                raise PrivateLinkRequired("the workspace takes calls over its private link only")
        self._begun = True
        try:
            await self._send({"type": "http.response.start", "status": status, "headers": fields})
            await self._stream(incoming, length, idle)
        except OSError:  # what `send` raises where nobody listens any more (ASGI specification, 2.4)
            raise ClientLeft from None

    async def _stream(self, incoming: Incoming, length: int | None, idle: float | None) -> None:
        """The parts of the answer; the last one ends it at once where the length is known."""
        send, wait_for, sent = self._send, self._deadline.wait_for, 0
        wait_for(Awaited.UPSTREAM, idle)
        async for chunk in incoming.chunks():
            sent += len(chunk)
            wait_for(Awaited.CLIENT, self._client_idle)
            await send({"type": "http.response.body", "body": chunk, "more_body": sent != length})
            if sent == length:
                return
            wait_for(Awaited.UPSTREAM, idle)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    # -- what went wrong -------------------------------------------------------------------------------------------

    def _late(self) -> Exception:
        if self._deadline.late is Awaited.NOBODY:
            return ClientLeft()
        if self._deadline.late is Awaited.CLIENT:
            reason = "the client took no part of its answer in time" if self._begun else "no part of the body came in time"
            return self._unless_begun(ClientTimeout(reason, expected=self._client_idle))
        limit = self._patience.idle if self._begun else self._patience.first_byte
        reason = "the upstream broke off its answer" if self._begun else "the upstream did not begin to answer in time"
        return self._unless_begun(UpstreamTimeout(reason, expected=limit))

    def _failed(self, failed: MoveFailed) -> Exception:
        if self._deadline.late is Awaited.NOBODY:
            return ClientLeft()
        if failed.kind == "timeout":
            return self._unless_begun(UpstreamTimeout("no connection to the upstream in time", expected=self._patience.connect))
        reason = "the upstream broke off its answer" if self._begun else "the upstream gave no HTTP answer"
        return self._unless_begun(UpstreamUnavailable(reason, seen=f"{failed.kind} ({failed.detail})"))

    def _unless_begun(self, refusal: GatewayRefusal) -> Exception:
        return Broken(refusal) if self._begun else refusal


class _Watch:
    """Looks whether the client is still there, while nobody reads its body; and ends the request if it is not."""

    __slots__ = ("_deadline", "_handle", "_receive", "_stopped", "_task")

    def __init__(self, receive: Receive, deadline: Deadline) -> None:
        self._receive = receive
        self._deadline = deadline
        self._handle: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    def begin_soon(self) -> None:
        if not self._stopped:
            self._handle = asyncio.get_running_loop().call_later(WATCH_AFTER, self._begin)

    def stop(self) -> None:
        self._stopped = True
        for pending in (self._handle, self._task):
            if pending is not None:
                pending.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._deadline.end(Awaited.NOBODY)


def _framing(fields: Fields) -> tuple[int | None, bool]:
    """Content-Length, and whether the body comes in chunks; both were judged before."""
    length, chunked = None, False
    for name, value in fields:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    return length, chunked
