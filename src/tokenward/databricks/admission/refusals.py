"""What is refused for another reason than the token: one class, one stable code; and the answer to it.

GatewayRefusal
├── RequestMalformed     400  request_malformed
├── PathMalformed        400  path_malformed
├── PathNotAllowed       403  path_not_allowed
├── MethodNotAllowed     405  method_not_allowed, with Allow
├── ClientTimeout        408  client_timeout
├── TooManyRequests      429  too_many_requests, with Retry-After
├── FieldsTooLarge       431  fields_too_large
├── UpgradeNotAllowed    501  upgrade_not_allowed
├── UpstreamUnavailable  502  upstream_unavailable
├── PrivateLinkRequired  502  private_link_required
├── Draining             503  draining, with Retry-After
├── GatewayBusy          503  gateway_busy, with Retry-After
└── UpstreamTimeout      504  upstream_timeout

`public_description` is the fixed sentence that the caller may read, and `hint` the one for the operator. Neither `str()` nor
`repr()` of a refusal holds anything that came with the request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tokenward.challenge import Answer, refusal_answer, retry_after
from tokenward.redaction import shown

MARK = "Tokenward-Refused"
"""The header of every answer of the gateway's own; it is removed from the upstream's, so it tells the two apart."""


AGAIN = 1.0
"""Seconds after which a caller may try again: most requests are over by then, and another process answers."""


class GatewayRefusal(Exception):
    """A request that does not go on, or an answer that does not come.

    What it carries is for the operator's log: `reason` is our own fixed sentence; `expected` and `seen` say what was judged, cut
    and escaped here; `hint` may take the place of its class's. Of the answer are `retry_after`, the seconds after which the
    caller may try again, and `allow`, the methods that there are.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    public_description: ClassVar[str]
    retry_after: ClassVar[float | None] = None
    issuer: str | None = None
    client: str | None = None
    hint: str

    def __init__(
        self,
        reason: str = "",
        *,
        expected: object = None,
        seen: object = None,
        allow: tuple[str, ...] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.expected = shown(_as_text(expected))
        self.seen = shown(_as_text(seen))
        self.allow = allow
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}" if self.reason else self.code

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"


class RequestMalformed(GatewayRefusal):
    """Header fields that two servers could read differently, or that are none (RFC 9110 section 5.5, RFC 9112 section 6.3)."""

    code = "request_malformed"
    status = 400
    public_description = "The request's header fields are malformed"
    hint = "The client, or a proxy before the gateway, sends header fields that are ambiguous; see reason. It may be an attack."


class PathMalformed(GatewayRefusal):
    """A path or a query that two servers could read differently."""

    code = "path_malformed"
    status = 400
    public_description = "The request's path or query is malformed"
    hint = "The client must send the path in its plain form, each name in it escaped once; see reason. It may be an attack."


class PathNotAllowed(GatewayRefusal):
    """No rule of the gateway's names this path."""

    code = "path_not_allowed"
    status = 403
    public_description = "The gateway does not serve this path"
    hint = "No rule in `allow` holds this path. If callers need it, add a preset or a Rule; what makes tokens wants a Rule."


class MethodNotAllowed(GatewayRefusal):
    """The path is served, but not with this method."""

    code = "method_not_allowed"
    status = 405
    public_description = "The gateway does not serve this path with this method"
    hint = "The rules in `allow` that hold this path do not name the method. If callers need it, add a Rule for it."


class ClientTimeout(GatewayRefusal):
    """The client sent too little of its body, or took too little of the answer, for too long."""

    code = "client_timeout"
    status = 408
    public_description = "The request's body did not come in time"
    hint = "The client, or the network on its side, is too slow, or it stopped. `client_idle` says how long it may."


class TooManyRequests(GatewayRefusal):
    """The caller has as many requests under way as one caller may."""

    code = "too_many_requests"
    status = 429
    retry_after = AGAIN
    public_description = "Too many requests at one time"
    hint = "One caller fills its share of the gateway. If it is meant to, raise `max_concurrent`."


class FieldsTooLarge(GatewayRefusal):
    """More header fields, or more bytes of them, than the gateway takes (RFC 6585 section 5)."""

    code = "fields_too_large"
    status = 431
    public_description = "The request's header fields are too large"
    hint = "The client sends unusually many or long header fields; often these are cookies, which the gateway does not forward."


class UpgradeNotAllowed(GatewayRefusal):
    """Websockets and other protocols, which the gateway could not judge once they run."""

    code = "upgrade_not_allowed"
    status = 501
    public_description = "The gateway does not serve websockets or other upgrades"
    hint = "The web terminal and other websockets of the workspace are not reachable through the gateway."


class GatewayBusy(GatewayRefusal):
    """All connections that the gateway may have to the upstream are in use; nobody waits for one."""

    code = "gateway_busy"
    status = 503
    retry_after = AGAIN
    public_description = "The gateway is busy"
    hint = "Too many requests or streams are under way in this process: raise `connections`, or run more processes."


class UpstreamUnavailable(GatewayRefusal):
    """The upstream could not be reached, or gave no whole HTTP answer."""

    code = "upstream_unavailable"
    status = 502
    public_description = "The service behind the gateway could not be reached"
    hint = "Look at the name, the network and the certificate between the gateway and the workspace; see seen."


class PrivateLinkRequired(GatewayRefusal):
    """The workspace redirects to its login page, because it takes calls over its private link only."""

    code = "private_link_required"
    status = 502
    public_description = "The service behind the gateway does not accept calls from this network"
    hint = "The workspace has private link on and public access off: run the gateway in a network that is connected to it."


class Draining(GatewayRefusal):
    """The gateway stops, and begins nothing new."""

    code = "draining"
    status = 503
    retry_after = AGAIN
    public_description = "The gateway is stopping"
    hint = "Requests still come to a gateway that is not ready: the load balancer must ask /-/ready before they stop it."


class UpstreamTimeout(GatewayRefusal):
    """The upstream was silent for longer than the rule's patience."""

    code = "upstream_timeout"
    status = 504
    public_description = "The service behind the gateway did not answer in time"
    hint = "The workspace takes longer than the rule's Patience allows; expected is the limit in seconds."


CODES: dict[str, type[GatewayRefusal]] = {leaf.code: leaf for leaf in GatewayRefusal.__subclasses__()}
"""The closed set: code -> its class."""


def answer_of(refusal: GatewayRefusal) -> Answer:
    """The answer to a refused request, which is not marked yet; it has no challenge, because no other token would help."""
    more: list[tuple[str, str]] = []
    if isinstance(refusal, MethodNotAllowed):
        more.append(("Allow", ", ".join(refusal.allow)))  # RFC 9110 section 15.5.6 requires it, be it empty
    if refusal.retry_after is not None:
        more.append(("Retry-After", retry_after(refusal.retry_after)))
    return refusal_answer(refusal.status, refusal.code, refusal.public_description, *more)


def marked(answer: Answer, value: str) -> Answer:
    """The answer, with the mark that the gateway gave it: a code, or an OAuth error. A mark that it had is replaced."""
    kept = tuple((name, text) for name, text in answer.headers if name.lower() != MARK.lower())
    return replace(answer, headers=(*kept, (MARK, value)))


def _as_text(value: object) -> object:
    return value.decode("latin-1") if isinstance(value, bytes) else value
