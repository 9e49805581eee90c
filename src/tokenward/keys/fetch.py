"""The port's default: one request with httpx, bounded in time and size, from a client that lives for this one fetch.

A new client for each fetch binds to no event loop, keeps no stale connection and survives a fork; with the TLS context
ready it costs a fraction of a millisecond, once an hour.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import socket
import ssl
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self, TypedDict

import httpx

from tokenward.errors import PolicyError
from tokenward.keys.address import is_loopback_url
from tokenward.keys.body import BoundedBody
from tokenward.keys.port import FailureKind, FetchFailed, FetchRequest, FetchResponse

CONNECT_TIMEOUT = 2.0
"""Seconds. Half a second has failed real users; longer helps only black holes."""
READ_TIMEOUT = 3.0
"""Seconds between two pieces of a document; the total is the request's own. What is posted may take its time to be answered."""

LATE = ("httpcore", "anyio", "anyio._backends._asyncio")
"""What httpx imports at its first request: 180 modules and 0.2 s, in which an event loop would stand still."""


class HttpxFetch:
    """Requests for the thread driver. It keeps the total deadline itself, but for name resolution, which cannot be interrupted.

    `tls` is the context to verify servers with (default: httpx's own); `trust_env` honours the proxy and certificate
    variables of the environment, which never apply to this machine's own addresses.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, trust_env: bool = True) -> None:
        self._tls = tls or _default_tls(trust_env)
        self._trust_env = trust_env

    def __call__(self, request: FetchRequest) -> FetchResponse:
        deadline = _Deadline(request.timeout)
        try:
            with deadline, httpx.Client(**_options(request, self._tls, self._trust_env)) as client:
                return self._get(client, request, deadline)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise (FetchFailed("timeout", "the total deadline") if deadline.passed else _failure(exc)) from exc

    def _get(self, client: httpx.Client, request: FetchRequest, deadline: _Deadline) -> FetchResponse:
        sent, watched = request.content or None, {"trace": deadline.watch}
        with client.stream(request.method, request.url, content=sent, extensions=watched) as response:
            body = BoundedBody(response.headers, request.limit)
            for chunk in response.iter_raw():
                if not body.takes(chunk):
                    break
            if deadline.passed:  # what ended the body may have been our own shutdown
                raise FetchFailed("timeout", "the total deadline")
            return FetchResponse(response.status_code, dict(response.headers), body.whole())


class AsyncHttpxFetch:
    """Requests for the async driver, on asyncio and trio; arguments as HttpxFetch.

    It leaves the total deadline to the driver, which cancels it.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, trust_env: bool = True) -> None:
        self._tls = tls or _default_tls(trust_env)
        self._trust_env = trust_env
        _import_what_comes_late()

    async def __call__(self, request: FetchRequest) -> FetchResponse:
        try:
            async with httpx.AsyncClient(**_options(request, self._tls, self._trust_env)) as client:
                return await self._get(client, request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            raise _failure(exc) from exc

    async def _get(self, client: httpx.AsyncClient, request: FetchRequest) -> FetchResponse:
        async with client.stream(request.method, request.url, content=request.content or None) as response:
            body = BoundedBody(response.headers, request.limit)
            try:
                async for chunk in response.aiter_raw():
                    if not body.takes(chunk):
                        # The next read fails then, which ends httpx's nested generators: trio warns of abandoned ones.
                        await response.aclose()
            except Exception:
                if body.refused is None:
                    raise
            return FetchResponse(response.status_code, dict(response.headers), body.whole())


def _import_what_comes_late() -> None:
    for name in LATE:
        with contextlib.suppress(ImportError):  # another version of httpx may do without it
            importlib.import_module(name)


@functools.cache
def _default_tls(trust_env: bool) -> ssl.SSLContext:
    """Built once in a process, at construction and never on a running loop: it reads every CA certificate."""
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except OSError as exc:
        problem = f"the CA certificates cannot be read ({type(exc).__name__})"
        raise PolicyError("fetch", problem, "Correct SSL_CERT_FILE or SSL_CERT_DIR, or pass HttpxFetch(tls=...).") from exc


class _Options(TypedDict):
    verify: ssl.SSLContext
    headers: dict[str, str]
    timeout: httpx.Timeout
    trust_env: bool
    follow_redirects: bool


def _options(request: FetchRequest, tls: ssl.SSLContext, trust_env: bool) -> _Options:
    read = min(READ_TIMEOUT, request.timeout) if request.method == "GET" else request.timeout
    return {
        "verify": tls,
        "headers": request.headers | {"Connection": "close", "User-Agent": "tokenward"},
        "timeout": httpx.Timeout(read, connect=min(CONNECT_TIMEOUT, request.timeout)),
        "trust_env": trust_env and not is_loopback_url(request.url),
        "follow_redirects": False,
    }


class _Deadline:
    """A total deadline for a blocking request: httpx's timeouts are per read, and a slow server resets them for ever.

    It learns of the connection through httpcore's trace extension, and shuts the socket down when the time is over; the
    read that was blocked then fails at once.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def watch(self, event: str, info: Mapping[str, object]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete", "proxy.start_tls.complete"):
            stream = info["return_value"]
            self._socket = stream.get_extra_info("socket")  # type: ignore[attr-defined]  # httpcore.NetworkStream
            if self.passed:
                self._shut()

    def _expire(self) -> None:
        self.passed = True
        self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._timer.cancel()


def _failure(exc: Exception) -> FetchFailed:
    """Name what went wrong; the exception's own text may quote addresses and stays out."""
    causes = _chain(exc)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return FetchFailed("dns", "the host name cannot be resolved")
    if any(isinstance(cause, ssl.SSLError) and not isinstance(cause, _WAITING_FOR_MORE) for cause in causes):
        return FetchFailed("tls", "the server's certificate or TLS was not accepted")
    for kind, kinds in _KINDS.items():
        if isinstance(exc, kinds):
            return FetchFailed(kind, type(exc).__name__)
    return FetchFailed("other", type(exc).__name__)


_WAITING_FOR_MORE = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""No errors, but how TLS in memory asks for bytes: they are in the chain of whatever else ends such a wait."""
_KINDS: dict[FailureKind, tuple[type[Exception], ...]] = {
    "timeout": (httpx.TimeoutException,),
    "connect": (httpx.ConnectError, httpx.ProxyError),
    "read": (httpx.TransportError, OSError),
}


def _chain(exc: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while exc is not None and exc not in found:
        found.append(exc)
        exc = exc.__cause__ or exc.__context__
    return found
