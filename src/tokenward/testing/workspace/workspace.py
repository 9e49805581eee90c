"""DatabricksWorkspace: a workspace and its account in one object. NOT FOR PRODUCTION."""

from __future__ import annotations

import threading
import uuid
from collections import Counter, deque
from typing import Unpack
from urllib.parse import urlsplit

from tokenward.keys.port import FetchFailed, FetchRequest, FetchResponse
from tokenward.testing.oidc import OidcIssuer
from tokenward.testing.options import Minting
from tokenward.testing.workspace.estate import DEFAULT_HOME, Estate, Parts
from tokenward.testing.workspace.faults import Fault
from tokenward.testing.workspace.messages import Bytes, Object, Refused, Reply, Request, Reset
from tokenward.testing.workspace.people import DEFAULT_USER
from tokenward.testing.workspace.routes import routed
from tokenward.testing.workspace.token_endpoint import Exchange

KEPT_REQUESTS = 10_000


class DatabricksWorkspace(Estate):
    """Exchanges federated tokens and answers a few APIs in Databricks' shapes, in process or behind a `WorkspaceServer`.

    It begins with the user `ada@contoso.example`, a service principal, an identity provider of its own (`idp`), an account-wide
    policy for that provider's tokens and a policy of the service principal for its subject WORKLOAD. Not for production.

    home          where it says it is while it is not served
    account_id,   its own ids; the account's is the audience that a policy without audiences expects
      workspace_id
    entra         an Entra tenant whose AzureDatabricks tokens it accepts, too, for users of their `unique_name`
    issuers       local issuers whose keys it reads in process; of all others it asks over the network
    clock,        epoch seconds, for tokens; seconds for rate limits; what makes the key it signs with
      monotonic,
      new_key
    """

    def __init__(self, home: str = DEFAULT_HOME, **parts: Unpack[Parts]) -> None:
        super().__init__(home, **parts)
        self.requests: deque[Request] = deque(maxlen=KEPT_REQUESTS)
        self.counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    # -- what a test asks of it ----------------------------------------------------------------------------------------

    @property
    def exchanges(self) -> list[Exchange]:
        """Every exchange that was asked for and judged."""
        return self.tokens.exchanges

    def federated_jwt(self, subject: str = DEFAULT_USER, **minting: Unpack[Minting]) -> str:
        """A token of `idp` for this account; WORKLOAD is the subject of the service principal's policy."""
        return self.idp.access_token(self.account_id, subject=subject, **minting)

    def access_token(self, name: str = DEFAULT_USER, *, scope: str = "all-apis", lifetime: float = 3600.0) -> str:
        """A token as an exchange gives it, for a user or service principal. Raises KeyError if nobody has this name."""
        principal = self.directory.find(name)
        if principal is None:
            raise KeyError(name)
        return self.mint.token(principal, scope, self.clock() + lifetime)

    def policies(self) -> Object:
        """The federation policies as the account's API lists them, with the addresses where local issuers publish their keys."""
        places = {issuer.issuer: issuer.jwks_uri for issuer in self.issuers if isinstance(issuer, OidcIssuer)}
        places[self.idp.issuer] = self.idp.jwks_uri.replace(self.idp.home, self.origin)
        listed = [policy.to_databricks() for policy in self.federation.policies]
        for policy in listed:
            inner = policy["oidc_policy"]
            if isinstance(inner, dict) and inner["issuer"] in places and "jwks_json" not in inner:
                inner.setdefault("jwks_uri", places[inner["issuer"]])
        return {"policies": listed}

    def fail(self, fault: Fault) -> None:
        """Fail in one more way, such as `Fault("status", "/oidc/v1/token", status=429, retry_after=2, times=1)`."""
        self.faults.set(fault)

    def limit(self, path: str, requests: int, seconds: float) -> None:
        """Answer more than so many requests in so many seconds to paths that begin with `path` with 429 and Retry-After."""
        self.faults.limit(path, requests, seconds)

    def recover(self) -> None:
        """No faults and no limits any more."""
        self.faults.clear()

    # -- how it is asked -----------------------------------------------------------------------------------------------

    def answer(self, request: Request, patience: float | None = None) -> Reply:
        """The reply to any request, faults included. Raises Reset, and TimeoutError if `patience` seconds are not enough."""
        with self._counting:
            self.counts[f"{request.method} {request.path}"] += 1
        self.requests.append(Request(request.method, request.path, request.query, request.headers))
        reply = self.faults.apply(request, lambda: self._routed(request), patience)
        return reply.having({"x-request-id": str(uuid.uuid4()), "x-databricks-org-id": self.workspace_id, "server": "databricks"})

    def _routed(self, request: Request) -> Reply:
        try:
            return routed(self, request)
        except Refused as refusal:
            return refusal.reply

    def fetch(self, request: FetchRequest) -> FetchResponse:
        """The port to the network (`tokenward.keys.port.Fetch`) without a network. Raises FetchFailed as a client would."""
        parts = urlsplit(request.url)
        if f"{parts.scheme}://{parts.netloc}" not in (self.origin, self.home):
            raise FetchFailed("dns", "not the stand-in's address")
        headers = {name.lower(): value for name, value in request.headers.items()}
        target = f"{parts.path}?{parts.query}"
        try:
            reply = self.answer(Request.to(request.method, target, headers, Bytes(request.content)), request.timeout)
        except Reset:
            raise FetchFailed("read", "the stand-in was told to break the connection") from None
        except TimeoutError:
            raise FetchFailed("timeout", "the stand-in was told to be slow") from None
        return _response(reply, request.limit)

    async def async_fetch(self, request: FetchRequest) -> FetchResponse:
        """The same as `tokenward.keys.port.AsyncFetch`. It never pauses."""
        return self.fetch(request)


def _response(reply: Reply, limit: int) -> FetchResponse:
    if reply.cut is not None:
        raise FetchFailed("read", "the stand-in was told to break off")
    body = b"".join(reply.pieces())
    if len(body) > limit:
        raise FetchFailed("too_large", "the body is larger than the limit of the request")
    return FetchResponse(reply.status, {name.lower(): value for name, value in reply.headers.items()}, body)
