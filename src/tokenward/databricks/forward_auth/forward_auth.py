"""ForwardAuth: an ASGI app that a proxy asks whether a request may go on, and under which token."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tokenward import validation
from tokenward.challenge import Answer
from tokenward.databricks.admission.admission import Admission
from tokenward.databricks.admission.credentials import Credentials
from tokenward.databricks.admission.form import judge_request
from tokenward.databricks.admission.health import health_of
from tokenward.databricks.admission.path import checked_target
from tokenward.databricks.admission.refusals import GatewayRefusal, RequestMalformed
from tokenward.databricks.admission.refusing import Refusing
from tokenward.databricks.admission.rule import Rule
from tokenward.databricks.admission.rules import allowed
from tokenward.databricks.forward_auth.dialects import asked, dialect_of
from tokenward.databricks.forward_auth.under_way import UnderWay
from tokenward.databricks.forward_auth.verdict import MAX_AGE, MOST_AGE, granted, refused
from tokenward.diagnostics import Diagnostics
from tokenward.errors import AuthenticationError, PolicyError
from tokenward.middleware.asgi import authorization_values, live, send_answer
from tokenward.middleware.door import verifier_for
from tokenward.policy import Policy
from tokenward.verifier import MAX_WARM_UP, WARM_UP_TIMEOUT, AsyncVerifier

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PREFIX = "/verdict"
_PREFIX = re.compile(r"(/[A-Za-z0-9_][A-Za-z0-9._~-]*)+")


class ForwardAuth:
    """Gives verdicts to a proxy that moves the bytes itself, on the same token, rules and credentials as the Gateway.

    policy, credentials,  as Gateway's
      allow, verifier
    source        the proxy that asks: "nginx", "envoy", "traefik" or "caddy"
    max_age       seconds that the proxy may keep a yes, at most; 0 is not at all
    prefix        the address of verdicts
    realm,        as BearerMiddleware's
      diagnostics,
      warm_up

    | source  | the caller's method and target are in                              | a refusal's status       |
    |---------|--------------------------------------------------------------------|--------------------------|
    | nginx   | X-Original-Method, X-Original-URI (set by the configuration)       | 401, 403, 503; see below |
    | envoy   | the request's own method, and its target below the prefix          | as it is                 |
    | traefik | X-Forwarded-Method, X-Forwarded-Uri                                | as it is                 |
    | caddy   | X-Forwarded-Method, X-Forwarded-Uri                                | as it is                 |

    nginx takes every status but 401 and 403 for an error of ours, so there other refusals (400, 405) become 403, and 503 stays,
    which the configuration hands on by `error_page`; `Tokenward-Refused` names what it was. Envoy answers a 5xx with its own
    `status_on_error`.

    A yes is a 200 without a body. It has the `Authorization` for the upstream, five `X-Tokenward-` fields (see `verdict`), and in
    `Cache-Control` how long it may be kept. So it is for the proxy alone: whoever else can reach this app with a good token
    is handed the token for the upstream. Give it an address that only the proxy can reach.

    Once the proxy has said what the caller wants, the rest is shared with the Gateway, code and order: the form of header fields
    (`admission.form`), of path and query, the token, the rules, the credentials. Of fields it sees what the proxy sends along:
    with the files in deploy/ that is Authorization and what the proxy itself says (from Caddy all of the caller's). The others
    only the proxy can judge.

    What the proxy must do itself: judge where a request begins and ends, remove identity-bearing fields, set the upstream's host,
    refuse upgrades, keep others from the prefix, and have time limits, since it is not told of a rule's patience. The files in
    deploy/ do. If a caller may have only so many requests under way, the proxy must count them: there is no `max_concurrent`
    here, where a verdict is over long before its request is, and no such limit in those files. It forwards the target as it
    came, which means the same as the one that was judged: every spelling of which that is not certain is refused.

    `/-/health` and `/-/ready` need no token. It looks at no body. It runs on asyncio. Raises PolicyError.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        credentials: Credentials,
        allow: Iterable[str | Rule] = ("all",),
        verifier: AsyncVerifier | None = None,
        source: str = "nginx",
        max_age: int = MAX_AGE,
        prefix: str = PREFIX,
        realm: str | None = None,
        diagnostics: Diagnostics | None = None,
        warm_up: float = WARM_UP_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.verifier = verifier_for(AsyncVerifier, policy, verifier)
        self._admission = Admission(self.verifier, credentials, allowed(*allow), clock)
        self._dialect = dialect_of(source)
        self._max_age = validation.whole("max_age", max_age, least=0, most=MOST_AGE)
        self._prefix = _require_prefix(prefix)
        self._refusing = Refusing(realm, diagnostics)
        self._warm_up = validation.seconds("warm_up", warm_up, most=MAX_WARM_UP)
        self._clock = clock
        self._under_way = UnderWay()
        self._draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            answer = self._health(scope) or await self._verdict(scope)
            await send_answer(answer, scope["method"], send)
        elif kind == "lifespan":
            await live(self.running(), receive, send)
        elif kind == "websocket":
            await self._refusing.refuse_websocket(scope, receive, send)
        else:
            raise NotImplementedError(f"ForwardAuth answers http, and refuses websockets; it does not know {kind!r}")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """For the lifespan of an app that it is mounted in: keys at the start and behind the requests."""
        self._draining = False
        self._under_way.begin()
        async with self.verifier.running(warm_up=self._warm_up):
            try:
                yield
            finally:
                self.drain()

    def drain(self) -> None:
        """From now on `/-/ready` is 503; verdicts are given to the end, because requests hang on them."""
        self._draining = True

    async def drained(self, timeout: float) -> bool:
        """Wait until no verdict is under way, `timeout` seconds at most; whether that is so.

        What takes longer is answered 503 `draining`, as is what begins afterwards and takes more than a second.
        """
        return await self._under_way.drained(timeout)

    @property
    def in_flight(self) -> int:
        """How many verdicts are under way."""
        return self._under_way.tally.total

    def _health(self, scope: Scope) -> Answer | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        return health_of(scope["path"].removeprefix(scope.get("root_path", "")), self.verifier, draining=self._draining)

    async def _verdict(self, scope: Scope) -> Answer:
        method, path = scope["method"], scope["path"]
        try:
            wanted = asked(self._dialect, method, _require_raw_path(scope), scope["query_string"], scope["headers"], self._prefix)
            method, path = wanted.method, wanted.path.decode("latin-1")
            judge_request(scope["headers"], scope["http_version"])
            target = checked_target(wanted.path, wanted.query)
            async with self._under_way.one():
                admitted = await self._admission.admit(authorization_values(scope), method, target)
        except (AuthenticationError, GatewayRefusal) as error:
            return refused(self._refusing.answer(error, method=method, path=path), self._dialect)
        return granted(admitted, self._clock(), self._max_age)


def _require_raw_path(scope: Scope) -> bytes:
    """The path as it was sent, below where the app is mounted. Raises RequestMalformed if the server does not say."""
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        raise RequestMalformed("the server gives no raw_path, and a decoded path could have been another one")
    root: bytes = scope.get("root_path", "").encode("utf-8")
    return raw[len(root) :] if root and raw.startswith(root) else raw


def _require_prefix(prefix: object) -> bytes:
    if not isinstance(prefix, str) or not _PREFIX.fullmatch(prefix):
        problem = "it is not a path of plain segments, without a slash at its end"
        raise PolicyError("prefix", problem, f"Give one such as {PREFIX!r}.")
    return prefix.encode("ascii")
