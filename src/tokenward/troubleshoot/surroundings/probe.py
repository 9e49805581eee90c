"""One GET that is looked at from the outside: the server's certificate, its clock, and why there is no answer."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tokenward.keys.address import is_loopback_url
from tokenward.troubleshoot.surroundings.clock import Moment

TIMEOUT = 10.0
"""Seconds for everything but the resolution of the name, which cannot be interrupted."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer. `certificate_ends` is in seconds since the epoch, and None for plain http."""

    moment: Moment
    certificate_ends: float | None


@dataclass(frozen=True, slots=True)
class NotSeen:
    """No answer, and why in a few words; `tls` is OpenSSL's number for what is wrong with the certificate, if that is it."""

    kind: str
    tls: int | None = None


def probe(
    url: str, *, timeout: float = TIMEOUT, clock: Callable[[], float] = time.time, context: ssl.SSLContext | None = None
) -> Seen | NotSeen:
    """Ask once, by the same client and certificates as the verifier, and read no body. Not for a running event loop.

    Redirects are not followed, and any status is an answer.
    """
    return asyncio.run(_probe(url, timeout, clock, context))


async def _probe(url: str, timeout: float, clock: Callable[[], float], context: ssl.SSLContext | None) -> Seen | NotSeen:
    tls = context or httpx.create_ssl_context()
    own = is_loopback_url(url)  # which no proxy reaches
    headers = {"Connection": "close", "User-Agent": "tokenward", "Cache-Control": "no-cache"}
    try:
        async with asyncio.timeout(timeout), httpx.AsyncClient(verify=tls, trust_env=not own, headers=headers) as client:
            sent = clock()
            async with client.stream("GET", url) as response:
                moment = Moment(response.headers.get("date"), sent, clock())
                return Seen(moment, _certificate_ends(response))
    except TimeoutError:
        return NotSeen("no answer in time")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        return _not_seen(exc)


def _certificate_ends(response: httpx.Response) -> float | None:
    stream = response.extensions.get("network_stream")
    found = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = found.getpeercert() if isinstance(found, (ssl.SSLObject, ssl.SSLSocket)) else None
    ends = certificate.get("notAfter") if certificate else None
    return float(ssl.cert_time_to_seconds(ends)) if isinstance(ends, str) else None


def _not_seen(exc: BaseException) -> NotSeen:
    """By the exceptions behind it; their texts quote what the server sent, and stay out."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return NotSeen("certificate", cause.verify_code)
        if isinstance(cause, ssl.SSLError):
            return NotSeen("TLS handshake failed")
        if type(cause).__name__ == "gaierror":
            return NotSeen("the name cannot be resolved")
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, httpx.TimeoutException):
        return NotSeen("no answer in time")
    return NotSeen("no connection" if isinstance(exc, (httpx.ConnectError, httpx.ProxyError)) else "the connection broke")
