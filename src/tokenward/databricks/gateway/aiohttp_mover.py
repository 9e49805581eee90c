"""The mover that Gateway uses by default: aiohttp's client, which moved several times as many bytes as httpx did.

It runs on asyncio only, and is of the extra `tokenward[gateway]`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tokenward import validation
from tokenward.databricks.admission.field_values import Fields
from tokenward.databricks.gateway.port import MoveFailed, Outgoing
from tokenward.databricks.hosts import workspace_origin
from tokenward.errors import PolicyError

if TYPE_CHECKING:
    import aiohttp

CONNECTIONS = 1000
"""To the upstream at one time; whoever comes beyond is told so at once, for nobody knows how long a stream takes."""
MAX_CONNECTIONS = 60_000
"""One address has no more ports to connect from."""
KEEP_ALIVE = 15.0
"""Seconds that an unused connection is kept: shorter than the minute or more after which load balancers drop theirs."""
MAX_HEAD_LINE = 32 * 1024
"""Bytes of one header line of the upstream's; its own servers stop earlier."""
MAX_HEAD_FIELDS = 256
READ_AHEAD = 128 * 1024
"""Bytes of an answer in memory before the upstream is made to wait; aiohttp stops reading at twice as many."""
REPEATED = frozenset({"GET", "HEAD"})
"""RFC 9110 section 9.2.2 would have PUT and DELETE repeated, too; but a second DELETE answers 404 for what the first one did."""
NONE_OF_ITS_OWN = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""Header fields that aiohttp would add."""


class AiohttpMover:
    """Moves requests to one upstream with aiohttp's client. It follows no redirect, and keeps no cookie.

    upstream     its address: scheme and host, and a port if need be
    connections  how many at one time
    tls          for an upstream whose certificate the system's authorities do not vouch for, an ssl.SSLContext that knows it

    It does not look at proxies in the environment. A GET or HEAD is sent a second time if its kept connection turns out to be
    closed; nothing else is. Raises PolicyError, also where aiohttp is not installed.
    """

    def __init__(self, upstream: str, *, connections: int = CONNECTIONS, tls: ssl.SSLContext | None = None) -> None:
        self.origin = workspace_origin("upstream", upstream)
        self._connections = validation.whole("connections", connections, least=1, most=MAX_CONNECTIONS)
        if tls is not None and not isinstance(tls, ssl.SSLContext):
            raise PolicyError("tls", "it is not an ssl.SSLContext", "Pass ssl.create_default_context(cafile=...).")
        self._tls = tls
        self._client = _Client()
        self._in_use = 0
        self._timeouts: dict[float, Any] = {}
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: AsyncGenerator[None, None] | None = None

    def send(self, outgoing: Outgoing) -> _Sending:
        """As Mover's."""
        return _Sending(self, self._client, outgoing)

    def enter(self) -> None:
        """Take one of the connections. Raises MoveFailed."""
        if self._in_use >= self._connections:
            raise MoveFailed("busy", "all connections are in use")
        self._in_use += 1

    def leave(self) -> None:
        """Give it back."""
        self._in_use -= 1

    async def request(self, outgoing: Outgoing) -> aiohttp.ClientResponse:
        """The answer's head. Raises what aiohttp does."""
        session = await self._session_here()
        return await session.request(
            outgoing.method,
            self._client.url(self.origin + outgoing.target, encoded=True),
            headers=self._client.headers(_text_fields(outgoing.fields)),
            data=None if outgoing.body is None else _Once(outgoing.body),
            allow_redirects=False,
            timeout=self._timeout(outgoing.connect),
        )

    async def close(self) -> None:
        """As Mover's. A later request opens new connections."""
        end, self._end, self._session = self._end, None, None
        if end is not None and self._loop is asyncio.get_running_loop():
            await end.aclose()

    async def _session_here(self) -> aiohttp.ClientSession:
        """The session of the running loop; one that was there before is over, and its connections with it."""
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session, self._loop = self._client.session(self._tls), loop
            self._end = _closed_with_its_loop(self._session)
            await anext(self._end)
        return self._session

    def _timeout(self, connect: float) -> Any:
        if connect not in self._timeouts:
            self._timeouts[connect] = self._client.timeout(connect)
        return self._timeouts[connect]


async def _closed_with_its_loop(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    """Closes the session when it is closed itself: by whoever holds it, or by asyncio.run, which so ends all generators."""
    try:
        yield
    finally:
        await session.close()


class _Sending:
    """The block in which there is an answer; whatever is left of it at the end is dropped, with its connection."""

    __slots__ = ("_client", "_mover", "_outgoing", "_response")

    def __init__(self, mover: AiohttpMover, client: _Client, outgoing: Outgoing) -> None:
        self._mover = mover
        self._client = client
        self._outgoing = outgoing
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> _Incoming:
        self._mover.enter()
        try:
            self._response = response = await self._answered()
        except self._client.errors as exc:
            raise self._client.failed(exc) from None
        finally:
            if self._response is None:
                self._mover.leave()
        return _Incoming(response, self._client)

    async def __aexit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        if self._response is not None:
            self._response.close()
            self._mover.leave()

    async def _answered(self) -> aiohttp.ClientResponse:
        """The upstream may close a connection that was kept at any time, just now too (RFC 9112 section 9.3.1)."""
        try:
            return await self._mover.request(self._outgoing)
        except self._client.left as exc:
            may_be_repeated = self._outgoing.method in REPEATED and self._outgoing.body is None
            if not may_be_repeated or isinstance(exc, self._client.unreached):
                raise
        return await self._mover.request(self._outgoing)


class _Incoming:
    """As Incoming, over aiohttp's response; its own iterator, because an async generator that is left early costs a task."""

    __slots__ = ("_client", "_content", "fields", "status")

    def __init__(self, response: aiohttp.ClientResponse, client: _Client) -> None:
        self._content = response.content
        self._client = client
        self.status = response.status
        self.fields: Fields = [(name.lower(), value) for name, value in response.raw_headers]

    def chunks(self) -> AsyncIterator[bytes]:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._content.at_eof():
            raise StopAsyncIteration
        try:
            chunk: bytes = await self._content.readany()
        except self._client.errors as exc:
            raise self._client.failed(exc) from None
        return chunk


class _Once:
    """A body that can be sent once: aiohttp would repeat a PUT on a new connection, and find nothing left of its body."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body: AsyncIterator[bytes] | None = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body is None:
            raise MoveFailed("closed", "the upstream had closed a connection that was kept, and a body is not sent twice")
        body, self._body = self._body, None
        return body


def _text_fields(fields: Fields) -> list[tuple[str, str]]:
    """aiohttp takes text, and encodes it as UTF-8."""
    return [(name.decode("ascii"), _text(value)) for name, value in fields]


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


class _Client:
    """What is used of aiohttp, imported when the first mover is made: whoever needs no gateway does not need it either."""

    def __init__(self) -> None:
        try:
            import aiohttp
            import multidict
            import yarl
        except ImportError:
            fix = "Install it: pip install 'aiohttp>=3.14' (or tokenward's extra `gateway`); or pass a mover of your own."
            raise PolicyError("mover", "the gateway moves bytes with aiohttp, which is not installed", fix) from None
        self._aiohttp: Any = aiohttp
        self.url = yarl.URL
        self.headers: Any = multidict.CIMultiDict
        self.errors = (aiohttp.ClientError, OSError, TimeoutError)
        self.left = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
        self.unreached = aiohttp.ClientConnectorError

    def session(self, tls: ssl.SSLContext | None) -> aiohttp.ClientSession:
        known = self._aiohttp
        connector = known.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ssl=True if tls is None else tls)
        session: aiohttp.ClientSession = known.ClientSession(
            connector=connector,
            cookie_jar=known.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=NONE_OF_ITS_OWN,
            timeout=self.timeout(None),
            read_bufsize=READ_AHEAD,
            max_line_size=MAX_HEAD_LINE,
            max_field_size=MAX_HEAD_LINE,
            max_headers=MAX_HEAD_FIELDS,
        )
        session._retry_connection = False  # noqa: SLF001  # it would repeat DELETE and PUT as well; `_Sending` repeats what may be
        return session

    def timeout(self, connect: float | None) -> aiohttp.ClientTimeout:
        known = self._aiohttp
        limits: aiohttp.ClientTimeout = known.ClientTimeout(total=None, connect=connect, sock_connect=connect, sock_read=None)
        return limits

    def failed(self, exc: Exception) -> MoveFailed:
        """What aiohttp raised, without its words, which may quote an address or a header."""
        known = self._aiohttp
        detail = type(exc).__name__
        if isinstance(exc, (known.ClientConnectorCertificateError, known.ClientSSLError, ssl.SSLError)):
            return MoveFailed("tls", detail)
        if isinstance(exc, TimeoutError):
            return MoveFailed("timeout", detail)
        if isinstance(exc, known.ClientConnectorError):
            return MoveFailed("connect", detail)
        if isinstance(exc, (known.ClientResponseError, known.InvalidURL)):
            return MoveFailed("protocol", detail)
        return MoveFailed("closed", detail)
