"""Who may ask the inspector, and what every answer forbids the browser: no other origin, no frame, no inline script, no store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tokenward.keys.address import is_loopback

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""www.w3.org/TR/CSP3: a text of a token can become neither code nor a request, whatever the page did wrong."""

HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cache-Control": "no-store",
        "Cross-Origin-Embedder-Policy": "require-corp",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), clipboard-read=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)

_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9_.-]+)|\[(?P<address>[0-9A-Fa-f:.]+)\])(?::[0-9]{0,5})?")
"""A name or an address and a port, and nothing around them (RFC 9110 section 7.2)."""
_ELSEWHERE = "This page answers under its own name only. Open it by the address that it was started with.\n"
_FOREIGN = "Only the inspector's own page may ask this.\n"


class Guard:
    """Judges host, peer and origin before the app sees a request, and writes the headers of every answer.

    hosts  the names that may be asked for; without any, loopback names, and then only callers on this machine
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers = Headers(scope=scope)
        if not self._is_own_name(headers.getlist("host"), scope.get("client")):
            return PlainTextResponse(_ELSEWHERE, 421)
        if scope["method"] not in ("GET", "HEAD") and not _is_own_page(headers):
            return PlainTextResponse(_FOREIGN, 403)
        return None

    def _is_own_name(self, hosts: list[str], client: tuple[str, int] | None) -> bool:
        """DNS rebinding brings the name of a foreign site; a stranger who says "localhost" comes from elsewhere."""
        if len(hosts) != 1:
            return False
        if self._hosts:
            return hosts[0].lower() in self._hosts
        return is_loopback(_name(hosts[0])) and client is not None and is_loopback(client[0])


def _is_own_page(headers: Headers) -> bool:
    """Browsers tell from which origin a POST comes, and current ones how that origin relates to this one (Fetch Metadata)."""
    host = headers["host"].lower()
    own = [[f"{scheme}://{host}"] for scheme in ("http", "https")]
    return headers.getlist("origin") in own and headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _name(host: str) -> str | None:
    found = _HOST.fullmatch(host)
    return None if found is None else (found["name"] or found["address"]).lower()
