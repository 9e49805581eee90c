"""One admitted request, there and back: both bodies as streams, each no faster than the other side takes it.

Whoever waits has a limit: the client for the upstream (the rule's patience), the upstream for the client (`client_idle`). A
client that leaves ends its request at the upstream; an upstream that breaks off ends the answer without its proper end, so that
the client can tell.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, TypeAlias

from tokenward.databricks.admission.field_values import Fields
from tokenward.databricks.admission.patience import Patience
from tokenward.databricks.admission.refusals import (
    ClientTimeout,
    Draining,
    GatewayBusy,
    GatewayRefusal,
    PrivateLinkRequired,
    RequestMalformed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from tokenward.databricks.gateway.deadline import Awaited, Deadline, Rounds
from tokenward.databricks.gateway.fields import returned
from tokenward.databricks.gateway.port import Incoming, MoveFailed, Mover, Outgoing

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

CLIENT_IDLE = 60.0
"""Seconds, by default, in which a client must send a part of its body, or take a part of the answer; as nginx has it
(client_body_timeout, send_timeout)."""
LISTEN_AGAIN = 0.01
"""Seconds, so that a server whose `receive` has always something to say does not keep a core busy."""
EVENT_STREAM = b"text/event-stream"
NO_CONTENT = (204, 304)
"""Their length, if they tell one, is of something else (RFC 9110 section 8.6), and uvicorn would expect it of their body."""
PRIVATE_LINK = b"/login.html?error=private-link-validation-error"
"""Where a workspace that is reached over the public network, and must not be, redirects every call to (databricks-sdk-py)."""


Adapt: TypeAlias = Callable[[Fields], Fields]


class ClientLeft(Exception):
    """Nobody is there to be answered."""


class Broken(Exception):
    """The answer had begun, and cannot be ended properly; `refusal` is for the log."""

    def __init__(self, refusal: GatewayRefusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Relay:
    """Carries one request, and its answer."""

    def __init__(
        self,
        mover: Mover,
        receive: Receive,
        send: Send,
        patience: Patience,
        client_idle: float,
        rounds: Rounds,
        adapt: Adapt | None = None,
    ) -> None:
        self._mover = mover
        self._receive = receive
        self._send = send
        self._patience = patience
        self._client_idle = client_idle
        self._adapt = adapt
        self._deadline = Deadline(rounds)
        self._watch: asyncio.Task[None] | None = None
        self._begun = False
        self._refused: GatewayRefusal | None = None

    async def carry(self, scope: Scope, target: str, fields: Fields) -> None:
        """Send the request on with these fields, and its answer back.

        Raises GatewayRefusal if nothing was answered yet, ClientLeft, or Broken.
        """
        try:
            async with self._deadline:
                self._await_answer()
                outgoing = Outgoing(scope["method"], target, fields, await self._body(scope), self._patience.connect)
                async with self._mover.send(outgoing) as incoming:
                    await self._answer(incoming)
        except TimeoutError:
            raise self._late() from None
        except MoveFailed as failed:
            raise self._failed(failed) from None
        finally:
            self._deadline.look = None
            if self._watch is not None:
                self._watch.cancel()

    # -- there -----------------------------------------------------------------------------------------------------

    async def _body(self, scope: Scope) -> AsyncIterator[bytes] | None:
        """The request's body, or None if it has none, which HTTP/2 shows only by its first part."""
        length, chunked = _framing(scope["headers"])
        if length or chunked:
            return self._parts(b"", True, length)
        if length is None and scope["http_version"] not in ("1.0", "1.1"):
            first = await self._part()
            if first[0] or first[1]:
                return self._parts(*first, length)
        self._watch_client()
        return None

    async def _parts(self, chunk: bytes, more: bool, length: int | None) -> AsyncIterator[bytes]:
        """The parts of a body. One that is not as long as was said would have the next caller's request read as its rest."""
        sent = 0
        while True:
            sent += len(chunk)
            if length is not None and (sent > length if more else sent != length):
                self._refused = RequestMalformed("the body is not as long as its Content-Length says")
                raise self._refused
            if chunk:
                yield chunk
            if not more:
                self._watch_client()
                return
            chunk, more = await self._part()

    async def _part(self) -> tuple[bytes, bool]:
        """The next part of the body. Until it has come the upstream cannot answer; then it has its whole time again."""
        deadline = self._deadline
        deadline.part_by = deadline.after(self._client_idle)
        if not self._begun:
            deadline.answer_by = math.inf
        message = await self._receive()
        deadline.part_by = math.inf
        self._await_answer()
        if message["type"] == "http.disconnect":
            deadline.end(Awaited.NOTHING)
            raise ClientLeft  # so that a body which was cut off is never ended as if it were whole
        return message.get("body", b""), message.get("more_body", False)

    def _await_answer(self) -> None:
        """From now on the upstream has its time to begin; an answer that has begun has limits of its own."""
        if not self._begun:
            self._deadline.answer_by = self._deadline.after(self._patience.first_byte)

    # -- whether somebody is there -----------------------------------------------------------------------------------

    def _watch_client(self) -> None:
        """At the next look, and not before, somebody is set to listen: most answers have come by then, and need none of it."""
        self._deadline.look = self._begin_watch

    def _begin_watch(self) -> None:
        self._deadline.look = None
        self._watch = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while (await self._receive())["type"] != "http.disconnect":  # noqa: ASYNC110  # the condition is what is awaited
                await asyncio.sleep(LISTEN_AGAIN)
        finally:
            self._deadline.end(Awaited.NOTHING)

    # -- and back --------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: Incoming) -> None:
        status = incoming.status
        if not 200 <= status < 600:
            raise UpstreamUnavailable("the upstream switched protocols, or gave a status that there is not", seen=status)
        fields: Fields = returned(incoming.fields)
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
        if self._adapt is not None:
            fields = self._adapt(fields)
        self._begun = True
        await self._give({"type": "http.response.start", "status": status, "headers": fields})
        await self._stream(incoming, length, idle)

    async def _stream(self, incoming: Incoming, length: int | None, idle: float | None) -> None:
        """The parts of the answer; the last one ends it at once where the length is known."""
        deadline, sent = self._deadline, 0
        deadline.answer_by = deadline.after(idle)
        async for chunk in incoming.chunks():
            sent += len(chunk)
            deadline.answer_by = math.inf
            await self._give({"type": "http.response.body", "body": chunk, "more_body": sent != length})
            if sent == length:
                return
            deadline.answer_by = deadline.after(idle)
        await self._give({"type": "http.response.body", "body": b"", "more_body": False})

    async def _give(self, message: Message) -> None:
        """Hand a part of the answer to the client, who must take it in time."""
        self._deadline.taken_by = self._deadline.after(self._client_idle)
        try:
            await self._send(message)
        except OSError:  # what `send` raises where nobody listens any more (ASGI specification, 2.4)
            raise ClientLeft from None
        self._deadline.taken_by = math.inf

    # -- what went wrong -------------------------------------------------------------------------------------------

    def _late(self) -> Exception:
        match self._deadline.late:
            case Awaited.PART:
                return self._unless_begun(ClientTimeout("no part of the body came in time", expected=self._client_idle))
            case Awaited.TAKING:
                return self._unless_begun(
                    ClientTimeout("the client took no part of its answer in time", expected=self._client_idle)
                )
            case Awaited.STOP:
                return self._unless_begun(Draining("the gateway stopped before the answer was whole"))
            case Awaited.ANSWER if self._begun:
                return Broken(UpstreamTimeout("the upstream sent nothing more in time", expected=self._patience.idle))
            case Awaited.ANSWER:
                reason = "the upstream did not begin to answer in time"
                return UpstreamTimeout(reason, expected=self._patience.first_byte)
            case _:
                return ClientLeft()

    def _failed(self, failed: MoveFailed) -> Exception:
        if self._refused is not None:
            return self._unless_begun(self._refused)
        if self._deadline.late is Awaited.NOTHING:
            return ClientLeft()
        if failed.kind == "busy":
            return GatewayBusy("every connection to the upstream is in use")
        if failed.kind == "timeout":
            return self._unless_begun(UpstreamTimeout("no connection to the upstream in time", expected=self._patience.connect))
        reason = "the upstream broke off its answer" if self._begun else "the upstream gave no HTTP answer"
        return self._unless_begun(UpstreamUnavailable(reason, seen=f"{failed.kind} ({failed.detail})"))

    def _unless_begun(self, refusal: GatewayRefusal) -> Exception:
        return Broken(refusal) if self._begun else refusal


def _framing(fields: Fields) -> tuple[int | None, bool]:
    """Content-Length, and whether the body comes in chunks; both were judged before."""
    length, chunked = None, False
    for name, value in fields:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            chunked = True
    return length, chunked
